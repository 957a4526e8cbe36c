"""A comparison for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.cli.table import times
from apps.compare.differences import Difference
from apps.compare.report import Layer, Outcome, Report, Results, Scores

LONGEST_NAME = 60
"""Of a tensor: a converter that fuses layers joins all their names."""


def heading(config: str, frames: int) -> str:
    """What is to come."""
    return f"{config} on the same recording in each, at most {frames:,} frames; the first is the reference"


def outcome(one: Outcome) -> Iterator[str]:
    """One variant, line by line."""
    yield f"{one.name}" + ("" if one.error or one.bit_exact is not None else " (the reference)")
    if one.error:
        yield f"  cannot run: {one.error}"
        return
    yield from (f"  {line}" for line in one.board)
    for used in one.used:
        yield f"  model {used.model}, {used.file_bytes:,} bytes: {used.engine}"
        costs = [f"loads in {used.load_ms:.1f} ms"] if used.load_ms is not None else []
        costs += [f"adds {used.memory['process'] / 1e6:.1f} MB to a process"] if "process" in used.memory else []
        if costs:
            yield f"    {', '.join(costs)}"
    for scores in one.scores:
        several = f"{scores.place}: " if len(one.scores) > 1 else ""
        for line in _scores(scores):
            yield f"  {several}{line}"
    if one.results and one.bit_exact is not None:
        yield f"  {_results(one.results)}"
    elif one.results:
        yield f"  {one.results.count:,} results"


def _scores(scores: Scores) -> Iterator[str]:
    difference = scores.difference
    if difference is None:
        yield f"{scores.frames:,} frames"
        return
    if difference.empty:
        yield "no frames in either"
        return
    if difference.bit_exact:
        yield f"bit-exact: all {difference.values:,} values of {difference.frames:,} frames"
        return
    yield "NOT bit-exact: " + "; ".join(_apart(difference))
    if difference.first:
        first = difference.first
        yield (f"first at {first.t:.3f} s: {first.variant} {first.variant_score:.6g}, "
               f"the reference {first.reference} {first.reference_score:.6g}")  # fmt: skip
    if scores.layer:
        yield _layer(scores.layer)
    elif scores.no_layer:
        yield f"first layer that differs: not shown ({scores.no_layer})"
    if difference.top1_agree is not None:
        yield f"the best label is the same in {difference.top1_agree:,} of {difference.frames:,} frames"


def _apart(difference: Difference) -> Iterator[str]:
    if difference.missing or difference.extra:
        yield (f"{difference.frames:,} frames in both, {difference.missing:,} in the reference alone, "
               f"{difference.extra:,} here alone")  # fmt: skip
    if not difference.differing_values:
        return
    text = f"{difference.differing_values:,} of {difference.values:,} values differ, in "
    text += f"{difference.differing_frames:,} of {difference.frames:,} frames"
    if difference.largest_lsb is not None and difference.largest is not None:
        text += (f", by {difference.largest_lsb:g} LSB at most ({difference.largest:.6g}), "
                 f"{difference.mean_lsb:.3g} LSB in the mean")  # fmt: skip
    elif difference.largest is not None:
        text += f", by {difference.largest:.6g} at most, {difference.mean:.3g} in the mean"
    yield text
    if difference.not_finite:
        yield f"{difference.not_finite:,} of them are no finite number on one side"


def _layer(layer: Layer) -> str:
    apart = f"{layer.largest_lsb:g} LSB" if layer.largest_lsb is not None else f"{layer.largest:.6g}"
    name = layer.tensor if len(layer.tensor) <= LONGEST_NAME else f"{layer.tensor[:LONGEST_NAME]}…"
    return (f"first layer that differs: operator {layer.index} of {layer.operators}, {layer.operator} {name}: "
            f"{layer.differing:,} of {layer.values:,} values, by {apart} at most")  # fmt: skip


def _results(results: Results) -> str:
    if results.same:
        return f"the results are the same: {results.count:,} labels in order"
    here, there = (results.first or ("", ""))[::-1]
    return (f"the results differ: {results.count:,} here, {results.reference:,} of the reference; first "
            f"{here or 'nothing'}, the reference {there or 'nothing'}")  # fmt: skip


def summary(report: Report) -> Iterator[str]:
    """The times of all variants in one table, and when each was ready."""
    ran = [one for one in report.outcomes if not one.error]
    rows = [
        {**row, "pipeline": "", "stage": f"{one.name}: {_stage(row)}"}
        for one in ran
        for row in one.rows
        if row["frames"]
    ]
    if rows:
        yield f"times in ms, {report.times}:"
        yield from ("  " + line for line in times(rows))
    ready = ", ".join(f"{one.name} {one.ready_s:.2f} s" for one in ran)
    yield f"ready to run after (measured here; the first imports what all need): {ready}"


def _stage(row: dict[str, Any]) -> str:
    return f"{row['pipeline']}.{row['stage']}" if row.get("pipeline") else str(row["stage"])
