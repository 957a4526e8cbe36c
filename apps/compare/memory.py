"""What an engine adds to a process: its library, the model and its buffers, measured alike for every engine.

A fresh process imports what all engines need, then builds one and runs it a few times with zeros. The difference of
its resident memory (VmRSS of Linux) is the engine's; that of the most it ever had (VmHWM) is what loading takes.
"""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.child import answers, command
from pipelines.errors import ModelError

RUNS = 5
STATUS = Path("/proc/self/status")


def added(kind: type[Any], config: Any, path: Path) -> dict[str, int]:
    """Bytes: ``process`` resident after some runs, ``process_peak`` at most on the way; empty where not Linux.

    Raises:
        ModelError: the process ended before it could tell.
    """
    if not STATUS.exists():
        return {}
    done = subprocess.run(
        command(f"{__name__}:child"), input=pickle.dumps((kind, config, path)), capture_output=True, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[-200:]
        raise ModelError(f"the process that measures memory ended with {done.returncode} ({said}), expected a number; "
                         "its model may be damaged or the memory full, try another engine")  # fmt: skip
    found: dict[str, int] = json.loads(done.stdout)
    return found


def child() -> None:
    """The fresh process: reads what to build, writes JSON."""
    told = answers()
    kind, config, path = pickle.load(sys.stdin.buffer)
    before = _kilobytes("VmRSS")
    engine = kind(config, path)
    for _ in range(RUNS):
        engine.infer(*[np.zeros(spec.shape, np.float32) for spec in engine.inputs])
    after, peak = _kilobytes("VmRSS"), _kilobytes("VmHWM")
    told.write(json.dumps({"process": 1024 * (after - before), "process_peak": 1024 * (peak - before)}).encode())
    told.close()


def _kilobytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    assert found is not None  # proc(5): every process has them
    return int(found[1])
