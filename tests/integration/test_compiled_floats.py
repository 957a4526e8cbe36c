"""The float32 functions that are our own: how near they are to LiteRT's and to the real ones, over all their range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiled import functions
from compiler.emit import compile_graph
from compiler.reader import read_graph
from tflite_builder import Builder

BOUND = 1e-6  # relative; LiteRT's own are within 1e-5 of it, see below
COUNT = 40_001


def model(name: str, shape: tuple[int, ...], **options: Any) -> bytes:
    b = Builder()
    x, y = b.tensor(shape, "float32"), b.tensor(shape, "float32")
    b.op(name, [x], [y], **options)
    return b.model([x], [y])


def ours(data: bytes, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    (folder / "m.tflite").write_bytes(data)
    (run,) = functions([compile_graph(read_graph(folder / "m.tflite"))], folder)
    return lambda x: run(x)[0]


def litert(data: bytes, x: np.ndarray) -> np.ndarray:
    runtime = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = runtime.Interpreter(
        model_content=data, experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def error(mine: np.ndarray, other: np.ndarray) -> float:
    """The greatest relative one; what float32 holds with fewer bits is measured against its smallest full number."""
    return float((np.abs(mine.astype(float) - other) / np.maximum(np.abs(other), np.finfo(np.float32).tiny)).max())


def real_logistic(x: np.ndarray) -> np.ndarray:
    """As TFLite has it: e to the x below -9, one above 16.6."""
    return np.where(x < -9, np.exp(x), np.where(x > 16.619047, 1.0, 1 / (1 + np.exp(-x))))


@pytest.mark.parametrize(("name", "real"), [("LOGISTIC", real_logistic), ("TANH", np.tanh)])
@pytest.mark.parametrize("reach", [1e-3, 1.0, 12.0, 80.0])
def test_functions_are_near(name: str, real: Callable[[np.ndarray], np.ndarray], reach: float, tmp_path: Path) -> None:
    data = model(name, (1, COUNT))
    x = np.linspace(-reach, reach, COUNT, dtype=np.float32)[None]
    mine = ours(data, tmp_path)(x)
    assert error(mine, real(x.astype(float))) < BOUND
    assert error(mine, litert(data, x).astype(float)) < 1e-5


def test_they_end_where_float32_does(tmp_path: Path) -> None:
    x = np.array([[np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0]], np.float32)
    for name, expected in (("LOGISTIC", [1, 0, 1, 0, 0.5, 0.5]), ("TANH", [1, -1, 1, -1, 0, 0])):
        (tmp_path / name).mkdir()
        run = ours(model(name, x.shape), tmp_path / name)
        assert run(x).reshape(-1).tolist() == expected
        assert np.isnan(run(np.full_like(x, np.nan))).all()


@pytest.mark.parametrize("spread", [0.1, 3.0, 40.0])
def test_softmax_is_near(spread: float, tmp_path: Path) -> None:
    data = model("SOFTMAX", (64, 12), Beta=1.0)
    x = np.random.default_rng(1).normal(0, spread, (64, 12)).astype(np.float32)
    mine = ours(data, tmp_path)(x)
    real = np.exp(x.astype(float) - x.max(axis=1, keepdims=True))
    # differences of large numbers are themselves rounded to float32
    assert error(mine, real / real.sum(axis=1, keepdims=True)) < 1e-5
    assert error(mine, litert(data, x).astype(float)) < 1e-5
