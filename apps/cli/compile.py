"""``eiq-demo compile``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from compiler.lower import Kernels
    from pipelines.models import Model


@click.command("compile")
@click.argument("model")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="Folder for what is written.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["bundle", "header"]),
    default="bundle",
    show_default=True,
    help="C that runs the model, or the model itself as a C header.",
)
@click.option(
    "--dump-graph",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Write the graph: .txt after every pass, .svg as it is compiled; repeatable.",
)
@click.option(
    "--kernels",
    type=click.Choice(["own", "cmsis-nn"]),
    default="own",
    show_default=True,
    help="Whose kernels the C calls. CMSIS-NN's are not written: build its sources with it.",
)
@click.option(
    "--for",
    "accelerator",
    metavar="ETHOS-U",
    help="Hand the model to Vela for this Ethos-U, such as ethos-u55-128, and write what it makes and the manifest.",
)
@click.option(
    "--measure",
    "measured",
    is_flag=True,
    help="Count instructions, flash and RAM on a Cortex-M7 in QEMU, and with the other kernels too where CMSIS_NN "
    "names CMSIS-NN's folder.",
)
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def compile_(
    model: str,
    out: Path,
    form: str,
    dump_graph: tuple[Path, ...],
    kernels: Kernels,
    accelerator: str | None,
    measured: bool,
    as_json: bool,
) -> None:
    """Compile MODEL, a name, a .tflite or a .skops file, to C for a microcontroller.

    The bundle is one .c and one .h with Glow's static interface: no allocation, nothing but string.h. Of a .tflite file
    it gives the same bits as TFLite's reference kernels.

    \b
    eiq-demo compile kws --out build
    eiq-demo compile kws --out build --dump-graph build/kws.svg
    eiq-demo compile kws --out build --measure
    eiq-demo compile kws --out build --kernels cmsis-nn
    eiq-demo compile kws --out build --for ethos-u55-128
    eiq-demo compile fan_state_forest --out build
    eiq-demo compile model.tflite --format header
    """
    from compiler import dump, passes, report
    from compiler.cmsis_nn import home
    from compiler.emit import compile_graph
    from compiler.header import as_header
    from compiler.measure import measure
    from compiler.reader import identifier, read_graph
    from pipelines.engines._skops import labels_of
    from pipelines.errors import ModelError
    from pipelines.models import open_model

    opened = open_model(model, Path.cwd(), "bundle" if form == "bundle" and not accelerator else "tflite")
    if accelerator:
        if form != "bundle" or dump_graph or kernels != "own" or measured:
            raise click.UsageError("got --for with an option of the C, expected --out and --json alone beside it")
        _for_ethos_u(opened, out, accelerator, as_json)
        return
    name = identifier(opened.name)
    if form == "header":
        _write(out / f"{name}_tflite.h", as_header(f"{name}_tflite", opened.path.read_bytes(), opened.path.name))
        return
    graph = read_graph(opened.path).but(name=name)
    labels_of(opened.path, opened.labels)
    bundle = compile_graph(graph, kernels)
    for path in dump_graph:
        if path.suffix == ".svg":
            _write(path, dump.as_svg(bundle.graph))
        elif path.suffix == ".txt":
            _write(path, dump.as_text([("as read", graph), *passes.apply(graph)]))
        else:
            raise ModelError(f"got --dump-graph {path}, expected a name that ends in .txt or .svg")
    _write(out / f"{name}.c", bundle.c)
    _write(out / f"{name}.h", bundle.h)
    counted = measure(bundle) if measured else None
    other = None
    if measured and home():
        beside = compile_graph(graph, "cmsis-nn" if kernels == "own" else "own")
        other = beside, measure(beside)
    if as_json:
        click.echo(json.dumps(report.as_object(bundle, counted, other)))
    else:
        click.echo(report.as_text(bundle, counted, other), nl=False)


def _for_ethos_u(model: Model, out: Path, accelerator: str, as_json: bool) -> None:
    from dataclasses import asdict

    from apps.variants import write_variant
    from compiler.ethos_u import as_text, compile_for

    compiled, told = compile_for(model.path, accelerator)
    for path in write_variant(out, model, accelerator, compiled):
        click.echo(f"wrote {path}", err=True)
    if as_json:
        click.echo(json.dumps({"name": model.name, "accelerator": accelerator, "modelled": asdict(told)}))
    else:
        click.echo(as_text(accelerator, told), nl=False)


def _write(path: Path, text: str) -> None:
    from apps.shipping import make_folder, write_whole

    make_folder(path.parent)
    write_whole(path, text.encode())
    click.echo(f"wrote {path}", err=True)
