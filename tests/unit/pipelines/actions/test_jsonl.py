import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.actions.jsonl import Jsonl
from pipelines.config.schema import OutputPath
from pipelines.core import Result
from pipelines.errors import OutputError

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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_is_found_when_it_is_built(target: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written to; change its permissions"):
        build(target, tmp_path / "x.jsonl")
    tmp_path.chmod(0o700)


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


def test_what_was_written_before_the_disk_was_full_stays_whole(tmp_path: Path) -> None:
    """A limit on the file's size in a process of its own stops the third line in its middle."""
    done = python(
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (120, 120))\n"
        "try:\n    while True: action.handle(Result(1.5, 'yes', 1.0))\n"
        "except OutputError as error: print(error)\n",
        tmp_path / "x.jsonl",
    )
    out, _ = done.communicate(timeout=20)
    assert "the 2 results before are in it" in out
    assert (tmp_path / "x.jsonl").read_text() == '{"t": 1.5, "label": "yes", "score": 1.0}\n' * 2


def test_kill_9_loses_at_most_the_line_in_flight(tmp_path: Path) -> None:
    child = python(
        "for n in range(1_000_000):\n    action.handle(Result(n, 'yes', 1.0))\n    print(n, flush=True)\n",
        tmp_path / "x.jsonl",
    )
    assert child.stdout
    for line in child.stdout:
        if int(line) >= 200:
            child.send_signal(signal.SIGKILL)
            break
    said = [int(line), *(int(line) for line in child.communicate()[0].splitlines())]
    lines = (tmp_path / "x.jsonl").read_text().split("\n")
    assert [json.loads(line)["t"] for line in lines[:-1]][: said[-1] + 1] == list(range(said[-1] + 1))
    assert child.returncode == -signal.SIGKILL


def python(body: str, path: Path) -> "subprocess.Popen[str]":
    head = (
        "import sys\n"
        "from pipelines.actions.jsonl import Jsonl\n"
        "from pipelines.core import Result\n"
        "from pipelines.errors import OutputError\n"
        "action = Jsonl(Jsonl.Config(path=sys.argv[1]), None)\n"
    )
    return subprocess.Popen([sys.executable, "-c", head + body, path], stdout=subprocess.PIPE, text=True)
