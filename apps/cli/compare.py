"""``eiq-demo compare``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.lines import wrapped
from apps.cli.options import overrides

if TYPE_CHECKING:
    from apps.compare.report import Outcome


@click.command()
@click.argument("config")
@click.option(
    "--targets",
    "--target",
    "targets",
    metavar="A,B,…",
    help="Targets to compare, such as sim,rt:host; the first is the reference.",
)
@click.option(
    "--engines",
    "--engine",
    "engines",
    metavar="A,B,…",
    help="Engines to compare; their options behind colons: tflite:threads=2.",
)
@click.option("--input", "input_", type=click.Path(path_type=Path), metavar="FILE",
              help="Take this recording, picture or folder of pictures.")  # fmt: skip
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change one key of the file, for all variants.")
@click.option("--frames", type=click.IntRange(min=1), default=300, show_default=True, help="At most so many scores.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Draw how far the values are apart (.png, .pdf, .svg).")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit code 1 where a variant is not bit-exact.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def compare(
    config: str,
    targets: str | None,
    engines: str | None,
    input_: Path | None,
    sets: tuple[str, ...],
    frames: int,
    plot: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Run CONFIG on several targets or engines, over the same recording: are the scores the same to the bit?

    With --targets and --engines, every combination. The first variant is the reference. Actions do not run.

    \b
    eiq-demo compare cifar10.yaml --engines tflite,bundle
    eiq-demo compare kws.yaml --engines tflite:kernels=reference,bundle --strict
    eiq-demo compare kws.yaml --targets sim,rt:host,rt:qemu
    """
    from apps.compare import compare as run_all
    from apps.compare import text, variants
    from apps.compare.plot import draw
    from apps.plots import check_plot
    from pipelines.actions.console import printable

    named = variants(targets, engines)
    if plot:
        check_plot(plot)

    def show(outcome: Outcome) -> None:
        if outcome.name == named[0].name:
            say(text.heading(config, frames))
        for line in text.outcome(outcome):
            say(line, err=bool(outcome.error))

    def say(line: str, *, err: bool = False) -> None:
        for part in wrapped(printable(line)):
            click.echo(part, err=err)

    changes = overrides(sets, live=False, input_=input_, engine=None)
    report = run_all(config, named, overrides=changes, frames=frames, told=None if as_json else show)
    if as_json:
        click.echo(json.dumps(report.to_dict()))
    for line in () if as_json else text.summary(report):
        say(line)
    if plot:
        draw(report, plot)
    if not report.complete or (strict and not report.bit_exact):
        sys.exit(1)
