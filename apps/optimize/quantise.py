"""A float .tflite to int8, by ai-edge-quantizer; a Keras model goes the way of every trainer (apps/int8.py)."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.engines.tflite import Tflite
from pipelines.errors import ModelError
from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[optimize]'"


def to_int8(flatbuffer: bytes, x: NDArray[np.float32]) -> bytes:
    """int8 weights, per channel, and activations, inputs and outputs.

    Args:
        flatbuffer: a float model of one input.
        x: [N, ...] inputs without their batch, that span the activations' ranges.

    Raises:
        ModelError: the quantiser cannot take it.
        MissingDependency: ai-edge-quantizer is not installed.
    """
    quantizer, recipe = _needed("ai_edge_quantizer.quantizer"), _needed("ai_edge_quantizer.recipe")
    opened = _needed("ai_edge_litert.interpreter").Interpreter(model_content=flatbuffer)
    (given,) = opened.get_input_details()
    signatures = opened.get_signature_list()
    key = next(iter(signatures), None)
    name = signatures[key]["inputs"][0] if key else given["name"]
    with tempfile.TemporaryDirectory() as folder, _without_chatter():
        path = Path(folder) / "float.tflite"
        path.write_bytes(flatbuffer)
        try:
            work = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
            ranges: Any = work.calibrate({key: [{name: example[None]} for example in x]}, num_threads=1)
            done = work.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"ai-edge-quantizer cannot take the model ({error}); convert it from Keras") from error
    return bytes(done.quantized_model)


def check(path: Path) -> None:
    """Whether ``to_int8`` can take a file, before anything else is done.

    Raises:
        ModelError: it is not a model, not a float one, or has several inputs.
        MissingDependency: ai-edge-quantizer is not installed.
    """
    _needed("ai_edge_quantizer.quantizer")
    engine = Tflite(Tflite.Config(model=path.name), path)
    if [spec.dtype for spec in engine.inputs] != ["float32"]:
        got = ", ".join(str(spec) for spec in engine.inputs)
        raise ModelError(f"{path} takes {got}, expected one float32 input; an 8-bit model is quantised already")
    engine.close()


def _needed(module: str) -> Any:
    return require(module, purpose="quantising a .tflite", install=INSTALL)


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors", category=UserWarning)
        yield
