"""From nodes to layers: which kernel runs a node, with which numbers and weights."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported

OPERATORS = tuple(
    sorted(path.stem for path in (Path(__file__).parent / "operators").glob("*.py") if not path.stem.startswith("_"))
)


def lower(graph: Graph) -> list[Layer]:
    """Choose a kernel for every node.

    Raises:
        ModelError: an operator, type or option that no kernel runs; names operator, tensor and index.
    """
    return [_lowered(graph, node) for node in graph.nodes]


def _lowered(graph: Graph, node: Node) -> Layer:
    if node.op not in OPERATORS:
        raise unsupported(graph, node, f"it is not one of {', '.join(OPERATORS)}")
    layer: Layer = import_module(f"compiler.operators.{node.op}").lower(graph, node)
    return layer
