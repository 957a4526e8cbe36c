"""An engine tried in a process of its own first, where a library does not verify what it reads: damage ends that
process, and the program says so in one sentence."""

from __future__ import annotations

import hashlib
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.child import answers, command
from pipelines.engines._stderr import let_through
from pipelines.errors import EiqError, ModelError
from pipelines.resources import cache_folder

LIMIT_S = 60.0
_RAN, _REFUSED = b"ran", b"refused"
_in_child = False


def survives(
    kind: type[Any], config: Any, path: Path, key: bytes, *, what: str, fix: str, limit_s: float = LIMIT_S
) -> None:
    """Build an engine in a child process, as here, and run it once with zeros.

    Once it ran it is not tried again, until one of the libraries that it loaded is another: a file in the cache folder
    ``tried`` has a hash of ``key`` for its name, and names those. What the engine itself refuses is no matter here, as
    it does so again in this process.

    Args:
        kind, config, path: the engine, and what it is built from.
        key: all that decides: the library's version, the model's bytes, options.
        what, fix: for the message: who ended the process, and what to do about it.
        limit_s: how long it may take.

    Raises:
        ModelError: the child ended before its time, or is not done after ``limit_s``.
    """
    if _in_child:
        return
    mark = cache_folder("tried") / hashlib.sha256(b"\0".join((kind.__qualname__.encode(), key))).hexdigest()
    if _holds(mark):
        return
    task = pickle.dumps((kind, config, path))
    try:
        done = subprocess.run(
            command(f"{__name__}:child"), input=task, capture_output=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise ModelError(
            f"{what} was not done after {limit_s:.0f} s when it was tried, expected it to load and run; {fix}"
        ) from problem
    answer, _, libraries = done.stdout.partition(b"\n")
    if answer not in (_RAN, _REFUSED):
        how = _ended(done)
        raise ModelError(f"{what} ended the process in which it was tried ({how}), expected it to load and run; {fix}")
    if answer == _RAN:
        with suppress(OSError):  # then it is tried again the next time
            mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            mark.write_bytes(libraries)


def identity(name: str) -> str:
    """What changes when a file does, without reading it."""
    try:
        there = Path(name).stat()
    except OSError:  # a library that lies where the loader looks, or nothing
        return name
    return f"{name} {there.st_mtime_ns} {there.st_size}"


def _holds(mark: Path) -> bool:
    """Whether the libraries are still those with which it ran."""
    try:
        libraries = mark.read_text().splitlines()
    except (OSError, ValueError):
        return False
    return all(identity(line.rsplit(" ", 2)[0]) == line for line in libraries)


def _mapped() -> set[str]:
    """The shared libraries in this process, where the system tells them (Linux)."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return set()
    names = (line.split(maxsplit=5)[5:] for line in lines)
    return {name for (name,) in filter(None, names) if ".so" in name}


def _ended(done: subprocess.CompletedProcess[bytes]) -> str:
    code = done.returncode
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    said = " ".join(done.stderr.decode(errors="replace").split())
    return f"{how}: {said[:200]}" if said else how


def child() -> None:
    """The child's side."""
    global _in_child
    _in_child = True
    let_through()
    _no_core_dump()
    told = answers()
    kind, config, path = pickle.load(sys.stdin.buffer)
    before = _mapped()
    try:
        engine = kind(config, path)
        engine.infer(*[np.zeros(spec.shape, np.float32) for spec in engine.inputs])
        loaded = _mapped() - before
        engine.close()
    except EiqError:
        told.write(_REFUSED)
    else:
        told.write("\n".join([_RAN.decode(), *map(identity, sorted(loaded))]).encode())
    told.close()


def _no_core_dump() -> None:
    with suppress(ImportError):  # not Unix
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
