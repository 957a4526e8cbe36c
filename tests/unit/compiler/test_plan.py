from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compiler.plan import ALIGN, Block, aligned, lower_bound, plan

BLOCKS = st.lists(
    st.builds(lambda size, first, length: Block("b", size, first, first + length),
              st.integers(1, 5000), st.integers(0, 30), st.integers(0, 6)), max_size=25,
)  # fmt: skip


@given(BLOCKS)
def test_what_is_needed_at_once_never_overlaps(blocks: list[Block]) -> None:
    made = plan(blocks)
    for i, a in enumerate(blocks):
        assert made.offsets[i] % ALIGN == 0
        assert made.offsets[i] + a.size <= made.size
        for j, b in enumerate(blocks[:i]):
            if a.first <= b.last and b.first <= a.last:
                apart = made.offsets[i] + a.size <= made.offsets[j] or made.offsets[j] + b.size <= made.offsets[i]
                assert apart, (a, b)


@given(BLOCKS)
def test_the_bound_is_one(blocks: list[Block]) -> None:
    made = plan(blocks)
    assert made.bound == lower_bound(blocks) <= made.size <= sum(aligned(block.size) for block in blocks)


def test_a_chain_takes_its_two_largest_neighbours() -> None:
    chain = [Block(str(i), size, i, i + 1) for i, size in enumerate((100, 400, 200, 300, 50))]
    assert plan(chain).size == plan(chain).bound == 600


def test_nothing_needs_nothing() -> None:
    assert plan([]).size == 0
