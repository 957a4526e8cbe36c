"""What a layout finds: items with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hal.recordings.files import kind_of
from hal.recordings.pictures import ENDINGS
from pipelines.errors import DataError

SUFFIXES = {
    "camera": ENDINGS,
    "microphone": frozenset({".wav", ".flac", ".ogg", ".aiff", ".aif"}),
    "motion": frozenset({".csv", ".npy", ".txt"}),
}
"""What a label's folder may hold for each sensor; other files there are passed over."""


@dataclass(frozen=True, slots=True)
class Place:
    """An object in a picture; all in fractions of its width and height, so that a scaled copy has the same.

    Args:
        label: what it is.
        x, y: of the upper left corner.
        area: of the object itself where that is known, else of the box.
        crowd: a group that is not boxed one by one: found or not, it counts for nothing.
    """

    label: str
    x: float
    y: float
    width: float
    height: float
    area: float
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled recording, not yet opened.

    Args:
        name: what people find it by, such as its path below the data set.
        label: what it is; empty where boxes say it.
        path: the file that holds it.
        row: which of an array file's items; None where the file is the item.
        start_s: where in the recording it begins.
        length_s: how much of it counts, a shorter one filled up with silence; all of it where None.
        places: the objects in a picture of a detector's data set.
    """

    name: str
    label: str
    path: Path
    row: int | None = None
    start_s: float = 0.0
    length_s: float | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Request:
    """What a layout is asked for.

    Args:
        where: the folder or file.
        split: train, validation or test; None takes the layout's own choice.
        sensor: the capability that the items are played to: camera, microphone, motion.
        labels: the model's, in the order of its outputs; empty where it has none.
    """

    where: Path
    split: str | None
    sensor: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """Labelled items, in an order that depends on nothing but the data.

    Args:
        boxed: the items are pictures with places, for a detector.
    """

    where: Path
    layout: str
    split: str | None
    items: tuple[Item, ...]
    boxed: bool = False

    @property
    def labels(self) -> list[str]:
        """Each one once, in order."""
        if self.boxed:
            return list(dict.fromkeys(place.label for item in self.items for place in item.places))
        return list(dict.fromkeys(item.label for item in self.items))


def folders(where: Path) -> list[Path]:
    """The folders in a folder, by name, hidden ones left out. Raises DataError."""
    return [path for path in listed(where) if kind_of(path) == "folder"]


def files(where: Path, sensor: str) -> Iterator[Path]:
    """The files in a folder that a sensor can play, by name."""
    return (path for path in listed(where) if path.suffix.lower() in SUFFIXES[sensor] and kind_of(path) == "file")


def listed(where: Path) -> list[Path]:
    """What is in a folder, by name, hidden entries left out. Raises DataError."""
    try:
        return sorted(path for path in where.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot look into {where} ({error.strerror}), expected a data set; check the path") from error


def no_splits(request: Request, layout: str) -> None:
    """Raises DataError where a split was asked of data that has none."""
    if request.split is not None:
        raise DataError(f"got --split {request.split}, but {request.where} ({layout}) has no splits; leave it out")


def some_of(request: Request, items: list[Item], layout: str, expected: str) -> DataSet:
    """The data set of these items. Raises DataError where there are none."""
    if not items:
        kinds = " ".join(sorted(SUFFIXES[request.sensor]))
        raise DataError(
            f"{request.where} holds no items for the {request.sensor} ({kinds}), expected {expected}; check --data"
        )
    return DataSet(request.where, layout, request.split, tuple(items))
