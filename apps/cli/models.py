"""``eiq-demo models``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.models import Manifest


@click.group()
def models() -> None:
    """The models that are here: what they are, how good, and whether their files are the right ones.

    Those of your own are found where EIQ_MODELS names the folder that holds theirs.

    \b
    eiq-demo models list
    eiq-demo models info kws
    eiq-demo models verify
    """


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_models(as_json: bool) -> None:
    """One line a model: size, input, and the score on data it never saw."""
    for path, manifest in _all():
        file, score = manifest.files[0], manifest.accuracy[0] if manifest.accuracy else None
        if as_json:
            click.echo(json.dumps({"name": manifest.name, "title": manifest.title, "bytes": file.bytes,
                                   "path": str(path)}))  # fmt: skip
            continue
        quality = f"{score.metric} {score.value:g} ({score.measured})" if score else "no score"
        click.echo(f"{manifest.name:<12} {file.bytes:>10,} bytes  {quality:<26} {manifest.title}")


@models.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The manifest as JSON.")
def info(name: str, as_json: bool) -> None:
    """All that the manifest of model NAME says: its input, preprocessing, training and scores."""
    from pipelines.config.yaml12 import read
    from pipelines.models import manifest_of, read_manifest

    path = manifest_of(name)
    read_manifest(path)  # says what is wrong with it
    if as_json:
        node = read(path, str(path), [])
        click.echo(json.dumps(node.plain() if node else None))
        return
    click.echo(f"# {path}")
    click.echo(path.read_text(encoding="utf-8").rstrip())


@models.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check the files of all models, or of NAMES, against their manifests' size and sha256."""
    from pathlib import Path

    from pipelines.errors import ModelError
    from pipelines.models import manifest_of, read_manifest
    from pipelines.models import verify as verify_file

    bad = 0
    for path in [manifest_of(name) for name in names] or [path for path, _ in _all()]:
        manifest = read_manifest(path)
        for file in manifest.files:
            try:
                verify_file(Path(file.path), file)
                click.echo(f"{manifest.name}: {Path(file.path).name} is right")
            except ModelError as error:
                bad += 1
                click.echo(f"{manifest.name}: {error}")
    if bad:
        raise ModelError(f"{bad} of the model files are not what their manifests say; see above")


def _all() -> Iterator[tuple[Path, Manifest]]:
    from pipelines.models import read_manifest
    from pipelines.resources import manifests

    for path in manifests().values():
        yield path, read_manifest(path)
