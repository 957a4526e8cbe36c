"""A compiled model as a function, built with the C compiler of this machine."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.cmsis_nn import home, sources
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
    done = subprocess.run(["cc", "-std=c99", "-O2", *WARNINGS, "-shared", "-fPIC", "-o", library, source, *flags],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[:2000]
    return library


def tflite_micro(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """TensorFlow Lite Micro's own interpreter of a model: from the first input to the first output, as stored."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_file(str(path))

    def run(stored: np.ndarray) -> np.ndarray:
        interpreter.set_input(stored, 0)
        interpreter.invoke()
        return np.array(interpreter.get_output(0))

    return run


def function(bundle: Bundle, folder: Path, *flags: str) -> Callable[[np.ndarray], np.ndarray]:
    """From the first input to the first output, as stored."""
    library = ctypes.CDLL(str(shared_library(bundle, folder, *flags)))
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


def cmsis_nn_library(folder: Path) -> Path:
    """CMSIS-NN in plain C, in ``folder``; skips where CMSIS_NN names no sources."""
    if not home():
        pytest.skip("needs CMSIS-NN's sources, which are not part of the project: CMSIS_NN=FOLDER")
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    include, files = sources()
    library = folder / "libcmsis_nn.so"
    subprocess.run(["cc", "-O2", "-w", "-shared", "-fPIC", f"-I{include}", "-o", library, *files], check=True)
    return library


def cmsis_nn_flags(library: Path) -> tuple[str, ...]:
    """For the C compiler, to build a bundle that calls it."""
    return f"-isystem{sources()[0]}", str(library), f"-Wl,-rpath,{library.parent}"


def functions(bundles: Sequence[Bundle], folder: Path, *flags: str) -> list[Callable[..., list[np.ndarray]]]:
    """Several bundles in one shared library, each from all inputs to all outputs, as stored."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    sources = []
    for bundle in bundles:
        (folder / f"{bundle.name}.h").write_text(bundle.h)
        sources.append(folder / f"{bundle.name}.c")
        sources[-1].write_text(bundle.c)
    library = folder / f"lib_{bundles[0].name}.so"
    command = ["cc", "-std=c99", *WARNINGS, *(flags or ("-O1",)), "-shared", "-fPIC", "-o", library, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    opened = ctypes.CDLL(str(library))
    return [whole(bundle, opened) for bundle in bundles]


def whole(bundle: Bundle, library: ctypes.CDLL) -> Callable[..., list[np.ndarray]]:
    """Of a library, from all inputs to all outputs, as stored."""
    memory, graph = bundle.memory, bundle.graph
    constants = (ctypes.c_uint8 * max(1, len(memory.constants))).in_dll(library, f"{bundle.name}_constants")
    run = getattr(library, bundle.name)

    def call(*inputs: np.ndarray) -> list[np.ndarray]:
        # what stands in the memory before must not matter
        mutable, activations = (np.full(max(1, size), 0x55, np.uint8) for size in (memory.mutable, memory.plan.size))
        for index, stored in zip(graph.inputs, inputs, strict=True):
            data = np.ascontiguousarray(stored, graph.tensors[index].dtype).view(np.uint8).reshape(-1)
            mutable[memory.places[index] : memory.places[index] + data.size] = data
        places = (ctypes.c_void_p(array.ctypes.data) for array in (mutable, activations))
        assert run(constants, *places) == 0
        found = []
        for index in graph.outputs:
            y, place = graph.tensors[index], memory.places[index]
            size = y.size * np.dtype(y.dtype).itemsize
            found.append(mutable[place : place + size].view(y.dtype).reshape(y.shape).copy())
        return found

    return call
