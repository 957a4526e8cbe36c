"""The runtime behind the engine onnx: loaded for the CPU alone, its refusals put into words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import ModelError
from pipelines.optional import require

CPU = "CPUExecutionProvider"
_ERRORS = 3  # of ONNX Runtime's levels 0 (verbose) to 4 (fatal): what it says below stays unsaid
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


def load(ort: Any, data: bytes, threads: int) -> Any:
    """A session of one model on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS
    options.add_session_config_entry("session.load_model_format", "ONNX")  # never ORT's own, unchecked format
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # without enable_fallback=0 it would print to stdout and try again by itself
    return ort.InferenceSession(data, options, providers=[CPU], enable_fallback=0)


def operators(session: Any, path: Path) -> int:
    """How many operators there are, all of them on the CPU. Raises ModelError where another provider has some."""
    groups = session.get_provider_graph_assignment_info()
    others = {group.ep_name for group in groups} - {CPU}
    if session.get_providers() != [CPU] or others:
        got = sorted({*session.get_providers(), *others})
        raise ModelError(f"{path} would run on {', '.join(got)}, expected {CPU} alone; reinstall onnxruntime")
    return sum(len(group.get_nodes()) for group in groups)


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
