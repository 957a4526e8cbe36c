"""``fork``: one frame through several branches, for engines with several inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from pipelines import registry
from pipelines.config import schema
from pipelines.config.schema import Transforms
from pipelines.core import Frame, Signal, Transform
from pipelines.errors import SignalMismatch


class Fork:
    """Sends every frame through each branch and bundles what comes out, in the order of the engine's inputs."""

    class Config(schema.Config, frozen=True, kw_only=True):
        """branches: chains of transforms, one per input of the engine; an empty one passes the frame on."""

        branches: tuple[Transforms, ...]

        def __post_init__(self) -> None:
            if len(self.branches) < 2:
                raise ValueError(f"got {len(self.branches)} branches, expected at least two")

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self.branches: list[list[Transform]] = [
            [registry.load("transforms", step.name)(step.config) for step in branch] for branch in config.branches
        ]

    def resolve(self, signal: Signal) -> Signal:
        parts = []
        for branch in self.branches:
            part = signal
            for transform in branch:
                part = transform.resolve(part)
                if getattr(transform, "labels", ()):
                    raise SignalMismatch(f"{type(transform).__name__.lower()}, which reports by itself, in a branch",
                                         "steps that only prepare data", "put it before the fork")  # fmt: skip
            if part.parts:
                raise SignalMismatch(part, "one array per branch", "put no fork into a fork's branch")
            parts.append(part)
        return Signal((), "", signal.rate_hz, "bundle", (), tuple(parts))

    def process(self, frame: Frame) -> Iterable[Frame]:
        outs = [_through(branch, frame) for branch in self.branches]
        if any(len(out) != len(outs[0]) for out in outs):
            counts = ", ".join(str(len(out)) for out in outs)
            raise SignalMismatch(f"{counts} frames from the branches of a fork", "as many from each",
                                 "put the window before the fork")  # fmt: skip
        for parts in zip(*outs, strict=True):
            yield parts[0].with_data(tuple(part.array for part in parts))


def _through(branch: Sequence[Transform], frame: Frame) -> list[Frame]:
    frames = [frame]
    for transform in branch:
        frames = [out for one in frames for out in transform.process(one) if isinstance(out, Frame)]
    return frames
