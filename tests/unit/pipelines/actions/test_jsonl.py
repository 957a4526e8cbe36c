import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.actions.jsonl import Jsonl
from pipelines.config.schema import OutputPath
from pipelines.core import Result
from pipelines.errors import OutputError
from writers import killed, locked, nobody, said, small_disk, until_full, writer

YES = Result(1.23, "yes", 0.99609375)


def build(target: Any, path: Path | str, append: bool = False) -> Jsonl:
    return Jsonl(Jsonl.Config(path=OutputPath(path), append=append), target)


def write(target: Any, path: Path, *results: Result, append: bool = False) -> None:
    action = build(target, path, append)
    for result in results:
        action.handle(result)
    action.close()


def test_one_object_per_line(target: Any, tmp_path: Path) -> None:
    full = Result(2.1000000000000001, "größer", float(np.float32(0.7)), 3.5, (1, 2, 3.25, 4), None, "a")
    write(target, tmp_path / "x.jsonl", YES, full)
    assert (tmp_path / "x.jsonl").read_text(encoding="utf-8") == (
        '{"t": 1.23, "label": "yes", "score": 0.996094}\n'
        '{"t": 2.1, "label": "größer", "score": 0.7, "value": 3.5, "region": [1.0, 2.0, 3.25, 4.0], "pipeline": "a"}\n'
    )


def test_each_line_is_there_at_once(target: Any, tmp_path: Path) -> None:
    action = build(target, tmp_path / "x.jsonl")
    action.handle(YES)
    assert (tmp_path / "x.jsonl").read_text().count("\n") == 1
    action.close()


def test_building_it_touches_nothing(target: Any, tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text("old\n")
    for name in ("new.jsonl", "old.jsonl"):
        build(target, tmp_path / name).close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old.jsonl": "old\n"}


def test_an_earlier_file_is_renamed(target: Any, tmp_path: Path) -> None:
    for t in (1, 2, 3):
        write(target, tmp_path / "x.jsonl", Result(t, "yes", 1))
    times = {path.name: json.loads(path.read_text())["t"] for path in tmp_path.iterdir()}
    assert times == {"x.1.jsonl": 1, "x.2.jsonl": 2, "x.jsonl": 3}


def test_a_run_that_finds_nothing_leaves_a_file_of_its_own(target: Any, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("old\n")
    action = build(target, tmp_path / "x.jsonl")
    action.start()
    action.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x.1.jsonl": "old\n", "x.jsonl": ""}


def test_an_empty_file_need_not_be_kept(target: Any, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").touch()
    write(target, tmp_path / "x.jsonl", YES)
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def test_pipelines_of_one_run_share_a_file(target: Any, tmp_path: Path) -> None:
    both = [build(target, tmp_path / "x.jsonl") for _ in "ab"]
    for t in (1, 2):
        for action in both:
            action.handle(Result(t, "yes", 1))
    for action in both:
        action.close()
    assert [json.loads(line)["t"] for line in (tmp_path / "x.jsonl").read_text().splitlines()] == [1, 1, 2, 2]
    write(target, tmp_path / "x.jsonl", YES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.1.jsonl", "x.jsonl"]


def test_append(target: Any, tmp_path: Path) -> None:
    write(target, tmp_path / "x.jsonl", YES, append=True)
    write(target, tmp_path / "x.jsonl", YES, append=True)
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 2


def test_append_to_a_line_that_was_cut_off(target: Any, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"t": 1}\n{"t": 2, "la')
    write(target, tmp_path / "x.jsonl", YES, append=True)
    lines = (tmp_path / "x.jsonl").read_text().splitlines()
    assert lines[1] == '{"t": 2, "la'
    assert json.loads(lines[2])["t"] == 1.23


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere/x.jsonl", "the folder .*nowhere does not exist"),
        (".", "is a directory, expected the name of a file"),
        ("file/x.jsonl", "the folder .*file is a file"),
    ],
)
def test_a_path_that_cannot_be_written_is_found_when_it_is_built(
    target: Any, tmp_path: Path, path: str, said: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"{said}"):
        build(target, tmp_path / path)


@pytest.mark.parametrize("options", ["", ", append=True"])
def test_no_permission_is_found_when_it_is_built(options: str) -> None:
    body = "try: build()\nexcept OutputError as error: print(error)\n"
    with locked() as folder:
        new = said("Jsonl", body, folder / "new.jsonl", options, user=nobody())
        folder.chmod(0o755)
        (folder / "old.jsonl").write_text("old\n")
        (folder / "old.jsonl").chmod(0o444)
        folder.chmod(0o555)
        old = said("Jsonl", body, folder / "old.jsonl", options, user=nobody())
        assert (folder / "old.jsonl").read_text() == "old\n"
    assert new == f"the folder {folder} cannot be written to; change its permissions or jsonl.path\n"
    assert old == f"{folder / 'old.jsonl'} cannot be written to; change its permissions or jsonl.path\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence(target: Any) -> None:
    action = build(target, "/dev/full")
    with pytest.raises(OutputError) as error:
        action.handle(YES)
    assert str(error.value) == (
        "cannot write to /dev/full (No space left on device); the 0 results before are in it, "
        "make room or change jsonl.path"
    )
    action.close()


LINE = '{"t": 1.5, "label": "yes", "score": 1.0}\n'


def test_what_was_written_before_the_disk_was_full_stays_whole(tmp_path: Path) -> None:
    """A limit on the file's size in a process of its own stops the third line in its middle."""
    text, count = until_full("Jsonl", tmp_path / "x.jsonl", limit=120)
    assert "(File too large)" in text
    assert count == 2
    assert (tmp_path / "x.jsonl").read_text() == LINE * 2


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=64) as disk:
        (disk / "other").write_bytes(b"x" * 30_000)
        text, count = until_full("Jsonl", disk / "x.jsonl")
        assert text == (f"cannot write to {disk / 'x.jsonl'} (No space left on device); the {count} results before "
                        "are in it, make room or change jsonl.path\n")  # fmt: skip
        assert count > 500
        assert (disk / "x.jsonl").read_text() == LINE * count
        (disk / "other").unlink()  # room again
        assert said("Jsonl", "build().handle(Result(2, 'no', 1.0))", disk / "x.jsonl", ", append=True") == ""
        assert (disk / "x.jsonl").read_text() == LINE * count + '{"t": 2, "label": "no", "score": 1.0}\n'


def test_kill_9_loses_at_most_the_line_in_flight(tmp_path: Path) -> None:
    written = killed("Jsonl", tmp_path / "x.jsonl")
    lines = (tmp_path / "x.jsonl").read_text().split("\n")
    assert [json.loads(line)["t"] for line in lines[:-1]][: len(written)] == written
    assert len(lines[:-1]) - len(written) in (0, 1)


@pytest.mark.parametrize("append", [False, True])
def test_runs_that_begin_at_once_lose_nothing_of_each_other(tmp_path: Path, append: bool) -> None:
    (tmp_path / "x.jsonl").write_text(LINE)
    body = (
        "import os, time\naction = build()\nprint('ready', flush=True)\n"
        "while not os.path.exists(sys.argv[1] + '.go'): time.sleep(0.0005)\n"
        "for n in range(100): action.handle(Result(n, 'yes', 1.0))\naction.close()\n"
    )
    children = [writer("Jsonl", body, tmp_path / "x.jsonl", f", append={append}") for _ in range(6)]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    (tmp_path / "x.jsonl.go").touch()
    assert [child.communicate(timeout=60)[0] for child in children] == [""] * 6
    assert {child.returncode for child in children} == {0}
    lines = [line for path in tmp_path.glob("x*.jsonl") for line in path.read_text().splitlines()]
    assert sorted(json.loads(line)["t"] for line in lines) == sorted([1.5, *(list(range(100)) * 6)])
    assert append == (len(list(tmp_path.glob("x*.jsonl"))) == 1)
