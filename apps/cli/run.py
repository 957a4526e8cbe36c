"""``eiq-demo run``."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.options import config_options, opened, overrides

if TYPE_CHECKING:
    from pipelines.graph import Graph


@click.command()
@config_options
@click.option("--fast", "pace", flag_value="fast", help="Play the recording as fast as it can be processed.")
@click.option("--realtime", "pace", flag_value="realtime", help="Play the recording at its own speed.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so much of the stream.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after so many frames through the engine.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: every result, and the summary.")
def run(
    config: str,
    target: str,
    live: bool,
    input_: Path | None,
    sets: tuple[str, ...],
    engine: str | None,
    pace: str | None,
    seconds: float | None,
    frames: int | None,
    as_json: bool,
) -> None:
    """Run the demo CONFIG: a file of yours, or the name of a bundled one.

    Results go to standard output, everything else to standard error. Ctrl-C stops, with the summary.

    \b
    eiq-demo run kws.yaml
    eiq-demo run kws.yaml --live --seconds 60
    eiq-demo run cifar10.yaml --input holiday.jpg
    eiq-demo run kws.yaml --fast --json | jq 'select(.event == "result").label'
    """
    from apps.cli.display import Display, JsonLines
    from hal.targets import start
    from pipelines.graph import stage_order
    from pipelines.run import Limits
    from pipelines.run import run as run_graphs
    from pipelines.timing import Stats

    if seconds is not None and math.isnan(seconds):
        raise click.UsageError("got --seconds nan, expected a number above 0")
    changes = overrides(sets, live, input_, engine, pace=pace)
    # the summary comes when everything is closed, and whatever ended the run
    with ExitStack() as after, opened(config, target, changes) as (demo, graphs, built):
        stats = Stats(order=stage_order(graphs))
        display = JsonLines(graphs, built, stats) if as_json else Display(demo, graphs, built, stats)
        start(built, stats, display)
        display.start()
        after.callback(display.finish)
        chains = [_quiet(graph) for graph in graphs] if as_json else graphs
        with suppress(KeyboardInterrupt):  # the user's way to end a demo: the summary says so
            run_graphs(chains, [stats, display], Limits(seconds, frames))


def _quiet(graph: Graph) -> Graph:
    """The same without its console: with --json, standard output is JSON alone."""
    return replace(graph, actions=tuple((name, action) for name, action in graph.actions if name != "console"))
