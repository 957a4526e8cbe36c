"""A RELU or RELU6 after a layer becomes the layer's own limits."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph, Node

TAKERS = ("add", "conv_2d", "depthwise_conv_2d", "fully_connected", "mul", "sub")


def run(graph: Graph) -> Graph:
    """RELU and RELU6 go where the layer before is theirs alone and of one scale with them: the bits stay the same."""
    nodes = list(graph.nodes)
    for node in graph.nodes:
        before = next((n for n in nodes if n.op in TAKERS and node.inputs and n.outputs == node.inputs[:1]), None)
        if node.op in ("relu", "relu6") and before and _same(graph, node, before):
            options = {**before.options, "fused_activation_function": node.op}
            nodes[nodes.index(before)] = replace(before, outputs=node.outputs, options=options)
            nodes.remove(node)
    return graph.but(nodes=tuple(nodes))


def _same(graph: Graph, node: Node, before: Node) -> bool:
    index = node.inputs[0]
    x, y = graph.tensors[index], graph.tensors[node.outputs[0]]
    alone = len(graph.users(index)) == 1 and index not in graph.outputs
    free = before.options["fused_activation_function"] == "none"
    return alone and free and (x.dtype, x.scales, x.zero_points) == (y.dtype, y.scales, y.zero_points)
