"""``eiq-demo compile``."""

from __future__ import annotations

import json
from pathlib import Path

import click


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
@click.option("--measure", "measured", is_flag=True, help="Count instructions, flash and RAM on a Cortex-M7 in QEMU.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def compile_(model: str, out: Path, form: str, dump_graph: tuple[Path, ...], measured: bool, as_json: bool) -> None:
    """Compile MODEL, a name or a .tflite file, to C for a microcontroller.

    The bundle is one .c and one .h with Glow's static interface: no allocation, nothing but string.h. It gives the same
    bits as TFLite's reference kernels.

    \b
    eiq-demo compile kws --out build
    eiq-demo compile kws --out build --dump-graph build/kws.svg
    eiq-demo compile kws --out build --measure
    eiq-demo compile model.tflite --format header
    """
    from compiler import dump, passes, report
    from compiler.emit import compile_graph
    from compiler.header import as_header
    from compiler.measure import measure
    from compiler.reader import identifier, read_graph
    from pipelines.errors import ModelError
    from pipelines.models import open_model

    opened = open_model(model, Path.cwd(), "tflite")
    name = identifier(opened.name)
    if form == "header":
        _write(out / f"{name}_tflite.h", as_header(f"{name}_tflite", opened.path.read_bytes(), opened.path.name))
        return
    graph = read_graph(opened.path).but(name=name)
    bundle = compile_graph(graph)
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
    if as_json:
        click.echo(json.dumps(report.as_object(bundle, counted)))
    else:
        click.echo(report.as_text(bundle, counted), nl=False)


def _write(path: Path, text: str) -> None:
    from pipelines.errors import OutputError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); make room or change --out") from error
    click.echo(f"wrote {path}", err=True)
