"""``eiq-demo schema``."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--target", default="sim", show_default=True, help="Whose sensors' options it knows.")
def schema(target: str) -> None:
    """Print the JSON schema of demos, for editors that complete and check YAML.

    \b
    eiq-demo schema > eiq-demo.schema.json
    # then, as the first line of a demo:
    # yaml-language-server: $schema=eiq-demo.schema.json
    """
    from pipelines import registry
    from pipelines.config.json_schema import demo_schema

    click.echo(json.dumps(demo_schema(registry.load("targets", target)()), indent=2))
