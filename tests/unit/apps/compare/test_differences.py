from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apps.compare.differences import Difference, Key, Taken, Tally, alike, steps_of
from pipelines.core import TensorSpec
from pipelines.errors import CapabilityError

SPEC = TensorSpec("scores", (1, 3), "int8", 1 / 256, -128)
STORED = arrays(np.int8, st.tuples(st.integers(1, 6), st.just(3)))


def real(stored: np.ndarray, spec: TensorSpec = SPEC) -> np.ndarray:
    return (stored.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)


def frames(values: np.ndarray) -> dict[Key, Taken]:
    return {(place, 0): Taken(place / 10, row) for place, row in enumerate(values.astype(np.float32))}


def difference(
    a: np.ndarray, b: np.ndarray, *, spec: TensorSpec | None = SPEC, labels: tuple[str, ...] = ("a", "b", "c")
) -> Difference:
    specs = (spec,) if spec else ()
    tally = Tally(frames(a), steps_of(specs, specs), labels, a.shape[1])
    for key, taken in frames(b).items():
        tally.add(key, taken)
    return tally.difference()


@given(st.data())
def test_what_is_stored_decides(data: st.DataObject) -> None:
    a = data.draw(STORED)
    b = data.draw(arrays(np.int8, a.shape))
    found = difference(real(a), real(b))
    apart = np.abs(a.astype(int) - b.astype(int))
    assert found.bit_exact == (not apart.any())
    assert (found.frames, found.values, found.missing, found.extra) == (len(a), a.size, 0, 0)
    assert found.differing_values == np.count_nonzero(apart)
    assert found.differing_frames == np.count_nonzero(apart.any(axis=1))
    assert found.largest_lsb == apart.max()
    assert found.mean_lsb == pytest.approx(apart.mean(), abs=1e-9)
    assert found.largest == pytest.approx(apart.max() / 256)
    assert found.mean == pytest.approx(apart.mean() / 256)
    assert found.top1_agree == np.count_nonzero(a.argmax(axis=1) == b.argmax(axis=1))
    assert found.histogram == {str(n): int(np.count_nonzero(apart == n)) for n in np.unique(apart)}
    if apart.any():
        place = int(apart.any(axis=1).argmax())
        first = found.first
        assert first is not None
        assert (first.t, first.at) == (place / 10, place)
        assert (first.reference, first.variant) == ("abc"[a[place].argmax()], "abc"[b[place].argmax()])
        assert (first.reference_score, first.variant_score) == (real(a[place]).max(), real(b[place]).max())


@given(
    st.floats(2**-20, 8.0, width=32), st.integers(-128, 127), arrays(np.int8, 3), arrays(np.int8, 3),
)  # fmt: skip
def test_steps_are_whole_at_any_scale(scale: float, zero_point: int, a: np.ndarray, b: np.ndarray) -> None:
    spec = TensorSpec("y", (3,), "int8", scale, zero_point)
    found = difference(real(a, spec)[None], real(b, spec)[None], spec=spec)
    apart = np.abs(a.astype(int) - b.astype(int))
    assert found.largest_lsb == apart.max()
    assert found.mean_lsb == pytest.approx(apart.mean(), abs=1e-9)


@given(arrays(np.float32, (2, 3), elements=st.floats(-(2.0**100), 2.0**100, width=32)), st.integers(-3, 3))
def test_floats_have_no_steps(a: np.ndarray, ulps: int) -> None:
    b = a.copy()
    for _ in range(abs(ulps)):
        b[1, 2] = np.nextafter(b[1, 2], np.float32(math.copysign(math.inf, ulps)))
    found = difference(a, b, spec=None)
    assert found.bit_exact == (ulps == 0)
    assert (found.largest_lsb, found.mean_lsb) == (None, None)
    assert found.largest == abs(float(a[1, 2]) - float(b[1, 2]))
    assert sum(found.histogram.values()) == a.size


def test_numbers_that_are_not_finite_are_counted_apart() -> None:
    a = np.array([[1.0, math.nan, math.inf], [0.0, 0.0, 0.0]], np.float32)
    assert difference(a, a, spec=None).bit_exact
    b = np.array([[1.5, 2.0, math.inf], [0.0, -0.0, 0.0]], np.float32)
    found = difference(a, b, spec=None)
    assert (found.differing_values, found.not_finite, found.largest) == (3, 1, 0.5)  # 0 and -0 are other bits
    assert found.mean == pytest.approx(0.5 / 4)  # inf and inf are no difference, and no finite number


def test_frames_of_one_side_alone_are_no_match() -> None:
    a = np.zeros((4, 3))
    found = difference(a, a[:3])
    assert (found.frames, found.missing, found.extra, found.bit_exact, found.first) == (3, 1, 0, False, None)
    found = difference(a[:2], a)
    assert (found.frames, found.missing, found.extra, found.bit_exact) == (2, 0, 2, False)


def test_nothing_compared_is_not_the_same() -> None:
    found = difference(np.zeros((1, 3)), np.zeros((0, 3)))
    assert (found.bit_exact, found.largest, found.mean) == (False, None, None)


def test_one_value_has_no_best() -> None:
    assert difference(np.zeros((2, 1)), np.ones((2, 1)), spec=None).top1_agree is None


def test_another_network_is_refused() -> None:
    with pytest.raises(CapabilityError, match="gives 2 values a frame, the reference 3; compare the same network"):
        difference(np.zeros((1, 3)), np.zeros((1, 2)))


def test_steps_are_the_references_else_the_variants() -> None:
    real_valued = TensorSpec("y", (1, 3), "float32")
    whole = TensorSpec("class", (1,), "int64")
    assert steps_of((real_valued,), (real_valued,)) is None
    assert steps_of((real_valued,), (SPEC,)) == pytest.approx([1 / 256] * 3)
    assert steps_of((SPEC,), (real_valued,)) == pytest.approx([1 / 256] * 3)
    assert steps_of((whole, SPEC), ()) == pytest.approx([1, 1 / 256, 1 / 256, 1 / 256])
    mixed = steps_of((real_valued, SPEC), ())
    assert mixed is not None
    assert np.isnan(mixed[:3]).all()


def test_of_several_outputs_only_the_quantised_count_in_steps() -> None:
    specs = (SPEC, TensorSpec("box", (1, 1), "float32"))
    a, b = np.array([[0, 0, 0.5, 7]], np.float32), np.array([[0, 0, 0.5 + 2 / 256, 9]], np.float32)
    tally = Tally(frames(a), steps_of(specs, specs), (), 3)
    tally.add((0, 0), Taken(0.0, b[0]))
    found = tally.difference()
    assert (found.largest, found.largest_lsb, found.top1_agree) == (2.0, 2.0, 1)
    assert found.mean_lsb == pytest.approx(2 / 3)
    assert found.first is not None
    assert found.first.reference == "2"  # without labels, the place


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("steps", "told"),
    [(0.0, {"0": 3}), (1e-6, {"0": 2, "<0.5": 1}), (0.004, {"0": 2, "<0.5": 1}), (0.49, {"0": 2, "<0.5": 1}),
     (0.5, {"0": 2, "1": 1}), (1.4, {"0": 2, "1": 1}), (2.5, {"0": 2, "3": 1})],
)  # fmt: skip
def test_a_difference_is_never_told_as_none(whole: bool, steps: float, told: dict[str, int]) -> None:
    a = np.zeros((1, 3), np.float32)
    b = a.copy()
    b[0, 1] = steps / 256
    tally = Tally(frames(a), steps_of((SPEC,), ()), ("a", "b", "c"), 3, whole=whole)
    tally.add((0, 0), frames(b)[0, 0])
    found = tally.difference()
    assert found.histogram == told
    assert found.bit_exact == (steps == 0)
    assert found.largest_lsb == pytest.approx(steps, rel=1e-6)


@given(st.data())
def test_a_float_side_is_not_rounded_to_whole_steps(data: st.DataObject) -> None:
    a = real(data.draw(STORED))
    b = data.draw(arrays(np.float32, a.shape, elements=st.floats(0, 1, width=32)))
    assert not alike((SPEC,), (TensorSpec("scores", (1, 3), "float32"),))
    tally = Tally(frames(a), steps_of((SPEC,), ()), ("a", "b", "c"), 3, whole=False)
    for key, taken in frames(b).items():
        tally.add(key, taken)
    apart = np.abs(a.astype(np.float64) - b) * 256
    assert tally.difference().mean_lsb == pytest.approx(apart.mean(), rel=1e-12)
    assert tally.difference().largest_lsb == apart.max()
