"""The confusion matrix as a picture."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from apps.evaluate.report import Answers, Report
from apps.plots import figure, matplotlib, save
from pipelines.errors import CapabilityError

WRITTEN_IN = 25
"""Cells of a larger matrix have no room for numbers."""
LABELLED = 60


def draw(report: Report, path: Path) -> None:
    """Rows are what the samples are, columns what was answered: counts, and their share of the row as colour.

    Raises:
        CapabilityError: the report has no classes.
        OutputError: it cannot be written.
    """
    if report.answers is None:
        gives = "boxes" if report.boxes else "a value"
        raise CapabilityError(f"--plot draws the confusion of classes, and this config gives {gives}; leave it out")
    save(_figure(report, report.answers), path)


def _figure(report: Report, answers: Answers) -> Any:
    counts = np.array(answers.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(report.labels)
    side = min(max(4.5, 0.62 * size + 2.0), 18.0)
    drawn = figure(side + 1.0, side)
    axes = drawn.add_subplot()
    scale = matplotlib("colors").PowerNorm(0.5, 0, 100)  # square root: a confusion of some per cent is to be seen
    image = axes.imshow(100 * shares, cmap="Blues", norm=scale)
    drawn.colorbar(image, ax=axes, label="share of the row in %", fraction=0.046, pad=0.03)
    _label(axes, report.labels)
    if size <= WRITTEN_IN:
        _write(axes, counts, shares)
    axes.set_title(_title(report, answers, width=int(11 * side)), fontsize=10)
    return drawn


def _label(axes: Any, labels: tuple[str, ...]) -> None:
    step = math.ceil(len(labels) / LABELLED)
    ticks = range(0, len(labels), step)
    shown = [textwrap.shorten(labels[tick], 24, placeholder="…") for tick in ticks]
    axes.set_xticks(ticks, shown, rotation=45 if len(labels) <= WRITTEN_IN else 90, fontsize=9,
                    ha="right" if len(labels) <= WRITTEN_IN else "center", rotation_mode="anchor"
                    if len(labels) <= WRITTEN_IN else "default")  # fmt: skip
    axes.set_yticks(ticks, shown, fontsize=9)
    axes.set_xlabel("what was answered")
    axes.set_ylabel("what it is")


def _write(axes: Any, counts: Any, shares: Any) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = shares[row, column]
            text = f"{count:,}\n{100 * share:.3g} %" if len(counts) <= 14 else f"{count:,}"
            colour = "white" if share > 0.4 else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def _title(report: Report, answers: Answers, width: int) -> str:
    low, high = answers.interval_95
    wrapped = textwrap.wrap(f"{report.title} ({report.config}) on {report.data}", width)
    score = (f"accuracy {answers.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f}), "
             f"{report.samples:,} {report.per}s" + ("" if report.complete else ", stopped early"))  # fmt: skip
    return "\n".join([*wrapped, *textwrap.wrap(score, width)])
