"""Decisions to probabilities, as a sigmoid calibration found them (kernels/calibrated.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float


def lower(graph: Graph, node: Node) -> Layer:
    """A calibration of a .skops file: inputs x, a, b."""
    call = f"{{in0}}, {_float.at(0)}, {_float.at(1)}, {{out}}, {graph.tensors[node.outputs[0]].size}"
    return Layer(node, "eiq_calibrated", ("float_exp", "calibrated"), (call,), _float.constants(graph, node),
                 reason="float, class by class")  # fmt: skip
