"""Functions of one value: a table of 256 answers (kernels/table.c)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compiler.graph import Graph, Node
from compiler.layer import Layer


def table_layer(graph: Graph, node: Node, answer: Callable[[int], int], reason: str) -> Layer:
    """A layer that answers each stored value with ``answer``, held to int8."""
    table = np.array([min(max(answer(stored), -128), 127) for stored in range(-128, 128)], np.int8)
    size = graph.tensors[node.outputs[0]].size
    call = f"{{in0}}, {{out}}, {size}, (const int8_t *){{w0}}"
    return Layer(node, "eiq_table", ("table",), (call,), (table,), in_place=0, reason=f"table of {reason}")
