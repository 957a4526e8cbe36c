from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tiny_models
from fakes import AUDIO, FakeEngine
from hal.sim.target import Sim
from pipelines.config.demo import load_demo
from pipelines.core import Array, Frame, Signal, TensorSpec
from pipelines.engine_stage import ResidualStage
from pipelines.engines.tflite import Tflite
from pipelines.errors import ConfigError, SignalMismatch
from pipelines.graph import resolve
from pipelines.run import run

FEATURES = Signal((2, 3), "float32", None, "features", ("ax_g", "ay_g", "az_g"))


class Halving:
    """y = x / 2, always in the same array, as an interpreter's output is."""

    inputs = outputs = (TensorSpec("x", (1, 2, 3), "float32"),)
    description = "halves"

    def __init__(self) -> None:
        self._y = np.empty((1, 2, 3), np.float32)

    def infer(self, *x: Array) -> tuple[Array, ...]:
        np.divide(x[0], 2, out=self._y)
        return (self._y,)

    def reset(self) -> None: ...

    def close(self) -> None: ...


def of(stage: ResidualStage, x: Array) -> Array:
    (frame,) = stage.process(Frame(x, 0.0, 0))
    return frame.array


@given(arrays.arrays(np.float32, (2, 3), elements=st.floats(-100, 100, width=32)))
def test_each_is_the_squared_difference_and_mean_its_mean(x: Array) -> None:
    np.testing.assert_allclose(of(ResidualStage(Halving(), "m", FEATURES, "each"), x), (x / 2) ** 2, rtol=1e-5)
    mean = of(ResidualStage(Halving(), "m", FEATURES, "mean"), x)
    assert mean.shape == (1,)
    np.testing.assert_allclose(mean[0], np.mean((x / 2) ** 2), rtol=1e-5)


def test_what_it_says_of_its_output() -> None:
    assert ResidualStage(Halving(), "m", FEATURES, "each").output == FEATURES
    assert ResidualStage(Halving(), "m", FEATURES, "mean").output == Signal(
        (1,), "float32", None, "scores", ("residual",)
    )


@pytest.mark.parametrize("what", ["each", "mean"])
def test_no_array_is_made_for_a_frame(what: str) -> None:
    stage = ResidualStage(Halving(), "m", FEATURES, what)  # type: ignore[arg-type]
    assert of(stage, np.ones((2, 3), np.float32)) is of(stage, np.zeros((2, 3), np.float32))


def test_of_an_int8_model_it_is_in_the_unit_of_the_input(tflite: Callable[..., Tflite]) -> None:
    """A model that gives back what it gets errs by its rounding alone."""
    stage = ResidualStage(tflite(tiny_models.copy("int8", (1, 2, 3), scale=0.5)), "m", FEATURES, "each")
    x = np.array([[0.0, 0.5, 0.1], [-0.2, 7.0, 100.0]], np.float32)  # 100 is beyond the input's range, 63.5
    np.testing.assert_allclose(of(stage, x), [[0, 0, 0.01], [0.04, 0, 36.5**2]], atol=1e-6)


def test_other_models_are_refused() -> None:
    with pytest.raises(SignalMismatch, match="an autoencoder, one output of the shape of its one input"):
        ResidualStage(FakeEngine((1, 2, 3)), "m", FEATURES, "mean")
    with pytest.raises(SignalMismatch, match="an autoencoder"):
        ResidualStage(FakeEngine((1, 2, 3), outputs=2), "m", FEATURES, "mean")
    with pytest.raises(SignalMismatch, match="float32, as a residual is a difference of real numbers"):
        ResidualStage(Halving(), "m", FEATURES.but(dtype="int8"), "mean")


DEMO = """
sensor: {motion: {rate_hz: 200, channels: [ax_g], synthetic: {fan: {seconds: 1}}}}
preprocess: [window: {length_ms: 500, hop_ms: 500}]
engine: {model: same.tflite, residual: RESIDUAL}
postprocess: [threshold: {above: 1, OF}]
"""


def resolved(folder: Path, residual: str, of: str = "of: 0", shape: tuple[int, ...] = (1, 100)) -> list[Signal]:
    (folder / "same.tflite").write_bytes(tiny_models.copy("float32", shape))
    (folder / "demo.yaml").write_text(DEMO.replace("RESIDUAL", residual).replace("OF", of))
    with ExitStack() as stack:
        target = Sim()
        (graph,) = resolve(load_demo(str(folder / "demo.yaml"), target), target, stack)
        return [stage.output for stage in graph.stages]


def test_in_a_demo(tmp_path: Path) -> None:
    assert [str(one) for one in resolved(tmp_path, "mean")][1] == "scores [1] float32 (residual)"
    assert [str(one) for one in resolved(tmp_path, "each")][1] == "features [100, 1] float32 (ax_g)"


def test_what_was_learned_behind_a_model_is_not_for_another_one_of_its_name(tmp_path: Path) -> None:
    learning = DEMO.replace("RESIDUAL", "each").replace("threshold: {above: 1, OF}", "LEARNS, threshold: {above: 3}")
    learning = learning.replace("LEARNS", f"gaussian: {{learn_s: 0.1, file: {tmp_path / 'normal.json'}}}")
    learning = learning.replace("500", "10").replace("same.tflite", "a/m.tflite")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/m.tflite").write_bytes(tiny_models.copy("int8", (1, 2), scale=0.01))
    (tmp_path / "demo.yaml").write_text(learning)
    for _ in range(2):  # the second time it is loaded
        _played(tmp_path / "demo.yaml")
    (tmp_path / "a/m.tflite").write_bytes(tiny_models.copy("int8", (1, 2), scale=0.02))
    with pytest.raises(
        ConfigError, match=r"normal.json was learned behind tflite m [0-9a-f]{12} each, expected tflite m"
    ):
        _played(tmp_path / "demo.yaml")


def _played(config: Path) -> None:
    with ExitStack() as stack:
        target = Sim()
        run(resolve(load_demo(str(config), target), target, stack), [])


def test_labels_and_a_residual_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave labels out"):
        resolved(tmp_path, "mean, labels: [a, b]")


def test_a_pictures_last_step_stays_itself(tmp_path: Path) -> None:
    """Its table would hand on what the model stores, of which no residual can be made."""
    (tmp_path / "same.tflite").write_bytes(tiny_models.copy("int8", (1, 2, 2, 3), scale=1 / 255, zero_point=-128))
    text = f"""
sensor: {{camera: {{file: {Path(__file__).parents[3] / "samples/cifar10"}}}}}
preprocess: [resize: {{width_px: 2, height_px: 2}}, scale: {{from: [0, 255], to: [0, 1]}}]
engine: {{model: same.tflite, residual: mean}}
postprocess: [threshold: {{above: 0.5}}]
"""
    (tmp_path / "demo.yaml").write_text(text)
    with ExitStack() as stack:
        target = Sim()
        (graph,) = resolve(load_demo(str(tmp_path / "demo.yaml"), target), target, stack)
        assert graph.stages[1].output.dtype == "float32"


def test_a_stream_is_refused_as_by_every_engine() -> None:
    with pytest.raises(SignalMismatch, match="put a window before the engine"):
        ResidualStage(Halving(), "m", AUDIO, "mean")
