"""The confusion matrix as a picture."""

from __future__ import annotations

import io
import math
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from apps.evaluate.report import Answers, Report
from pipelines.errors import CapabilityError, OutputError
from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[plot]'"
WRITTEN_IN = 25
"""Cells of a larger matrix have no room for numbers."""
LABELLED = 60
SUFFIXES = (".png", ".pdf", ".svg")


def check_plot(path: Path) -> None:
    """Whether it can be drawn, before an hour's work.

    Raises:
        CapabilityError: it has an ending that cannot be drawn.
        MissingDependency: matplotlib is not installed.
        OutputError: its folder is not there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise CapabilityError(f"got --plot {path}, expected a file name that ends in {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.absolute().parent}; make it")
    require("matplotlib.figure", purpose="--plot", install=INSTALL)


def draw(report: Report, path: Path) -> None:
    """Rows are what the samples are, columns what was answered: counts, and their share of the row as colour.

    Raises:
        CapabilityError: the report has no classes.
        OutputError: it cannot be written.
    """
    if report.answers is None:
        raise CapabilityError("--plot draws the confusion of classes, and this config gives a value; leave it out")
    picture = io.BytesIO()
    _figure(report, report.answers).savefig(picture, format=path.suffix.lower()[1:], dpi=150, bbox_inches="tight")
    part = path.with_name(f".{path.name}.part")  # half a picture helps nobody, and an earlier one may be there
    try:
        part.write_bytes(picture.getvalue())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path} ({error.strerror}); make room, or name another file") from error


def _figure(report: Report, answers: Answers) -> Any:
    # a figure by itself: pyplot would look for a display and keep what it has drawn
    figure_module = require("matplotlib.figure", purpose="--plot", install=INSTALL)
    counts = np.array(answers.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(report.labels)
    side = min(max(4.5, 0.62 * size + 2.0), 18.0)
    figure = figure_module.Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.add_subplot()
    colours = require("matplotlib.colors", purpose="--plot", install=INSTALL)
    scale = colours.PowerNorm(0.5, 0, 100)  # square root: a confusion of some per cent is to be seen
    image = axes.imshow(100 * shares, cmap="Blues", norm=scale)
    figure.colorbar(image, ax=axes, label="share of the row in %", fraction=0.046, pad=0.03)
    _label(axes, report.labels)
    if size <= WRITTEN_IN:
        _write(axes, counts, shares)
    axes.set_title(_title(report, answers, width=int(11 * side)), fontsize=10)
    return figure


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
