"""FULLY_CONNECTED: arm_fully_connected_s8, or arm_fully_connected_per_channel_s8."""

from __future__ import annotations

from compiler.cmsis_nn._call import DATA, QUANTISED, bias, call, context, dims, int8, limits, multipliers
from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct
from compiler.operators._sums import weights_of


def lower(graph: Graph, node: Node) -> Layer | None:
    """FULLY_CONNECTED."""
    if not int8(graph, node):
        return None
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    w, data = weights_of(graph, node)
    channels, depth = data.shape
    batches = x.size // depth
    multiplier, shift = multipliers(x, w, y, channels)
    one = len(w.scales) == 1
    quantised = f"&(cmsis_nn_per_tensor_quant_params){{{{{multiplier[0]}, {shift[0]}}}}}" if one else QUANTISED
    numbers = bias(graph, node, channels)
    data_arguments = DATA.replace("{w3}", "{w1}") if one else DATA
    parameters = Struct("cmsis_nn_fc_params", (-x.zero_point, 0, y.zero_point, limits(node, y)))
    return call(
        node, "arm_fully_connected_s8" if one else "arm_fully_connected_per_channel_s8",
        f"{context(0)}, &{{s0}}, {quantised}, {data_arguments}",
        constants=(data, numbers) if one else (data, multiplier, shift, numbers),
        structs=(parameters, dims(batches, 1, 1, depth), dims(depth, 1, 1, channels), dims(1, 1, 1, channels),
                 dims(batches, 1, 1, channels)),
        macs=data.size * batches, reason="one scale" if one else "a scale for each channel",
    )  # fmt: skip
