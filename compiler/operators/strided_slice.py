"""STRIDED_SLICE (kernels/move.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators._move import constant, move, same_scale, strides


def lower(graph: Graph, node: Node) -> Layer:
    """A part of a tensor, with steps."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    same_scale(graph, node, x, y)
    options = node.options
    if options["ellipsis_mask"] or options["new_axis_mask"]:
        raise unsupported(graph, node, "it has an ellipsis or a new axis, expected begin, end and strides alone")
    begins, ends, steps = (constant(graph, node, place, "limits") for place in (1, 2, 3))
    starts, sizes = [], []
    for axis, size in enumerate(x.shape):
        bit = 1 << axis
        step = steps[axis]
        begin = None if options["begin_mask"] & bit else begins[axis]
        end = None if options["end_mask"] & bit else ends[axis]
        if options["shrink_axis_mask"] & bit:
            begin = begins[axis] % size
            end, step = begin + 1, 1
        taken = range(size)[slice(begin, end, step)]
        starts.append(taken.start)
        sizes.append(len(taken))
    source = strides(x.shape)
    first = sum(start * stride for start, stride in zip(starts, source, strict=True))
    shape = move(graph, node, sizes, [stride * step for stride, step in zip(source, steps, strict=True)],
                 strides(sizes), x)  # fmt: skip
    call = f"&{{s0}}, {{in0}} + {first * shape.values[-1]}, {{out}}"
    return Layer(node, "eiq_move", ("move",), (call,), (), (shape,), reason="element by element")
