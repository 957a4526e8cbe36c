"""Networks through OpenCV's own runtime, cv2.dnn: float models on the CPU, where OpenCV is all that a board has."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from pipelines.config.schema import EngineConfig, InputPath, Positive
from pipelines.core import Array, TensorSpec
from pipelines.engines import _opencv
from pipelines.engines._trial import identity, survives
from pipelines.errors import MissingDependency, ModelError
from pipelines.quantise import not_a_number
from pipelines.tensors import Stored

_LAST, _FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # channels


class Opencv:
    """A float model on the CPU: ONNX, a frozen TensorFlow graph, and, with OpenCV 4, Caffe.

    An ONNX model's arrays go in as its file says: [1, channels, height, width] or [1, height, width, channels]. The
    other formats' pictures are [1, height, width, channels] here, and turned to what OpenCV takes.

    An .onnx file's structure is checked beforehand (see ``_protobuf``). OpenCV does not verify what it reads of the
    other formats: such a model that was not seen here before is tried in a process of its own (see ``_trial``).

    OpenCV finds out while it runs whether it can run a model: it is run once, with zeros, when it is built.

    Raises when built:
        ModelError: no model file, damaged, or one that this OpenCV cannot run.
        MissingDependency: OpenCV is not installed, or built without its module dnn.
    """

    class Config(EngineConfig, frozen=True, kw_only=True):
        """
        Args:
            threads: of OpenCV's one pool, which all of this process has in common.
            definition: the network's layers where the model file has its weights alone: Caffe's .prototxt,
                TensorFlow's .pbtxt.
            input_shape: of the input where the file does not say (Caffe, TensorFlow), such as [1, 224, 224, 3].
        """

        threads: Annotated[int, Meta(gt=0, le=64)] = 1
        definition: InputPath | None = None
        input_shape: tuple[Positive, ...] = ()

    def __init__(self, config: Config, path: Path) -> None:
        cv2 = _opencv.opencv()
        if not hasattr(getattr(cv2, "dnn", None), "readNetFromONNX"):
            raise MissingDependency(f"OpenCV {cv2.__version__} is built without its module dnn; pip install "
                                    "'eiq-demo[desktop]', or use another engine")  # fmt: skip
        self._cv2, self._path = cv2, path
        if path.suffix in _opencv.FORMATS:
            parts = (cv2.__version__, config.input_shape, identity(str(path)), identity(config.definition or ""))
            survives(
                Opencv, config, path, repr(parts).encode(), what=f"{path} in OpenCV {cv2.__version__}",
                fix="it or engine.definition is damaged: fetch them again, or convert it to ONNX",
            )  # fmt: skip
        network = _opencv.read(cv2, path, config.definition, config.input_shape)
        cv2.setNumThreads(config.threads)
        self._net, self._turned = network.net, network.turned
        self._flat = _opencv.version(cv2) < (4, 7)  # takes an array of three axes for a picture of several channels
        self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self._net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        self.inputs = tuple(TensorSpec(name, shape, "float32") for name, shape in network.inputs)
        self._stored = Stored(self.inputs)
        with _opencv.refusals(cv2, path):
            stated = dict(network.outputs) or dict.fromkeys(self._net.getUnconnectedOutLayersNames())
            self._names, self._shapes = tuple(stated), tuple(stated.values())
            first = self._run(tuple(np.zeros(spec.shape, np.float32) for spec in self.inputs))
        self.outputs = tuple(TensorSpec(n, y.shape, "float32") for n, y in zip(self._names, first, strict=True))
        layers = len(self._net.getLayerNames())
        threads = f"{config.threads} thread{'s' * (config.threads > 1)}"
        self.description = f"OpenCV {cv2.__version__}, {network.format}, CPU for all {layers} layers, {threads}"

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN.
            ModelError: OpenCV failed.
        """
        try:
            return self._run(x)
        except self._cv2.error as error:
            raise ModelError(f"{self._path} {_opencv.reason(self._cv2, error)}") from error

    def _run(self, x: tuple[Array, ...]) -> tuple[Array, ...]:
        for spec, stored in zip(self.inputs, self._stored(x), strict=True):
            if np.isnan(stored.min()):  # its ReLU makes 0 of a NaN, and believable scores
                raise not_a_number(spec.name)
            self._net.setInput(self._blob(stored), spec.name)
        given = zip(self._net.forward(self._names), self._names, self._shapes, strict=True)
        return tuple([self._result(y, name, shape) for y, name, shape in given])

    def _blob(self, array: Array) -> Array:
        if self._turned and array.ndim == 4:
            array = array.transpose(_FIRST)
        elif self._flat and array.ndim == 3:
            array = array[..., None]
        return np.ascontiguousarray(array)

    def _result(self, y: Any, name: str, stated: tuple[int, ...] | None) -> Array:
        array: Array = y if y.dtype == np.float32 else y.astype(np.float32)
        if stated is not None and array.shape != stated:  # it adds axes of 1, and drops some
            if array.size != prod(stated):
                raise ModelError(
                    f"{self._path}: OpenCV {self._cv2.__version__} gives the output {name!r} as {list(array.shape)}, "
                    f"expected {list(stated)} as stated; use the engine onnx"
                )
            array = array.reshape(stated)
        return array.transpose(_LAST) if self._turned and array.ndim == 4 else array

    def reset(self) -> None:
        """Nothing to do: such a network keeps nothing from one call to the next."""

    def close(self) -> None:
        """Let go of the model's memory. May be called twice; ``infer`` may not be called after it."""
        self._net = None
