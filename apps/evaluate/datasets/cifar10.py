"""CIFAR-10's own binary version: ``data_batch_1.bin`` … ``test_batch.bin`` and ``batches.meta.txt``.

Source: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009; the layout is described on its
page. Its "python version" is refused: those files are pickles, and reading a pickle may run any code in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from apps.evaluate.datasets.arrays import records
from apps.evaluate.datasets.items import DataSet, Item, Request, some_of
from hal.recordings.files import existing_file
from pipelines.errors import DataError

FILES = {"test": ("test_batch.bin",), "train": tuple(f"data_batch_{n}.bin" for n in range(1, 6))}
META = "batches.meta.txt"
PICKLES = ("batches.meta", "data_batch_1", "test_batch")


def read(request: Request) -> DataSet:
    """10,000 items a file, 32 x 32 RGB; the test split where none is named.

    Raises:
        DataError: the python version, another split, files that are missing or damaged, or labels out of range.
    """
    if not (request.where / META).exists() and any((request.where / name).exists() for name in PICKLES):
        raise DataError(
            f"{request.where} is CIFAR-10's python version, pickles that could run any code; expected the binary "
            "version (cifar-10-binary.tar.gz, *.bin): download that one"
        )
    split = request.split or "test"
    if split not in FILES:
        raise DataError(f"CIFAR-10 has the splits {' and '.join(sorted(FILES))}, got --split {split}; name one")
    names = _names(request.where / META)
    items = [item for name in FILES[split] for item in _items(request.where / name, names)]
    return some_of(replace(request, split=split), items, "CIFAR-10", "its pictures")


def _names(path: Path) -> list[str]:
    text = existing_file(path, "CIFAR-10's list of labels").read_text(encoding="utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _items(path: Path, names: list[str]) -> Iterator[Item]:
    for row, label in enumerate(records(path)[:, 0].tolist()):
        if label >= len(names):
            raise DataError(f"{path}: picture {row} has the label {label}, expected 0 to {len(names) - 1}; "
                            "download it again")  # fmt: skip
        yield Item(f"{path.name}[{row}]", names[label], path, row)
