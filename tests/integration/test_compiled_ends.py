"""Inputs and outputs in unusual places: the same tensor twice, an input that is an output, an output that goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiled import functions
from compiler.emit import compile_graph
from compiler.reader import read_graph
from tflite_builder import Builder

SHAPE = (1, 3, 3, 5)


def run(model: bytes, folder: Path, *inputs: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    path = folder / "model.tflite"
    path.write_bytes(model)
    graph = read_graph(path)
    (call,) = functions([compile_graph(graph)], folder)
    interpreter = runtime.Interpreter.from_bytes(model)
    for place, stored in enumerate(inputs):
        interpreter.set_input(stored, place)
    interpreter.invoke()
    return call(*inputs), [np.array(interpreter.get_output(place)) for place in range(len(graph.outputs))]


def equal(both: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    assert len(both[0]) == len(both[1])
    for mine, theirs in zip(*both, strict=True):
        assert np.array_equal(mine, theirs)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, SHAPE).astype(np.int8)


def test_an_output_that_other_operators_take(tmp_path: Path) -> None:
    b = Builder()
    x, y, z = b.tensor(SHAPE, scale=0.5), b.tensor(SHAPE, scale=0.25, zero_point=3), b.tensor(SHAPE, scale=0.5)
    b.op("ADD", [x, x], [y])
    b.op("RELU", [y], [z])
    equal(run(b.model([x], [z, y]), tmp_path, noise(1)))


def test_an_input_that_is_an_output_too(tmp_path: Path) -> None:
    b = Builder()
    x, y = b.tensor(SHAPE, scale=0.5), b.tensor(SHAPE, scale=0.25, zero_point=3)
    b.op("MUL", [x, x], [y])
    given = noise(2)
    mine, theirs = run(b.model([x], [y, x]), tmp_path, given)
    assert np.array_equal(mine[0], theirs[0])
    assert np.array_equal(mine[1], given)


def test_one_output_named_twice(tmp_path: Path) -> None:
    b = Builder()
    x, y = b.tensor(SHAPE, scale=0.5), b.tensor(SHAPE, scale=0.25, zero_point=3)
    b.op("TANH", [x], [middle := b.tensor(SHAPE, scale=1 / 128)])
    b.op("ADD", [middle, x], [y])
    mine, theirs = run(b.model([x], [y, y]), tmp_path, noise(3))
    assert np.array_equal(mine[0], mine[1])
    assert np.array_equal(mine[0], theirs[0])


def test_several_inputs_and_outputs_of_which_one_is_not_needed(tmp_path: Path) -> None:
    b = Builder()
    x, y, idle = (b.tensor(SHAPE, scale=scale) for scale in (0.5, 0.25, 0.125))
    total, product, dead = (b.tensor(SHAPE, scale=scale, zero_point=-5) for scale in (1.0, 9.0, 0.5))
    b.op("ADD", [x, y], [total])
    b.op("RELU", [total], [dead])
    b.op("MUL", [x, total], [product])
    equal(run(b.model([x, y, idle], [product, total]), tmp_path, noise(4), noise(5), noise(6)))


def test_a_block_whose_tensors_take_each_other_s_memory(tmp_path: Path) -> None:
    b = Builder()
    rng = np.random.default_rng(7)
    x = b.tensor(SHAPE, scale=0.5)
    values = [x]
    for step in range(4):
        y, z = (b.tensor(SHAPE, scale=0.5 * (step + 2), zero_point=step) for _ in range(2))
        weights = b.tensor((5, 3, 3, 5), scale=0.02, data=rng.integers(-90, 91, (5, 3, 3, 5)))
        bias = b.tensor((5,), "int32", scale=b.tensors[values[-1]].scales[0] * 0.02, data=rng.integers(-500, 500, 5))
        b.op("CONV_2D", [values[-1], weights, bias], [y], Padding=0, StrideH=1, StrideW=1, DilationHFactor=1,
             DilationWFactor=1)  # fmt: skip
        b.op("ADD", [values[-1], y], [z], FusedActivationFunction=1)
        values.append(z)
    equal(run(b.model([x], [values[-1]]), tmp_path, noise(8)))
