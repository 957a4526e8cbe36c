"""From nodes to layers: which kernel runs a node, with which numbers and weights."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Literal

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported

Kernels = Literal["own", "cmsis-nn"]


def _names(folder: str) -> tuple[str, ...]:
    files = (Path(__file__).parent / folder).glob("*.py")
    return tuple(sorted(path.stem for path in files if not path.stem.startswith("_")))


OPERATORS, CMSIS_NN = _names("operators"), _names("cmsis_nn")


def lower(graph: Graph, kernels: Kernels = "own") -> list[Layer]:
    """Choose a kernel for every node.

    Args:
        graph: with every pass done.
        kernels: ours, or calls of CMSIS-NN where it has one.

    Raises:
        ModelError: an operator, type or option that no kernel runs; names operator, tensor and index.
    """
    return [(_lowered if kernels == "own" else _by_cmsis_nn)(graph, node) for node in graph.nodes]


def _by_cmsis_nn(graph: Graph, node: Node) -> Layer:
    found: Layer | None = None
    if node.op in CMSIS_NN:
        found = import_module(f"compiler.cmsis_nn.{node.op}").lower(graph, node)
    if found:
        return found
    own = _lowered(graph, node)
    return replace(own, reason=f"own kernel: CMSIS-NN has none; {own.reason}") if own.kernel else own


def _lowered(graph: Graph, node: Node) -> Layer:
    if node.op not in OPERATORS:
        raise unsupported(graph, node, f"it is not one of {', '.join(OPERATORS)}")
    layer: Layer = import_module(f"compiler.operators.{node.op}").lower(graph, node)
    return layer
