import errno
import io
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from pipelines.actions.console import Console
from pipelines.core import Frame, Result
from pipelines.errors import OutputError

YES = Result(1.23, "yes", 0.9687)


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    @property
    def said(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def printed(result: Result, target: Any, capsys: pytest.CaptureFixture[str]) -> str:
    Console(Console.Config(), target).handle(result)
    return capsys.readouterr().out


def shown(result: Result, target: Any, monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8") -> str:
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    Console(Console.Config(), target).handle(result)
    return terminal.said


def test_a_plain_line(target: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(YES, target, capsys) == "  1.230 s  yes  0.97\n"


def test_a_plain_line_with_everything(target: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result = Result(61.5, "clog", 1.0, 3.14159, (1, 2, 30, 40), None, "fan")
    assert printed(result, target, capsys) == " 61.500 s  clog  1.00  value 3.142  at 1,2 30x40  fan\n"


def test_the_age_of_a_live_result(target: Any, capsys: pytest.CaptureFixture[str]) -> None:
    live = Result(1.0, "yes", 1.0, source=Frame(np.zeros(1), 1.0, 0, arrived=time.monotonic() - 5))
    replayed = Result(1.0, "yes", 1.0, source=Frame(np.zeros(1), 1.0, 0))
    assert "(50" in printed(live, target, capsys)
    assert "old" not in printed(replayed, target, capsys)


def test_a_line_on_a_terminal(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    line = shown(YES, target, monkeypatch)
    assert line == "  1.230 s  \x1b[1myes             \x1b[0m  ███████████████████·  97%\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(YES, target, monkeypatch) == line.replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_a_terminal_without_unicode(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "yes" in shown(YES, target, monkeypatch, encoding="ascii")


def test_a_label_cannot_steer_the_terminal(target: Any, capsys: pytest.CaptureFixture[str]) -> None:
    line = printed(Result(0, "\x1b[2Jno\nyes\r", 1.0, pipeline="\x07"), target, capsys)
    assert line == "  0.000 s  ?[2Jno?yes?  1.00  ?\n"


def test_a_full_disk_is_an_output_error(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Terminal):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OutputError, match=r"cannot write the results to standard output \(No space left on device\)"):
        Console(Console.Config(), target).handle(YES)
    monkeypatch.undo()


def test_each_line_is_out_at_once_and_a_reader_that_leaves_is_a_broken_pipe() -> None:
    code = (
        "import os, sys\n"
        "from pipelines.actions.console import Console\n"
        "from pipelines.core import Result\n"
        "console = Console(Console.Config(), None)\n"
        "try:\n"
        "    while True: console.handle(Result(0, 'yes', 1))\n"
        "except BrokenPipeError:\n"
        "    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)\n"
        "    sys.exit(7)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "  0.000 s  yes  1.00\n"
        child.stdout.close()
        assert child.wait(20) == 7


def test_a_measured_quantity_stands_in_place_of_a_score(
    target: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = Result(1.0, "speed", 1.0, 23.456, unit="Hz")
    assert printed(speed, target, capsys) == "  1.000 s  speed  23.46 Hz\n"
    assert "23.46 Hz" in shown(speed, target, monkeypatch)
