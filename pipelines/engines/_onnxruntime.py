"""The runtime behind the engine onnx: loaded for the providers that were asked for, its refusals put into words."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import CapabilityError, ModelError
from pipelines.optional import require

CPU = "CPUExecutionProvider"
_FATAL = 4  # of ONNX Runtime's levels 0 (verbose) to 4: what it says below stays unsaid, as its exceptions say it too
_NO_OPERATOR = re.compile(
    r"No Op registered for (?P<op>\S+)|Fatal error: (?P<custom>\S+?)\(-?\d+\) is not a registered function"
    r"|Could not find an implementation for (?P<kernel>\S+?)\("
)
_RUNNING = re.compile(r"while running (\w+) node\. Name:'.*?' Status Message: (.*)", re.DOTALL)
_NOISE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |/\S+:\d+ [^\n]*?\) |\S+\.cc:\d+ \w+ ")
_TOO_NEW = re.compile(r"(IR version: \d+)|(Opset \d+) is under development")


def runtime() -> Any:
    """The module onnxruntime, with its telemetry off. Raises MissingDependency."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would tell Microsoft of every session, unasked
    return require("onnxruntime", purpose="the engine onnx", install="pip install 'eiq-demo[onnx]'")


def check_providers(ort: Any, asked: Sequence[str]) -> None:
    """Raises CapabilityError where this ONNX Runtime has not all of them; it would warn, and take the CPU."""
    has = ort.get_available_providers()
    for name in asked:
        if name not in has:
            raise CapabilityError(
                f"got engine.providers with {name}, but this onnxruntime {ort.__version__} has: {', '.join(has)}; "
                "name those, or install the build of ONNX Runtime that has it"
            )


def load(ort: Any, data: bytes, threads: int, providers: Sequence[str] = (CPU,)) -> Any:
    """A session of one model on these providers, in order of preference."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    options.add_session_config_entry("session.load_model_format", "ONNX")  # never ORT's own, unchecked format
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # without enable_fallback=0 it would print to stdout and try again by itself
    return ort.InferenceSession(data, options, providers=list(providers), enable_fallback=0)


def runs(session: Any, path: Path, asked: Sequence[str] = (CPU,)) -> str:
    """What runs the operators, in words. Raises ModelError where a provider has some that was not asked for.

    ONNX Runtime gives the CPU what the others do not take, and a session without one that fails to start.
    """
    groups = session.get_provider_graph_assignment_info()
    nodes: dict[str, list[str]] = {}
    for group in groups:
        nodes.setdefault(group.ep_name, []).extend(node.op_type for node in group.get_nodes())
    others = {*session.get_providers(), *nodes} - {*asked, CPU}
    lost = [name for name in asked if name not in session.get_providers()]
    if others or lost:
        got = ", ".join(sorted({*session.get_providers(), *others}))
        expected = f"{asked[0]} alone" if len(asked) == 1 else ", ".join(asked)
        raise ModelError(f"{path} would run on {got}, expected {expected}; reinstall onnxruntime, or name other "
                         "engine.providers")  # fmt: skip
    total = sum(map(len, nodes.values()))
    if set(nodes) <= {asked[0]}:
        return f"{asked[0]} for all {total} operators"
    shares = [f"{name} for {len(nodes.get(name, []))} of {total} operators" for name in asked if name != CPU]
    if left := Counter(nodes.get(CPU, [])):
        names = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in left.items())
        shares.append(f"{left.total()} fell back to the CPU: {names}")
    return ", ".join(shares)


@contextmanager
def refusals(ort: Any, path: Path) -> Iterator[None]:
    """What the runtime says against a model, as a ModelError of one sentence."""
    state = ort.capi.onnxruntime_pybind11_state
    kinds = (
        state.EPFail, state.EngineError, state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf,
        state.ModelRequiresCompilation, state.NoModel, state.NoSuchFile, state.NotFound, state.NotImplemented,
        state.RuntimeException, RuntimeError, ValueError, MemoryError,
    )  # fmt: skip
    try:
        yield
    except kinds as error:
        raise ModelError(f"{path} {_reason(str(error), f'onnxruntime {ort.__version__}')}") from error


def _reason(said: str, version: str) -> str:
    if found := _NO_OPERATOR.search(said):
        operator = next(name for name in found.groups() if name)
        fix = "export the model with ONNX's own operators, or a newer runtime"
        return f"needs the operator {operator!r}, which {version} does not have; {fix}"
    if found := _TOO_NEW.search(said):
        return f"is written in ONNX {found[1] or found[2]}, newer than {version} reads; export it for an older one"
    if found := _RUNNING.search(said):
        return f"failed in {version} while running its operator {found[1]} ({_sentence(found[2])}); export it again"
    return f"is refused by {version} ({_sentence(said)}); export it again, or fetch it again"


def _sentence(said: str) -> str:
    """Without numbers of errors, places in ONNX Runtime's sources, and line breaks."""
    text = " ".join(_NOISE.sub("", said).split()).rstrip(".")
    return (f"{text[:300]}…" if len(text) > 300 else text) or "it does not say why"
