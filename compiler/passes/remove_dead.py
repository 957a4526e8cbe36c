"""What no output needs is not run."""

from __future__ import annotations

from compiler.graph import Graph


def run(graph: Graph) -> Graph:
    """Nodes whose outputs nothing takes go, from the last to the first."""
    needed = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if needed & set(node.outputs):
            kept.append(node)
            needed |= set(node.inputs)
    return graph.but(nodes=tuple(reversed(kept)))
