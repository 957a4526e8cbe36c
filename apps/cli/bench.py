"""``eiq-demo bench``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from apps.cli.options import config_options, opened, overrides
from apps.cli.table import times
from pipelines.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.graph import Graph
    from pipelines.timing import Stats


@click.command()
@config_options
@click.option(
    "--frames", type=click.IntRange(min=1), default=300, show_default=True, help="So many through the engine."
)
@click.option(
    "--warm-up", type=click.IntRange(min=1), default=20, show_default=True, help="So many before, kept apart."
)
@click.option("--streams", type=click.IntRange(min=1), default=1, show_default=True,
              help="Run the pipeline so many times at once; what each gets is set against one alone.")  # fmt: skip
@click.option("--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="An earlier --json output: print the ratio of the medians.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def bench(
    config: str,
    target: str,
    live: bool,
    input_: Path | None,
    sets: tuple[str, ...],
    engine: str | None,
    frames: int,
    warm_up: int,
    streams: int,
    against: Path | None,
    as_json: bool,
) -> None:
    """Time every stage of CONFIG: p50, p95 and p99 over all frames, the warm-up apart; actions do not run.

    A recording is played as fast as it goes, again and again. ``total`` is from a frame's arrival to its results.

    \b
    eiq-demo bench cifar10.yaml
    eiq-demo bench kws.yaml --json > before.json
    eiq-demo bench kws.yaml --against before.json
    eiq-demo bench cifar10.yaml --streams 4
    """
    from contextlib import contextmanager
    from dataclasses import replace

    from apps.cli.streams import Streams, alone, rows
    from hal.targets import shown, start
    from pipelines.graph import stage_order
    from pipelines.run import Limits
    from pipelines.run import run as run_graphs
    from pipelines.timing import Stats

    earlier = _earlier(against) if against else None
    replay = {} if live else {"pace": "fast", "loop": True}
    changes = overrides(sets, live, input_, engine, **replay)
    with opened(config, target, changes, streams) as (demo, graphs, built):
        stats = Stats(warm_up, stage_order(graphs))
        shares = Streams([graph.name for graph in graphs], warm_up)
        start(built, stats)
        run_graphs([replace(graph, actions=()) for graph in graphs], [stats, shares], Limits(frames=frames + warm_up))
        report = _report(demo.title, shown(built), graphs, stats)

    @contextmanager
    def again() -> Iterator[Sequence[Graph]]:
        with opened(config, target, changes, streams) as (_, anew, on):
            start(on, Stats())
            yield anew

    names = list(shares.streams)
    if len(names) > 1:
        single = alone(again, names[:1] if streams > 1 else names, frames, warm_up)
        report["streams"] = rows(shares, {name: single.get(name, single[names[0]]) for name in names})
    for line in [json.dumps(report)] if as_json else _lines(report, warm_up):
        click.echo(line)
    for line in _ratios(report, earlier) if earlier else ():
        click.echo(line, err=as_json)


def _report(title: str, target: str, graphs: Sequence[Graph], stats: Stats) -> dict[str, Any]:
    return {
        "title": title,
        "target": target,
        "machine": f"{platform.machine()}, {_cpu()}, Python {platform.python_version()}",
        "engines": [f"model {model.name}: {engine.description}" for graph in graphs for model, engine in graph.engines],
        "times": "measured here",
        "dropped": stats.dropped,
        "stages": stats.table(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or "unknown processor"
    models = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return f"{os.cpu_count()} x {models[0] if models else 'unknown processor'}"


def _lines(report: dict[str, Any], warm_up: int) -> Iterator[str]:
    yield f"{report['title']} on target {report['target']}, {report['machine']}"
    yield from (f"  {described}" for described in report["engines"])
    elsewhere = " (where nothing else is said)" if any("measured" in row for row in report["stages"]) else ""
    yield f"in ms, measured here{elsewhere} over all frames; the slowest of the first {warm_up} apart, as warm-up"
    yield from ("  " + line for line in times([row for row in report["stages"] if row["frames"]]))
    if "streams" in report:
        from apps.cli.streams import lines

        yield from lines(report["streams"])


def _earlier(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        medians = {_key(row): float(row["p50_ms"] or 0) for row in report["stages"]}
        return {key: report[key] for key in ("title", "machine", "engines")} | {"stages": medians}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is not the output of eiq-demo bench --json; make one with eiq-demo bench … --json > {path}"
        ) from error


_SAME = {"title": "another demo", "machine": "another machine", "engines": "another model or engine"}


def _ratios(report: dict[str, Any], earlier: dict[str, Any]) -> Iterator[str]:
    yield "medians, now against earlier:"
    for key, what in (
        ("title", "another demo"),
        ("machine", "another machine"),
        ("engines", "another model or engine"),
    ):
        if earlier[key] != report[key]:
            yield f"  earlier was {what} ({_text(earlier[key])}): the ratios compare that too"
    for row in report["stages"]:
        before, now = earlier["stages"].get(_key(row)), row["p50_ms"]
        if before and now:
            yield f"  {_key(row):<24} {before:9.3f} ms -> {now:9.3f} ms   x {now / before:.2f}"


def _text(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _key(row: dict[str, Any]) -> str:
    return f"{row['pipeline']}.{row['stage']}" if row.get("pipeline") else str(row["stage"])
