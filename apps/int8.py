"""From a trained Keras model to a .tflite, the same way for every use case."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_int8(model: Any, examples: Callable[[], Iterable[NDArray[np.float32]]]) -> bytes:
    """Quantise after training: int8 in and out, per-channel weights; the flatbuffer.

    Args:
        model: a Keras model with one input.
        examples: gives inputs, each with its batch axis, that span the activations' ranges.
    """
    import tensorflow as tf

    return quantised(tf.lite.TFLiteConverter.from_keras_model(model), examples)


def quantised(converter: Any, examples: Callable[[], Iterable[NDArray[np.float32]]]) -> bytes:
    """The same with any of TensorFlow's converters to .tflite."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([example] for example in examples())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with _without_chatter():
        return bytes(converter.convert())


def to_float(model: Any) -> bytes:
    """The same network with float32 weights, inputs and outputs; the flatbuffer."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    with _without_chatter():
        return bytes(converter.convert())


def to_float_onnx(model: Any) -> bytes:
    """The same network as a float .onnx."""
    from apps.to_onnx import to_onnx
    from compiler.reader import read_graph

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(to_float(model))
        return to_onnx(read_graph(path))


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keras lists every weight that it exports; the converter misses ranges of inputs that it measures itself."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs", category=UserWarning)
        yield
