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


def survives(kind: type[Any], config: Any, path: Path, key: bytes, *, what: str, fix: str, runs: bool = True) -> None:
    """Build an engine in a child process, as here, and run it once with zeros.

    Once it ran it is not tried again: a file in the cache folder ``tried`` has a hash of ``key`` for its name. What the
    engine itself refuses is no matter here, as it does so again in this process.

    Args:
        kind, config, path: the engine, and what it is built from.
        key: all that decides: the library's version, the model's bytes, options.
        what, fix: for the message: who ended the process, and what to do about it.
        runs: False builds it only, where a first run is costly.

    Raises:
        ModelError: the child ended before its time, or is not done after LIMIT_S.
    """
    if _in_child:
        return
    mark = cache_folder("tried") / hashlib.sha256(b"\0".join((kind.__qualname__.encode(), key))).hexdigest()
    if mark.exists():
        return
    task = pickle.dumps((kind, config, path, runs))
    try:
        done = subprocess.run(
            command(f"{__name__}:child"), input=task, capture_output=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise ModelError(
            f"{what} was not done after {LIMIT_S:.0f} s when it was tried, expected it to load and run; {fix}"
        ) from problem
    if done.stdout not in (_RAN, _REFUSED):
        how = _ended(done)
        raise ModelError(f"{what} ended the process in which it was tried ({how}), expected it to load and run; {fix}")
    if done.stdout == _RAN:
        with suppress(OSError):  # then it is tried again the next time
            mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            mark.touch()


def identity(name: str) -> str:
    """What changes when a file does, without reading it."""
    try:
        there = Path(name).stat()
    except OSError:  # a library that lies where the loader looks, or nothing
        return name
    return f"{name} {there.st_mtime_ns} {there.st_size}"


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
    kind, config, path, runs = pickle.load(sys.stdin.buffer)
    try:
        engine = kind(config, path)
        if runs:
            engine.infer(*[np.zeros(spec.shape, np.float32) for spec in engine.inputs])
        engine.close()
    except EiqError:
        told.write(_REFUSED)
    else:
        told.write(_RAN)
    told.close()


def _no_core_dump() -> None:
    with suppress(ImportError):  # not Unix
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
