"""A program that runs for as long as it is wanted, and never longer than this process."""

from __future__ import annotations

import queue
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import DeviceError

WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Starts a program that the kernel ends with us, however we end. Linux; elsewhere a killed Python leaves it behind."""
STOP_S = 5.0


class Child:
    """A started program; its standard output and error are read all the time, so that it never waits for us.

    Args:
        command: what is started.
        what: the same in words, for messages.
    """

    def __init__(self, command: Sequence[str | Path], what: str) -> None:
        self.what = what
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._ended = threading.Event()  # it is gone, and all its words were read
        if shutil.which(str(command[0])) is None:
            raise DeviceError(f"{what} cannot be started ({command[0]} is no program); build it again")
        with_us = WITH_US if sys.platform == "linux" and shutil.which(WITH_US[0]) else ()
        started: queue.SimpleQueue[subprocess.Popen[str] | OSError] = queue.SimpleQueue()
        # Linux kills the child when the thread that started it ends: this one ends with the child, or with the process
        threading.Thread(target=self._run, args=([*with_us, *map(str, command)], started), daemon=True).start()
        process = started.get()
        if isinstance(process, OSError):
            raise DeviceError(f"{what} cannot be started ({process.strerror}); build it again") from process
        self._process = process
        weakref.finalize(self, process.kill)  # at our end at the latest

    def _run(self, command: list[str], started: queue.SimpleQueue[subprocess.Popen[str] | OSError]) -> None:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            started.put(error)
            return
        started.put(process)
        reader = threading.Thread(target=self._read_errors, args=(process,), daemon=True)
        reader.start()
        with process:  # closes its pipes and waits
            for line in process.stdout or ():
                self._lines.put(line.rstrip("\n"))
            reader.join()
        self._ended.set()
        self._lines.put(None)

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        self._errors.extend(line.strip() for line in process.stderr or () if line.strip())

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def line(self, timeout_s: float) -> str:
        """The next line of its standard output.

        Raises:
            DeviceError: it ended, or said nothing in time.
        """
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty as error:
            raise DeviceError(f"{self.what} said nothing for {timeout_s:g} s; start it again") from error
        if line is None:
            raise DeviceError(self.last_words())
        return line

    def last_words(self) -> str:
        """Why it ended, in one sentence."""
        code = self._process.poll()
        ended = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        said = [line for line in self._errors if "warning:" not in line]
        said = [line for line in said if line.startswith("qemu")] or said  # QEMU prints its registers behind a reason
        return f"{self.what} {ended}" + (f" ({said[-1]})" if said else "") + "; start it again"

    def end(self) -> None:
        """Wait until it has ended by itself, and kill it where it does not."""
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._ended.wait(STOP_S)

    def kill(self) -> None:
        """End it at once, as a pulled plug does. May be called twice."""
        self._process.kill()
        self._process.wait(STOP_S)
