"""Pictures to features: the demo's own preprocessing, then the body; once for every picture, whatever happens."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.label_image.pictures import Photo, read, views
from apps.shipping import make_folder, write_whole
from pipelines import registry
from pipelines.config.convert import value
from pipelines.config.schema import Step, Transforms
from pipelines.config.yaml12 import parse
from pipelines.core import Array, Frame, Signal, TensorSpec
from pipelines.engine_stage import EngineStage
from pipelines.engines.tflite import Tflite
from pipelines.errors import ConfigError, DataError, ModelError, Problem

Floats = NDArray[np.float32]

CAMERA = Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b"))


def recipe_for(spec: TensorSpec, name: str) -> Transforms:
    """MobileNet's preprocessing for a bare file: central 87.5 %, area filter; -1 to 1 for a float input.

    An 8-bit input gets the pixel as it is (less 128 where it is signed), whatever its scale.

    Raises:
        ModelError: the input is not a colour picture.
    """
    if len(spec.shape) != 4 or spec.shape[0] != 1 or spec.shape[3] != 3:
        raise ModelError(f"{name} takes {spec}, expected a picture [1, height, width, 3]; name a MobileNet or its body")
    low, high = -1.0, 1.0
    if spec.scale:
        limits = np.iinfo(spec.dtype)
        low, high = ((end - spec.zero_point) * spec.scale for end in (limits.min, limits.max))
    steps = [
        {"resize": {"width_px": spec.shape[2], "height_px": spec.shape[1], "crop": 0.875, "filter": "area"}},
        {"scale": {"from": [0, 255], "to": [low, high]}},
    ]
    problems: list[Problem] = []
    node = parse(json.dumps(steps), name, Path.cwd(), problems)
    recipe: Transforms = value(node, Transforms, "preprocess", problems) if node else ()
    if problems:
        raise ConfigError(problems)
    return recipe


def as_yaml(recipe: Transforms) -> list[dict[str, Any]]:
    """The recipe as it stands in a manifest."""
    return [{step.name: msgspec.to_builtins(step.config)} for step in recipe]


class Chain:
    """What ``run`` does with a picture up to the model's answer.

    Args:
        model: a .tflite.
        recipe: the steps before it.
        threads: of the engine.

    Raises:
        SignalMismatch: the recipe does not make what the model takes.
    """

    def __init__(self, model: Path, recipe: Transforms, threads: int) -> None:
        self._steps, signal = [], CAMERA
        for step in recipe:
            self._steps.append(_built(step))
            signal = self._steps[-1].resolve(signal)
        self.signal = signal
        """What arrives at the engine."""
        self._engine = Tflite(Tflite.Config(model=model.name, threads=threads), model)
        self._steps.append(EngineStage(self._engine, model.name, signal, ()))

    def __call__(self, picture: Array) -> Floats:
        """[features] or [classes] of a picture [height, width, 3] uint8 RGB."""
        frame = Frame(picture, t=0.0, seq=0)
        for step in self._steps:
            (frame,) = step.process(frame)
        return np.array(frame.array, np.float32).ravel()


def _built(step: Step) -> Any:
    return registry.load(step.kind, step.name)(step.config)


class Features:
    """Features of pictures, kept in ``work`` by the content of picture and body, so that stopped work goes on.

    Args:
        body: the file of a body that gives features.
        recipe: its preprocessing.
        work: folder to keep them in.
        count: how many views of a picture.
        mirror: whether some of them are mirrored.
        seed: fixes the views.
    """

    def __init__(
        self, body: Path, recipe: Transforms, work: Path, *, count: int, mirror: bool, seed: int, threads: int
    ) -> None:
        self.chain = Chain(body, recipe, threads)
        self._count, self._mirror, self._seed = count, mirror, seed
        told = json.dumps([as_yaml(recipe), count, mirror, seed]).encode()
        self._folder = work / "features" / hashlib.sha256(body.read_bytes() + told).hexdigest()[:16]
        make_folder(self._folder)

    def of(self, photo: Photo) -> Floats:
        """[views, features] of a picture, the first of them of the picture as it is. Raises DataError."""
        kept = self._folder / f"{photo.digest}.npy"
        if kept.exists():
            return np.asarray(np.load(kept), dtype=np.float32)
        rng = np.random.default_rng([self._seed, int(photo.digest[:16], 16)])
        seen = np.stack([self.chain(view) for view in views(read(photo), self._count, self._mirror, rng)])
        file = io.BytesIO()
        np.save(file, seen)
        write_whole(kept, file.getvalue())
        return seen

    def of_all(self, photos: Iterable[Photo]) -> tuple[list[Photo], Floats, list[str]]:
        """Those that can be read, their features [N, views, features], and what is wrong with each of the others."""
        good, features, bad = [], [], list[str]()
        for photo in photos:
            try:
                features.append(self.of(photo))
                good.append(photo)
            except DataError as error:
                bad.append(str(error))
        return good, np.stack(features) if features else np.empty((0, self._count, 0), np.float32), bad
