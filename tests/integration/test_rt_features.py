"""Features on a Cortex-M7, and streams of them from boards: the bits of the golden vectors, everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hal.rt.board import Board
from hal.rt.firmware import ModelSource, Recorded, build, needed, start
from hal.rt.readings import Window
from pipelines.core import Frame, TensorSpec
from pipelines.engines.bundle import Bundle
from pipelines.quantise import Quantiser
from pipelines.resources import bundled
from pipelines.transforms import window
from tests import mfcc_golden
from tests.board_features import frames, on_a_cortex_m7

# of a frame, the most of all; measured with gcc 12.2: 34,160 for a transform of 512 points, 40 bands and 10
# coefficients, 67,447 of 1,024 points with magnitudes, 114,811 of 2,048 points and 32 bands
MOST_INSTRUCTIONS = {"kws": 36_000, "ds_cnn": 71_000, "db": 17_000, "mel": 121_000}


@pytest.mark.parametrize("flags", ["-O0", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("name", mfcc_golden.RECIPES)
def test_a_cortex_m7_gives_the_golden_bits(tmp_path: Path, name: str, flags: str) -> None:
    length = mfcc_golden.step_of(name)[1]
    windows = mfcc_golden.windows()[:, :length]
    bits, instructions = on_a_cortex_m7(mfcc_golden.tables_of(name), windows, tmp_path, flags)
    np.testing.assert_array_equal(bits, np.concatenate(np.load(mfcc_golden.FILE)[f"{name}_bits"]))
    assert flags != "-O2" or instructions < MOST_INSTRUCTIONS[name]


# ---- streams of boards ---------------------------------------------------------------------------------------------


HOP, LENGTH = 1600, 16_000
MODEL = bundled() / "models" / "kws" / "model.tflite"


def windows_of(name: str, sound: np.ndarray, *, features_only: bool) -> list[Window]:
    """All windows of a recording that the board's microphone hears."""
    if missing := needed(name):
        pytest.skip(missing)
    length_ms, config = mfcc_golden.RECIPES["kws"]
    step = window.Window.Config(length_ms=length_ms, hop_ms=100)
    image = build(name, [ModelSource("kws", MODEL, step, config, mfcc_golden.RATE_HZ)])
    heard = Recorded("microphone", mfcc_golden.RATE_HZ, (), sound, 1 / 32768)
    with start(image, [heard]) as running, closing(Board(running.connect, lambda _: None)) as board:
        board.open()
        assert board.models[0].info.recipe == mfcc_golden.tables_of("kws").recipe
        board.start_stream(0, 0, HOP, fast=True, features_only=features_only)
        return list(read_all(board))


def read_all(board: Board) -> Iterator[Window]:
    asked, deadline = 0, time.monotonic() + 100
    while True:
        read = board.read_stream(asked)
        if read.blob is not None:
            yield read
            asked = read.window + 1
        elif read.ended:
            assert read.ready == asked
            return
        assert time.monotonic() < deadline, f"window {asked} does not come"


def kws_input() -> TensorSpec:
    with closing(Bundle(Bundle.Config(model=str(MODEL)), MODEL)) as engine:
        return engine.inputs[0]


@pytest.mark.parametrize("name", ["host", "mps2-an500"])
def test_a_boards_features_are_those_of_c_here_and_the_pipelines_within_one(name: str, tmp_path: Path) -> None:
    sound = mfcc_golden.recording()[: 6 * mfcc_golden.RATE_HZ]
    spec = kws_input()
    stored = Quantiser(TensorSpec(spec.name, (49, 10), spec.dtype, spec.scale, spec.zero_point))
    here, (step, _) = frames(mfcc_golden.tables_of("kws"), tmp_path), mfcc_golden.step_of("kws")
    came = windows_of(name, sound, features_only=True)
    assert [read.window for read in came] == list(range(1 + (len(sound) - LENGTH) // HOP))
    differing = 0
    for read in came:
        samples = sound[read.window * HOP :][:LENGTH]
        assert read.blob == stored(here(samples, 320)).tobytes()
        (wanted,) = step.process(Frame(samples.astype(np.float32) / 32768, 0.0, 0, read.window * HOP))
        off = np.frombuffer(read.blob, np.int8).astype(int) - stored(wanted.array).ravel()
        assert np.abs(off).max() <= 1
        differing += np.count_nonzero(off)
    assert differing <= 2  # of 24,990; measured: none


@pytest.mark.parametrize("name", ["host", "mps2-an500"])
def test_a_boards_stream_ends_in_the_models_output_here(name: str) -> None:
    sound = mfcc_golden.recording()[8000 : 8000 + 24_000]
    step, _ = mfcc_golden.step_of("kws")
    came = windows_of(name, sound, features_only=False)
    assert len(came) == 6
    with closing(Bundle(Bundle.Config(model=str(MODEL)), MODEL)) as engine:
        spec = engine.outputs[0]
        for read in came:
            samples = sound[read.window * HOP :][:LENGTH].astype(np.float32) / 32768
            (features,) = step.process(Frame(samples, 0.0, 0, read.window * HOP))
            (wanted,) = engine.infer(features.array.reshape(engine.inputs[0].shape))
            assert read.blob is not None
            real = (np.frombuffer(read.blob, spec.dtype).astype(np.float32) - spec.zero_point) * np.float32(spec.scale)
            np.testing.assert_array_equal(real, wanted.ravel())
            assert read.inference_ticks > 0
            assert read.feature_ticks > 0
