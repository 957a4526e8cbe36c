"""What every registered engine promises (pipelines.core.Engine)."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny_models
import tiny_onnx
from pipelines import registry
from pipelines.config.schema import EngineConfig
from pipelines.core import Engine
from pipelines.errors import EiqError, ModelError, SignalMismatch

# for each engine a model in its own format, float and int8: a, b [1, 4] -> a - b, a + b
MODELS: dict[str, dict[str, bytes]] = {
    "tflite": {
        "float32": tiny_models.add_and_subtract(),
        "int8": tiny_models.add_and_subtract("int8", scale=0.5),
    },
    "bundle": {
        "float32": tiny_models.add_and_subtract(),
        "int8": tiny_models.add_and_subtract("int8", scale=0.5),
    },
    "tflm": {
        "float32": tiny_models.add_and_subtract(),
        "int8": tiny_models.add_and_subtract("int8", scale=0.5),
    },
    "onnx": {
        "float32": tiny_onnx.add_and_subtract(),
        "int8": tiny_onnx.quantised_add_and_subtract("int8", scale=0.5),
    },
    "armnn": {
        "float32": tiny_models.add_and_subtract(),
        "int8": tiny_models.add_and_subtract("int8", scale=0.5),
    },
    "opencv": {"float32": tiny_onnx.add_and_subtract()},  # it takes no integers
    "sklearn": {},  # one input alone; tests/unit/pipelines/engines/test_sklearn.py holds these promises
}
NEEDS = {  # an engine's own package, where it is an extra
    "armnn": "pyarmnn", "bundle": "tflite", "onnx": "onnxruntime", "opencv": "cv2", "sklearn": "skops",
    "tflm": "tflite_micro",
}  # fmt: skip
A, B = np.array([[1, 2, 3, 4]], np.float32), np.array([[0.5, 0.5, -1, 30]], np.float32)


@pytest.fixture(
    params=[(name, dtype) for name in registry.names("engines") for dtype in MODELS.get(name, {"": b""})], ids="-".join
)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    name, dtype = request.param
    assert name in MODELS, f"add a small model for the engine {name} to this table"
    if name in NEEDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyarmnn tells of every parser that it was built without
            pytest.importorskip(NEEDS[name])
    path = tmp_path / "model"
    path.write_bytes(MODELS[name][dtype])
    built = registry.load("engines", name)(registry.load("engines", name).Config(model=str(path)), path)
    yield built
    built.close()


@pytest.fixture(params=registry.names("engines"))
def build(request: pytest.FixtureRequest) -> Callable[[Path], Any]:
    cls = registry.load("engines", request.param)
    return lambda path: cls(cls.Config(model=str(path)), path)


def test_it_is_an_engine(engine: Any) -> None:
    assert isinstance(engine, Engine)
    assert issubclass(engine.Config, EngineConfig)
    with pytest.raises(AttributeError):
        engine.Config(model="m").model = "other"  # frozen


def test_it_says_what_runs(engine: Any) -> None:
    assert any(c.isdigit() for c in engine.description), "the runtime's version is missing"
    assert "\n" not in engine.description


def test_its_specs_are_complete(engine: Any) -> None:
    for spec in (*engine.inputs, *engine.outputs):
        assert spec.shape == (1, 4)
        assert np.dtype(spec.dtype).kind in "fiu"
        assert (spec.scale > 0) == (np.dtype(spec.dtype).kind in "iu")


def test_real_values_in_and_out(engine: Any) -> None:
    difference, total = engine.infer(A, B)
    for y, expected in ((difference, A - B), (total, A + B)):
        assert isinstance(y, np.ndarray)
        assert y.dtype == np.float32
        assert y.shape == (1, 4)
        np.testing.assert_allclose(y, expected, atol=0.5)


def test_a_second_infer_is_like_the_first(engine: Any) -> None:
    first = [y.copy() for y in engine.infer(A, B)]
    engine.infer(B, A)
    engine.reset()
    for y, expected in zip(engine.infer(A, B), first, strict=True):
        np.testing.assert_array_equal(y, expected)


def test_the_inputs_stay_as_they_are(engine: Any) -> None:
    a, b = A.copy(), B.copy()
    a.flags.writeable = b.flags.writeable = False
    engine.infer(a, b)


def test_a_wrong_shape_is_refused(engine: Any) -> None:
    with pytest.raises(SignalMismatch):
        engine.infer(A[0], B[0])
    with pytest.raises(SignalMismatch):
        engine.infer(A)


def test_close_may_be_called_twice(engine: Any) -> None:
    engine.close()
    engine.close()


@pytest.mark.parametrize(
    "content", [b"", b"hello, world\n", bytes(1000), b"PK\x03\x04" + bytes(100), bytes(range(256)) * 4]
)
def test_what_is_no_model_is_refused_in_one_sentence(
    build: Callable[[Path], Any], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        build(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_and_a_directory_are_refused(build: Callable[[Path], Any], tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(EiqError) as error:
            build(path)
        assert str(path) in str(error.value)
