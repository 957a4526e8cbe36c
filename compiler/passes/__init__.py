"""What is done to a graph before kernels are chosen: a file for each pass, with ``run(graph) -> Graph``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from compiler.graph import Graph

ORDER = ("fold_constants", "fuse_pad", "fuse_activation", "remove_dead")


def apply(graph: Graph) -> Iterator[tuple[str, Graph]]:
    """The graph after each pass, with the pass's name."""
    for name in ORDER:
        graph = import_module(f"compiler.passes.{name}").run(graph)
        yield name, graph
