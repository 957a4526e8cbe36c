"""``eiq-demo check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.options import config_options, opened, overrides

if TYPE_CHECKING:
    from pipelines.graph import Graph


@click.command()
@config_options
def check(config: str, target: str, live: bool, input_: Path | None, sets: tuple[str, ...], engine: str | None) -> None:
    """Say what CONFIG means, link by link, or everything that is wrong in it; runs nothing.

    Problems are told as file:line:column, with exit code 2.

    \b
    eiq-demo check kws.yaml
    eiq-demo check my.yaml --set engine.model=cifar10
    """
    from hal.targets import shown

    with opened(config, target, overrides(sets, live, input_, engine)) as (demo, graphs, built):
        click.echo(f"{demo.title} on target {shown(built)}")
        for graph in graphs:
            for line in _lines(graph):
                click.echo(line)


def _lines(graph: Graph) -> list[str]:
    rows = [(graph.sensor_name, str(graph.sensor.output))]
    rows += [(stage.name, "results" if stage.kind == "decoders" else str(stage.output)) for stage in graph.stages]
    rows += [(name, "") for name, _ in graph.actions]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {'─► ' + out if out else ''}".rstrip() for name, out in rows]
    lines += [f"  model {model.name}: {model.path.name}, {engine.description}" for model, engine in graph.engines]
    return [f"pipeline {graph.name}", *lines] if graph.name else lines
