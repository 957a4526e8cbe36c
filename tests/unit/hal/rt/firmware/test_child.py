from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hal.rt.firmware.child import Child
from pipelines.errors import DeviceError


def test_lines_come_in_turn() -> None:
    child = Child(["sh", "-c", "echo one; echo two; exec sleep 60"], "the program")
    assert [child.line(10), child.line(10)] == ["one", "two"]
    assert child.alive
    child.kill()
    child.kill()
    assert not child.alive
    assert child.last_words() == "the program was ended by signal 9; start it again"


def test_a_program_that_fails_is_told_in_its_own_words() -> None:
    child = Child(["sh", "-c", "echo before >&2; echo no such flash >&2; exit 3"], "the program")
    with pytest.raises(DeviceError, match=r"^the program ended with exit code 3 \(no such flash\); start it again$"):
        child.line(10)


def test_a_program_that_says_nothing() -> None:
    child = Child(["sleep", "60"], "the program")
    with pytest.raises(DeviceError, match="the program said nothing for 0.01 s"):
        child.line(0.01)
    child.kill()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="the program cannot be started"):
        Child([tmp_path / "nothing"], "the program")


def test_it_does_not_end_with_the_thread_that_started_it() -> None:
    made: list[Child] = []
    thread = threading.Thread(
        target=lambda: made.append(Child(["sh", "-c", "echo here; exec sleep 60"], "the program"))
    )
    thread.start()
    thread.join()
    assert made[0].line(10) == "here"
    with pytest.raises(DeviceError, match="said nothing"):
        made[0].line(0.1)
    assert made[0].alive
    made[0].kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent, however that ends")
def test_it_never_outlives_us() -> None:
    script = "from hal.rt.firmware.child import Child\nimport time\n" \
             "child = Child(['sleep', '60'], 'it')\nprint(child.pid, flush=True)\ntime.sleep(60)\n"  # fmt: skip
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    watched = os.pidfd_open(pid)
    while not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep"):  # setpriv has set it, then
        time.sleep(0.01)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    import select

    assert select.select([watched], [], [], 10)[0], "the child lives on"
    os.close(watched)
