"""What the firmware commands take alike: a board, the models in it, and the firmware that they are built into."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hal.rt.firmware import Image, ModelSource
    from pipelines.models import Manifest


def model_options(function: Any) -> Any:
    """--board, --models, --glow, --features, --define."""
    for option in reversed((
        click.option("--board", required=True, help="What it is for: host, mps2-an500, or a board of NXP's."),
        click.option("--models", "names", required=True, multiple=True, metavar="A,B",
                     help="The models in it: names, .tflite files, or NAME=FILE; repeatable."),
        click.option("--glow", multiple=True, metavar="NAME=DIR",
                     help="Link the bundle that NXP's Glow made of this model, instead of compiling it; repeatable."),
        click.option("--features/--no-features", default=None,
                     help="Compute features on the board too, or never; where left out, of the models whose recipe the "
                     "board can compute."),
        click.option("--define", "defines", multiple=True, metavar="NAME=VALUE",
                     help="A setting of the board's C, such as EIQ_BAUD=921600; repeatable."),
    )):  # fmt: skip
        function = option(function)
    return function


def built(board: str, names: tuple[str, ...], glow: tuple[str, ...], features: bool | None,
          defines: tuple[str, ...], out: Path | None = None) -> Image:  # fmt: skip
    """Build it, or take it from the cache; says so on a terminal."""
    from hal.rt.firmware import build

    sources = _sources(names, glow, features)
    if sys.stderr.isatty():
        click.echo(f"building the firmware of {board}; what was built before is taken from the cache", err=True)
    image = build(board, sources, out, dict(_pair(text, "--define", "VALUE") for text in defines))
    if out:
        click.echo(f"wrote {image.program}", err=True)
    return image


def _sources(names: tuple[str, ...], glow: tuple[str, ...], features: bool | None) -> list[ModelSource]:
    """The models that were asked for. Raises ModelError."""
    from pipelines.errors import ModelError

    bundles = {name: Path(folder) for name, folder in (_pair(text, "--glow", "DIR") for text in glow)}
    wanted = [name for text in names for name in text.split(",") if name]
    sources = [_source(name, bundles, features) for name in wanted]
    unknown = set(bundles) - {source.name for source in sources}
    if unknown:
        raise ModelError(f"got --glow for {', '.join(sorted(unknown))}, expected one of the models "
                         f"{', '.join(source.name for source in sources)}")  # fmt: skip
    return sources


def _source(text: str, bundles: dict[str, Path], features: bool | None) -> ModelSource:
    from hal.rt.firmware import ModelSource
    from pipelines.models import open_model

    name, _, path = text.rpartition("=")
    model = open_model(path, Path.cwd(), "bundle")
    name = name or model.name
    window = mfcc = rate = None
    if features is not False and model.manifest:
        window, mfcc, rate = _recipe(name, model.manifest, bool(features))
    return ModelSource(name, model.path, window, mfcc, rate, bundles.get(name))


def _recipe(name: str, manifest: Manifest, insist: bool) -> tuple[Any, Any, float | None]:
    """The window and features that a model was trained behind, where a board can compute them.

    Raises:
        CapabilityError: it cannot, and they were asked for.
    """
    from hal.rt.features import tables
    from pipelines.errors import CapabilityError

    steps, source = manifest.preprocess, manifest.source
    sound = source is not None and source.kind == "audio" and source.rate_hz is not None
    chain = [step.name for step in steps]
    if not sound or chain not in (["window", "mfcc"], ["window", "log_mel"]):
        if insist:
            raise CapabilityError(f"got --features, but {name} was trained behind [{', '.join(chain)}], expected "
                                  "window and mfcc or log_mel on sound; leave --features out")  # fmt: skip
        return None, None, None
    recipe = steps[0].config, steps[1].config, source.rate_hz if source else None
    try:
        tables(recipe[0], recipe[1], recipe[2] or 0.0, "recipe")
    except CapabilityError as error:
        if insist:
            raise
        click.echo(f"{name}: {error}", err=True)
        return None, None, None
    return recipe


def _pair(text: str, option: str, value: str) -> tuple[str, str]:
    name, separator, rest = text.partition("=")
    if not (name and separator and rest):
        raise click.UsageError(f"got {option} {text}, expected NAME={value}")
    return name, rest
