"""A PAD before a convolution becomes the convolution's own padding."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph, Node

TAKERS = ("conv_2d", "depthwise_conv_2d")


def run(graph: Graph) -> Graph:
    """PAD of height and width, taken by one convolution without padding, goes: (top, left) stands in its options."""
    nodes = list(graph.nodes)
    for node in graph.nodes:
        if node.op != "pad":
            continue
        users = graph.users(node.outputs[0])
        sides = graph.tensors[node.inputs[1]].data
        alone = len(users) == 1 and node.outputs[0] not in graph.outputs
        x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
        same = (x.dtype, x.scales, x.zero_points) == (y.dtype, y.scales, y.zero_points)
        if not alone or not same or sides is None or sides.shape != (4, 2) or sides[[0, 3]].any():
            continue
        if _takes(graph, users[0]):
            options = {**users[0].options, "padding": (int(sides[1, 0]), int(sides[2, 0]))}
            inputs = (node.inputs[0], *users[0].inputs[1:])
            nodes[nodes.index(users[0])] = replace(users[0], inputs=inputs, options=options)
            nodes.remove(node)
    return graph.but(nodes=tuple(nodes))


def _takes(graph: Graph, node: Node) -> bool:
    return node.op in TAKERS and node.options["padding"] == "valid"
