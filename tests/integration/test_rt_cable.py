"""``eiq-demo run`` on a serial port whose cable is pulled, and on one with another baud rate than the board's.

The serial port is the pty of a board on this computer, under a name that stays when it is started again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hal.rt.board import Board
from hal.rt.faulty import Faults, FaultyWire
from hal.rt.firmware.running import Running
from hal.rt.wire import open_pty, serial_wire
from pipelines.errors import DeviceError, DeviceTimeout
from rt_campaign import within
from rt_rig import image_of

pytest.importorskip("serial")


PULLED_S = 0.5
OPEN_S = 1.0  # 5 s for users


@contextmanager
def plugged(program: Path, port: Path) -> Iterator[None]:
    """A board at this path, until it is pulled: then the path leads nowhere."""
    with subprocess.Popen([program, "--link", port], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            port.unlink(missing_ok=True)  # before another program may have the pty's number
            process.kill()


@pytest.mark.slow
def test_a_run_goes_on_when_the_cable_is_put_back(tmp_path: Path) -> None:
    program, port = image_of("host").program, tmp_path / "ttyACM0"
    command = [sys.executable, "-m", "apps.cli", "run", "cifar10.yaml", "--target", f"rt:{port}"]
    with plugged(program, port):
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert run.stdout
        lines = [run.stdout.readline() for _ in range(3)]
    time.sleep(PULLED_S)  # in the world of the cable; nothing here waits for it
    with plugged(program, port):
        out, err = within(60, run.communicate)
    lines += out.splitlines(keepends=True)
    assert run.returncode == 0, err
    assert len(lines) == 10
    assert err.count("link to the board lost") == 1
    (back_s,) = re.findall(r"the board is back after ([0-9.]+) s", err)
    assert float(back_s) < PULLED_S + 1.0
    assert "Traceback" not in err


@pytest.mark.parametrize("ratio", [0.5, 2, 1.5, 12], ids="board at {} x the host's baud".format)
def test_a_wrong_baud_rate_is_told_within_the_deadline(ratio: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hal.rt.session.OPEN_S", OPEN_S)
    with Running(image_of("host")) as running:
        board = Board(lambda: FaultyWire(open_pty(running.path, baud=115_200), Faults(baud=1 / ratio)), lambda _: None)
        start = time.monotonic()
        with pytest.raises(DeviceError) as told:
            within(20, board.open)
        took_s = time.monotonic() - start
        print(f"\nboard at {ratio} x the host's baud, after {took_s:.1f} s: {told.value}")
        assert took_s < OPEN_S + 0.5
        assert "baud" in str(told.value)
        good = Board(running.connect, lambda _: None)
        start = time.monotonic()
        good.open()
        assert time.monotonic() - start < 1.0
        good.close()


def test_a_serial_port_that_nobody_answers_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hal.rt.session.OPEN_S", OPEN_S)
    master, slave = os.openpty()
    tty.setraw(slave)
    board = Board(lambda: serial_wire(os.ttyname(slave)), lambda _: None)
    with pytest.raises(DeviceTimeout, match="check that the board is on"):
        within(20, board.open)
    os.close(master)
    os.close(slave)
