"""Compiled models give what tflite-micro's reference kernels give, to the bit."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from compiled import function, tflite_micro
from compiler.emit import compile_graph
from compiler.graph import Graph, Node
from compiler.reader import read_graph

MODELS = Path(__file__).parents[2] / "models"
OURS = ("kws", "cifar10")
BUNDLED = sorted(path.parent.name for path in MODELS.glob("*/model.tflite") if path.stat().st_size < 1_000_000)
THEIRS = ("cifarnet_quant_int8", "ds_cnn_s", "mobilenet_v1_0.25_128_quant_int8")


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


def before_softmax(path: Path, folder: Path) -> Path:
    """A copy of the model whose output is what its last softmax takes: there few values are saturated."""
    schema = pytest.importorskip("tflite")
    graph = read_graph(path)
    softmax = last_softmax(graph)
    if softmax is None:
        return path
    data = bytearray(path.read_bytes())
    data += bytes(-len(data) % 4)
    table = schema.Model.GetRootAs(bytes(data), 0).Subgraphs(0)._tab
    at = table.Pos + table.Offset(8)  # of the field ``outputs``, which then points to a new list behind all
    struct.pack_into("<I", data, at, len(data) - at)
    data += struct.pack("<Ii", 1, softmax.inputs[0])
    (folder / path.name).write_bytes(data)
    return folder / path.name


def last_softmax(graph: Graph) -> Node | None:
    index, maker = graph.outputs[0], {out: node for node in graph.nodes for out in node.outputs}
    while index in maker and maker[index].op in ("dequantize", "quantize", "reshape"):
        index = maker[index].inputs[0]
    node = maker[index]
    return node if node.op == "softmax" else None


def unsaturated(path: Path, folder: Path, count: int) -> None:
    """Equal to tflite-micro before the softmax, on so many inputs whose outputs are not saturated."""
    path = before_softmax(path, folder)
    graph = read_graph(path)
    x = graph.tensors[graph.inputs[0]]
    compiled, expected = function(compile_graph(graph), folder), tflite_micro(path)
    kept = 0
    for stored in stored_inputs(x.shape, 20 * count):
        given = stored if x.dtype == "int8" else (stored / 4).astype(np.float32)
        mine = compiled(given)
        if mine.dtype == np.int8 and np.isin(mine, (-128, 127)).mean() > 0.01:
            continue
        assert np.array_equal(mine, expected(given))
        kept += 1
        if kept == count:
            return
    raise AssertionError(f"of {20 * count} inputs only {kept} left the output unsaturated, expected {count}")


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_model_is_equal_before_its_softmax(name: str, tmp_path: Path) -> None:
    unsaturated(MODELS / name / "model.tflite", tmp_path, 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", THEIRS)
def test_models_of_others_are_equal_before_their_softmax(name: str, shared_data: Path, tmp_path: Path) -> None:
    unsaturated(shared_data / "nxp_eiq" / f"{name}.tflite", tmp_path, 60)
