"""The reconstructed trees of i.MX boards, to change in a test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hal.imx8.sysfs import Sysfs
from pipelines.errors import DeviceError

ROOT = Path(__file__).parents[1]
TREES = ROOT / "tests/data/sysroots"
ALL = tuple(sorted(path.name for path in TREES.iterdir() if path.is_dir()))
NOBODY = 65534


def copied(tree: str, into: Path) -> Sysfs:
    """A tree of its own."""
    return Sysfs(Path(shutil.copytree(TREES / tree, into / tree)))


def put(sysfs: Sysfs, name: str, text: str | bytes) -> None:
    """Let a file say that, whatever stood there; who reads it meanwhile sees the old or the new, as in sysfs."""
    path, new = sysfs.path(name), sysfs.path("new")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.write_bytes(text.encode() if isinstance(text, str) else text)
    new.replace(path)


LIES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"nan", b"-inf", b"1e309", b"9" * 4000, b"9" * 4097, b"-274000", b"\xc2\xa0", b"0 1 999999999"]),
    st.sampled_from(["folder", "loop", "pipe", "gone", "endless"]),
)


def lie(path: Path, how: bytes | str) -> None:
    """Put something else in a file's place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if how == "folder":
        path.mkdir()
    elif how == "loop":
        path.symlink_to(path.name)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "endless":
        path.symlink_to("/dev/zero")
    elif isinstance(how, bytes):
        path.write_bytes(how)


def open_to_all(sysfs: Sysfs) -> None:
    """Let other users in; pytest's own folders are closed to them."""
    for folder in (sysfs.root, *sysfs.root.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)


def sentence(ask: Callable[[], object]) -> str:
    """What a user is told where asking fails; empty where it does not. Nothing but a DeviceError is let through."""
    try:
        ask()
    except DeviceError as error:
        return str(error)
    return ""


def in_child(code: str, *arguments: object, user: int | None = None, **environment: str) -> list[Any]:
    """What Python code prints in a process of its own: a JSON value a line. ``user``: with that user's rights alone.

    The packages are read in before the rights go: a home directory need not be open to everybody.
    """
    begin = "import json, os, sys\nfrom hal.imx8 import condition, iio, leds, motion, soc, sysfs, target\n"
    begin += "from pathlib import Path\nfrom pipelines.errors import EiqError\n"
    if user is not None:
        begin += f"os.setgroups([]); os.setgid({user}); os.setuid({user})\n"
    command = [sys.executable, "-c", begin + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
