"""The interpreter behind the engine tflite: found, loaded, asked what it really runs, its refusals put into words.

LiteRT is the package ai-edge-litert; tflite-runtime is its older name, which some boards bring along.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.errors import ModelError
from pipelines.optional import require

_RUNTIMES = ("ai_edge_litert", "tflite_runtime")  # the first that is installed
_RESOLVERS = {"auto": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
_CHATTER = re.compile(rb"INFO: Created TensorFlow Lite XNNPACK delegate for CPU\.\n")
_STDERR = threading.Lock()


def runtime() -> str:
    """The module's name of the runtime that is installed; LiteRT's where none is, for ``load`` to say so."""
    installed = [name for name in _RUNTIMES if find_spec(name)]
    return installed[0] if installed else _RUNTIMES[0]


def version(runtime: str) -> str:
    """Such as ``ai-edge-litert 2.3.0``."""
    # the module's own word: a board's runtime may have come without a package's metadata
    return f"{runtime.replace('_', '-')} {import_module(runtime).__version__}"


def load(runtime: str, data: bytes, kernels: str, threads: int) -> Any:
    """An interpreter with its tensors allocated. Raises MissingDependency, ValueError, RuntimeError."""
    install = "pip install 'eiq-demo[desktop]' (or tflite-runtime, on a board that comes with it)"
    litert = require(f"{runtime}.interpreter", purpose="the engine tflite", install=install)
    resolver = litert.OpResolverType[_RESOLVERS[kernels]]
    with _without_chatter():
        interpreter = litert.Interpreter(
            model_content=data, num_threads=threads, experimental_op_resolver_type=resolver
        )
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def refusals(path: Path, runtime: str) -> Iterator[None]:
    """What the interpreter says against a model, as a ModelError of one sentence."""
    try:
        yield
    except (ValueError, RuntimeError) as error:  # a tensor's name that is not UTF-8 is a ValueError as well
        raise ModelError(f"{path} {_reason(str(error), version(runtime))}") from error


def first_line(said: object) -> str:
    """The first line of a message that says something."""
    return next((line.strip().rstrip(".") for line in str(said).splitlines() if line.strip()), "it does not say why")


def _reason(said: str, runtime: str) -> str:
    if custom := re.search(r"unresolved custom op: (.+?)\.?\n", said):
        fix = "convert the model with built-in operators, or use an engine that has it"
        return f"needs the operator {custom[1]!r}, which {runtime} does not have; {fix}"
    if builtin := re.search(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'", said):
        fix = "use a newer runtime, or convert the model for this one"
        return f"needs the operator {builtin[1]} version {builtin[2]}, which {runtime} does not have; {fix}"
    return f"cannot be loaded by {runtime} ({first_line(said)}); fetch or convert it again"


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep TFLite's one line about XNNPACK, which no setting turns off, from the terminal; hand on everything else.

    The C library writes to file descriptor 2, so that is what is turned away meanwhile: also for the other threads.
    When the load fails, the exception carries what was said, and nothing is handed on.
    """
    with _STDERR, tempfile.TemporaryFile() as said:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
        said.seek(0)
        if rest := _CHATTER.sub(b"", said.read()):
            os.write(2, rest)


def kernels_in_use(interpreter: Any, kernels: str) -> str:
    """What runs the operators, in words, as the interpreter's own graph shows it."""
    if kernels == "reference":
        return "reference kernels"
    total, delegated = _delegated(interpreter._get_ops_details())  # no public way; both runtimes have it
    if delegated:
        return f"XNNPACK for {delegated} of {total} operators"
    return "optimised kernels" + (" (XNNPACK takes none of its operators)" if kernels == "auto" else "")


def _delegated(nodes: list[dict[str, Any]]) -> tuple[int, int]:
    """How many operators the model has, and how many of them a delegate took over.

    The interpreter keeps the operators that a delegate replaced and appends one DELEGATE per group of them. Which ones
    a group replaced shows by walking from its outputs back to its inputs.
    """
    operators = [node for node in nodes if node["op_name"] != "DELEGATE"]
    maker = {int(tensor): node for node in operators for tensor in node["outputs"]}
    replaced: set[int] = set()
    for group in (node for node in nodes if node["op_name"] == "DELEGATE"):
        given, wanted = set(map(int, group["inputs"])), list(map(int, group["outputs"]))
        while wanted:
            tensor = wanted.pop()
            node = maker.get(tensor)
            if node and tensor not in given and node["index"] not in replaced:
                replaced.add(node["index"])
                wanted += map(int, node["inputs"])
    return len(operators), len(replaced)
