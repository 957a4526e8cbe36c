"""``eiq-demo models``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipelines.fetch import Order
    from pipelines.models import Manifest, Score


@click.group()
def models() -> None:
    """The models: what they are, how good, and whether their files are here and the right ones.

    Those of your own are found where EIQ_MODELS names the folder that holds theirs.

    \b
    eiq-demo models list
    eiq-demo models info kws
    eiq-demo models fetch mobilenet_v2_1.0_224
    eiq-demo models verify
    """


# ---- list --------------------------------------------------------------------------------------------------------

HEAD = ("model", "bytes", "MACs", "parameters", "top-1", "top-5", "scores", "file", "what")


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_models(as_json: bool) -> None:
    """One line a model: its size, its cost, how good it is, and whether its file is here.

    Top-1 and top-5 are in percent, measured (here) or quoted (from others). A file is here, to fetch (eiq-demo models
    fetch), or quoted: then its sha256 is not known, and its line tells what others say of it.
    """
    from pipelines.actions.console import printable

    if as_json:
        for path, manifest in _all():
            click.echo(json.dumps(_as_object(path, manifest)))
        return
    rows = [HEAD, *(_row(manifest) for _, manifest in _all())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    for row in rows:
        cells = [cell.rjust(width) if 1 <= column <= 5 else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=False))]  # fmt: skip
        click.echo(printable("  ".join([*cells, row[-1]]).rstrip()))


def _row(manifest: Manifest) -> tuple[str, ...]:
    from pipelines.models import state

    file, training = manifest.files[0], manifest.training
    top1, top5 = _score(manifest, "top-1"), _score(manifest, "top-5")
    best = top1 or next(iter(manifest.accuracy), None)
    title = manifest.title
    if best and not top1:
        title += f" ({best.metric} {best.value:g})"
    return (
        manifest.name,
        f"{file.bytes:,}" if file.bytes else "-",
        f"{training.macs / 1e6:.3g} M" if training.macs else "-",
        f"{training.parameters / 1e6:.3g} M" if training.parameters else "-",
        f"{100 * top1.value:.1f}" if top1 else "-",
        f"{100 * top5.value:.1f}" if top5 else "-",
        {"here": "measured"}.get(best.measured, best.measured) if best else "-",
        state(manifest, file),
        title,
    )


def _score(manifest: Manifest, metric: str) -> Score | None:
    """The model's own: what a manifest says of others stands after it."""
    return next((score for score in manifest.accuracy if score.metric == metric), None)


def _as_object(path: Path, manifest: Manifest) -> dict[str, Any]:
    from pipelines.models import state

    file, training = manifest.files[0], manifest.training
    scores = [
        {"metric": score.metric, "value": score.value, "data": score.data, "measured": score.measured}
        for score in manifest.accuracy
    ]
    return {
        "name": manifest.name,
        "title": manifest.title,
        "bytes": file.bytes,
        "macs": training.macs,
        "parameters": training.parameters,
        "scores": scores,
        "file": state(manifest, file),
        "path": str(path),
    }


# ---- info, verify ------------------------------------------------------------------------------------------------


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
    """Check the files of all models that are here, or of NAMES, against their manifests' size and sha256."""
    from pipelines.errors import ModelError
    from pipelines.models import find_file, manifest_of, read_manifest, state
    from pipelines.models import verify as verify_file

    bad = 0
    for path in [manifest_of(name) for name in names] or [path for path, _ in _all()]:
        manifest = read_manifest(path)
        for file in manifest.files:
            if not names and state(manifest, file) in ("to fetch", "quoted"):
                continue
            try:
                verify_file(find_file(manifest, file), file)
                click.echo(f"{manifest.name}: {file.name} is right")
            except ModelError as error:
                bad += 1
                click.echo(f"{manifest.name}: {error}")
    if bad:
        raise ModelError(f"{bad} of the model files are not what their manifests say; see above")


# ---- fetch -------------------------------------------------------------------------------------------------------


@models.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All models whose files are not here yet.")
@click.option("--from", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              help="Take the files from this folder, such as a USB stick, and touch no network.")  # fmt: skip
def fetch(names: tuple[str, ...], everything: bool, folder: Path | None) -> None:
    """Bring the files of models NAMES onto this machine, each checked against its manifest's size and sha256.

    They go to the first folder of EIQ_MODELS, or else to eiq-demo/models in XDG_CACHE_HOME or ~/.cache, where they are
    found. What is cut off, by Ctrl-C too, goes on where it stopped when the same command is run again.

    \b
    eiq-demo models fetch mobilenet_v2_1.0_224
    eiq-demo models fetch --all
    eiq-demo models fetch --all --from /media/usb
    """
    from pipelines.errors import FetchError
    from pipelines.fetch import copy, download

    if bool(names) == everything:
        raise click.UsageError("expected the names of models (see eiq-demo models list), or --all")
    orders = _orders(names)
    missed = []
    for order in orders:
        try:
            if here := order.here:
                click.echo(f"{order.manifest.name}: {here} is here, and right")
                continue
            if folder:
                path = copy(order, folder)
            else:
                with _bar(order) as report:
                    path = download(order, report)
            click.echo(f"{order.manifest.name}: {path} ({order.size:,} bytes, sha256 right)")
            _check_found(order, path)
        except FetchError as error:
            missed.append(error)
            if len(orders) > 1:
                click.echo(str(error), err=True)
        except KeyboardInterrupt:
            click.echo("stopped; the same command goes on from there", err=True)
            raise
    if missed and len(orders) > 1:
        raise FetchError(f"{len(missed)} of {len(orders)} files were not fetched; see above")
    if missed:
        raise missed[0]


def _orders(names: tuple[str, ...]) -> list[Order]:
    """Every file of the models that are named; without names, of all that can be fetched."""
    from pipelines.fetch import Order
    from pipelines.models import manifest_of, read_manifest, state

    if names:
        named = [read_manifest(manifest_of(name)) for name in dict.fromkeys(names)]
        return [Order(manifest, file) for manifest in named for file in manifest.files]
    return [
        Order(manifest, file)
        for _, manifest in _all()
        for file in manifest.files
        if file.url and state(manifest, file) != "quoted"
    ]


def _check_found(order: Order, path: Path) -> None:
    from pipelines.errors import OutputError
    from pipelines.models import find_file

    found = find_file(order.manifest, order.file)
    if found != path:
        raise OutputError(f"{found} is another file and is found before {path}; remove it")


@contextmanager
def _bar(order: Order) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while it is a terminal; told how many bytes are here."""
    if not sys.stderr.isatty():
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(order.manifest.name, total=order.size)
        yield lambda size: progress.update(task, completed=size)


def _all() -> Iterator[tuple[Path, Manifest]]:
    from pipelines.models import read_manifest
    from pipelines.resources import manifests

    for path in manifests().values():
        yield path, read_manifest(path)
