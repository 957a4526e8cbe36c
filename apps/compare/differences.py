"""How far two variants' scores are apart, frame by frame, in bounded memory beside the reference's scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipelines.core import Array, TensorSpec
from pipelines.errors import CapabilityError

Key = tuple[int, int]
"""Where in the stream: index of a frame's first sample, and how many frames began there before (a cascade's crops)."""
NEARLY_WHOLE = 0.01
"""Two values of one quantisation are whole steps apart; their float32 differ from that by less than this many steps."""


class Taken(NamedTuple):
    """One frame's scores: stream time in s, values [n] float32 (several outputs one after the other)."""

    t: float
    values: Array


@dataclass(frozen=True)
class First:
    """The first frame that differs: where it is, the best label of either side, with its score."""

    t: float
    at: int
    reference: str
    reference_score: float
    variant: str
    variant_score: float


@dataclass(frozen=True)
class Difference:
    """What a variant's scores are against the reference's.

    Args:
        frames: compared; ``missing`` has the reference alone, ``extra`` the variant alone.
        values: compared, in all of those frames.
        differing_values: with other bits; differing_frames: with at least one such value.
        largest, mean: absolute difference in the score's own unit; the mean is over all values. None without a value.
        largest_lsb, mean_lsb: the same in steps of the output's quantisation; None where it has none.
        not_finite: values of which one is no finite number and that are not the same; in no other number.
        top1_agree: frames with the same best value; None where a frame has one value.
        first: None where none differs.
        histogram: how many values are so many steps apart (rounded; "<0.5" what is less and not nothing), or, without
            quantisation, by powers of ten.
    """

    frames: int
    missing: int
    extra: int
    values: int
    differing_values: int
    differing_frames: int
    largest: float | None
    mean: float | None
    largest_lsb: float | None
    mean_lsb: float | None
    not_finite: int
    top1_agree: int | None
    first: First | None
    histogram: dict[str, int]

    @property
    def empty(self) -> bool:
        """Neither side gave a frame."""
        return not (self.frames or self.missing or self.extra)

    @property
    def bit_exact(self) -> bool:
        """Every frame is in both, with the same bits; never so where there was nothing to compare."""
        return self.frames > 0 and not (self.missing or self.extra or self.differing_frames)


def steps_of(reference: Sequence[TensorSpec], variant: Sequence[TensorSpec]) -> Array | None:
    """The size of one step (LSB) for each value of a frame [n] float64.

    The reference's where it is quantised, else the variant's; 1 for whole numbers without a scale; None where no output
    has one.
    """
    specs = [_step(spec) for spec in reference]
    others = [_step(spec) for spec in variant]
    if not any(specs) and any(others):
        specs, reference = others, variant
    if not any(specs):
        return None
    return np.concatenate(
        [np.full(math.prod(spec.shape), step or math.nan) for spec, step in zip(reference, specs, strict=True)]
    )


def alike(reference: Sequence[TensorSpec], variant: Sequence[TensorSpec]) -> bool:
    """Whether both sides' values have the same steps."""
    return [_step(spec) for spec in reference] == [_step(spec) for spec in variant]


def _step(spec: TensorSpec) -> float:
    return spec.scale or (1.0 if np.dtype(spec.dtype).kind in "iu" else 0.0)


class Tally:
    """Takes a variant's frames one by one.

    Args:
        reference: its frames.
        steps: of ``steps_of``.
        labels: of the first output; numbers stand for them where empty.
        classes: how many values of a frame are the first output's.
        whole: both sides are quantised alike, so that their values are whole steps apart.
    """

    def __init__(
        self, reference: Mapping[Key, Taken], steps: Array | None, labels: tuple[str, ...], classes: int,
        whole: bool = True,
    ) -> None:  # fmt: skip
        self.reference, self._steps, self._labels, self._classes = reference, steps, labels, classes
        self._whole = whole
        self._frames = self._extra = self._values = self._differing = self._differing_frames = 0
        self._largest = self._sum = self._largest_lsb = self._sum_lsb = 0.0
        self._finite = self._stepped = self._not_finite = self._agree = 0
        self._first: First | None = None
        self._histogram: Counter[int | None] = Counter()  # None: no difference at all

    def add(self, key: Key, taken: Taken) -> bool:
        """Compare one frame; True where its bits differ from the reference's.

        Raises:
            CapabilityError: it has another number of values than the reference's.
        """
        reference = self.reference.get(key)
        if reference is None:
            self._extra += 1
            return False
        a, b = reference.values, taken.values
        if a.shape != b.shape:
            raise CapabilityError(f"gives {b.size} values a frame, the reference {a.size}; compare the same network")
        self._frames += 1
        self._values += a.size
        self._agree += int(self._best(a) == self._best(b))
        if a.tobytes() == b.tobytes():
            self._same(a)
            return False
        self._apart(a, b)
        if self._first is None:
            places = (self._best(a), self._best(b)) if self._classes > 1 else (_furthest(a, b),) * 2
            self._first = First(taken.t, key[0], *self._named(a, places[0]), *self._named(b, places[1]))
        return True

    def _same(self, a: Array) -> None:
        finite = int(np.isfinite(a).sum())
        stepped = finite if self._steps is None else int((np.isfinite(a) & np.isfinite(self._steps)).sum())
        self._finite += finite
        self._stepped += stepped
        self._histogram[None] += stepped

    def _apart(self, a: Array, b: Array) -> None:
        differs = a.view(np.uint32) != b.view(np.uint32)
        finite = np.isfinite(a) & np.isfinite(b)
        self._differing += int(differs.sum())
        self._differing_frames += 1
        self._not_finite += int((differs & ~finite).sum())
        apart = np.abs(a[finite].astype(np.float64) - b[finite])
        self._finite += apart.size
        self._sum += float(apart.sum())
        self._largest = max(self._largest, float(apart.max(initial=0.0)))
        if self._steps is None:
            self._histogram.update(None if x == 0 else math.floor(math.log10(x)) for x in apart.tolist())
        else:
            self._in_steps(apart / self._steps[finite])

    def _in_steps(self, steps: Array) -> None:
        steps = steps[np.isfinite(steps)]
        whole = np.floor(steps + 0.5)
        if self._whole:
            steps = np.where((np.abs(steps - whole) < NEARLY_WHOLE) & (whole > 0), whole, steps)
        self._stepped += steps.size
        self._sum_lsb += float(steps.sum())
        self._largest_lsb = max(self._largest_lsb, float(steps.max(initial=0.0)))
        apart = steps > 0
        self._histogram[None] += int((~apart).sum())
        self._histogram.update(whole[apart].astype(np.int64).tolist())

    def _best(self, values: Array) -> int:
        return int(values[: self._classes].argmax())

    def _named(self, values: Array, place: int) -> tuple[str, float]:
        return self._labels[place] if self._labels else str(place), float(values[place])

    def difference(self) -> Difference:
        """What was found so far; the frames that have not come are missing."""
        in_steps = self._steps is not None and self._stepped > 0
        return Difference(
            frames=self._frames,
            missing=len(self.reference) - self._frames,
            extra=self._extra,
            values=self._values,
            differing_values=self._differing,
            differing_frames=self._differing_frames,
            largest=self._largest if self._finite else None,
            mean=self._sum / self._finite if self._finite else None,
            largest_lsb=self._largest_lsb if in_steps else None,
            mean_lsb=self._sum_lsb / self._stepped if in_steps else None,
            not_finite=self._not_finite,
            top1_agree=self._agree if self._classes > 1 else None,
            first=self._first,
            histogram=_told(self._histogram, powers=self._steps is None),
        )


def _furthest(a: Array, b: Array) -> int:
    return int(np.nan_to_num(np.abs(a.astype(np.float64) - b), nan=np.inf).argmax())


def _told(histogram: Counter[int | None], *, powers: bool) -> dict[str, int]:
    """In the order of the distance, from 0 on."""
    distances = sorted(histogram, key=lambda n: -math.inf if n is None else n)
    return {_distance(n, powers=powers): histogram[n] for n in distances if histogram[n]}


def _distance(n: int | None, *, powers: bool) -> str:
    if n is None:
        return "0"
    if powers:
        return f"1e{n:+03d}"
    return str(n) if n else "<0.5"
