"""``eiq-demo evaluate``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.options import config_options, overrides

if TYPE_CHECKING:
    from apps.evaluate import Report

LAYOUTS = ("folders", "csv", "npz", "cifar10", "speech_commands", "coco", "yolo")
STOPPED = 130


def _listed(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(label.strip() for label in (value or "").split(",") if label.strip())


@click.command()
@config_options
@click.option("--data", required=True, metavar="DIR", help="Labelled data: a folder, a .csv, an .npz, or COCO's .json.")
@click.option("--layout", type=click.Choice(LAYOUTS), help="How the data is laid out; found out where absent.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Which one; test where absent.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N items, drawn at random.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw.")
@click.option(
    "--per",
    type=click.Choice(["item", "frame"]),
    default="item",
    show_default=True,
    help="Count items, or their frames (long recordings of one state each).",
)
@click.option("--positive", callback=_listed, metavar="A,B", help="Labels to be told from the others: their AUC.")
@click.option("--negative", callback=_listed, metavar="C,D", help="Those others; all where absent.")
@click.option("--ignore-labels", callback=_listed, metavar="A,B", help="Leave items with these labels out.")
@click.option("--pipeline", metavar="NAME", help="Which one, of a config that has several.")
@click.option(
    "--scheduler",
    metavar="local[:N]|ADDRESS",
    help="Let Dask's workers do it: N processes here, or a running scheduler (tcp://host:8786).",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the confusion matrix (.png, .pdf, .svg).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def evaluate(
    config: str,
    target: str,
    live: bool,
    input_: Path | None,
    sets: tuple[str, ...],
    engine: str | None,
    data: str,
    layout: str | None,
    split: str | None,
    limit: int | None,
    seed: int,
    per: str,
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    ignore_labels: tuple[str, ...],
    pipeline: str | None,
    scheduler: str | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure CONFIG on labelled data: accuracy, top-k, each class, confusion, AUC, and what it reports.

    It is the very config that run runs; each item of the data takes the place of the sensor's recording, as if it were
    the only one. An item's answer is the class with the highest mean score over its frames. Of a CONFIG that ends in
    boxes it is COCO's AP, on pictures with boxes.

    \b
    eiq-demo evaluate cifar10.yaml --data samples/cifar10/labels.csv
    eiq-demo evaluate kws.yaml --data speech_commands --plot kws.png
    eiq-demo evaluate kws.yaml --data speech_commands --scheduler local:4 --json
    """
    from apps.evaluate import Asked, Stopped
    from apps.evaluate import evaluate as measure
    from apps.evaluate.plot import draw
    from apps.plots import check_plot

    if live or input_:
        raise click.UsageError("evaluate takes its items from --data; leave --live and --input out")
    if plot:
        check_plot(plot)
    asked = Asked(layout, split, limit, seed, per, positive, negative, ignore_labels, scheduler)
    start = time.perf_counter()
    try:
        report = measure(
            config, data, asked, overrides=overrides(sets, live, input_, engine), target=target, pipeline=pipeline
        )
    except Stopped as stopped:
        if stopped.report is None:
            click.echo("stopped before the first item was measured", err=True)
            sys.exit(STOPPED)
        report = stopped.report
    _show(report, time.perf_counter() - start, as_json=as_json)
    if plot:
        draw(report, plot)
    if not report.complete:
        sys.exit(STOPPED)


def _show(report: Report, seconds: float, *, as_json: bool) -> None:
    from apps.evaluate.text import lines, warnings
    from pipelines.actions.console import printable

    for line in [json.dumps(report.to_dict())] if as_json else lines(report):
        click.echo(printable(line))  # names of files and folders may be anything
    for line in warnings(report):
        click.echo(printable(line), err=True)
    click.echo(f"{report.items:,} items in {seconds:.1f} s, start included", err=True)
