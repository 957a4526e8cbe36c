from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.actions.sqlite import Sqlite
from pipelines.config.schema import OutputPath
from pipelines.core import Result
from pipelines.errors import OutputError
from writers import killed, locked, nobody, said, small_disk, until_full, writer

YES = Result(1.23, "yes", 0.99609375)


def build(path: Path | str, clock: Callable[[], float] = time.time, **config: Any) -> Sqlite:
    return Sqlite(Sqlite.Config(path=OutputPath(path), **config), None, clock)  # type: ignore[arg-type]


def write(path: Path, *results: Result, **config: Any) -> None:
    action = build(path, **config)
    action.start()
    for result in results:
        action.handle(result)
    action.close()


def ask(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_a_row_for_each_result(tmp_path: Path) -> None:
    full = Result(2.1000000000000001, "größer'; --", float(np.float32(0.7)), 3.5, (1, 2, 3.25, 4), None, "a", "mm")
    write(tmp_path / "x.db", YES, full)
    rows = ask(tmp_path / "x.db", "SELECT t, label, score, value, unit, x, y, width, height, pipeline FROM results")
    assert rows == [
        (1.23, "yes", 0.996094, None, None, None, None, None, None, None),
        (2.1, "größer'; --", 0.7, 3.5, "mm", 1.0, 2.0, 3.25, 4.0, "a"),
    ]
    ((recorded, run),) = ask(tmp_path / "x.db", "SELECT DISTINCT substr(recorded, 1, 10), run FROM results")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", recorded)
    assert f"-{os.getpid()}-" in run
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.db"]  # no log is left


def test_building_it_touches_nothing(tmp_path: Path) -> None:
    write(tmp_path / "old.db", YES)
    before = (tmp_path / "old.db").read_bytes()
    for name in ("new.db", "old.db"):
        build(tmp_path / name).close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old.db": before}


def test_runs_add_to_one_file(tmp_path: Path) -> None:
    for t in (1, 2, 3):
        write(tmp_path / "x.db", Result(t, "yes", 1))
    assert ask(tmp_path / "x.db", "SELECT count(*), count(DISTINCT run), max(id) FROM results") == [(3, 3, 3)]


def test_a_reader_sees_each_at_once_and_holds_nobody_up(tmp_path: Path) -> None:
    action = build(tmp_path / "x.db")
    action.handle(YES)
    with closing(sqlite3.connect(tmp_path / "x.db")) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM results").fetchone() == (1,)
        action.handle(YES)  # the reader keeps its view
        assert reader.execute("SELECT count(*) FROM results").fetchone() == (1,)
    assert ask(tmp_path / "x.db", "SELECT count(*) FROM results") == [(2,)]
    action.close()


def test_it_is_synced_at_each_result(tmp_path: Path) -> None:
    action = build(tmp_path / "x.db")
    action.start()
    assert action._database
    assert action._database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert action._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    action.close()
    assert ask(tmp_path / "x.db", "PRAGMA user_version") == [(1,)]


def test_keep_rows(tmp_path: Path) -> None:
    write(tmp_path / "x.db", *(Result(n, "yes", 1) for n in range(50)))
    write(tmp_path / "x.db", *(Result(n, "yes", 1) for n in range(50, 60)), keep_rows=7)
    assert ask(tmp_path / "x.db", "SELECT t FROM results ORDER BY id") == [(float(n),) for n in range(53, 60)]


def test_keep_days(tmp_path: Path) -> None:
    now = [1.7e9]
    action = build(tmp_path / "x.db", lambda: now[0], keep_days=2)
    for n in range(10):
        action.handle(Result(n, "yes", 1))
        now[0] += 86400 / 2
    action.close()
    assert ask(tmp_path / "x.db", "SELECT t FROM results ORDER BY id") == [(5.0,), (6.0,), (7.0,), (8.0,), (9.0,)]


def test_the_file_stops_growing(tmp_path: Path) -> None:
    action = build(tmp_path / "x.db", keep_rows=100)
    sizes = []
    for n in range(3000):
        action.handle(Result(n, "a label of some length " * 4, 1))
        sizes.append((tmp_path / "x.db").stat().st_size)
    action.close()
    assert max(sizes) < 100_000
    assert (tmp_path / "x.db").stat().st_size < 100_000


@pytest.mark.parametrize(("path", "said"), [
    ("nowhere/x.db", "the folder .*nowhere does not exist"),
    (".", "is a directory, expected the name of a file"),
    ("file/x.db", "the folder .*file is a file"),
    ("file", "is not an SQLite database, and is left as it is; change sqlite.path"),
    ("pipe", "is no regular file, expected an SQLite database"),
])  # fmt: skip
def test_a_path_that_cannot_be_is_found_when_it_is_built(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "file").write_text("my thesis")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match=said):
        build(tmp_path / path)
    assert (tmp_path / "file").read_text() == "my thesis"


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as database:
        database.execute("CREATE TABLE results (mine TEXT)")
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(OutputError, match="is another program's database, and is left as it is"):
        build(tmp_path / "x.db").start()
    assert (tmp_path / "x.db").read_bytes() == before


def test_a_table_of_another_version_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "x.db", YES)
    ask(tmp_path / "x.db", "PRAGMA user_version = 2")
    with pytest.raises(OutputError, match="has version 2 of the table results, expected 1"):
        build(tmp_path / "x.db").start()


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(OutputError, match=r"x.db \(file is not a database\); .*move the damaged file away"):
        build(tmp_path / "x.db").start()


def test_a_locked_file_is_one_sentence_and_heals(tmp_path: Path) -> None:
    action = build(tmp_path / "x.db", wait_ms=50)
    action.handle(YES)
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError) as error:
            action.handle(YES)
        other.execute("ROLLBACK")
    assert str(error.value) == (
        f"cannot write to {tmp_path / 'x.db'} (another process has held it locked for 0.05 s); the 1 results before "
        "are in it, end that process or lengthen sqlite.wait_ms"
    )
    action.handle(YES)
    action.close()
    assert ask(tmp_path / "x.db", "SELECT count(*) FROM results") == [(2,)]


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(tmp_path: Path) -> None:
    action = build(tmp_path / "x.db")
    action.start()
    assert action._database
    action._database.execute("PRAGMA max_page_count = 6")  # SQLite then says what it says on a full disk
    with pytest.raises(OutputError, match=r"\(database or disk is full\); the \d+ results before are in it, make room"):
        for n in range(100_000):
            action.handle(Result(n, "yes", 1))
    action.close()
    ((count, last),) = ask(tmp_path / "x.db", "SELECT count(*), max(t) FROM results")
    assert count == last + 1 == n


def test_a_limit_of_the_files_size_likewise(tmp_path: Path) -> None:
    _, count = until_full("Sqlite", tmp_path / "x.db", limit=100_000)
    assert ask(tmp_path / "x.db", "SELECT count(*) FROM results") == [(count,)]
    assert ask(tmp_path / "x.db", "PRAGMA integrity_check") == [("ok",)]


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=512) as disk:
        (disk / "other").write_bytes(b"x" * 100_000)
        text, count = until_full("Sqlite", disk / "x.db")
        assert text == (f"cannot write to {disk / 'x.db'} (database or disk is full); the {count} results before are "
                        "in it, make room or change sqlite.path\n")  # fmt: skip
        assert count > 10
        (disk / "other").unlink()  # room again
        assert said("Sqlite", "build().handle(Result(2, 'no', 1.0))", disk / "x.db") == ""
        assert ask(disk / "x.db", "SELECT count(*) FROM results") == [(count + 1,)]
        assert ask(disk / "x.db", "PRAGMA integrity_check") == [("ok",)]


def test_no_permission_is_found_when_it_is_built(tmp_path: Path) -> None:
    body = "try: build()\nexcept OutputError as error: print(error)\n"
    write(tmp_path / "old.db", YES)
    with locked() as folder:
        new = said("Sqlite", body, folder / "new.db", user=nobody())
        folder.chmod(0o755)
        shutil.copy(tmp_path / "old.db", folder)
        (folder / "old.db").chmod(0o444)
        folder.chmod(0o555)
        old = said("Sqlite", body, folder / "old.db", user=nobody())
        (folder / "old.db").chmod(0o666)  # but its log has to be made beside it
        beside = said("Sqlite", body, folder / "old.db", user=nobody())
    assert new == beside == f"the folder {folder} cannot be written to; change its permissions or sqlite.path\n"
    assert old == f"{folder / 'old.db'} cannot be written to; change its permissions or sqlite.path\n"


def test_a_file_that_became_read_only_is_one_sentence(tmp_path: Path) -> None:
    action = build(tmp_path / "x.db")
    action.handle(YES)
    assert action._database
    action._database.execute("PRAGMA query_only = ON")  # root may write everywhere
    with pytest.raises(OutputError, match=r"\(attempt to write a readonly database\); .*change the permissions"):
        action.handle(YES)
    action.close()


def test_kill_9_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    written = killed("Sqlite", tmp_path / "x.db")
    write(tmp_path / "x.db", YES)  # it opens, and goes on
    assert ask(tmp_path / "x.db", "PRAGMA integrity_check") == [("ok",)]
    found = [t for (t,) in ask(tmp_path / "x.db", "SELECT t FROM results ORDER BY id")]
    assert found[: len(written)] == written
    assert len(found) - len(written) in (1, 2)  # the new one, and perhaps one that was in but not yet said


@pytest.mark.parametrize("spoil", ["cut", "zeros", "noise"])
def test_a_log_that_a_power_cut_left_in_pieces(tmp_path: Path, spoil: str) -> None:
    """Whatever of its end is missing or wrong, the file opens, with the first results and no others, and goes on."""
    killed("Sqlite", tmp_path / "x.db")
    files = {name: (tmp_path / name).read_bytes() for name in ("x.db", "x.db-wal")}
    log, random = files["x.db-wal"], np.random.default_rng(1)
    counts = []
    for at in sorted(random.integers(0, len(log), 25)):
        rest = len(log) - int(at)
        end = {"cut": b"", "zeros": bytes(rest), "noise": random.bytes(rest)}[spoil]
        folder = tmp_path / str(at)
        folder.mkdir(exist_ok=True)
        (folder / "x.db").write_bytes(files["x.db"])
        (folder / "x.db-wal").write_bytes(log[:at] + end)
        write(folder / "x.db", Result(-1, "new", 1))
        assert ask(folder / "x.db", "PRAGMA integrity_check") == [("ok",)]
        found = [t for (t,) in ask(folder / "x.db", "SELECT t FROM results ORDER BY id")]
        assert found == [*range(len(found) - 1), -1]
        counts.append(len(found))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_what_somebody_adds_to_the_table_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path / "x.db", YES)
    ask(tmp_path / "x.db", "ALTER TABLE results ADD COLUMN seen INTEGER DEFAULT 0")
    ask(tmp_path / "x.db", "CREATE INDEX by_label ON results (label)")
    ask(tmp_path / "x.db", "CREATE VIEW loud AS SELECT * FROM results WHERE score > 0.9")
    ask(tmp_path / "x.db", "CREATE TABLE notes (text)")
    write(tmp_path / "x.db", YES, keep_rows=5)
    assert ask(tmp_path / "x.db", "SELECT t, seen FROM loud") == [(1.23, 0)] * 2


@pytest.mark.parametrize(("change", "said"), [
    ("ALTER TABLE results RENAME COLUMN score TO points", "table results has no column named score"),
    ("ALTER TABLE results RENAME TO old", "no such table: results"),
])  # fmt: skip
def test_what_somebody_takes_away_is_one_sentence(tmp_path: Path, change: str, said: str) -> None:
    write(tmp_path / "x.db", YES)
    ask(tmp_path / "x.db", change)
    with pytest.raises(OutputError) as error:
        write(tmp_path / "x.db", YES)
    assert str(error.value) == (
        f"cannot write to {tmp_path / 'x.db'} ({said}); the 0 results before are in it, somebody has changed its "
        "tables: move the file away"
    )


def test_what_was_refused_at_the_start_is_not_written_to_later(tmp_path: Path) -> None:
    """Another program's table of the same name and columns."""
    write(tmp_path / "x.db", YES)
    ask(tmp_path / "x.db", "PRAGMA user_version = 7")
    action = Sqlite(Sqlite.Config(path=str(tmp_path / "x.db")), None)  # type: ignore[arg-type]
    for begin in (action.start, lambda: action.handle(YES)):
        with pytest.raises(OutputError, match="has version 7 of the table results"):
            begin()
    assert ask(tmp_path / "x.db", "SELECT count(*) FROM results") == [(1,)]


def test_several_processes_write_to_one_file(tmp_path: Path) -> None:
    at_once = f"import time\ntime.sleep(max(0, {time.time() + 1} - time.time()))\n"  # they turn its log on together
    body = (
        f"{at_once}action = build()\naction.start()\nfor n in range(150): action.handle(Result(n, 'yes', 1.0))\n"
        "action.close()\nprint('done')\n"
    )
    children = [writer("Sqlite", body, tmp_path / "x.db", ", wait_ms=20000") for _ in range(4)]
    assert [child.communicate(timeout=60)[0] for child in children] == ["done\n"] * 4
    assert ask(tmp_path / "x.db", "SELECT count(*), count(DISTINCT run) FROM results") == [(600, 4)]
    assert set(ask(tmp_path / "x.db", "SELECT count(*) FROM results GROUP BY run")) == {(150,)}
