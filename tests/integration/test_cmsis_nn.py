"""Bundles that call CMSIS-NN give the bits of tflite-micro and of our own kernels, here and on the board."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiled import cmsis_nn_flags, cmsis_nn_library, function, tflite_micro
from compiler.cmsis_nn import home
from compiler.emit import compile_graph
from compiler.measure import measure
from compiler.reader import read_graph
from demos import in_process, says
from tflite_builder import Builder

MODELS = Path(__file__).parents[2] / "models"
OURS = ("kws", "cifar10")
EACH = 20


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return cmsis_nn_flags(cmsis_nn_library(tmp_path_factory.mktemp("cmsis_nn")))


def same(path: Path, folder: Path, library: tuple[str, ...], expected: Callable[[np.ndarray], np.ndarray]) -> None:
    graph = read_graph(path)
    run, rng = function(compile_graph(graph, "cmsis-nn"), folder, *library), np.random.default_rng(5)
    x, answers = graph.tensors[graph.inputs[0]], set()
    for _ in range(EACH):
        noise = rng.normal(rng.uniform(-110, 110), rng.uniform(2, 90), x.shape)
        stored = np.clip(np.rint(noise), -128, 127).astype(x.dtype)
        answer = run(stored)
        np.testing.assert_array_equal(answer, expected(stored))
        answers |= set(answer.reshape(-1).tolist())
    assert len(answers) > 10


@pytest.mark.parametrize("name", OURS)
def test_ours(name: str, tmp_path: Path, library: tuple[str, ...]) -> None:
    path = MODELS / name / "model.tflite"
    same(path, tmp_path, library, tflite_micro(path))


@pytest.mark.parametrize("name", ["ds_cnn_s", "cifarnet_quant_int8", "mobilenet_v1_0.25_128_quant_int8"])
def test_nxp_s(name: str, tmp_path: Path, library: tuple[str, ...], shared_data: Path) -> None:
    path = shared_data / f"nxp_eiq/{name}.tflite"
    same(path, tmp_path, library, tflite_micro(path))


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(-127, 128, shape)


def convolution(b: Builder, x: int, kernel: tuple[int, int], out: tuple[int, ...], **options: Any) -> int:
    depth = b.tensors[x].shape[3]
    scales = np.linspace(0.002, 0.02, out[3])
    w = b.tensor((out[3], *kernel, depth), scale=scales, data=weights((out[3], *kernel, depth)))
    bias = b.tensor((out[3],), "int32", scale=scales * 0.5, data=weights((out[3],)) * 9)
    y = b.tensor(out, scale=0.9, zero_point=7)
    b.op("CONV_2D", [x, w, bias], [y], **{"StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1}
         | options)  # fmt: skip
    return y


def depthwise(b: Builder, x: int, kernel: tuple[int, int], out: tuple[int, ...], **options: Any) -> int:
    scales = np.linspace(0.002, 0.02, out[3])
    w = b.tensor((1, *kernel, out[3]), scale=scales, data=weights((1, *kernel, out[3])), axis=3)
    bias = b.tensor((out[3],), "int32", scale=scales * 0.5, data=weights((out[3],)) * 9)
    y = b.tensor(out, scale=0.2, zero_point=-9)
    every = {"StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1, "DepthMultiplier": 1}
    b.op("DEPTHWISE_CONV_2D", [x, w, bias], [y], **every | options)
    return y


def full(b: Builder, x: int, scales: Any) -> int:
    w = b.tensor((9, 240), scale=scales, data=weights((9, 240)))
    bias = b.tensor((9,), "int32", scale=np.asarray(scales) * 0.5, data=weights((9,)) * 9)
    y = b.tensor((1, 9), scale=3.0, zero_point=4)
    b.op("FULLY_CONNECTED", [x, w, bias], [y], FusedActivationFunction=1)
    return y


def pooled(b: Builder, x: int, name: str) -> int:
    y = b.tensor((1, 3, 4, 5), scale=0.5, zero_point=3)
    b.op(name, [x], [y], StrideH=2, StrideW=2, FilterHeight=3, FilterWidth=2)
    return y


def squared(b: Builder, x: int, name: str) -> int:
    y = b.tensor(b.tensors[x].shape, scale=0.7, zero_point=-11)
    b.op(name, [x, x], [y])
    return y


def softmax(b: Builder, x: int) -> int:
    y = b.tensor(b.tensors[x].shape, scale=1 / 256, zero_point=-128)
    b.op("SOFTMAX", [x], [y], Beta=1.0)
    return y


def moved(b: Builder, x: int, name: str, shape: tuple[int, ...], constant: Any) -> int:
    y = b.tensor(shape, scale=0.5, zero_point=3)
    b.op(name, [x, b.constant(constant)], [y])
    return y


def joined(b: Builder, x: int) -> int:
    first, y = pooled(b, x, "MAX_POOL_2D"), b.tensor((1, 3, 8, 5), scale=0.5, zero_point=3)
    second = b.tensor((1, 3, 4, 5), scale=0.5, zero_point=3)
    b.op("AVERAGE_POOL_2D", [x], [second], StrideH=2, StrideW=2, FilterHeight=1, FilterWidth=1)
    b.op("CONCATENATION", [first, second], [y], Axis=2)
    return y


LAYERS: dict[str, Callable[[Builder, int], int]] = {
    "convolution": lambda b, x: convolution(b, x, (3, 2), (1, 3, 4, 7), StrideW=2, StrideH=2),
    "dilated convolution": lambda b, x: convolution(b, x, (3, 3), (1, 2, 4, 6), DilationWFactor=2, DilationHFactor=2,
                                                    Padding=1),
    "pointwise convolution": lambda b, x: convolution(b, x, (1, 1), (1, 6, 8, 9)),
    "pointwise convolution in steps": lambda b, x: convolution(b, x, (1, 1), (1, 3, 4, 9), StrideW=2, StrideH=2),
    "depthwise 3 x 3": lambda b, x: depthwise(b, x, (3, 3), (1, 6, 8, 5)),
    "depthwise 2 x 4": lambda b, x: depthwise(b, x, (2, 4), (1, 3, 4, 5), StrideW=2, StrideH=2),
    "depthwise, two of each": lambda b, x: depthwise(b, x, (3, 3), (1, 6, 8, 10), DepthMultiplier=2),
    "dilated depthwise": lambda b, x: depthwise(b, x, (2, 2), (1, 4, 6, 5), DilationWFactor=2, DilationHFactor=2,
                                                Padding=1),
    "fully connected": lambda b, x: full(b, x, 0.01),
    "fully connected, a scale each": lambda b, x: full(b, x, np.linspace(0.002, 0.02, 9)),
    "mean of windows": lambda b, x: pooled(b, x, "AVERAGE_POOL_2D"),
    "most of windows": lambda b, x: pooled(b, x, "MAX_POOL_2D"),
    "sum": lambda b, x: squared(b, x, "ADD"),
    "product": lambda b, x: squared(b, x, "MUL"),
    "softmax": softmax,
    "padded": lambda b, x: moved(b, x, "PAD", (1, 9, 10, 5), [[0, 0], [1, 2], [2, 0], [0, 0]]),
    "transposed": lambda b, x: moved(b, x, "TRANSPOSE", (1, 5, 6, 8), [0, 3, 1, 2]),
    "side by side": joined,
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_every_call(name: str, tmp_path: Path, library: tuple[str, ...]) -> None:
    b = Builder()
    x = b.tensor((1, 6, 8, 5), scale=0.5, zero_point=3)
    y = LAYERS[name](b, x)
    path = tmp_path / "model.tflite"
    path.write_bytes(b.model([x], [y]))
    assert all(layer.function.startswith("arm_") for layer in compile_graph(read_graph(path), "cmsis-nn").layers)
    same(path, tmp_path, library, tflite_micro(path))


@pytest.mark.slow
@pytest.mark.skipif(not home(), reason="needs CMSIS-NN's sources: CMSIS_NN=FOLDER")
@pytest.mark.parametrize("name", OURS)
def test_the_board_gives_the_same_bits_and_both_columns_are_told(name: str, tmp_path: Path) -> None:
    done = in_process("compile", name, "--measure", "--json", "--kernels", "cmsis-nn", cwd=tmp_path)
    if "is not there; sudo" in done.stderr:
        pytest.skip(done.stderr)
    told = json.loads(done.stdout)
    assert (told["kernels"], told["compared_in_qemu"]["kernels"]) == ("cmsis-nn", "own")
    theirs, ours = told["measured_in_qemu"], told["compared_in_qemu"]
    assert (
        theirs["checksum"]
        == ours["checksum"]
        == measure(compile_graph(read_graph(MODELS / name / "model.tflite"))).checksum
    )
    assert ours["instructions"] < 0.65 * theirs["instructions"]
    assert len(theirs["layers"]) == len(ours["layers"])


def test_without_its_sources_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMSIS_NN", raising=False)
    done = in_process("compile", "kws", "--kernels", "cmsis-nn", cwd=tmp_path)
    assert done.returncode == 0
    says(done.stdout, ["arm_convolve_wrapper_s8", "own kernel: CMSIS-NN has none"])
    done = in_process("compile", "kws", "--kernels", "cmsis-nn", "--measure", cwd=tmp_path)
    assert done.returncode == 2
    says(done.stderr, ["CMSIS_NN"])
