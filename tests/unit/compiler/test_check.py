from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiny_models
from compiler.emit import compile_graph
from compiler.reader import read_graph
from pipelines.errors import ModelError
from tflite_builder import Builder

CONV = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
POOL = {"Padding": 0, "StrideH": 1, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 2}


def refusal(model: bytes, folder: Path) -> str:
    path = folder / "model.tflite"
    path.write_bytes(model)
    with pytest.raises(ModelError) as told:
        compile_graph(read_graph(path))
    assert "\n" not in str(told.value)
    return str(told.value)


def conv(
    x: tuple[int, ...] = (1, 4, 4, 3),
    w: tuple[int, ...] = (5, 3, 3, 3),
    y: tuple[int, ...] = (1, 4, 4, 5),
    bias: int = 5,
    **options: int,
) -> bytes:
    b = Builder()
    given = b.tensor(x, scale=0.5)
    weights = b.tensor(w, scale=0.1, data=np.ones(w))
    numbers = b.tensor((bias,), "int32", scale=0.05, data=np.ones(bias))
    made = b.tensor(y, scale=0.5)
    b.op("CONV_2D", [given, weights, numbers], [made], **{**CONV, **options})
    return b.model([given], [made])


def one(name: str, x: tuple[int, ...], y: tuple[int, ...], *constants: object, **options: object) -> bytes:
    b = Builder()
    given, made = b.tensor(x, scale=0.5), b.tensor(y, scale=0.5)
    b.op(name, [given, *(b.constant(values) for values in constants)], [made], **options)
    return b.model([given], [made])


def test_what_fits_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(conv())
    assert "eiq_conv" in compile_graph(read_graph(tmp_path / "m.tflite")).c


@pytest.mark.parametrize(
    ("model", "phrases"),
    [
        (lambda: conv(y=(1, 4, 4, 6)), ["operator 0 (conv_2d)", "t3 (tensor 3)", "makes [1, 4, 4, 5]"]),
        (lambda: conv(bias=4), ["its bias is", "expected 5 numbers"]),
        (lambda: conv(w=(5, 3, 3, 2)), ["do not fit", "groups"]),
        (lambda: conv(StrideH=0), ["its window is 3 x 3", "expected 1 or more"]),
        (lambda: conv(DilationWFactor=-1), ["expected 1 or more"]),
        (lambda: conv(x=(2, 4, 4, 3), y=(2, 4, 4, 5)), ["expected a batch of 1"]),
        (lambda: conv(x=(4, 4, 3)), ["expected 4 axes"]),
        (lambda: conv(w=(5, 9, 9, 3), Padding=1), ["does not fit into"]),
        (lambda: conv(FusedActivationFunction=4), ["activation tanh cannot be fused"]),
        (lambda: one("RELU", (1, 4), (1, 5)), ["operator 0 (relu)", "makes [1, 4]"]),
        (lambda: one("RESHAPE", (1, 4), (1, 5), [1, 5]), ["makes [1, 4]"]),
        (lambda: one("MEAN", (1, 2, 2, 3), (1, 3), [1, 7]), ["its axes are [1, 7]"]),
        (lambda: one("PAD", (1, 4), (1, 3), [[0, 0], [0, -1]]), ["0 or more for each axis"]),
        (lambda: one("TRANSPOSE", (1, 4), (4, 1), [1, 1]), ["expected each of"]),
        (lambda: one("CONCATENATION", (1, 4), (1, 4), Axis=3), ["joins along axis 3"]),
        (lambda: one("STRIDED_SLICE", (1, 4), (1, 4), [0, 0], [1, 4], [1, 0]), ["no step of 0"]),
        (lambda: one("STRIDED_SLICE", (1, 4), (1, 4), [0, 3], [1, 2], [1, 1]), ["takes nothing"]),
        (lambda: one("MAX_POOL_2D", (1, 2, 2, 3), (1, 1, 2, 3), **POOL), ["makes [1, 2, 2, 3]"]),
        (lambda: one("SQRT", (1, 4), (1, 4)), ["operator 0 (sqrt)", "it is not one of add"]),
        (lambda: one("RELU", (1, 4), (1, 4), [1]), ["it has 2 inputs and 1 outputs, expected 1 and one"]),
        (lambda: tiny_models.with_custom_operator("Mine"), ["operator 0 is the custom operator Mine"]),
        (lambda: tiny_models.copy("float16"), ["tensor 0 (x) has the type number 1"]),
        (
            lambda: tiny_models.copy("int8", (1, 4), 0.5, signature=(1, -1)),
            ["tensor 0 (x)", "not known before it runs"],
        ),
        (lambda: tiny_models.copy("int8", (1, 1 << 29), 0.5), ["tensor 0 (x)", "more than any board holds"]),
        (lambda: tiny_models.is_nonzero(), ["operator 0 (cast)", "it is not one of"]),
    ],
)
def test_what_does_not_fit_is_told(model: Callable[[], bytes], phrases: list[str], tmp_path: Path) -> None:
    told = refusal(model(), tmp_path)
    for phrase in phrases:
        assert phrase in told, told


def test_a_zero_point_beyond_its_type(tmp_path: Path) -> None:
    b = Builder()
    x, y = b.tensor((1, 4), scale=0.5, zero_point=200), b.tensor((1, 4), scale=0.5)
    b.op("RELU", [x], [y])
    assert "zero point beyond -128 to 127" in refusal(b.model([x], [y]), tmp_path)


def test_a_batch_of_rows_is_no_mistake(tmp_path: Path) -> None:
    b = Builder()
    x, w = b.tensor((3, 4), scale=0.5), b.tensor((2, 4), scale=0.5, data=np.ones((2, 4)))
    y = b.tensor((3, 2), scale=0.5)
    b.op("FULLY_CONNECTED", [x, w], [y])
    (tmp_path / "m.tflite").write_bytes(b.model([x], [y]))
    assert compile_graph(read_graph(tmp_path / "m.tflite")).layers[0].macs == 24


def test_an_output_that_is_a_constant_is_told(tmp_path: Path) -> None:
    b = Builder()
    x, y = b.tensor((1, 4), scale=0.5), b.tensor((1, 4), scale=0.5)
    held = b.tensor((1, 4), scale=0.5, data=np.ones((1, 4)))
    b.op("RELU", [x], [y])
    assert "is a constant" in refusal(b.model([x], [y, held]), tmp_path)
