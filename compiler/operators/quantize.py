"""QUANTIZE (kernels/quantise.c), and from one int8 scale to another."""

from __future__ import annotations

from compiler.fixed_point import multiplied
from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators import _float
from compiler.operators._sums import one_scale, scaled
from compiler.operators._table import table_layer


def lower(graph: Graph, node: Node) -> Layer:
    """From float32, or from int8 or uint8 with another scale, to int8."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if x.dtype == "float32" and y.dtype == "int8":
        one_scale(graph, node, y, "int8")
        call = f"{{in0}}, {{out}}, {x.size}, {_float.literal(y.scale)}, {y.zero_point}"
        return Layer(node, "eiq_quantise", ("quantise",), (call,), reason="element by element")
    if {x.dtype, y.dtype} - {"int8", "uint8"}:
        raise unsupported(graph, node, f"from {x} to {y}; expected float32, int8 or uint8, and int8 or uint8")
    for tensor in (x, y):
        one_scale(graph, node, tensor, "int8", "uint8")
    multiplier, exponent = scaled(graph, node, x.scale / y.scale)
    signed_in, signed_out = x.dtype == "int8", y.dtype == "int8"

    def answer(byte: int) -> int:
        stored = byte if signed_in else byte % 256
        value = y.zero_point + multiplied(stored - x.zero_point, multiplier, exponent)
        if signed_out:
            return value
        value = min(max(value, 0), 255)
        return value - 256 if value > 127 else value

    return table_layer(graph, node, answer, "the other scale")
