"""``eiq-demo list``. Imports none of what it lists."""

from __future__ import annotations

import click

from pipelines import registry
from pipelines.resources import bundled_configs, manifests

KINDS = ("targets", "sensors", "transforms", "engines", "decoders", "actions", "models", "configs")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
def list_(kind: str | None) -> None:
    """What there is to build demos from; all kinds, or KIND alone.

    \b
    eiq-demo list
    eiq-demo list transforms
    """
    if kind:
        for name in _names(kind):
            click.echo(name)
        return
    for each in KINDS:
        click.echo(f"{each + ':':<12}{'  '.join(_names(each))}")


def _names(kind: str) -> list[str]:
    if kind == "sensors":
        return list(registry.SENSORS)
    if kind == "configs":
        return [path.name for path in bundled_configs()]
    if kind == "models":
        return list(manifests())
    return registry.names(kind)
