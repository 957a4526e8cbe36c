"""DEQUANTIZE (kernels/dequantise.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators import _float
from compiler.operators._sums import one_scale


def lower(graph: Graph, node: Node) -> Layer:
    """From int8 or uint8 to float32."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if y.dtype != "float32":
        raise unsupported(graph, node, f"from {x} to {y}; expected int8 or uint8 to float32")
    one_scale(graph, node, x, "int8", "uint8")
    flip = 0 if x.dtype == "int8" else 128
    call = f"{{in0}}, {{out}}, {x.size}, {_float.literal(x.scale)}, {x.zero_point - flip}, {flip}"
    return Layer(node, "eiq_dequantise", ("dequantise",), (call,), reason="element by element")
