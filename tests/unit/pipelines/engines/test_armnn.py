"""The engine armnn, with Debian's python3-pyarmnn and libarmnn-cpuref-backend22: ``make test-bsp`` sees them."""

import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny_models
from pipelines.engines import armnn as module
from pipelines.engines.armnn import Armnn
from pipelines.engines.tflite import Tflite
from pipelines.errors import CapabilityError, DataError, MissingDependency, ModelError, SignalMismatch

MODELS = Path(__file__).parents[4] / "models"
Build = Callable[..., Armnn]
X = np.array([[0.25, -1.25, 2.5, 300.0]], np.float32)


@pytest.fixture
def armnn(tmp_path: Path) -> Build:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pyarmnn", reason="needs Debian's python3-pyarmnn, which make test-bsp sees")

    def build(model: bytes, **config: Any) -> Armnn:
        path = tmp_path / "model.tflite"
        path.write_bytes(model)
        return Armnn(Armnn.Config(model=str(path), **config), path)

    return build


def test_several_inputs_and_outputs_keep_the_models_order(armnn: Build) -> None:
    engine = armnn(tiny_models.add_and_subtract())
    assert [spec.name for spec in (*engine.inputs, *engine.outputs)] == ["a", "b", "difference", "sum"]
    difference, total = engine.infer(X, X + 1)
    np.testing.assert_array_equal(difference, [[-1] * 4])
    np.testing.assert_array_equal(total, X + X + 1)


@pytest.mark.parametrize("name", ["cifarnet_quant_int8", "ds_cnn_s"])
def test_others_int8_networks_run_as_in_litert(armnn: Build, shared_data: Path, name: str) -> None:
    data = (shared_data / f"nxp_eiq/{name}.tflite").read_bytes()
    engine = armnn(data)
    path = shared_data / f"nxp_eiq/{name}.tflite"
    other = Tflite(Tflite.Config(model=name, kernels="reference"), path)
    assert [spec.shape for spec in engine.inputs] == [spec.shape for spec in other.inputs]
    rng, alike = np.random.default_rng(1), []
    for _ in range(20):
        x = rng.normal(0, 0.5 if name.startswith("cifar") else 30, engine.inputs[0].shape).astype(np.float32)
        y, expected = engine.infer(x)[0], other.infer(x)[0]
        alike.append(y.argmax() == expected.argmax())
        # before the softmax one step of 8 bits more or less is much behind it
        assert np.abs(y - expected).mean() < 0.04
    assert sum(alike) >= 18


def test_the_specs_are_the_models(armnn: Build) -> None:
    spec = armnn(tiny_models.add_and_subtract("int8", scale=0.5)).inputs[0]
    assert (spec.name, spec.shape, spec.dtype, spec.scale, spec.zero_point) == ("a", (1, 4), "int8", 0.5, 0)


def test_it_says_what_runs(armnn: Build) -> None:
    for config in ({}, {"backends": ("CpuRef",)}):
        description = armnn(tiny_models.add_and_subtract(), **config).description
        assert description.startswith("Arm NN ")
        assert description.endswith(", CpuRef for all layers")


def test_a_backend_that_is_not_there_is_refused(armnn: Build) -> None:
    for backends in (("VsiNpu",), ("VsiNpu", "CpuRef"), ("CpuRef", "GpuAcc")):
        with pytest.raises(CapabilityError, match=r"engine.backends with (VsiNpu|GpuAcc), but this Arm NN's backends"):
            armnn(tiny_models.add_and_subtract(), backends=backends)


def test_without_any_backend_it_says_what_to_install() -> None:
    with pytest.raises(CapabilityError, match="apt-get install libarmnn-cpuref-backend22.; expected CpuAcc or CpuRef"):
        module._chosen((), [])


def test_doctor_tells_its_backends(armnn: Build) -> None:
    assert re.fullmatch(r"Arm NN [\d.]+, backends: .*CpuRef.*", module.available())


def test_what_fell_back_is_said() -> None:
    """In the words of Arm NN's Network.cpp; no backend here takes part of a graph."""
    told = ["WARNING: Layer of type Softmax is not supported on requested backend CpuAcc for input data type Float32 "
            "and output data type Float32 (reason: none), falling back to the next backend."] * 2  # fmt: skip
    assert module._on(("CpuAcc", "CpuRef"), told) == "CpuAcc, 2 layers fell back to CpuRef: Softmax (2)"
    assert module._on(("CpuAcc",), ()) == "CpuAcc for all layers"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (tiny_models.with_custom_operator("Magic"), "CUSTOM); name other engine.backends"),
        (tiny_models.copy()[:-4], "is cut short or damaged"),
        (tiny_models.accumulator(), "cannot be loaded by Arm NN"),
    ],
)
def test_a_model_that_cannot_run_is_refused_in_one_sentence(armnn: Build, model: bytes, said: str) -> None:
    with pytest.raises(ModelError) as error:
        armnn(model)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_would_stop_the_program_is_refused(armnn: Build) -> None:
    with pytest.raises(ModelError, match=r"does not take a scale per channel .* operator \d+ \(FULLY_CONNECTED\)"):
        armnn((MODELS / "kws/model.tflite").read_bytes())


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -3), ("uint8", 100)])
def test_what_would_be_padded_wrongly_is_refused(armnn: Build, dtype: str, zero_point: int) -> None:
    with pytest.raises(ModelError, match=rf"pads with the number 0 .* zero point, {zero_point} at operator 0 \(PAD\)"):
        armnn(tiny_models.padded(dtype, 0.5, zero_point))


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_other_padding_is_right(armnn: Build, dtype: str) -> None:
    engine = armnn(tiny_models.padded(dtype, 0.0 if dtype == "float32" else 0.5))
    (y,) = engine.infer(np.float32([1, 2, 3]).reshape(1, 1, 3, 1))
    assert y.ravel().tolist() == [0, 1, 2, 3, 0]


def test_wrong_input_is_refused(armnn: Build) -> None:
    engine = armnn(tiny_models.add_and_subtract("int8", scale=0.5))
    with pytest.raises(SignalMismatch, match=r"got an array of shape \[4\], expected a \[1, 4\] int8"):
        engine.infer(X[0], X[0])
    with pytest.raises(DataError, match="not a number"):
        engine.infer(np.full((1, 4), np.nan, np.float32), X)
    with pytest.raises(DataError, match="not a number"):  # of a float, of which its ReLU would make 0
        armnn(tiny_models.add_and_subtract()).infer(X, X * np.float32(np.nan))


def test_no_pyarmnn_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.tflite").write_bytes(tiny_models.copy())
    monkeypatch.setitem(sys.modules, "pyarmnn", None)
    with pytest.raises(MissingDependency, match=r"the engine armnn needs .*apt-get install python3-pyarmnn"):
        Armnn(Armnn.Config(model="m"), tmp_path / "m.tflite")
