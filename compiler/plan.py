"""Where every activation lives: intervals of time packed into as little memory as can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGN = 4


@dataclass(frozen=True)
class Block:
    """Bytes that are needed from step ``first`` to step ``last``, both included."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Offsets of blocks, in their order.

    Args:
        offsets: in bytes, each a multiple of ALIGN.
        size: bytes in all.
        bound: no plan can be smaller: what is needed at once at the worst step.
    """

    offsets: tuple[int, ...]
    size: int
    bound: int


def plan(blocks: Sequence[Block]) -> Plan:
    """The smaller of what several orders of first-fit give; most often it meets the bound."""
    bound = lower_bound(blocks)
    best: Plan | None = None
    for order in _orders(blocks):
        offsets = first_fit(blocks, order)
        size = max((o + aligned(b.size) for o, b in zip(offsets, blocks, strict=True)), default=0)
        if best is None or size < best.size:
            best = Plan(offsets, size, bound)
        if best.size == bound:
            break
    assert best is not None
    return best


def lower_bound(blocks: Sequence[Block]) -> int:
    """The most that is needed at one step."""
    steps = {b.first for b in blocks}
    return max((sum(aligned(b.size) for b in blocks if b.first <= step <= b.last) for step in steps), default=0)


def first_fit(blocks: Sequence[Block], order: Sequence[int]) -> tuple[int, ...]:
    """Each block in turn at the lowest place that is free for as long as it is needed."""
    offsets = [-1] * len(blocks)
    for index in order:
        block = blocks[index]
        near = [(offsets[i], offsets[i] + aligned(b.size)) for i, b in enumerate(blocks)
                if offsets[i] >= 0 and b.first <= block.last and block.first <= b.last]  # fmt: skip
        place = 0
        for start, end in sorted(near):
            if place + aligned(block.size) <= start:
                break
            place = max(place, end)
        offsets[index] = place
    return tuple(offsets)


def aligned(size: int) -> int:
    """The next multiple of ALIGN."""
    return -(-size // ALIGN) * ALIGN


def _orders(blocks: Sequence[Block]) -> list[list[int]]:
    every = range(len(blocks))
    return [
        sorted(every, key=lambda i: (-blocks[i].size, blocks[i].first)),
        sorted(every, key=lambda i: (blocks[i].first, -blocks[i].size)),
        sorted(every, key=lambda i: -(blocks[i].last - blocks[i].first + 1) * blocks[i].size),
        sorted(every, key=lambda i: (-blocks[i].last, -blocks[i].size)),
    ]
