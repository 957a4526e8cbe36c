from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.anomaly.data import STATES, load
from apps.fan_state.train import score
from pipelines.models import open_model


def test_the_bundled_model_scores_what_its_manifest_says(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = open_model("fan_state", Path.cwd())
    assert model.manifest is not None
    assert model.labels == STATES
    lines = score(model.path, load(shared_data / "fan"), 1, 3)
    told = {(one.metric, one.data): one for one in model.manifest.accuracy}
    for line in lines:  # kernels of other machines may round a window to the other side
        assert told[line["metric"], line["data"]].value == pytest.approx(line["value"], abs=0.01)
        assert told[line["metric"], line["data"]].samples == line["samples"]
    assert "rows are the truth" in capsys.readouterr().out


def test_what_was_asked_of_it_is_reached_both_ways() -> None:
    manifest = open_model("fan_state", Path.cwd()).manifest
    assert manifest is not None
    accuracies = [one.value for one in manifest.accuracy if one.metric == "accuracy"]
    areas = [one.value for one in manifest.accuracy if one.metric.startswith("AUC, normal (on) against faulty")]
    assert len(accuracies) == len(areas) == 2
    assert min(accuracies) >= 0.95
    assert min(areas) >= 0.98


@pytest.mark.training
def test_the_examples_span_the_input() -> None:
    from apps.fan_state.train import _examples

    plain = np.linspace(-16, -5, 180, dtype=np.float32).reshape(-1, 6, 3)
    found = _examples(plain)
    assert (found.min(), found.max()) == (-16, pytest.approx(-3.6))
