"""The demos on the emulated boards: the same labels at the same times as on the simulator with the same C."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from hal.rt.firmware import ModelSource, Running, build, needed
from hal.rt.target import Rt
from hal.targets import open_target, start
from pipelines.config.demo import Overrides, load_demo
from pipelines.core import Event, LinkBack, LinkLost, Result, StageTime
from pipelines.errors import DeviceMismatch
from pipelines.graph import resolve
from pipelines.models import find_file, manifest_of, read_manifest
from pipelines.run import run

pytest.importorskip("tflite")
ROOT = Path(__file__).parents[2]
TARGETS = ["rt:host", pytest.param("rt:qemu", marks=pytest.mark.slow)]
FAST = (("--fast", {"pace": "fast"}),)


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    return there_to_build(request.param)


def there_to_build(target: str) -> str:
    if missing := needed({"rt:host": "host", "rt:qemu": "mps2-an500"}[target]):
        pytest.skip(missing)
    return target


class Notes:
    """An observer that keeps what the test looks at."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.times: dict[str, str] = {}
        self.links: list[Event] = []

    def on(self, event: Event) -> None:
        match event:
            case Result():
                self.results.append(event)
            case StageTime():
                self.times[event.stage] = event.measured
            case LinkLost() | LinkBack():
                self.links.append(event)

    @property
    def said(self) -> list[tuple[str, float, float, float | None]]:
        return [(result.label, result.t, result.score, result.value) for result in self.results]


def played(config: str, target: str, sets: Sequence[str] = (), **changes: object) -> Notes:
    """Run a demo as fast as it goes, without its actions."""
    notes = Notes()
    with ExitStack() as stack:
        built = open_target(target)
        stack.callback(built.close)
        graphs = resolve(load_demo(config, built, Overrides(tuple(sets), FAST, **changes)), built, stack)  # type: ignore[arg-type]
        start(built, notes)
        run([replace(graph, actions=()) for graph in graphs], [notes])
    return notes


@pytest.mark.parametrize(
    "config",
    ["cifar10", "kws", "gesture",
     *(pytest.param(name, marks=pytest.mark.slow)
       for name in ("anomaly", "anomaly_autoencoder", "fan_state", "gesture_camera"))],
)  # fmt: skip
def test_the_board_says_what_the_simulator_says(config: str, target: str) -> None:
    engines = {} if config == "anomaly" else {"engine": "bundle"}
    here = played(f"{config}.yaml", "sim", **engines)
    there = played(f"{config}.yaml", target)
    assert here.said
    assert there.said == here.said


@pytest.mark.slow
@pytest.mark.parametrize("model", ["fan_state_svm", "fan_state_forest"])
def test_a_classical_model_says_on_the_board_what_the_simulator_says(model: str, target: str) -> None:
    sets = [f"engine.model={model}"]
    here = played("fan_state.yaml", "sim", sets, engine="bundle")
    there = played("fan_state.yaml", target, sets)
    assert here.said
    assert there.said == here.said
    desktop = played("fan_state.yaml", "sim", sets)  # by scikit-learn
    assert [result.label for result in there.results] == [result.label for result in desktop.results]


@pytest.mark.slow
def test_a_linear_machine_with_scalers_gives_the_same_bits(target: str, tmp_path: Path) -> None:
    """Its sums are of doubles, with the scalers folded into the weights."""
    pytest.importorskip("skops")
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from skops.io import dump

    linear = make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(kernel="linear"), ensemble=False, cv=3))
    rng = np.random.default_rng(5)
    x = rng.normal(-11, 2, (600, 18)).astype(np.float32)
    states = np.digitize(x[:, 0] + x[:, 5] + rng.normal(0, 2, 600), (-25, -22, -19))
    dump({"estimator": linear.fit(x, states), "input_shape": [6, 3]}, tmp_path / "model.skops")
    manifest = yaml.safe_load((ROOT / "models/fan_state_svm/manifest.yaml").read_text())
    data = (tmp_path / "model.skops").read_bytes()
    manifest["files"] = [
        {"engine": "sklearn", "path": "model.skops", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    ]
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    sets = [f"engine.model={tmp_path}", "postprocess=[{top: {k: 1}}]"]
    here, there = played("fan_state.yaml", "sim", sets, engine="bundle"), played("fan_state.yaml", target, sets)
    assert len({score for _, _, score, _ in here.said}) > 50
    assert there.said == here.said


@pytest.mark.slow
def test_a_network_and_a_forest_share_a_board(target: str, tmp_path: Path) -> None:
    pipeline = """
  {name}:
    sensor:
      motion:
        rate_hz: 200
        channels: [ax_g, ay_g, az_g]
        synthetic: {{fan: {{schedule: [{{fault: none, for_s: 9}}, {{fault: clog, for_s: 9}}]}}}}
    preprocess:
      - window: {{length_ms: 2560, hop_ms: 640}}
      - band_power: {{bands: 6}}
    engine: {{model: {name}}}
    postprocess:
      - top: {{k: 1}}
"""
    names = ("fan_state", "fan_state_forest", "fan_state_svm")
    (tmp_path / "all.yaml").write_text("pipelines:" + "".join(pipeline.format(name=name) for name in names))
    here, there = (played(str(tmp_path / "all.yaml"), where, **more)
                   for where, more in (("sim", {"engine": "bundle"}), (target, {})))  # fmt: skip
    for name in names:
        got, expected = (
            [(r.label, r.t, r.score) for r in notes.results if r.pipeline == name] for notes in (there, here)
        )
        assert expected
        assert got == expected


@pytest.mark.slow
def test_a_cortex_m7_says_what_the_simulator_says() -> None:
    there = played("cifar10.yaml", there_to_build("rt:qemu"))
    assert there.said == played("cifar10.yaml", "sim", engine="bundle").said


@pytest.mark.parametrize("config", ["cifar10", "kws", "gesture", "anomaly_autoencoder"])
def test_the_labels_are_those_of_the_simulator_as_it_comes(config: str) -> None:
    here, there = (played(f"{config}.yaml", target) for target in ("sim", "rt:host"))
    assert [result.label for result in there.results] == [result.label for result in here.results]


@pytest.mark.slow
def test_label_image_fits_the_board(target: str, shared_data: Path, tmp_path: Path) -> None:
    nxp = shared_data / "nxp_eiq"
    shutil.copy(nxp / "labels.txt", tmp_path)
    (tmp_path / "label.yaml").write_text(f"""
sensor: {{camera: {{file: {nxp / "stopwatch.bmp"}}}}}
preprocess:
  - resize: {{width_px: 128, height_px: 128, fit: stretch, filter: linear}}
  - scale: {{from: [0, 256], to: [-1, 1]}}
engine: {{model: {nxp / "mobilenet_v1_0.25_128_quant_int8.tflite"}, labels: labels.txt}}
postprocess: [top: {{k: 5}}]
""")
    config = str(tmp_path / "label.yaml")
    here, there = played(config, "sim", engine="bundle"), played(config, target)
    assert here.said[0][0] == "stopwatch"
    assert there.said == here.said


@pytest.mark.slow
def test_the_bundled_label_image(target: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIQ_MODELS", str(shared_data / "nxp_eiq"))  # as on a stick
    picture = f"sensor.camera.file={shared_data / 'nxp_eiq' / 'stopwatch.bmp'}"
    there = played("label_image.yaml", target, [picture])
    assert there.said[0][0] == "stopwatch"
    assert len(there.said) >= 1


def test_features_on_the_board_spot_the_same_words(target: str) -> None:
    here = played("kws.yaml", target)
    there = played("kws.yaml", target, ["engine.offload=features"])
    assert [(r.label, r.t) for r in there.results] == [(r.label, r.t) for r in here.results]
    assert max(abs(a.score - b.score) for a, b in zip(here.results, there.results, strict=True)) < 0.02


def test_each_time_says_by_whose_clock(target: str) -> None:
    notes = played("cifar10.yaml", target)
    assert notes.times["board.transport"] == notes.times["board.host"] == notes.times["board"] == "here"
    assert notes.times["board.device"].startswith("on the board, in ")


def test_sending_ahead_gives_the_same_answers(target: str) -> None:
    assert played("cifar10.yaml", target, ["engine.ahead=true"]).said == played("cifar10.yaml", target).said


@pytest.mark.slow
def test_two_pipelines_share_a_board(target: str, tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text("""
pipelines:
  words:
    sensor: {microphone: {rate_hz: 16000, file: samples/kws.wav}}
    preprocess:
      - window: {length_ms: 1000, hop_ms: 100}
      - mfcc: {window_ms: 30, hop_ms: 20, mels: 40, fmin_hz: 0, fmax_hz: 4000, coefficients: 10}
    engine: {model: kws}
    postprocess:
      - smooth: {over: 5}
      - top: {threshold: 0.7, refractory_ms: 800, ignore: [silence, unknown]}
  pictures:
    sensor: {camera: {file: samples/cifar10}}
    preprocess:
      - resize: {width_px: 32, height_px: 32, fit: crop, filter: area}
      - scale: {from: [0, 255], to: [0, 1]}
    engine: {model: cifar10}
    postprocess: [top: {k: 1}]
""")
    notes = played(str(tmp_path / "both.yaml"), target)
    by_name = {name: [r.label for r in notes.results if r.pipeline == name] for name in ("words", "pictures")}
    assert by_name["words"] == [r.label for r in played("kws.yaml", "sim", engine="bundle").results]
    assert by_name["pictures"] == [r.label for r in played("cifar10.yaml", "sim", engine="bundle").results]


class Killer(Notes):
    """Kills the board at the n-th result."""

    def __init__(self, target: Rt, at: int) -> None:
        super().__init__()
        self.target, self.at = target, at

    def on(self, event: Event) -> None:
        super().on(event)
        if isinstance(event, Result) and len(self.results) == self.at and not self.links:
            assert self.target.running is not None
            self.target.running.kill()


@pytest.mark.parametrize(
    ("config", "sets"), [("cifar10", []), ("gesture", []), ("kws", ["engine.offload=features"])], ids=str
)
def test_a_board_that_dies_comes_back_and_the_run_goes_on(config: str, sets: list[str], target: str) -> None:
    expected = played(f"{config}.yaml", target, sets)
    with ExitStack() as stack:
        built = open_target(target)
        assert isinstance(built, Rt)
        stack.callback(built.close)
        notes = Killer(built, 2)
        graphs = resolve(load_demo(f"{config}.yaml", built, Overrides(tuple(sets), FAST)), built, stack)
        start(built, notes)
        run([replace(graph, actions=()) for graph in graphs], [notes])
    assert notes.said == expected.said
    lost, back = notes.links
    assert isinstance(lost, LinkLost)
    assert isinstance(back, LinkBack)
    assert back.after_s < (1.0 if target == "rt:host" else 3.0)


def test_a_serial_port_takes_the_boards_place(tmp_path: Path) -> None:
    """The firmware runs elsewhere, and its models are found by their sha256."""
    pytest.importorskip("serial")
    if missing := needed("host"):
        pytest.skip(missing)
    models = [ModelSource(name, find_model(name)) for name in ("gesture", "cifar10")]
    with Running(build("host", models)) as running:
        there = played("cifar10.yaml", f"rt:{running.path}")
        assert there.said == played("cifar10.yaml", "sim", engine="bundle").said
        # a recording is the host's to play, as a real board has no memory for it
        assert played("gesture.yaml", f"rt:{running.path}").said == played("gesture.yaml", "sim", engine="bundle").said
        says = r"does not hold the model kws with sha256 \w+; its models: gesture \(\w+\), cifar10 \(\w+\); build the"
        with pytest.raises(DeviceMismatch, match=says):
            played("kws.yaml", f"rt:{running.path}")


def find_model(name: str) -> Path:
    manifest = read_manifest(manifest_of(name))
    return find_file(manifest, manifest.files[0])
