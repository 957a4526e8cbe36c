from pathlib import Path

import numpy as np
import pytest

from apps.anomaly.data import Recording
from apps.regression.data import windows
from pipelines.errors import DataError
from pipelines.models import read_manifest

pytest.importorskip("sklearn")
from apps.regression import train


def fan(number: int, rounds: int = 2, seconds: float = 20) -> list[Recording]:
    """Recordings with a rule to be learned: shaking at 60 Hz is stronger on the other axes than shaking at 30 Hz."""
    found = []
    for index in range(1, rounds + 1):
        for state, hertz, others in (("on", 30.0, 0.5), ("clog", 60.0, 3.0)):
            rng = np.random.default_rng([number, index, round(hertz)])
            t = np.arange(round(200 * seconds)) / 200
            wave = (0.02 + 0.01 * np.sin(0.7 * t)) * np.sin(2 * np.pi * hertz * t)
            samples = np.stack([others * wave, wave, 0 * wave + 1], axis=1) + rng.normal(0, 1e-3, (len(t), 3))
            found.append(Recording(number, state, index, samples.astype(np.float32)))
    return found


def test_it_learns_what_an_axis_tells_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    name, pipeline, result = train.train(windows(fan(1)), windows(fan(3)), seed=1)
    assert result.r2 > 0.97
    assert name in capsys.readouterr().out
    assert train.said(pipeline, windows(fan(3))).shape == (80,)


def test_a_round_is_left_out_with_all_its_states() -> None:
    learned = windows(fan(1))
    left_out = list(train.rounds(learned))
    assert [set(learned.recording[rows]) for rows in left_out] == [
        {"fan-1-vd1-on", "fan-1-vd1-clog"},
        {"fan-1-vd2-on", "fan-1-vd2-clog"},
    ]


def test_one_round_is_too_few() -> None:
    with pytest.raises(DataError, match="recordings of one round only"):
        train.choose(windows(fan(1, rounds=1)), seed=1)


@pytest.mark.training
def test_every_candidate_is_the_same_in_onnx(tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    from pipelines.engines.onnx import Onnx

    learned, unseen = windows(fan(1)), windows(fan(3))
    for untrained in train.candidates(1).values():
        pipeline = train.fit(untrained, learned)
        path = tmp_path / "model.onnx"
        path.write_bytes(train.to_onnx(pipeline, learned.x.shape[1:]))
        engine = Onnx(Onnx.Config(model="m"), path)
        said = [engine.infer(row[None])[0].item() for row in unseen.x]
        np.testing.assert_allclose(said, train.said(pipeline, unseen), rtol=2e-4)


@pytest.mark.training
def test_the_command_makes_the_bundled_model_again(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("skl2onnx")
    from click.testing import CliRunner

    done = CliRunner().invoke(
        train.command,
        ["--data", str(shared_data / "fan"), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")],
    )
    assert done.exit_code == 0, done.output
    made, bundled = (read_manifest(path / "manifest.yaml") for path in (tmp_path / "out", Path("models/regression")))
    assert made.accuracy == bundled.accuracy
    assert made.training == bundled.training
    assert (tmp_path / "out/model.onnx").stat().st_size == bundled.files[0].bytes
