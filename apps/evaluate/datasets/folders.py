"""Labelled folders: ``DIR/<label>/<files>``, or ``DIR/<split>/<label>/<files>``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from apps.evaluate.datasets.items import DataSet, Item, Request, files, folders, some_of
from pipelines.errors import DataError

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test",
          "val": "validation", "valid": "validation", "validation": "validation"}  # fmt: skip
EXPECTED = "a folder for each label, with its recordings in it"


def read(request: Request) -> DataSet:
    """One item a file; the folder's name is its label. Of a data set in splits, the test split where none is named.

    Raises:
        DataError: no such split, or no items.
    """
    root, split = _root(request)
    items = [
        Item(str(path.relative_to(request.where)), folder.name, path)
        for folder in folders(root)
        for path in files(folder, request.sensor)
    ]
    return some_of(replace(request, split=split), items, "labelled folders", EXPECTED)


def _root(request: Request) -> tuple[Path, str | None]:
    found = folders(request.where)
    splits = {SPLITS[path.name.lower()]: path for path in found if path.name.lower() in SPLITS}
    if not found or len(splits) < len(found):  # a label may be called test, but not all of them
        if request.split is not None:
            raise DataError(f"got --split {request.split}, but {request.where} has no folders of splits; leave it out")
        return request.where, None
    split = request.split or "test"
    if split not in splits:
        raise DataError(f"{request.where} has the splits {', '.join(sorted(splits))}, got --split {split}; name one")
    return splits[split], split
