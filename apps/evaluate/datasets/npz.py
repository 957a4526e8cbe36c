"""An NPZ: ``images`` (or ``x``) with an item a row, ``labels`` (or ``y``), and ``label_names`` where labels count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from apps.evaluate.datasets.arrays import NAMES, npz, one_of
from apps.evaluate.datasets.items import DataSet, Item, Request, no_splits, some_of
from pipelines.core import Array
from pipelines.errors import DataError


def read(request: Request) -> DataSet:
    """One item a row. Labels are words, or indices into ``label_names``, or else into the model's labels.

    Raises:
        DataError: not such an NPZ, as many labels as there are not items, or labels out of range.
    """
    no_splits(request, "NPZ")
    path = request.where
    arrays = npz(path)
    x, y = one_of(arrays, NAMES, path), one_of(arrays, ("labels", "y"), path)
    if y.ndim != 1 or not x.ndim or len(x) != len(y):
        raise DataError(f"{path} holds labels {list(y.shape)} for items {list(x.shape)}, expected one label an item")
    labels = _words(request, y, arrays)
    items = [Item(f"{path.name}[{row}]", label, path, row) for row, label in enumerate(labels)]
    return some_of(request, items, "NPZ", "at least one item")


def _words(request: Request, y: Array, arrays: Mapping[str, Array]) -> list[str]:
    if y.dtype.kind == "U":
        return [str(label) for label in y]
    if y.dtype.kind not in "iu":
        raise DataError(f"{request.where} holds labels of {y.dtype}, expected words or whole numbers; convert them")
    names, whose = request.labels, "the model"
    if "label_names" in arrays:
        names, whose = tuple(str(name) for name in arrays["label_names"].flat), "label_names"
    if not names:
        raise DataError(f"{request.where} counts its labels and the model has none; add label_names to the NPZ")
    low, high = (int(y.min()), int(y.max())) if len(y) else (0, 0)
    if low < 0 or high >= len(names):
        raise DataError(
            f"{request.where} holds labels {low} to {high}, expected 0 to {len(names) - 1}, as {whose} has "
            f"{len(names)}; correct them, or add label_names"
        )
    return [names[index] for index in np.asarray(y, np.intp)]
