"""DEQUANTIZE (kernels/dequantise.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported


def lower(graph: Graph, node: Node) -> Layer:
    """From int8 to float32."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (x.dtype, y.dtype) != ("int8", "float32"):
        raise unsupported(graph, node, f"from {x} to {y}; expected int8 to float32")
    call = f"{{in0}}, {{out}}, {x.size}, {x.scale:.9g}f, {x.zero_point}"
    return Layer(node, "eiq_dequantise", ("dequantise",), (call,), reason="element by element")
