"""What a comparison found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from apps.compare.differences import Difference

TIMES = "each variant's own, one after the other, the first frame apart; measured here unless a row says otherwise"
"""What the numbers of ``rows`` are."""


@dataclass(frozen=True)
class Used:
    """A model that ran.

    Args:
        file_bytes: the model file's size.
        engine: what ran it, in the engine's own words.
        load_ms: how long the engine takes to load it, measured here a second time, when its libraries are imported and
            its caches are there; None for a board's.
        memory: bytes: what the engine adds to a fresh ``process``, and its ``process_peak``, measured here
            (apps.compare.memory; not of a board's); beside them what the engine itself states (``ram``, ``constants``,
            ``arena``).
    """

    model: str
    file_bytes: int
    engine: str
    load_ms: float | None
    memory: dict[str, int]


@dataclass(frozen=True)
class Layer:
    """The first operator whose outputs differ when both engines get the same input.

    Args:
        index: of the operator in the model, of so many ``operators``.
        operator, tensor: its name and its output's, as the model has them.
        values: in that output; ``differing`` of them, by ``largest`` at most, or ``largest_lsb`` steps.
    """

    index: int
    operators: int
    operator: str
    tensor: str
    values: int
    differing: int
    largest: float
    largest_lsb: float | None


@dataclass(frozen=True)
class Scores:
    """One link with scores: that behind an engine, or, in a chain without one, the link into the last decoder.

    Args:
        pipeline: its name, where a config has several.
        link: the stage that they come from in the reference.
        frames: of this variant.
        difference: against the reference; None for the reference itself.
        layer: the first layer that differs; where none can be shown, ``no_layer`` says why. Both None where nothing
            differs.
    """

    pipeline: str
    link: str
    frames: int
    difference: Difference | None = None
    layer: Layer | None = None
    no_layer: str | None = None

    @property
    def place(self) -> str:
        """The link, with its pipeline's name where a config has several."""
        return f"{self.pipeline}.{self.link}" if self.pipeline else self.link


@dataclass(frozen=True)
class Results:
    """What the demo reported, against the reference: labels in order.

    Args:
        count: of this variant; ``reference`` of the reference.
        same: the same labels in the same order.
        first: the first place where they differ: "t label", with several pipelines "t pipeline.label", of the reference
            and of the variant, "" where one has none.
    """

    count: int
    reference: int
    same: bool
    first: tuple[str, str] | None


@dataclass(frozen=True)
class Outcome:
    """One variant.

    Args:
        error: why it could not run; everything else is then empty.
        board: what the target says of itself.
        ready_s: from the config's name to ready to run, measured here: imports, models, recording; on a board also
            building its program and starting it.
        rows: times in ms: the engines' and their parts', as ``pipelines.timing.Stats.table``.
    """

    name: str
    target: str
    engine: str | None
    error: str | None = None
    board: tuple[str, ...] = ()
    used: tuple[Used, ...] = ()
    ready_s: float | None = None
    scores: tuple[Scores, ...] = ()
    results: Results | None = None
    rows: tuple[dict[str, Any], ...] = ()

    @property
    def bit_exact(self) -> bool | None:
        """Against the reference; None for the reference itself, and for one that did not run.

        A link on which neither gave a frame does not count; on another one the reference gave some.
        """
        found = [scores.difference for scores in self.scores if scores.difference]
        return all(difference.bit_exact for difference in found if not difference.empty) if found else None


@dataclass(frozen=True)
class Report:
    """One comparison; the first outcome is the reference's."""

    title: str
    config: str
    outcomes: tuple[Outcome, ...]
    times: str = TIMES

    @property
    def complete(self) -> bool:
        """Every variant ran."""
        return not any(outcome.error for outcome in self.outcomes)

    @property
    def bit_exact(self) -> bool:
        """Every variant ran and gave the reference's very bits."""
        return self.complete and all(outcome.bit_exact for outcome in self.outcomes[1:])

    def to_dict(self) -> dict[str, Any]:
        """Numbers, texts, lists and mappings only, as JSON has them."""
        told = asdict(self)
        for fields, outcome in zip(told["outcomes"], self.outcomes, strict=True):
            fields["bit_exact"] = outcome.bit_exact
            for one, scores in zip(fields["scores"], outcome.scores, strict=True):
                if scores.difference:
                    exact = None if scores.difference.empty else scores.difference.bit_exact
                    one["difference"]["bit_exact"] = exact
        return told | {"bit_exact": self.bit_exact}
