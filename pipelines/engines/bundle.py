"""Models compiled to C: the desktop runs what the board runs."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.config.schema import EngineConfig
from pipelines.core import Array
from pipelines.errors import DataError, MissingDependency, ModelError, OutputError
from pipelines.resources import cache_folder
from pipelines.tensors import Feeds, Reads, spec_of

if TYPE_CHECKING:
    from compiler.emit import Bundle as Compiled

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-shared", "-fPIC")
ALIGN = 64


class Bundle:
    """A .tflite or .skops model through the model compiler (``eiq-demo compile``): the same C as on the board, built
    with ``cc``.

    It gives the same bits on every machine, those of TFLite's reference kernels for a .tflite model. What was built is
    kept in the cache folder under a hash of the C and of the compiler's version, and loaded from there the next time.

    Raises when built:
        ModelError: no model that the compiler takes; names operator, tensor and index.
        MissingDependency: no C compiler (``cc``), or the package with TFLite's schema, or scikit-learn for a .skops
            file, is not installed.
    """

    class Config(EngineConfig, frozen=True, kw_only=True):
        """Has no keys of its own."""

    def __init__(self, config: Config, path: Path) -> None:
        from compiler.emit import compile_graph
        from compiler.reader import read_graph

        bundle = compile_graph(read_graph(path))
        self._library = ctypes.CDLL(str(_built(bundle)))
        self._function = getattr(self._library, bundle.name)
        graph, memory = bundle.graph, bundle.memory
        self.inputs = tuple(spec_of(tensor, path) for tensor in graph.tensors_of(graph.inputs))
        self.outputs = tuple(spec_of(tensor, path) for tensor in graph.tensors_of(graph.outputs))
        self.memory = {"ram": memory.plan.size + memory.mutable, "constants": len(memory.constants)}  # in bytes
        self.description = f"compiled to C by eiq-demo, {_compiler()}, {self.memory['ram']:,} bytes of RAM"
        constants = (ctypes.c_uint8 * max(1, len(memory.constants))).in_dll(self._library, f"{bundle.name}_constants")
        self._mutable, self._activations = _aligned(memory.mutable), _aligned(memory.plan.size)
        self._arguments = (
            ctypes.byref(constants),
            *(ctypes.c_void_p(a.ctypes.data) for a in (self._mutable, self._activations)),
        )
        self._feeds = Feeds(self.inputs, self._mutable, [memory.places[index] for index in graph.inputs])
        self._reads = Reads(self.outputs, self._mutable, [memory.places[index] for index in graph.outputs])

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for a quantised input; a NaN or an infinite number for a .skops model.
            ModelError: the compiled function failed.
        """
        self._feeds.write(x)
        code = self._function(*self._arguments)
        if code and not all(np.isfinite(array).all() for array in x):
            raise DataError("a feature is not a finite number (NaN or infinite); look for a logarithm of 0 or a "
                            "division by 0 in preprocess")  # fmt: skip
        if code:
            raise ModelError(f"the compiled model returned {code}, expected 0; compile it again")
        return self._reads.read()

    def reset(self) -> None:
        """Nothing to forget: compiled models have no state."""

    def close(self) -> None:
        """Let go of the buffers. May be called twice; ``infer`` may not be called after it."""
        none = np.empty(0, np.uint8)
        self._feeds, self._reads = Feeds((), none, ()), Reads((), none, ())


def _aligned(size: int) -> Array:
    """Zeros that begin at a multiple of ALIGN, as the bundle's header asks for."""
    whole = np.zeros(size + ALIGN, np.uint8)
    start = -whole.ctypes.data % ALIGN
    return whole[start : start + max(size, 1)]


def _compiler() -> str:
    """``cc``'s version, in its own words. Raises MissingDependency."""
    cc = shutil.which("cc")
    if cc is None:
        raise MissingDependency("the engine bundle needs a C compiler (cc), and there is none; "
                                "sudo apt-get install gcc, or take the engine tflite")  # fmt: skip
    done = subprocess.run([cc, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0] or cc


def _built(bundle: Compiled) -> Path:
    """The shared library, from the cache where it is there. Raises ModelError, MissingDependency, OutputError."""
    text = "\0".join((bundle.c, bundle.h, _compiler(), *FLAGS))
    library = cache_folder("bundles") / f"{bundle.name}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.so"
    if not library.exists():
        _build(bundle, library)
    return library


def _build(bundle: Compiled, library: Path) -> None:
    try:
        library.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            source, part = Path(folder) / f"{bundle.name}.c", Path(folder) / library.name
            source.write_text(bundle.c, encoding="utf-8")
            source.with_suffix(".h").write_text(bundle.h, encoding="utf-8")
            command = ["cc", *FLAGS, "-o", str(part), str(source)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                said = done.stderr.strip().splitlines()
                first = next((line for line in said if "error:" in line), "".join(said[:1]))
                raise ModelError(
                    f"cc cannot build the compiled model ({first}); this is a fault of eiq-demo's compiler"
                )
            part.replace(library)  # two that build at once each bring a whole one
    except OSError as error:
        raise OutputError(f"cannot keep the compiled model in {library.parent} ({error.strerror}); make room there, or "
                          "name another folder with XDG_CACHE_HOME") from error  # fmt: skip
