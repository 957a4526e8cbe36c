from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest

from compiled import cmsis_nn_library
from compiler.cmsis_nn import average_pool_2d, conv_2d, depthwise_conv_2d, sources
from compiler.emit import Bundle, compile_graph
from compiler.reader import read_graph
from pipelines.errors import MissingDependency
from tflite_builder import Builder

MODELS = Path(__file__).parents[4] / "models"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return ctypes.CDLL(str(cmsis_nn_library(tmp_path_factory.mktemp("cmsis_nn"))))


class Dims(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in ("n", "h", "w", "c")]


class Tile(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in ("w", "h")]


class ConvParameters(ctypes.Structure):
    _fields_ = [("input_offset", ctypes.c_int32), ("output_offset", ctypes.c_int32), ("stride", Tile),
                ("padding", Tile), ("dilation", Tile), ("activation", Tile)]  # fmt: skip


class DepthwiseParameters(ctypes.Structure):
    _fields_ = [("input_offset", ctypes.c_int32), ("output_offset", ctypes.c_int32), ("ch_mult", ctypes.c_int32),
                ("stride", Tile), ("padding", Tile), ("dilation", Tile), ("activation", Tile)]  # fmt: skip


def test_the_scratch_is_what_the_library_asks_for_on_a_core_with_dsp(library: ctypes.CDLL) -> None:
    rng = random.Random(3)
    for _ in range(300):
        depth, height, width = rng.randint(1, 70), rng.randint(1, 5), rng.randint(1, 5)
        stride, padding, dilation = (Tile(rng.randint(low, 2), rng.randint(low, 2)) for low in (1, 0, 1))
        x, filter_ = (
            Dims(1, rng.randint(5, 9), rng.randint(5, 9), depth),
            Dims(rng.randint(1, 40), height, width, depth),
        )
        parameters = ConvParameters(stride=stride, padding=padding, dilation=dilation)
        asked = library.arm_convolve_wrapper_s8_get_buffer_size_dsp(
            ctypes.byref(parameters), ctypes.byref(x), ctypes.byref(filter_), ctypes.byref(Dims(1, 4, 4, filter_.n))
        )
        pointwise = (height, width) == (1, 1) and not any((padding.w, padding.h))
        pointwise = pointwise and dilation.w == dilation.h == 1
        assert asked == (0 if pointwise else conv_2d.buffer_size(depth, height, width))
        deep = DepthwiseParameters(ch_mult=1, stride=stride, padding=padding, dilation=Tile(1, 1))
        asked = library.arm_depthwise_conv_wrapper_s8_get_buffer_size_dsp(
            ctypes.byref(deep), ctypes.byref(x), ctypes.byref(Dims(1, height, width, depth)),
            ctypes.byref(Dims(1, 4, 4, depth)),
        )  # fmt: skip
        small = height == width == 3 and max(padding.w, padding.h) <= 1
        assert asked == (0 if small else depthwise_conv_2d.buffer_size(depth, height, width))
        assert library.arm_avgpool_s8_get_buffer_size_dsp(4, depth) == average_pool_2d.buffer_size(depth)
        assert library.arm_fully_connected_s8_get_buffer_size_dsp(ctypes.byref(x)) == 0


def reasons(bundle: Bundle) -> dict[str, str]:
    return {layer.node.op: f"{layer.function}: {layer.reason}" for layer in bundle.layers}


def test_every_layer_calls_cmsis_nn_or_says_that_it_has_none() -> None:
    bundle = compile_graph(read_graph(MODELS / "kws/model.tflite"), "cmsis-nn")
    told = reasons(bundle)
    assert told["conv_2d"] == "arm_convolve_wrapper_s8: takes arm_convolve_1x1_s8_fast"
    assert told["depthwise_conv_2d"] == "arm_depthwise_conv_wrapper_s8: takes arm_depthwise_conv_s8_opt"
    assert told["mean"].startswith("eiq_mean: own kernel: CMSIS-NN has none; ")
    for layer in bundle.layers:
        assert layer.function.startswith("arm_") or "own kernel" in layer.reason
    assert '#include "arm_nnfunctions.h"' in bundle.c
    assert "eiq_conv" not in bundle.c


def test_what_is_not_int8_stays_ours(tmp_path: Path) -> None:
    b = Builder()
    x, y = b.tensor((1, 4), "float32"), b.tensor((1, 4), scale=0.5)
    b.op("QUANTIZE", [x], [y])
    (tmp_path / "m.tflite").write_bytes(b.model([x], [y]))
    bundle = compile_graph(read_graph(tmp_path / "m.tflite"), "cmsis-nn")
    assert reasons(bundle)["quantize"].startswith("eiq_quantise: own kernel: CMSIS-NN has none; ")


@pytest.mark.parametrize(("named", "says"), [(None, "environment variable CMSIS_NN"), ("/nowhere", "names /nowhere")])
def test_without_its_sources_one_sentence(named: str | None, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMSIS_NN", raising=False)
    if named:
        monkeypatch.setenv("CMSIS_NN", named)
    with pytest.raises(MissingDependency, match=says):
        sources()
