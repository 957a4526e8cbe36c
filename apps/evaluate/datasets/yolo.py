"""Pictures with boxes as YOLO has them: ``images/…/NAME.jpg`` and ``labels/…/NAME.txt``, and a YAML with the names.

A line of text is a box: class, then x and y of its centre, width and height as fractions of the picture. A picture
without a text file, or with an empty one, has no objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from apps.evaluate.datasets.items import DataSet, Item, Place, Request, files, folders, listed, some_of
from hal.recordings.files import kind_of
from pipelines.config.yaml12 import read as read_yaml
from pipelines.errors import ConfigError, DataError, Problem

EXPECTED = "pictures in images, and for each a text file with its boxes in labels"
SPLITS = {"train": "train", "validation": "val", "test": "test"}


def is_one(where: Path) -> bool:
    """Whether it looks like one."""
    return kind_of(where / "images") == kind_of(where / "labels") == "folder"


def read(request: Request) -> DataSet:
    """One item a picture. Classes are named by the ``names`` of a YAML in the folder, else they are the model's labels.

    Raises:
        DataError: no such split, no pictures, or a line that is no box.
    """
    images, split = _images(request)
    names = _names(request)
    labels = request.where / "labels" / images.relative_to(request.where / "images")
    items = [
        Item(str(path.relative_to(request.where)), "", path,
             places=tuple(_places((labels / path.name).with_suffix(".txt"), names)))
        for path in files(images, request.sensor)
    ]  # fmt: skip
    return replace(some_of(replace(request, split=split), items, "YOLO", EXPECTED), boxed=True)


def _images(request: Request) -> tuple[Path, str | None]:
    """The folder with the pictures: a split's (val, val2017, …) where there are folders."""
    images = request.where / "images"
    found = folders(images)
    if not found:
        if request.split is not None:
            raise DataError(f"got --split {request.split}, but {images} has no folders of splits; leave it out")
        return images, None
    if request.split is None and len(found) == 1:
        return found[0], found[0].name
    for start in [SPLITS[request.split]] if request.split else ["test", "val"]:
        for folder in found:
            if folder.name.lower().startswith(start):
                return folder, folder.name
    known = ", ".join(folder.name for folder in found)
    raise DataError(
        f"{images} has the folders {known}, expected {request.split or 'test or val'}; name one with --split"
    )


def _names(request: Request) -> dict[int, str]:
    for path in listed(request.where):
        if path.suffix.lower() not in (".yaml", ".yml"):
            continue
        problems: list[Problem] = []
        try:
            node = read_yaml(path, str(path), problems)
        except OSError as error:
            raise DataError(f"cannot read {path} ({error.strerror}); check the file") from error
        if problems:
            raise ConfigError(problems)
        entries = node.entries if node else None
        if entries and "names" in entries:
            names = entries["names"].node
            if names.items is not None:
                return {place: str(name.value) for place, name in enumerate(names.items)}
            if names.entries is not None and all(key.isdecimal() for key in names.entries):
                return {int(key): str(entry.node.value) for key, entry in names.entries.items()}
            raise DataError(f"{path}: got names that are neither a list nor numbered, expected one per class")
    return dict(enumerate(request.labels))


def _places(path: Path, names: dict[int, str]) -> Iterator[Place]:
    if kind_of(path) != "file":
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}), expected a box a line; repair it") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _place(f"{path}:{number}", line, names)


def _place(where: str, line: str, names: dict[int, str]) -> Place:
    try:
        kind, x, y, width, height = line.split()
        index, values = int(kind), tuple(map(float, (x, y, width, height)))
    except ValueError as error:
        raise DataError(f"{where}: got {line.strip()!r}, expected a class and the box's x, y, width, height") from error
    if index not in names:
        raise DataError(f"{where}: got class {index}, expected one of the {len(names)} that are named; correct names")
    if not all(math.isfinite(v) and -0.01 <= v <= 1.01 for v in values):
        raise DataError(f"{where}: got {line.strip()!r}, expected fractions of the picture, 0 to 1; scale them")
    x_, y_, wide, high = values
    return Place(names[index], x_ - wide / 2, y_ - high / 2, wide, high, wide * high)
