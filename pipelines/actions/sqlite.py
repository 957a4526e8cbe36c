"""Results in an SQLite database."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from pipelines.actions._file import check_file, check_folder
from pipelines.actions.jsonl import record
from pipelines.config.schema import Config as Base
from pipelines.config.schema import OutputPath, Positive, PositiveFloat
from pipelines.core import Result, Target
from pipelines.errors import OutputError

VERSION = 1
APPLICATION = 0x65495131
"""Marks the file as ours (``eIQ1``), as SQLite's application_id."""
HEADER = b"SQLite format 3\0"
WAL_BYTES = 4 * 1024 * 1024
"""The log beside the file shrinks to this again, where a slow reader has let it grow."""
_RETRY_S = 0.01
SCHEMA = """
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    recorded TEXT NOT NULL,
    run TEXT NOT NULL,
    t REAL NOT NULL,
    label TEXT NOT NULL,
    score REAL,
    value REAL,
    unit TEXT,
    x REAL, y REAL, width REAL, height REAL,
    pipeline TEXT
)
"""
INSERT = (
    "INSERT INTO results (recorded, run, t, label, score, value, unit, x, y, width, height, pipeline) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Sqlite:
    """Adds each result to the table ``results`` of an SQLite file, which other programs may read meanwhile.

    A result that is in is there for good: after ``kill -9``, and after a power cut as far as the disk keeps its word
    (write-ahead log, synced at each result). Several runs, also at once, may add to one file; ``run`` tells them apart.
    The file is made when a run starts; building the action touches nothing.

    Columns: id; recorded (UTC, by this machine's clock), run, t (stream time in s), label, score, value, unit, x, y,
    width and height of the region in px, pipeline. What a result has not is NULL.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            path: the database; made where it is missing.
            keep_rows: the newest so many results stay; all where absent.
            keep_days: results recorded longer ago are deleted, by this machine's clock; none where absent.
            wait_ms: how long to wait for another process that writes.
        """

        path: OutputPath
        keep_rows: Positive | None = None
        keep_days: PositiveFloat | None = None
        wait_ms: PositiveFloat = 3000.0

    background: ClassVar[bool] = True

    def __init__(self, config: Config, target: Target, clock: Callable[[], float] = time.time) -> None:
        self._config, self._path, self._clock = config, Path(config.path), clock
        self._database: sqlite3.Connection | None = None
        self._run = ""
        self._rows = 0
        check_file(self._path, "sqlite.path")
        check_folder(self._path.parent, "sqlite.path")  # its log lies beside it
        _check_kind(self._path)

    def start(self) -> None:
        """Open or make the file. Raises OutputError."""
        self._run = f"{_iso(self._clock())}-{os.getpid()}-{threading.get_native_id()}-{id(self) & 0xFFFF:04x}"
        with self._refusals(), ExitStack() as stack:
            database = sqlite3.connect(
                self._path, timeout=self._config.wait_ms / 1000, isolation_level=None, check_same_thread=False
            )
            stack.callback(database.close)  # one that is refused is not written to later
            self._prepare(database)
            stack.pop_all()
            self._database = database

    def handle(self, result: Result) -> None:
        """Add one, and delete what is too old. Raises OutputError, with the results before in the file."""
        if self._database is None:
            self.start()
        with self._refusals():
            assert self._database is not None  # start() has opened it
            with _transaction(self._database):
                now = self._clock()
                added = self._database.execute(INSERT, (_iso(now), self._run, *_row(result)))
                self._prune(self._database, added.lastrowid or 0, now)
        self._rows += 1

    def close(self) -> None:
        """May be called twice."""
        database, self._database = self._database, None
        if database is not None:
            with self._refusals():
                database.close()

    def _prepare(self, database: sqlite3.Connection) -> None:
        """SQLite does not wait by itself where another run is just turning the log on: it is busy at once."""
        until = time.monotonic() + self._config.wait_ms / 1000
        while True:
            try:
                return _make(database, self._path)
            except sqlite3.OperationalError as error:
                if not _busy(error) or time.monotonic() > until:
                    raise
                time.sleep(_RETRY_S)

    def _prune(self, database: sqlite3.Connection, newest: int, now: float) -> None:
        """By id, which grows with time: the first row that may stay ends the search."""
        if self._config.keep_rows is not None:
            database.execute("DELETE FROM results WHERE id <= ?", (newest - self._config.keep_rows,))
        if self._config.keep_days is not None:
            oldest = _iso(now - self._config.keep_days * 86400)
            stays = "SELECT id FROM results WHERE recorded >= ? ORDER BY id LIMIT 1"
            database.execute(f"DELETE FROM results WHERE id < ({stays})", (oldest,))

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"cannot write to {self._path} ({_reason(error, self._config.wait_ms)}); "
                f"the {self._rows} results before are in it, {_advice(error)}"
            ) from error


def _make(database: sqlite3.Connection, path: Path) -> None:
    """The table, where it is missing. May be tried again after an error."""
    with _transaction(database, "DEFERRED"):  # in one view: another run may be making the table just now
        _refuse_foreign(database, path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    with _transaction(database):  # two runs may start at once: the second finds it made
        if _refuse_foreign(database, path) == 0:
            database.execute(SCHEMA)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {VERSION}")


def _check_kind(path: Path) -> None:
    """Raises OutputError where something else lies there already."""
    if not path.exists():
        return
    if not path.is_file():  # a pipe would block for ever
        raise OutputError(f"{path} is no regular file, expected an SQLite database; change sqlite.path")
    try:
        with path.open("rb") as file:
            head = file.read(len(HEADER))
    except OSError as error:
        raise OutputError(f"{path} cannot be read ({error.strerror}); change its permissions or sqlite.path") from error
    if head not in (b"", HEADER):
        raise OutputError(f"{path} is not an SQLite database, and is left as it is; change sqlite.path")


def _refuse_foreign(database: sqlite3.Connection, path: Path) -> int:
    """The version of our table in it, 0 for an empty file. Raises OutputError for what is another program's."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables == 0 and application in (0, APPLICATION):
        return 0
    if application != APPLICATION:
        raise OutputError(f"{path} is another program's database, and is left as it is; change sqlite.path")
    if version != VERSION:
        raise OutputError(
            f"{path} has version {version} of the table results, expected {VERSION}; it was written by another version "
            "of eiq-demo: take that one, or change sqlite.path"
        )
    return VERSION


@contextmanager
def _transaction(database: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """All or nothing; an immediate one waits for others who write before it reads."""
    database.execute(f"BEGIN {kind}")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled it back already
            database.execute("ROLLBACK")
        raise


def _row(result: Result) -> tuple[object, ...]:
    fields = record(result)
    region = fields.get("region", (None,) * 4)
    place = (*region, fields.get("pipeline"))
    return fields["t"], fields["label"], fields["score"], fields.get("value"), fields.get("unit"), *place


def _iso(seconds: float) -> str:
    """UTC in ISO 8601, in milliseconds, so that texts sort as times do."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _reason(error: sqlite3.Error, wait_ms: float) -> str:
    if _busy(error):
        return f"another process has held it locked for {wait_ms / 1000:g} s"
    return str(error)


def _advice(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if _busy(error):
        return "end that process or lengthen sqlite.wait_ms"
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")):
        return "change the permissions of the file and its folder, or sqlite.path"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return "move the damaged file away"
    if name == "SQLITE_ERROR":
        return "somebody has changed its tables: move the file away"
    return "make room or change sqlite.path"
