"""A CSV with a line for each item: the columns ``file`` and ``label``, and ``split`` where there are splits."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from apps.evaluate.datasets.items import DataSet, Item, Request, some_of
from hal.recordings.files import existing_file
from pipelines.errors import DataError

EXPECTED = "a CSV with the columns file and label"
Row = dict[str, str]


def read(request: Request) -> DataSet:
    """One item a line. Files are relative to the CSV; other columns are passed over.

    Raises:
        DataError: not CSV, other columns, a line without its file or label, no such split, or no items.
    """
    path = existing_file(request.where, EXPECTED)
    rows = list(_rows(path))
    rows, split = _of_split(path, rows, request.split)
    items = [Item(row["file"], row["label"], path.parent / row["file"]) for row in rows]
    return some_of(replace(request, split=split), items, "CSV index", EXPECTED)


def _of_split(path: Path, rows: list[Row], split: str | None) -> tuple[list[Row], str | None]:
    if not rows or "split" not in rows[0]:
        if split is not None:
            raise DataError(f"got --split {split}, but {path} has no column split; leave it out")
        return rows, None
    split = split or "test"
    found = [row for row in rows if row["split"] == split]
    if not found:
        known = ", ".join(sorted({row["split"] for row in rows}))
        raise DataError(f"{path} has no lines of the split {split}, but of {known}; name one with --split")
    return found, split


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = [name.strip().lower() for name in next(reader, [])]
            _check_columns(path, names)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield _row(path, reader.line_num, names, cells)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV ({error}), expected {EXPECTED}") from error


def _check_columns(path: Path, names: list[str]) -> None:
    if names.count("file") != 1 or names.count("label") != 1:
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise DataError(f"{path} has the columns {shown or '(none)'}, expected file and label in its first line")


def _row(path: Path, line: int, names: list[str], cells: list[str]) -> Row:
    row = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
    if len(cells) != len(names) or not row["file"] or not row["label"]:
        raise DataError(f"{path}:{line}: got {', '.join(cells)}, expected a value for each of {', '.join(names)}")
    return row
