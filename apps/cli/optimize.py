"""``eiq-demo optimize``."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from apps.cli.evaluate import LAYOUTS
from apps.cli.options import hold_out_option
from pipelines.errors import ModelError

FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("model")
@click.option("--config", help="Whose preprocessing and labels count; MODEL.yaml where MODEL is a name.")
@click.option("--data", type=EXISTING, required=True, help="Labelled recordings to learn and calibrate on.")
@click.option("--test", type=EXISTING, help="Others to score on, in place of a share of --data.")
@click.option("--layout", type=click.Choice(LAYOUTS), help="How the data is laid out; found out where absent.")
@hold_out_option("Share of each label to score on, where there is no --test: the last ones in order.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N recordings of --data, drawn at random.")
@click.option(
    "--prune",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Prune so many of each layer's weights and retrain; needs a .keras model.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=4, show_default=True, help="Of retraining.")
@click.option(
    "--rate",
    type=click.FloatRange(0, 1, min_open=True),
    default=5e-4,
    show_default=True,
    help="Learning rate of the retraining; falls to zero.",
)
@click.option("--out", type=FOLDER, help="Folder for the models; optimized/MODEL where absent.")
@click.option("--work", type=FOLDER, help="Folder for checkpoints; build/optimize/MODEL where absent.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Of the retraining.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --work.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def optimize(
    model: str, config: str | None, out: Path | None, work: Path | None, threads: int, as_json: bool, **options: Any
) -> None:  # fmt: skip
    """Quantise MODEL to int8, prune it where asked, and tell size, accuracy and latency of each.

    MODEL is a .keras file, a float .tflite, or the name of a model that eiq-demo train has trained here.

    \b
    eiq-demo optimize build/cifar10/model.keras --config cifar10.yaml --data DIR --prune 0.5
    eiq-demo optimize mine.tflite --config mine.yaml --data DIR --test OTHER
    """
    from apps.optimize.optimise import Asked, optimised, table
    from apps.training import stoppable

    path, named = _found(model)
    if config is None and named is None:
        raise click.UsageError("got a file without --config, expected the config whose preprocessing it was trained on")
    stem = named or path.stem
    words = {"config": config or f"{stem}.yaml", **{key: options[key] for key in ("prune", "epochs", "rate", "seed")}}
    told = " ".join(f"--{key} {shlex.quote(str(value))}" for key, value in words.items() if value is not None)
    _set_threads(threads)
    again = f"eiq-demo optimize {path.name} --data DIR {told}"
    asked = Asked(model=path, config=str(words["config"]), out=out or Path("optimized") / stem,
                  work=work or Path("build/optimize") / stem, command=again, **options)  # fmt: skip
    with stoppable():
        rows = optimised(asked, lambda text: click.echo(text, err=True))
    if as_json:
        for row in rows:
            click.echo(json.dumps(asdict(row)))
        return
    for line in table(rows):
        click.echo(line)
    click.echo(f"accuracy and latency are measured here; the models lie in {asked.out}", err=True)


def _found(model: str) -> tuple[Path, str | None]:
    """The file, and the name where it is one of ours."""
    path = Path(model).expanduser()
    if path.suffix:
        if not path.is_file():
            raise ModelError(f"{path} is not there, expected a .keras file or a float .tflite")
        return path, None
    kept = Path("build") / model / "model.keras"
    if not kept.is_file():
        raise ModelError(f"got {model}, but {kept}, which eiq-demo train {model} leaves, is not there; train it, or "
                         "name a .keras file or a float .tflite")  # fmt: skip
    return kept, model


def _set_threads(threads: int) -> None:
    """For TensorFlow, where it is there; it reads them when it starts."""
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(threads))
