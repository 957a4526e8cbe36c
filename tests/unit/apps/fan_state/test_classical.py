from pathlib import Path

import pytest

from apps.anomaly.data import load
from apps.fan_state import classical
from pipelines.models import open_model, read_manifest

pytest.importorskip("skops")
MODELS = Path(__file__).parents[4] / "models"


@pytest.mark.slow
def test_the_shipped_ones_are_what_the_command_makes(shared_data: Path, tmp_path: Path) -> None:
    classical.train(load(shared_data / "fan"), tmp_path)
    for name in classical.MAKERS:
        made, shipped = (read_manifest(folder / name / "manifest.yaml") for folder in (tmp_path, MODELS))
        assert open_model(str(tmp_path / name), tmp_path).engine == "sklearn"
        assert [(one.metric, one.samples) for one in made.accuracy] == [
            (one.metric, one.samples) for one in shipped.accuracy
        ]
        for one, other in zip(made.accuracy, shipped.accuracy, strict=True):
            assert one.value == pytest.approx(other.value, abs=0.002)
        assert made.training == shipped.training


@pytest.mark.parametrize(("name", "least"), [("fan_state_svm", 0.93), ("fan_state_forest", 0.95)])
def test_they_are_small_and_say_how_good_they_are(name: str, least: float) -> None:
    manifest = read_manifest(MODELS / name / "manifest.yaml")
    assert manifest.accuracy[0].metric == "accuracy"
    assert manifest.accuracy[0].value > least
    assert (MODELS / name / "model.skops").stat().st_size < 200_000
