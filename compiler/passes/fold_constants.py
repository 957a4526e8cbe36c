"""What only depends on constants is computed here, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from compiler.graph import Array, Graph, Node, Tensor


def run(graph: Graph) -> Graph:
    """RESHAPE, TRANSPOSE, QUANTIZE and DEQUANTIZE of constants become constants."""
    tensors = list(graph.tensors)
    nodes = []
    for node in graph.nodes:
        fold = FOLDS.get(node.op)
        inputs = [tensors[index] for index in node.inputs]
        if fold is None or any(tensor.data is None for tensor in inputs) or not _known(node, inputs, tensors):
            nodes.append(node)
            continue
        (out,) = node.outputs
        tensors[out] = replace(tensors[out], data=fold(node, inputs, tensors[out]))
    return graph.but(tensors=tuple(tensors), nodes=tuple(nodes))


def _known(node: Node, inputs: list[Tensor], tensors: list[Tensor]) -> bool:
    """Types and scales are those that are folded; the others are left to be told when they are lowered."""
    x, y = inputs[0], tensors[node.outputs[0]]
    if node.op == "quantize":
        return (
            x.dtype == "float32"
            and y.dtype in ("int8", "uint8")
            and bool(y.scales)
            and bool(np.isfinite(_data(x)).all())
        )
    if node.op == "dequantize":
        return x.dtype in ("int8", "uint8", "int32") and y.dtype == "float32" and bool(x.scales)
    return (x.dtype, x.scales, x.zero_points) == (y.dtype, y.scales, y.zero_points)


def _data(tensor: Tensor) -> Array:
    assert tensor.data is not None  # asked before
    return tensor.data


def _scale(tensor: Tensor) -> Array:
    shape = [1] * len(tensor.shape)
    if len(tensor.scales) > 1:
        shape[tensor.axis] = -1
    return np.array(tensor.scales, np.float32).reshape(shape)


def _zero(tensor: Tensor) -> Array:
    return np.array(tensor.zero_points, np.int64).reshape(_scale(tensor).shape)


def _reshape(node: Node, inputs: list[Tensor], out: Tensor) -> Array:
    return _data(inputs[0]).reshape(out.shape)


def _transpose(node: Node, inputs: list[Tensor], out: Tensor) -> Array:
    return np.ascontiguousarray(_data(inputs[0]).transpose(_data(inputs[1]).reshape(-1)))


def _dequantize(node: Node, inputs: list[Tensor], out: Tensor) -> Array:
    x = inputs[0]
    stored = _data(x).astype(np.float32)
    with np.errstate(over="ignore"):
        return ((stored - _zero(x)) * _scale(x)).astype(np.float32)


def _quantize(node: Node, inputs: list[Tensor], out: Tensor) -> Array:
    x = inputs[0]
    with np.errstate(over="ignore"):
        steps = (_data(x) / _scale(out)).astype(np.float64)
    limits = np.iinfo(out.dtype)
    rounded = np.trunc(steps + np.copysign(0.5, steps)) + _zero(out)
    stored: Array = np.clip(rounded, limits.min, limits.max).astype(out.dtype)
    return stored


FOLDS: dict[str, Callable[[Node, list[Tensor], Tensor], Array]] = {
    "dequantize": _dequantize,
    "quantize": _quantize,
    "reshape": _reshape,
    "transpose": _transpose,
}
