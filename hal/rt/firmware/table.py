"""The table of a firmware's models: models.c and models.h (firmware/core/eiq_model.h)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hal.rt.firmware.models import DTYPES, Linked, Placed

ALIGN = 64
MAX_TEXT = 63


def header(models: Sequence[Linked], tables: Sequence[Any]) -> str:
    """models.h: how much memory all models share, and their features."""
    featured = [(model, features) for model, features in zip(models, tables, strict=True) if features]
    sizes = {
        "EIQ_MUTABLE_BYTES": max(1, 1, *(model.mutable_bytes for model in models)),
        "EIQ_ACTIVATION_BYTES": max(1, 1, *(model.activation_bytes for model in models)),
        "EIQ_INPUT_BYTES": max(1, 1, *(model.input_bytes for model in models)),
        "EIQ_OUTPUT_BYTES": max(1, 1, *(model.output_bytes for model in models)),
        "EIQ_FEATURE_VALUES": max(0, 0, *(features.values for _, features in featured)),
        "EIQ_FEATURE_SAMPLES": max(0, 0, *(features.samples for _, features in featured)),
        "EIQ_FEATURE_POINTS": max(0, 0, *(features.points for _, features in featured)),
        "EIQ_RESULT_BYTES": max(0, 0, *(max(model.input_bytes, model.output_bytes) for model, _ in featured)),
    }
    return "\n".join([
        "/* Written by eiq-demo firmware build: the largest of all models. */", "#ifndef MODELS_H", "#define MODELS_H",
        *(f"#define {name} {number}u" for name, number in sizes.items()), "#endif", "",
    ])  # fmt: skip


def source(models: Sequence[Linked], tables: Sequence[Any]) -> str:
    """models.c: the models, and the memory that they share.

    Args:
        models: in the board's order.
        tables: of each, its feature tables (hal.rt.features.Tables) or None.
    """
    lines = ["/* Written by eiq-demo firmware build. */", '#include "eiq_model.h"', '#include "models.h"', ""]
    for model, features in zip(models, tables, strict=True):
        lines += [f"int {model.symbol}(uint8_t *, uint8_t *, uint8_t *);",
                  f"extern const uint8_t {model.symbol}_constants[];"]  # fmt: skip
        if features:
            lines.append(f"extern const struct eiq_window {features.symbol};")
        lines += [f"static const struct eiq_tensor {model.symbol}_tensors[] = {{",
                  *(f"    {_tensor(tensor)}," for tensor in (*model.inputs, *model.outputs)), "};", ""]  # fmt: skip
    rows = [f"    {_model(model, features)}," for model, features in zip(models, tables, strict=True)]
    rows = rows or ["    {0},"]  # C has no array of none
    lines += ["const struct eiq_model eiq_models[] = {", *rows, "};",
              f"const uint32_t eiq_model_count = {len(models)};", "",
              f"uint8_t eiq_mutable_memory[EIQ_MUTABLE_BYTES] __attribute__((aligned({ALIGN})));",
              f"uint8_t eiq_activations[EIQ_ACTIVATION_BYTES] __attribute__((aligned({ALIGN})));", ""]  # fmt: skip
    return "\n".join(lines)


def _model(model: Linked, features: Any) -> str:
    recipe, window = (features.recipe, f"&{features.symbol}") if features else (bytes(8), "0")
    sizes = (model.constant_bytes, model.mutable_bytes, model.activation_bytes, model.input_bytes, model.output_bytes)
    return (
        f"{{{_text(model.name)}, {_bytes(model.sha256)}, {_bytes(recipe)},\n     {model.symbol}, "
        f"{model.symbol}_constants, {', '.join(map(str, sizes))},\n     {len(model.inputs)}, {len(model.outputs)}, "
        f"{model.symbol}_tensors, {window}}}"
    )


def _tensor(tensor: Placed) -> str:
    shape = ", ".join(map(str, tensor.shape)) or "0"
    return (
        f"{{{_text(tensor.name)}, {DTYPES[tensor.dtype]}, {len(tensor.shape)}, {{{shape}}}, {_float(tensor.scale)}, "
        f"{tensor.zero_point}, {tensor.bytes}, {tensor.place}, {tensor.address}}}"
    )


def _float(value: float) -> str:
    """As C takes it, and as it reads back equal."""
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _bytes(data: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, data)) + "}"


def _text(text: str) -> str:
    """A C string of at most MAX_TEXT bytes, whole characters; octal where a character is no plain one."""
    data = text.encode()[:MAX_TEXT].decode(errors="ignore").encode()
    plain = "".join(chr(c) if 32 <= c < 127 and c not in b'"\\?' else f"\\{c:03o}" for c in data)
    return f'"{plain}"'
