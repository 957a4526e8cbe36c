"""Where everything lives while a model runs: placeholders, activations, scratch, constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.graph import Array, Graph
from compiler.layer import Layer
from compiler.plan import Block, Plan, aligned, plan


@dataclass(frozen=True)
class Memory:
    """Addresses as C writes them.

    Args:
        at: of every tensor that is computed, an input or an output.
        scratch: of every layer that has some, by its position.
        weights: offsets of every layer's constants.
        places: offset in the mutable memory of every input and output.
        mutable: bytes of these placeholders.
        constants: what stands in the flash.
        plan: of the activations.
    """

    at: dict[int, str]
    scratch: dict[int, str]
    weights: tuple[tuple[int, ...], ...]
    places: dict[int, int]
    mutable: int
    constants: bytes
    plan: Plan


def arrange(graph: Graph, layers: Sequence[Layer]) -> Memory:
    """Give every tensor, scratch and constant its place."""
    places, mutable = _placeholders(graph)
    owner, blocks = _activations(graph, layers, places)
    scratch = {step: len(blocks) + i for i, step in enumerate(s for s, layer in enumerate(layers) if layer.scratch)}
    blocks += [Block(f"scratch of {layers[s].node.index}", layers[s].scratch, s, s) for s in scratch]
    planned = plan(blocks)
    at = {index: f"activations + {planned.offsets[block]}" for index, block in owner.items()}
    at |= {index: f"mutableWeight + {offset}" for index, offset in places.items()}
    held = {step: f"activations + {planned.offsets[block]}" for step, block in scratch.items()}
    constants, weights, tables = _constants(graph, layers)
    at |= {index: f"constantWeight + {offset}" for index, offset in tables.items()}
    return Memory(at, held, weights, places, mutable, constants, planned)


def _placeholders(graph: Graph) -> tuple[dict[int, int], int]:
    places, end = {}, 0
    for index in dict.fromkeys((*graph.inputs, *graph.outputs)):
        places[index] = end
        end += aligned(_bytes(graph, index))
    return places, end


def _bytes(graph: Graph, index: int) -> int:
    return graph.tensors[index].size * np.dtype(graph.tensors[index].dtype).itemsize


def _activations(graph: Graph, layers: Sequence[Layer], places: dict[int, int]) -> tuple[dict[int, int], list[Block]]:
    """Tensors that share memory are one block: the block of every tensor, and the blocks."""
    last = {index: step for step, layer in enumerate(layers) for index in layer.node.inputs}
    owner: dict[int, int] = {}
    blocks: list[Block] = []
    for step, layer in enumerate(layers):
        for out in layer.node.outputs:
            if out in places:
                continue
            end = last.get(out, step)
            shared = _taken_over(layer, step, owner, blocks)
            if shared is not None and _bytes(graph, out) <= blocks[shared].size:
                block = blocks[shared]
                blocks[shared] = Block(block.name, block.size, block.first, max(block.last, end))
                owner[out] = shared
            else:
                owner[out] = len(blocks)
                blocks.append(Block(graph.tensors[out].name, _bytes(graph, out), step, end))
    return owner, blocks


def _taken_over(layer: Layer, step: int, owner: dict[int, int], blocks: list[Block]) -> int | None:
    """The block whose memory the layer's output may take: one that nothing needs after this step."""
    if layer.in_place < 0:
        return None
    block = owner.get(layer.node.inputs[layer.in_place])
    return block if block is not None and blocks[block].last == step else None


def _constants(graph: Graph, layers: Sequence[Layer]) -> tuple[bytes, tuple[tuple[int, ...], ...], dict[int, int]]:
    """The flash, offsets of every layer's constants, and of the constant tensors that a kernel takes as inputs."""
    blob = bytearray()

    def put(array: Array) -> int:
        blob.extend(bytes(-len(blob) % 4))
        blob.extend(array.tobytes())
        return len(blob) - array.nbytes

    offsets, tensors = [], {}
    for layer in layers:
        offsets.append(tuple(put(array) for array in layer.constants))
        for place, index in enumerate(layer.node.inputs):
            data = graph.tensors[index].data if index >= 0 else None
            if data is not None and index not in tensors and any(f"{{in{place}}}" in call for call in layer.calls):
                tensors[index] = put(data)
    return bytes(blob), tuple(offsets), tensors
