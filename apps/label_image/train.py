"""The transfer-learning lab: a frozen MobileNet body, a new head for classes of one's own.

``eiq-demo train label_image --images DIR``. Needs no TensorFlow: the body runs as it is (LiteRT), scikit-learn fits the
head, and both become one .tflite.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml

from apps.cli.options import hold_out_option
from apps.evaluate.metrics import wilson
from apps.label_image.features import CAMERA, Chain, Features, as_yaml, recipe_for
from apps.label_image.head import INSTALL, fitted
from apps.label_image.pictures import check_enough, find, held_out, read
from apps.label_image.surgery import Body
from apps.progress import track
from apps.shipping import make_folder, write_model, write_whole
from apps.training import out_option, stoppable
from pipelines.config.schema import Transforms
from pipelines.engines._flatbuffer import read_model
from pipelines.engines.tflite import Tflite
from pipelines.models import Model, open_model
from pipelines.optional import require

BODY = "mobilenet_v1_1.0_224_body"
NAMED = 10  # of the pictures that cannot be read


@click.command("label_image")
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder that holds a folder of pictures for every class.",
)
@click.option(
    "--body", default=BODY, show_default=True, help="The network whose features are used: a model's name, or a .tflite."
)
@out_option("label_image")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/label_image"),
    show_default=True,
    help="Folder for the pictures' features.",
)
@hold_out_option("Share of each class to score on, not to learn from: the last ones by name.")
@click.option(
    "--views",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help="Of each picture: as it is, and parts of it in other light.",
)
@click.option(
    "--mirror/--no-mirror", default=True, show_default=True, help="Whether a class stays the same in a mirror."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def command(images: Path, out: Path, work: Path, **options: Any) -> None:  # fmt: skip
    """Teach a MobileNet classes of your own.

    DIR holds a folder for every class, with at least two pictures, better 20 to 50. What was looked at is kept in
    --work: the same command goes on where it was stopped.

    \b
    eiq-demo train label_image --images DIR
    eiq-demo train label_image --images DIR --body mobilenet_v1_0.25_128_quant.tflite
    """
    require("sklearn", purpose="the head", install=INSTALL)
    for folder in (out, work):
        make_folder(folder)
    with stoppable("goes on with the pictures that are left"):
        _train(images, out, work, **options)
    click.echo(f"eiq-demo run {out / 'demo.yaml'} runs it, with --live on this machine's camera", err=True)


def _train(
    images: Path, out: Path, work: Path, *, body: str, share: float, views: int, mirror: bool, seed: int, threads: int
) -> None:
    model = open_model(body, Path.cwd(), "tflite")
    flatbuffer = read_model(model.path)
    write_whole(work / "body.tflite", Body(flatbuffer, str(model.path)).features())
    recipe = _recipe(model)
    labels, photos = find(images)
    check_enough(labels, photos)
    features = Features(work / "body.tflite", recipe, work, count=views, mirror=mirror, seed=seed, threads=threads)
    photos, seen, bad = features.of_all(track(photos, "pictures"))
    _tell(bad)
    check_enough(labels, photos)

    answers = np.array([photo.label for photo in photos], np.int64)
    apart = held_out(photos, share)
    head = fitted(seen[~apart], answers[~apart], threads)
    combined = Body(flatbuffer, str(model.path)).with_head(head.weights, head.bias)
    write_whole(work / "model.tflite", combined)
    chain = Chain(work / "model.tflite", recipe, threads)
    left = [photo for photo, is_apart in zip(photos, apart, strict=True) if is_apart]
    right = sum(int(chain(read(photo)).argmax()) == photo.label for photo in track(left, "scoring"))
    low, high = wilson(right, len(left))
    click.echo(f"learned from {len(photos) - len(left)} pictures (C {head.strength:g}); {right} of {len(left)} "
               f"held-out ones right: {right / len(left):.1%} (95 % interval {low:.1%} to {high:.1%})")  # fmt: skip
    again = (
        f"--body {Path(body).name} --hold-out {share:g} --views {views} --seed {seed}{'' if mirror else ' --no-mirror'}"
    )
    write_model(out, combined, {
        "name": "label_image",
        "title": f"{len(labels)} classes of one's own: {_some(labels)}",
        "labels": list(labels),
        "input": {"kind": "image", "shape": list(features.chain.signal.shape), "dtype": "float32",
                  "channels": list(CAMERA.channels)},
        "source": {"kind": "image", "channels": list(CAMERA.channels)},
        "preprocess": as_yaml(recipe),
        "training": {
            "data": f"{len(photos) - len(left)} pictures of one's own on features of {model.name}",
            "licence": f"the pictures are one's own; {model.name}: "
                       f"{model.manifest.training.licence if model.manifest else 'as where it came from'}",
            "command": f"eiq-demo train label_image --images DIR {again}",
            "seed": seed,
        },
        "accuracy": [{
            "metric": "top-1",
            "value": round(right / len(left), 4),
            "samples": len(left),
            "data": f"held-out pictures, the last {share:.0%} of each class by name; "
                    f"95 % interval {low:.3f} to {high:.3f} (Wilson)",
            "measured": "here",
            "command": f"eiq-demo train label_image --images DIR {again}",
        }],
    })  # fmt: skip
    write_whole(out / "demo.yaml", _demo(labels, recipe, images / labels[0]).encode())


def _recipe(model: Model) -> Transforms:
    """The preprocessing that the body's manifest asks for, or what its input tells."""
    if model.manifest is not None:
        return model.manifest.preprocess
    engine = Tflite(Tflite.Config(model=model.name), model.path)
    return recipe_for(engine.inputs[0], str(model.path))


def _tell(bad: list[str]) -> None:
    if bad:
        click.echo(f"{len(bad)} picture{'s' * (len(bad) > 1)} left out:", err=True)
        for line in [*bad[:NAMED], *([f"and {len(bad) - NAMED} more"] if len(bad) > NAMED else [])]:
            click.echo(f"  {line}", err=True)


def _some(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:4]) + (", …" if len(labels) > 4 else "")


def _demo(labels: tuple[str, ...], recipe: Transforms, pictures: Path) -> str:
    """A config that runs the model beside it, in the simulator on the pictures of one class."""
    return yaml.safe_dump({
        "title": f"Classes of one's own: {_some(labels)}",
        "sensor": {"camera": {}},
        "preprocess": as_yaml(recipe),
        "engine": {"model": "./manifest.yaml"},
        "postprocess": [{"top": {"k": 1}}],
        "actions": ["console"],
        "targets": {"sim": {"sensor": {"camera": {"file": str(pictures.absolute())}}}},
    }, sort_keys=False, width=120, allow_unicode=True)  # fmt: skip
