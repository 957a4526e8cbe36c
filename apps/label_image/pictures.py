"""The visitor's own pictures: a folder for every class."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.evaluate.datasets.items import files, folders
from hal.recordings.pictures import Pictures
from pipelines.core import Array
from pipelines.errors import DataError


@dataclass(frozen=True)
class Photo:
    """A picture's file.

    Args:
        path: where it lies.
        label: the class's index.
        digest: sha256 of the file, in hex.
    """

    path: Path
    label: int
    digest: str


def find(folder: Path) -> tuple[tuple[str, ...], list[Photo]]:
    """The classes, by name, and their pictures, by class and name; a picture that is there twice counts once.

    Raises:
        DataError: fewer than two classes, or the same picture in two of them.
    """
    found = {path.name: list(files(path, "camera")) for path in folders(folder)}
    labels = tuple(name for name, files in found.items() if files)
    if len(labels) < 2:
        got = f"pictures of {' and '.join(labels) or 'no class'}"
        raise DataError(f"{folder} has {got}, expected a folder for each of at least two classes, such as "
                        f"{folder / 'cat'} and {folder / 'dog'}, with pictures in it")  # fmt: skip
    photos: dict[str, Photo] = {}
    for label, name in enumerate(labels):
        for path in found[name]:
            photo = Photo(path, label, hashlib.sha256(path.read_bytes()).hexdigest())
            first = photos.setdefault(photo.digest, photo)
            if first.label != label:
                raise DataError(f"{path} and {first.path} are the same picture in two classes; remove one of them")
    return labels, list(photos.values())


def check_enough(labels: tuple[str, ...], photos: list[Photo]) -> None:
    """Raises DataError where a class has fewer than two pictures: one to learn from and one to score on."""
    for label, name in enumerate(labels):
        count = sum(photo.label == label for photo in photos)
        if count < 2:
            raise DataError(f"the class {name} has {count} picture{'s' * (count != 1)} that can be read, expected at "
                            "least 2 (20 and more are better); add some or remove its folder")  # fmt: skip


def read(photo: Photo) -> Array:
    """[height, width, 3] uint8 RGB. Raises DataError."""
    return next(Pictures(photo.path).read())


def held_out(photos: list[Photo], share: float) -> NDArray[np.bool_]:
    """[N]: which pictures to score on: of each class the last ones by name, at least one, and not all.

    Pictures taken one after the other resemble each other; so they stay on one side, but for those at the border.
    """
    labels = np.array([photo.label for photo in photos])
    chosen = np.zeros(len(photos), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        chosen[rows[-min(len(rows) - 1, max(1, round(share * len(rows)))) :]] = True
    return chosen


def views(picture: Array, count: int, mirror: bool, rng: np.random.Generator) -> list[Array]:
    """The picture as it is, and ``count - 1`` more: a part of it, perhaps mirrored, in other light."""
    return [picture, *(_view(picture, mirror, rng) for _ in range(count - 1))]


def _view(picture: Array, mirror: bool, rng: np.random.Generator) -> Array:
    sizes = [max(1, round(side * rng.uniform(0.75, 1.0))) for side in picture.shape[:2]]
    top, left = (int(rng.integers(0, side - size + 1)) for side, size in zip(picture.shape, sizes, strict=False))
    part = picture[top : top + sizes[0], left : left + sizes[1]]
    if rng.random() < 0.5 and mirror:
        part = part[:, ::-1]
    return np.clip(part * rng.uniform(0.8, 1.25), 0, 255).astype(np.uint8)
