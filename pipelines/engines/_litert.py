"""The interpreter behind the engine tflite: found, loaded, asked what it really runs, its refusals put into words.

LiteRT is the package ai-edge-litert; tflite-runtime is its older name, which some boards bring along.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.engines._delegate import Delegate
from pipelines.engines._stderr import hand_on, turned_away
from pipelines.errors import ModelError
from pipelines.optional import require

LITERT = "ai_edge_litert"
_RUNTIMES = (LITERT, "tflite_runtime")  # the first that is installed
_RESOLVERS = {"auto": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
_CHATTER = re.compile(rb"INFO: Created TensorFlow Lite XNNPACK delegate for CPU\.\n")


def runtime() -> str:
    """The module's name of the runtime that is installed; LiteRT's where none is, for ``load`` to say so."""
    installed = [name for name in _RUNTIMES if find_spec(name)]
    return installed[0] if installed else _RUNTIMES[0]


def version(runtime: str) -> str:
    """Such as ``ai-edge-litert 2.3.0``. Raises MissingDependency."""
    # the module's own word: a board's runtime may have come without a package's metadata
    return f"{runtime.replace('_', '-')} {_module(runtime).__version__}"


def _module(name: str) -> Any:
    install = "pip install 'eiq-demo[desktop]' (or tflite-runtime, on a board that comes with it)"
    return require(name, purpose="the engine tflite", install=install)


def load(
    runtime: str, data: bytes, kernels: str, threads: int, delegate: Delegate | None = None
) -> tuple[Any, set[int]]:
    """An interpreter with its tensors allocated, and which operators the delegate took, by their index.

    Raises MissingDependency, ValueError, RuntimeError.
    """
    litert = _module(f"{runtime}.interpreter")
    resolver = litert.OpResolverType[_RESOLVERS[kernels]]
    with _without_chatter():
        interpreter = litert.Interpreter(
            model_content=data,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
            experimental_delegates=[delegate] if delegate else None,
        )
        taken = delegated(interpreter) if delegate else set()  # XNNPACK takes its share later, with the tensors
        interpreter.allocate_tensors()
    return interpreter, taken


@contextmanager
def refusals(path: Path, runtime: str, delegate: Delegate | None = None) -> Iterator[None]:
    """What the interpreter says against a model, as a ModelError of one sentence."""
    try:
        yield
    # a tensor's name that is not UTF-8 is a ValueError as well, one of a size that nobody has a MemoryError
    except (ValueError, RuntimeError, MemoryError) as error:
        reason = _reason(str(error), version(runtime), delegate)
        raise ModelError(f"{path} {reason}") from error


def first_line(said: object) -> str:
    """The first line of a message that says something."""
    return next((line.strip().rstrip(".") for line in str(said).splitlines() if line.strip()), "it does not say why")


def _reason(said: str, runtime: str, delegate: Delegate | None) -> str:
    if delegate and (refused := re.search(r"(.*)Restored original execution plan after delegate", said, re.DOTALL)):
        fix = "name another with engine.delegate, or say none to run on the CPU"
        return f"is refused by the delegate {delegate.name} ({first_line(refused[1])}); {fix}"
    if re.search(r"Select TensorFlow op|Regular TensorFlow ops", said):
        fix = "convert the model with built-in operators alone"
        return f"needs operators of TensorFlow itself (Flex), which {runtime} does not have; {fix}"
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

    When the load fails, the exception carries what was said, and nothing is handed on.
    """
    with turned_away() as said:
        yield
    hand_on(_CHATTER.sub(b"", said.data))


def kernels_in_use(
    interpreter: Any, kernels: str, delegate: Delegate | None = None, taken: Collection[int] = (), others: int = 0
) -> str:
    """What runs the operators, in words, as the interpreter's own graph shows it.

    Args:
        taken: the operators that ``delegate`` took, by index.
        others: graphs beside the main one (the branches of an IF, the body of a WHILE), which it does not show.
    """
    nodes = _operators(interpreter)
    on_xnnpack = len(delegated(interpreter)) - len(taken)
    if kernels == "reference":
        cpu = "reference kernels"
    elif on_xnnpack:
        cpu = f"XNNPACK for {on_xnnpack} of {len(nodes)} operators"
    else:
        cpu = "optimised kernels" + (" (XNNPACK takes none of its operators)" if kernels == "auto" else "")
    if others:
        cpu += f", those of its {others} other graph{'s' * (others > 1)} not counted"
    if delegate is None:
        return cpu
    left = [node["op_name"] for node in nodes if node["index"] not in taken]
    on_delegate = f"{len(taken)} of {len(nodes)} operators on {delegate.name}"
    if not left and not others:
        return on_delegate
    return f"{on_delegate}, {len(left)} fell back to the CPU: {_counted(left) or 'none'} ({cpu})"


def delegated(interpreter: Any) -> set[int]:
    """The operators that delegates took over, by index.

    The interpreter keeps the operators that a delegate replaced and appends one DELEGATE per group of them. Which ones
    a group replaced shows by walking from its outputs back to its inputs.
    """
    maker = {int(tensor): node for node in _operators(interpreter) for tensor in node["outputs"]}
    replaced: set[int] = set()
    for group in (node for node in _nodes(interpreter) if node["op_name"] == "DELEGATE"):
        given, wanted = set(map(int, group["inputs"])), list(map(int, group["outputs"]))
        while wanted:
            tensor = wanted.pop()
            node = maker.get(tensor)
            if node and tensor not in given and node["index"] not in replaced:
                replaced.add(node["index"])
                wanted += map(int, node["inputs"])
    return replaced


def _operators(interpreter: Any) -> list[dict[str, Any]]:
    """The model's own."""
    return [node for node in _nodes(interpreter) if node["op_name"] != "DELEGATE"]


def _nodes(interpreter: Any) -> Iterator[dict[str, Any]]:
    """Name, index, inputs and outputs of each; no public way tells, and both runtimes have this one."""
    graph = interpreter._interpreter
    for index in range(graph.NumNodes()):
        try:
            name = graph.NodeName(index)
        except UnicodeDecodeError:  # tflite-runtime 2.14 now and then has no name for one of resource variables
            name = "?"
        yield {"index": index, "op_name": name, "inputs": graph.NodeInputs(index), "outputs": graph.NodeOutputs(index)}


def _counted(names: list[str]) -> str:
    """``CONV_2D (3), SOFTMAX``."""
    counts = Counter(names)
    return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in counts.items())
