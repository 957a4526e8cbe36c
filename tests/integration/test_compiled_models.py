"""Compiled models give what tflite-micro's reference kernels give, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from compiled import function
from compiler.emit import compile_graph
from compiler.reader import read_graph

MODELS = Path(__file__).parents[2] / "models"
OURS = ("kws", "cifar10")


def stored_inputs(shape: tuple[int, ...], count: int) -> Iterator[np.ndarray]:
    """Noise of every strength around every level: stored int8 values, saturated ones among them."""
    rng = np.random.default_rng(7)
    for _ in range(count):
        noise = rng.normal(rng.uniform(-110, 110), rng.uniform(2, 90), shape)
        yield np.clip(np.rint(noise), -128, 127).astype(np.int8)


def litert_reference(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(
        model_path=str(path), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(stored: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(x["index"], stored)
        interpreter.invoke()
        return interpreter.get_tensor(y["index"])

    return run


def tflite_micro(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_file(str(path))

    def run(stored: np.ndarray) -> np.ndarray:
        interpreter.set_input(stored, 0)
        interpreter.invoke()
        return np.array(interpreter.get_output(0))

    return run


@pytest.mark.parametrize("name", OURS)
def test_ours_are_equal_to_tflite_micro_to_the_bit(name: str, tmp_path: Path) -> None:
    path = MODELS / name / "model.tflite"
    graph = read_graph(path)
    compiled, expected = function(compile_graph(graph), tmp_path), tflite_micro(path)
    for stored in stored_inputs(graph.tensors[graph.inputs[0]].shape, 25):
        assert np.array_equal(compiled(stored), expected(stored))


@pytest.mark.parametrize("name", OURS)
def test_litert_rounds_a_layer_or_two_otherwise(name: str, tmp_path: Path) -> None:
    # its reference kernels and tflite-micro's differ in fully connected layers, by one or two steps of the output
    path = MODELS / name / "model.tflite"
    graph = read_graph(path)
    compiled, expected = function(compile_graph(graph), tmp_path), litert_reference(path)
    for stored in stored_inputs(graph.tensors[graph.inputs[0]].shape, 25):
        assert np.abs(compiled(stored).astype(int) - expected(stored)).max() <= 2
