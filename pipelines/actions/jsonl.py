"""Results as a file of one JSON object per line."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pipelines.actions._file import check_file, check_folder
from pipelines.config.schema import Config as Base
from pipelines.config.schema import OutputPath
from pipelines.core import Result, Target
from pipelines.errors import OutputError

WRITTEN_S = 0.05
"""A line that another run writes is whole by then."""
_open_here: set[tuple[int, int]] = set()  # device and inode of the files that this process writes to


class Jsonl:
    """Writes each result as it comes: a ``kill -9`` loses at most the line in flight, a full disk nothing from before.

    A power cut may lose what the system has not put on the disk yet, half a minute with Linux' usual settings; the
    action sqlite waits for the disk.

    A run writes a file of its own, so that the same recording gives the same bytes, and loses nothing of an earlier
    run: a file that is in the way is renamed, ``kws.jsonl`` to ``kws.1.jsonl``, ``kws.2.jsonl``, … Pipelines of one run
    that name the same file must all append. The file is made when a run starts, also one that finds nothing; building
    the action looks whether it can be, and touches nothing.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            path: the file to write.
            append: add to a file of an earlier run.
        """

        path: OutputPath
        append: bool = False

    background: ClassVar[bool] = True

    def __init__(self, config: Config, target: Target) -> None:
        self._path, self._append = Path(config.path), config.append
        self._file: int | None = None
        self._lines = 0
        check_file(self._path, "jsonl.path")
        if self._path.is_file() and not self._append:
            check_folder(self._path.parent, "jsonl.path")  # the earlier file is renamed there

    def start(self) -> None:
        """Make the file. Raises OutputError."""
        with self._refusals():
            self._file = _open(self._path, self._append)

    def handle(self, result: Result) -> None:
        """Write one line. Raises OutputError, with the lines written before whole."""
        if self._file is None:
            self.start()
        line = json.dumps(record(result), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        with self._refusals():
            assert self._file is not None  # start() has opened it
            _write(self._file, line)
        self._lines += 1

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot write to {self._path} ({error.strerror}); the {self._lines} results before are in it, "
                "make room or change jsonl.path"
            ) from error

    def close(self) -> None:
        """May be called twice."""
        if self._file is not None:
            _open_here.discard(_identity(os.fstat(self._file)))
            os.close(self._file)
            self._file = None


def record(result: Result) -> dict[str, Any]:
    """What is written of a result: t in s to the microsecond, label, score; what else there is of value, unit, region,
    pipeline."""
    fields: dict[str, Any] = {"t": round(result.t, 6), "label": result.label, "score": round(float(result.score), 6)}
    if result.value is not None:
        fields["value"] = round(float(result.value), 6)
    if result.unit:
        fields["unit"] = result.unit
    if result.region is not None:
        fields["region"] = [round(float(edge), 3) for edge in result.region]
    if result.pipeline:
        fields["pipeline"] = result.pipeline
    return fields


def _open(path: Path, append: bool) -> int:
    earlier = _is_of_an_earlier_run(path)
    if earlier and not append:
        _set_aside(path)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    _open_here.add(_identity(os.fstat(file)))
    if earlier and append and _cut_off(file):
        os.write(file, b"\n")  # an earlier run was killed in the middle of a line
    return file


def _is_of_an_earlier_run(path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0 and _identity(found) not in _open_here


def _cut_off(file: int) -> bool:
    """Whether its last line has no end, and nobody else writes it just now."""
    size = os.fstat(file).st_size
    if os.pread(file, 1, size - 1) == b"\n":
        return False
    time.sleep(WRITTEN_S)
    return os.fstat(file).st_size == size


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _set_aside(path: Path) -> None:
    """Rename an earlier run's file. Another run may do so now: the name is taken before it is used."""
    number = 1
    while True:
        name = path.with_name(f"{path.stem}.{number}{path.suffix}")
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
            break
        except FileExistsError:
            number += 1
    try:
        path.rename(name)
    except FileNotFoundError:  # the other one was first
        name.unlink()


def _write(file: int, line: bytes) -> None:
    """The whole line or, on a full disk, nothing of it."""
    written = os.write(file, line)
    try:
        while written < len(line):
            written += os.write(file, line[written:])
    except OSError:
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise
