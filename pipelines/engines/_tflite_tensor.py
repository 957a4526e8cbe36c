"""Inputs and outputs of a .tflite model, as its interpreters tell of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.core import TensorSpec
from pipelines.errors import ModelError


def spec_of(detail: dict[str, Any], name: str, what: str, path: Path) -> TensorSpec:
    """One tensor.

    Args:
        detail: the interpreter's own, such as ``get_input_details()[0]``.
        what: input or output.

    Raises:
        ModelError: it holds no numbers, has no fixed shape, or several scales.
    """
    shape, dtype = tuple(int(size) for size in detail["shape"]), np.dtype(detail["dtype"])
    tensor = f"{path}: {what} {name!r}"
    scales, zero_points = (detail["quantization_parameters"][key] for key in ("scales", "zero_points"))
    if dtype.kind not in "fiu" and not (what == "output" and dtype.kind == "b"):
        held = "text" if dtype.kind in "SUO" else dtype
        raise ModelError(f"{tensor} holds {held}, expected numbers; convert the model without it")
    if 0 in shape or (not shape and len(detail.get("shape_signature", ()))):
        raise ModelError(
            f"{tensor} has no fixed shape ({list(shape)}), expected one; convert the model with fixed shapes"
        )
    if len(scales) > 1:
        raise ModelError(
            f"{tensor} has {len(scales)} scales, expected one; convert it with per-tensor inputs and outputs"
        )
    if not len(scales) or not scales[0]:
        return TensorSpec(name, shape, dtype.name)
    return TensorSpec(name, shape, dtype.name, float(scales[0]), int(zero_points[0]))
