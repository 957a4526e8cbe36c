"""The bundled autoencoder, its manifest and its configs agree, and its network is what its manifest says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from apps.anomaly.network import BANDS
from apps.flatbuffer import schema, unpacked
from pipelines.models import open_model
from pipelines.resources import bundled

TAKEN = {"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "RELU", "TANH", "LOGISTIC", "MEAN", "RESHAPE", "SOFTMAX"}


@pytest.mark.parametrize("name", ["anomaly", "fan_state"])
def test_its_operators_are_those_that_the_compiler_takes(name: str) -> None:
    pytest.importorskip("ai_edge_litert")
    model = unpacked(open_model(name, Path.cwd()).path.read_bytes())
    names = {value: key for key, value in vars(schema().BuiltinOperator).items() if isinstance(value, int)}
    codes = [model.operatorCodes[one.opcodeIndex].builtinCode for one in model.subgraphs[0].operators]
    assert {names[code] for code in codes} <= TAKEN


def test_the_configs_limit_is_the_manifests() -> None:
    manifest = open_model("anomaly", Path.cwd()).manifest
    assert manifest is not None
    limits = [score.value for score in manifest.accuracy if score.metric.startswith("limit of the error")]
    config = yaml.safe_load((bundled() / "configs/anomaly_autoencoder.yaml").read_text())
    smooth, threshold = (next(iter(step.values())) for step in config["postprocess"])
    assert [threshold["above"]] == limits
    assert f"over {smooth['over']} windows" in next(s.metric for s in manifest.accuracy if s.value == limits[0])


def test_it_gives_back_what_is_normal_and_not_what_is_not(shared_data: Path) -> None:
    from apps.anomaly.data import load
    from apps.anomaly.train import errors

    path = open_model("anomaly", Path.cwd()).path
    found = {one.state: errors(path, one) for one in load(shared_data / "fan") if (one.fan, one.index) == (3, 2)}
    assert np.quantile(found["on"], 0.95) < 0.61
    assert min(np.quantile(found[state], 0.05) for state in ("friction", "off")) > 0.61
    assert BANDS == 8


def test_the_manifest_counts_its_own_weights() -> None:
    manifest = open_model("anomaly", Path.cwd()).manifest
    assert manifest is not None
    assert (manifest.training.parameters, manifest.training.macs) == (24 * 32 + 32 + 32 * 24 + 24, 2 * 24 * 32)


@pytest.mark.training
@pytest.mark.parametrize("name", ["anomaly", "fan_state"])
def test_the_standardisation_goes_into_the_weights(name: str) -> None:
    pytest.importorskip("tensorflow")
    import importlib

    network = importlib.import_module(f"apps.{name}.network")
    rng = np.random.default_rng(1)
    model = network.build()
    model.set_weights([rng.standard_normal(weights.shape) for weights in model.get_weights()])
    mean = rng.normal(-9, 2, model.input_shape[1:]).astype(np.float32)
    raw = network.on_raw(model, mean, 1.7)
    x = rng.normal(-9, 2, (5, *mean.shape)).astype(np.float32)
    expected = np.asarray(model((x - mean) / 1.7))
    if name == "anomaly":
        expected = expected * 1.7 + mean
    got = np.concatenate([np.asarray(raw(one[None])) for one in x])
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)
