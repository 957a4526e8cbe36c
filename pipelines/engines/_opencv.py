"""The networks behind the engine opencv: read by OpenCV's importer for their format, its refusals put into words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.core import shape_text
from pipelines.engines import _protobuf
from pipelines.engines._looks_like import looks_like
from pipelines.engines._opencv_faults import fault
from pipelines.engines._stderr import turned_away
from pipelines.errors import ModelError
from pipelines.optional import require

_FLOAT = 1  # of ONNX's element types
_SAID = re.compile(r".*error: \([^)]*\) (.*?)(?: in function '.*)?$", re.DOTALL)  # the innermost of several
_WHERE = re.compile(r"in function '[^']*' (?:> )?|^> |DNN/ONNX: ")
FORMATS = {".caffemodel": "Caffe", ".pb": "TensorFlow"}
"""Others than ONNX, by suffix."""


@dataclass(frozen=True)
class Network:
    """What was read.

    Args:
        net: OpenCV's.
        format: ONNX, Caffe or TensorFlow.
        inputs: name and shape, channels last where OpenCV turns pictures itself (``turned``).
        outputs: name and shape, None where the file does not say it; empty for those that nothing reads.
        turned: it takes pictures as [1, channels, height, width], whatever the file has.
    """

    net: Any
    format: str
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, tuple[int, ...] | None], ...]
    turned: bool


def opencv() -> Any:
    """The module cv2. Raises MissingDependency."""
    install = "pip install 'eiq-demo[desktop]', or your system's python3-opencv"
    return require("cv2", purpose="the engine opencv", install=install)


def version(cv2: Any) -> tuple[int, int]:
    """Such as (4, 14)."""
    major, minor = cv2.__version__.split(".")[:2]
    return int(major), int(minor)


def read(cv2: Any, path: Path, definition: str | None, shape: tuple[int, ...]) -> Network:
    """Read a network by what kind of file it is.

    Args:
        definition: Caffe's .prototxt, or TensorFlow's .pbtxt.
        shape: of the one input, channels last, where the file does not say.

    Raises:
        ModelError: no file that this OpenCV reads.
    """
    head = _head(path)
    kind = "TensorFlow Lite" if head[4:8] == b"TFL3" else FORMATS.get(path.suffix, "ONNX")
    if definition is not None and kind not in ("Caffe", "TensorFlow"):
        raise ModelError(f"{path} is an {kind} model and needs no engine.definition; leave it out")
    if kind == "ONNX":
        return _onnx(cv2, path)
    if kind == "TensorFlow Lite":
        # 4.14 gives other scores for float files of ours without a word, 5.0 crashes on small valid ones
        raise ModelError(f"{path} is a TensorFlow Lite model, which OpenCV {cv2.__version__} does not read reliably; "
                         "convert it with python -m apps.to_onnx, or use the engine tflite")  # fmt: skip
    if not hasattr(cv2.dnn, f"readNetFrom{kind.replace('Flow', 'flow')}"):
        raise ModelError(f"{path} is a {kind} model, which OpenCV {cv2.__version__} does not read; use OpenCV 4, or "
                         "convert it to ONNX")  # fmt: skip
    if not shape:
        raise ModelError(f"{path} does not say how large its input is; say it with engine.input_shape, such as "
                         "[1, 224, 224, 3]")  # fmt: skip
    with refusals(cv2, path):
        net = _caffe(cv2, path, definition) if kind == "Caffe" else _tensorflow(cv2, path, definition)
    return Network(net, kind, (("", shape),), (), turned=True)


@contextmanager
def refusals(cv2: Any, path: Path) -> Iterator[None]:
    """What OpenCV says against a model, as a ModelError of one sentence; what it logs of that is not shown."""
    try:
        with turned_away():
            yield
    except (cv2.error, UnicodeDecodeError) as error:  # a layer's name is no text
        raise ModelError(f"{path} {reason(cv2, error)}") from error


def reason(cv2: Any, error: Exception) -> str:
    """Without places in OpenCV's sources."""
    found = _SAID.search(str(error).strip())
    said = _WHERE.sub("", " ".join((found[1] if found else str(error)).split())).rstrip(".")[:300]
    return (f"cannot be run by OpenCV {cv2.__version__} ({said or 'it does not say why'}); use another engine, or "
            "export it again")  # fmt: skip


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except IsADirectoryError as problem:
        raise ModelError(f"{path} is a directory, expected a model file; name the file inside it") from problem
    except OSError as problem:
        raise ModelError(f"cannot read the model {path} ({problem.strerror}), expected a model file") from problem


def _onnx(cv2: Any, path: Path) -> Network:
    file = _protobuf.read_model(path)
    if file.dangling:  # OpenCV crashes there
        raise ModelError(f"{path} is damaged: it takes {file.dangling!r}, which nothing in it gives; fetch it again")
    inputs = []
    for edge in file.inputs:
        if edge.kind != _FLOAT or (fixed := _fixed(edge)) is None:
            what = shape_text(edge.shape) if edge.kind == _FLOAT else f"no float32 (ONNX's type {edge.kind})"
            raise ModelError(f"{path}: input {edge.name!r} is {what}, expected float32 of a fixed shape but for the "
                             "batch; export a float model, or use the engine onnx")  # fmt: skip
        inputs.append((edge.name, fixed))
    if found := fault(_protobuf.read_graph(file), version(cv2)):
        raise ModelError(f"{path} has {found}, which OpenCV {cv2.__version__} computes wrongly; use the engine onnx, "
                         "or export it without")  # fmt: skip
    with refusals(cv2, path):
        net = cv2.dnn.readNetFromONNX(np.frombuffer(file.data, np.uint8))
    return Network(net, "ONNX", tuple(inputs), tuple((edge.name, _fixed(edge)) for edge in file.outputs), turned=False)


def _fixed(edge: _protobuf.Edge) -> tuple[int, ...] | None:
    """The shape, with 1 for an open batch; None where more of it is open."""
    sizes = (1, *edge.shape[1:]) if edge.shape[:1] == (None,) else edge.shape
    fixed = tuple(size for size in sizes if size)
    return fixed if len(fixed) == len(sizes) else None


def _caffe(cv2: Any, path: Path, definition: str | None) -> Any:
    if definition is None:
        raise ModelError(f"{path} holds weights alone; name the network's .prototxt with engine.definition")
    return cv2.dnn.readNetFromCaffe(definition, str(path))


def _tensorflow(cv2: Any, path: Path, definition: str | None) -> Any:
    if not (head := _head(path)).startswith(b"\n"):
        raise ModelError(f"{path} looks like {looks_like(head)}, expected a frozen TensorFlow graph")
    return cv2.dnn.readNetFromTensorflow(str(path), *([definition] if definition else []))
