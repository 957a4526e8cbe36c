"""What the steps share that learn from the stream itself: gathering, and a file of what was learned."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.config.schema import OutputPath
from pipelines.core import Array, Frame, Result, Signal
from pipelines.errors import DataError, OutputError, SignalMismatch

MOST_FEATURES = 1000
MOST_BYTES = 100_000_000
LEAST_FRAMES = 20
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class LearnedConfig(Base, frozen=True, kw_only=True):
    """
    Args:
        learn_s: how long it learns, from its first frame on; in any case from 20 frames.
        file: where to keep what was learned, as JSON; loaded where it is there already.
        relearn: learn anew, and replace the file.
    """

    learn_s: Seconds = 10.0
    file: OutputPath | None = None
    relearn: bool = False


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file, as JSON.

    Args:
        step: who learned.
        behind: what made the features, in words (pipelines/recipe.py), the captured signal first.
        shape: of the features.
        channels: their names, where they have any.
        frames: how many were learned from.
        seconds: over how much of the stream.
        numbers: what was learned, array by array.
    """

    step: str
    behind: tuple[str, ...]
    shape: tuple[int, ...]
    channels: tuple[str, ...]
    frames: int
    seconds: float
    numbers: dict[str, Any]


class Learner(ABC):
    """A transform that learns for ``learn_s`` from its first frame on, passing nothing on, and then scores.

    A subclass has a ``Config`` that extends LearnedConfig, and says what it learns.
    """

    name: ClassVar[str]
    """The step's, in messages and in the file."""
    learns: ClassVar[str]
    """What it learns, for the results that tell about it."""
    free: ClassVar[frozenset[str]] = frozenset({"learn_s", "file", "relearn"})

    def __init__(self, config: LearnedConfig) -> None:
        self._config = config
        self._behind: tuple[str, ...] = ()
        self.labels = (f"learning {self.learns}", f"{self.learns} learned", f"{self.learns} loaded")

    def follows(self, recipe: tuple[str, ...]) -> None:
        """What the features are made of, in words; another recipe's file is refused."""
        self._behind = recipe

    # ---- what a subclass says

    @abstractmethod
    def output(self, signal: Signal) -> Signal:
        """What comes out, given the features."""

    @abstractmethod
    def fit(self, features: Array) -> dict[str, Array]:
        """Learn from float64 [frames, features]. Raises DataError."""

    @abstractmethod
    def shapes(self, numbers: dict[str, Array], size: int) -> dict[str, tuple[int, ...]]:
        """The arrays that ``fit`` learns from so many features, and their shapes; ``numbers`` says how many clusters
        there are."""

    @abstractmethod
    def use(self, numbers: dict[str, Array]) -> None:
        """Get ready to score with what was learned."""

    @abstractmethod
    def score(self, features: Array) -> Array:
        """Of float64 [features], valid until the next call."""

    def told(self, numbers: dict[str, Array]) -> tuple[float, str]:
        """A measure of what was learned, and its unit: the number of frames."""
        return float(len(self._gathered)), "frames"

    # ---- the rest is alike

    def resolve(self, signal: Signal) -> Signal:
        """Features of any fixed shape, at most 1000 of them. Raises SignalMismatch, DataError, OutputError."""
        if signal.parts or None in signal.shape:
            raise SignalMismatch(signal, "features of a fixed shape", f"{self.name} follows a step that makes some")
        self._shape = tuple(size for size in signal.shape if size is not None)
        self._size = math.prod(self._shape)
        if not 1 <= self._size <= MOST_FEATURES:
            raise SignalMismatch(f"{signal}, {self._size} values", f"1 to {MOST_FEATURES}",
                                 f"put a step before {self.name} that makes features")  # fmt: skip
        self._signal = signal
        self._features = np.empty(self._size)
        self._gathered: list[Array] = []
        self._began: float | None = None
        self._ready = self._told = False
        if self._config.file is not None:
            _check_writable(Path(self._config.file), self.name)
            if not self._config.relearn and Path(self._config.file).exists():
                self.use(self._load(Path(self._config.file)))
                self._ready = True
        return self.output(signal)

    def process(self, frame: Frame) -> Iterator[Frame | Result]:
        """Scores once it has learned; results that say how far it is."""
        np.copyto(self._features, frame.array.reshape(-1))
        if not np.isfinite(self._features).all():
            raise DataError(
                f"{self.name} got features that are not finite numbers at {frame.t:g} s; "
                "put the step health before the features: it holds such samples back"
            )
        if not self._ready:
            yield from self._learn(frame)
            return
        if not self._told and self._began is None:
            yield Result(frame.t, f"{self.learns} loaded", 1.0, source=frame.captured)
        self._told = True
        yield frame.with_data(self.score(self._features))

    def _learn(self, frame: Frame) -> Iterator[Result]:
        if self._began is None:
            self._began = frame.t
            label = f"learning {self.learns}"
            yield Result(frame.t, label, 1.0, self._config.learn_s, source=frame.captured, unit="s")
        self._gathered.append(self._features.copy())
        seconds = frame.t - self._began
        if seconds < self._config.learn_s - 1e-6 or len(self._gathered) < LEAST_FRAMES:
            return
        numbers = self.fit(np.array(self._gathered))
        if self._config.file is not None:
            self._save(Path(self._config.file), numbers, len(self._gathered), seconds)
        self.use(numbers)
        self._ready = True
        value, unit = self.told(numbers)
        self._gathered.clear()
        yield Result(frame.t, f"{self.learns} learned", 1.0, value, source=frame.captured, unit=unit)

    def _save(self, path: Path, numbers: dict[str, Array], frames: int, seconds: float) -> None:
        kept = Kept(
            step=self.name,
            behind=self._behind,
            shape=self._shape,
            channels=self._signal.channels,
            frames=frames,
            seconds=round(seconds, 6),
            numbers={key: value.tolist() for key, value in numbers.items()},
        )
        _write(path, msgspec.json.format(msgspec.json.encode(kept), indent=0) + b"\n")

    def _load(self, path: Path) -> dict[str, Array]:
        kept = _read(path)
        again = "learn anew with relearn: true, or name another file"
        if kept.step != self.name:
            raise DataError(f"{path} was learned by {kept.step}, expected {self.name}; {again}")
        learned = (kept.behind, kept.shape, kept.channels)
        if learned != (self._behind, self._shape, self._signal.channels):
            got, expected = _difference(kept, self._behind, self._signal)
            raise DataError(f"{path} was learned behind {got}, expected {expected}; {again}")
        try:
            numbers = {key: np.array(value, np.float64) for key, value in kept.numbers.items()}
            fits = {key: value.shape for key, value in numbers.items()} == self.shapes(numbers, self._size)
        except (ValueError, TypeError, KeyError, IndexError):
            fits = False
        if not fits or not all(np.isfinite(value).all() for value in numbers.values()):
            raise DataError(f"{path} is damaged: its arrays are not what {self.name} learns; {again}")
        return numbers


def _difference(kept: Kept, behind: tuple[str, ...], signal: Signal) -> tuple[str, str]:
    """Where what was learned and what is here part, as (got, expected)."""
    for learned, here in zip(kept.behind, behind, strict=False):
        if learned != here:
            return learned, here
    if len(kept.behind) != len(behind):
        return f"{len(kept.behind) - 1} steps", f"{len(behind) - 1} steps"
    return f"{list(kept.shape)} ({' '.join(kept.channels)})", str(signal)


def _read(path: Path) -> Kept:
    if not path.is_file():  # a device, such as /dev/zero, has no end
        raise DataError(f"{path} is a device or pipe, expected what was learned; name a file")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} has {path.stat().st_size:,} bytes, more than anything learned here; "
                            "name another file")  # fmt: skip
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); change its permissions, or the key file") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} holds nothing that was learned ({error}); delete it, learn anew with relearn: true, "
            "or name another file"
        ) from error


def _check_writable(path: Path, step: str) -> None:
    """Found out before the run, without touching what is there. Raises OutputError."""
    if path.is_dir():
        raise OutputError(f"{path} is a directory, expected the name of a file; add one")
    if not path.parent.is_dir():
        raise OutputError(f"the folder {path.parent} does not exist, expected one to write to; "
                          f"make it or change {step}.file")  # fmt: skip
    if not path.exists() and not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {path.parent} cannot be written to; change its permissions or {step}.file")


def _write(path: Path, text: bytes) -> None:
    """The whole file or, where that fails, what was there before. Raises OutputError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with part.open("wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); make room or change the key file") from error
