"""The real command line in a real process: pipes that end, disks that are full, Ctrl-C, terminals of other times."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

import demos

ENDLESS = ("--set", "sensor.microphone.loop=true", "--set", "sensor.microphone.pace=realtime")


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    return demos.loud(tmp_path)


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env=os.environ | environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def typed(*arguments: str | Path) -> str:
    return shlex.join(demos.command(*arguments))


# ---- pipes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["plain", "json"])
def test_a_reader_that_has_seen_enough_ends_the_run_quietly(loud: Path, arguments: list[str]) -> None:
    # looped, so that only the closed pipe can end it
    done = shell(typed("run", loud, "--set", "sensor.microphone.loop=true", *arguments) + " | head -1")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "loud" in done.stdout
    demos.says(done.stderr, [])
    assert "rror" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "transforms", "mfcc"], ["models", "info", "kws"]], ids=" ".join
)
def test_other_commands_do_so_too(arguments: list[str]) -> None:
    done = shell(typed(*arguments) + " | head -1")
    assert (done.returncode, done.stderr) == (0, "")


def test_talk_that_nobody_reads_ends_the_run_quietly(loud: Path) -> None:
    done = shell(f"{typed('run', loud, *ENDLESS)} 2>&1 | head -2")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_hinders_nothing(loud: Path, tmp_path: Path, closed: str) -> None:
    out = tmp_path / "out.jsonl"
    loud.write_text(f"{loud.read_text()}actions: [console, jsonl: {{path: {out}}}]\n")
    assert shell(f"{typed('run', loud)} {closed}").returncode == 0
    assert len(out.read_text().splitlines()) == 2


def test_check_needs_no_room_for_talk_that_it_does_not_make(loud: Path) -> None:
    done = shell(f"{typed('check', loud)} 2> /dev/full")
    assert done.returncode == 0
    assert "loud on target sim" in done.stdout.lower()


# ---- full disks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "--json"], ["check"], ["bench", "--frames", "3"], ["bench", "--frames", "3",
    "--json"]],
    ids=" ".join,
)  # fmt: skip
def test_a_full_disk_under_stdout_is_one_sentence(loud: Path, arguments: list[str]) -> None:
    done = shell(f"{typed(*arguments, loud)} > /dev/full")
    assert done.returncode == 1
    demos.says(done.stderr, ["cannot write the results to standard output (No space left on device)"])
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["list"], ["models", "list"], ["models", "verify"], ["list", "--help"]], ids=" ".join
)
def test_so_it_is_for_commands_without_a_config(arguments: list[str]) -> None:
    done = shell(f"{typed(*arguments)} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "cannot write the results to standard output (No space left on device); make room there\n"


def test_what_is_written_before_the_disk_is_full_stays_whole(loud: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.txt"

    def small_disk() -> None:  # a limit on a file's size refuses as a full disk does, and needs no root
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    with out.open("wb") as file:
        done = subprocess.run(
            demos.command("run", loud, "--json", "--set", "sensor.microphone.loop=true"), stdout=file,
            stderr=subprocess.PIPE, text=True, timeout=60, preexec_fn=small_disk, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    demos.says(done.stderr, ["cannot write the results to standard output (File too large)"])
    *whole, _cut = out.read_text().split("\n")
    assert len(whole) >= 10
    assert {json.loads(line)["event"] for line in whole} == {"result"}


# ---- Ctrl-C ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["plain", "json"])
def test_ctrl_c_stops_within_a_second_and_sums_up(loud: Path, arguments: list[str]) -> None:
    def took_s() -> float:
        with demos.started("run", loud, *ENDLESS, *arguments) as process:
            assert process.stdout
            assert "loud" in process.stdout.readline()  # it is at work
            asked = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = "".join(process.communicate(timeout=30))
        assert process.returncode == 0
        demos.says(said, ['"reason": "stopped"', '"event": "summary"'] if arguments else ["stopped: ", "stage times"])
        return time.monotonic() - asked

    assert demos.quickest(took_s, 1.0) < 1.0


def test_ctrl_c_stops_several_pipelines_at_once(loud: Path) -> None:
    _, *lines = loud.read_text().replace("pace: fast", "pace: realtime, loop: true").splitlines()
    one = "\n".join("    " + line for line in lines)
    loud.write_text(f"pipelines:\n  left:\n{one}\n  right:\n{one}\n")

    def took_s() -> float:
        with demos.started("run", loud) as process:
            assert process.stdout
            assert "loud" in process.stdout.readline()
            asked = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        demos.says(err, ["left: stopped: ", "right: stopped: ", "stage times"])
        return time.monotonic() - asked

    assert demos.quickest(took_s, 1.0) < 1.0


# ---- terminals ---------------------------------------------------------------------------------------------------


def on_a_terminal(*arguments: str | Path, **environment: str) -> str:
    """What a user sees: stdout and stderr on a pseudo terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        demos.command(*arguments), stdout=theirs, stderr=theirs, env=os.environ | environment
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        process.wait(timeout=60)
    os.close(ours)
    assert process.returncode == 0, seen
    return seen.decode()


def test_no_color_means_no_control_sequences(loud: Path) -> None:
    assert re.search(r"\x1b\[1mloud +\x1b\[0m", on_a_terminal("run", loud, NO_COLOR="", TERM="xterm"))
    plain = on_a_terminal("run", loud, NO_COLOR="1", TERM="xterm")
    assert "loud" in plain
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "latin-1"},
     {"PYTHONIOENCODING": "ascii"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ["run", "check"])
def test_labels_beyond_ascii_reach_every_terminal(loud: Path, name: str, environment: dict[str, str]) -> None:
    loud.write_text(loud.read_text().replace("label: loud", "label: läut 大"), encoding="utf-8")
    done = demos.eiq_demo(name, loud, **environment)
    assert done.returncode == 0, done.stderr
    demos.says(done.stderr, [])
    assert name == "check" or re.search(r"0\.110 s  l.+ut .+  1\.00", done.stdout)


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}], ids=str)
def test_json_carries_every_label_whole(loud: Path, environment: dict[str, str]) -> None:
    loud.write_text(loud.read_text().replace("label: loud", "label: läut 大"), encoding="utf-8")
    done = demos.eiq_demo("run", loud, "--json", **environment)
    assert json.loads(done.stdout.splitlines()[0])["label"] == "läut 大"
