"""How far the variants' values are apart, as bars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apps.compare.report import Report
from apps.plots import figure, save

WIDE = 12


def draw(report: Report, path: Path) -> None:
    """One row of bars for each variant against the reference: how many values are how many LSB apart.

    Raises:
        OutputError: it cannot be written.
    """
    panels = [
        (f"{outcome.name}, {scores.place}" if len(outcome.scores) > 1 else outcome.name, scores.difference)
        for outcome in report.outcomes[1:]
        for scores in outcome.scores
        if scores.difference and scores.difference.histogram
    ]
    drawn = figure(7.0, 1.2 + 2.0 * max(len(panels), 1))
    drawn.suptitle(f"{report.title} ({report.config}), against {report.outcomes[0].name}", fontsize=10)
    for axes, (name, difference) in zip(_axes(drawn, len(panels)), panels, strict=True):
        _bars(axes, difference.histogram)
        unit = "LSB" if difference.largest_lsb is not None else "the scores' unit, by powers of ten"
        state = "bit-exact" if difference.bit_exact else "not bit-exact"
        axes.set_title(f"{name}: {state}, {difference.values:,} values", fontsize=9)
        axes.set_xlabel(f"apart in {unit}", fontsize=8)
        axes.set_ylabel("values", fontsize=8)
    save(drawn, path)


def _axes(drawn: Any, count: int) -> list[Any]:
    return [drawn.add_subplot(count, 1, place + 1) for place in range(count)]


def _bars(axes: Any, histogram: dict[str, int]) -> None:
    names, counts = list(histogram), list(histogram.values())
    axes.bar(range(len(names)), counts, color="#3b6ea5")
    axes.set_yscale("log")
    axes.set_ylim(0.5, 4 * max(counts))  # room for the numbers
    step = -(-len(names) // WIDE)
    axes.set_xticks(range(0, len(names), step), names[::step], fontsize=8)
    if len(names) <= WIDE:
        for place, count in enumerate(counts):
            axes.annotate(f"{count:,}", (place, count), ha="center", va="bottom", fontsize=7)
