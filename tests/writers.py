"""Actions that write a file, in a process of their own: killed, without permission, on a disk that is full."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


def writer(action: str, body: str, path: Path, options: str = "", user: int | None = None) -> subprocess.Popen[str]:
    """A child that runs ``body``, in which ``action`` writes to ``path``.

    Args:
        action: its class, such as Jsonl.
        options: further ones of its Config.
        user: whom it runs as.
    """
    head = (
        "import sys\n"
        f"from pipelines.actions.{action.lower()} import {action}\n"
        "from pipelines.core import Result\n"
        "from pipelines.errors import OutputError\n"
        f"def build(): return {action}({action}.Config(path=sys.argv[1]{options}), None)\n"
    )
    if user is not None:  # only now: the interpreter itself may lie where they cannot read
        head += f"import os\nos.setgroups([])\nos.setgid({user})\nos.setuid({user})\n"
    return subprocess.Popen([sys.executable, "-c", head + body, path], stdout=subprocess.PIPE, text=True)


def said(action: str, body: str, path: Path, options: str = "", user: int | None = None) -> str:
    """What such a child prints until it ends by itself."""
    child = writer(action, body, path, options, user)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    return out


def killed(action: str, path: Path, options: str = "") -> list[int]:
    """The times of the results that a child had written, as it said itself, before kill -9."""
    child = writer(
        action,
        "action = build()\nfor n in range(1_000_000):\n"
        "    action.handle(Result(n, 'yes', 1.0))\n    print(n, flush=True)\n",
        path,
        options,
    )
    assert child.stdout
    for line in child.stdout:
        if int(line) >= 200:
            child.send_signal(signal.SIGKILL)
            break
    told = [int(line), *(int(line) for line in child.communicate()[0].splitlines())]
    assert child.returncode == -signal.SIGKILL
    return list(range(told[-1] + 1))


def until_full(action: str, path: Path, limit: int | None = None) -> tuple[str, int]:
    """What a child says that writes until it cannot, and how many results it says to have written.

    Args:
        limit: of a file's size, in bytes, as the system sets it.
    """
    limited = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n" if limit else ""
    body = "try:\n    while True: action.handle(Result(1.5, 'yes', 1.0))\nexcept OutputError as error: print(error)\n"
    out = said(action, f"{limited}action = build()\n{body}action.close()\n", path)
    assert out.count("\n") == 1
    return out, int(re.findall(r"the (\d+) results before are in it", out)[0])


@contextlib.contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """A disk of its own; only root may make one, so that others skip."""
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], capture_output=True)
    if not made or made.returncode:
        pytest.skip("needs root to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def nobody() -> int | None:
    """A user who may write nothing of ours; who runs the tests, unless that is root."""
    return NOBODY if os.geteuid() == 0 else None


@contextlib.contextmanager
def locked() -> Iterator[Path]:
    """A folder that ``nobody()`` may read and not write to; pytest's own are shut to others as a whole."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        if not folder.parent.stat().st_mode & 0o001:
            pytest.skip(f"needs {folder.parent} to be open to others")
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
