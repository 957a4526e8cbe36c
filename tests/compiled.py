"""A compiled model as a function, built with the C compiler of this machine."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.emit import Bundle

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")


def shared_library(bundle: Bundle, folder: Path, *flags: str) -> Path:
    """Compile without a warning, or fail."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    source = folder / f"{bundle.name}.c"
    source.write_text(bundle.c)
    (folder / f"{bundle.name}.h").write_text(bundle.h)
    library = folder / f"{bundle.name}.so"
    done = subprocess.run(["cc", "-std=c99", "-O2", *WARNINGS, *flags, "-shared", "-fPIC", "-o", library, source],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[:2000]
    return library


def function(bundle: Bundle, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """From the first input to the first output, as stored."""
    library = ctypes.CDLL(str(shared_library(bundle, folder)))
    memory, graph = bundle.memory, bundle.graph
    constants = (ctypes.c_uint8 * max(1, len(memory.constants))).in_dll(library, f"{bundle.name}_constants")
    mutable, activations = np.zeros(memory.mutable, np.uint8), np.zeros(max(1, memory.plan.size), np.uint8)
    x, y = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    entry, leave = memory.places[graph.inputs[0]], memory.places[graph.outputs[0]]
    run = getattr(library, bundle.name)

    def call(stored: np.ndarray) -> np.ndarray:
        data = np.ascontiguousarray(stored, x.dtype).view(np.uint8).reshape(-1)
        mutable[entry : entry + data.size] = data
        assert run(constants, mutable.ctypes.data_as(ctypes.c_void_p), activations.ctypes.data_as(ctypes.c_void_p)) == 0
        size = y.size * np.dtype(y.dtype).itemsize
        return mutable[leave : leave + size].view(y.dtype).reshape(y.shape).copy()

    return call
