"""The layouts by name, and which one a folder or file has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from apps.evaluate.datasets import cifar10, coco, csv_index, folders, npz, speech_commands, yolo
from apps.evaluate.datasets.items import DataSet, Request
from hal.recordings.files import kind_of
from pipelines.errors import DataError

LAYOUTS: dict[str, Callable[[Request], DataSet]] = {
    "folders": folders.read,
    "csv": csv_index.read,
    "npz": npz.read,
    "cifar10": cifar10.read,
    "speech_commands": speech_commands.read,
    "coco": coco.read,
    "yolo": yolo.read,
}
EXPECTED = (
    "a folder of labelled folders, a .csv, an .npz, CIFAR-10's or Speech Commands' own folder, or of pictures with "
    "boxes COCO's .json or YOLO's folder"
)


def read(request: Request, layout: str | None = None) -> DataSet:
    """The items of a data set.

    Args:
        layout: one of LAYOUTS; None finds out by what is there.

    Raises:
        DataError: it is not there, of no layout that is known, or not what its layout should be.
    """
    return LAYOUTS[layout or layout_of(request.where)](request)


def layout_of(where: Path) -> str:
    """The name of the layout. Raises DataError."""
    kind = kind_of(where)
    if kind == "file" and where.suffix.lower() in (".npz", ".csv"):
        return where.suffix.lower()[1:]
    if kind == "file" and where.suffix.lower() == ".json":
        return "coco"
    if kind == "nothing":
        raise DataError(f"{where} is not there, expected {EXPECTED}; check --data")
    if kind != "folder":
        raise DataError(f"{where} is no data set, expected {EXPECTED}; check --data")
    if any((where / name).exists() for name in (cifar10.META, *cifar10.PICKLES)):
        return "cifar10"
    if yolo.is_one(where):
        return "yolo"
    return "speech_commands" if speech_commands.is_one(where) else "folders"
