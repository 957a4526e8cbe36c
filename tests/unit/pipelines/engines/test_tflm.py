import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny_models
from demos import in_process
from pipelines.engines.tflite import Tflite
from pipelines.engines.tflm import Tflm
from pipelines.errors import DataError, MissingDependency, ModelError, SignalMismatch

pytest.importorskip("tflite_micro")
MODELS = Path(__file__).parents[4] / "models"
Build = Callable[..., Tflm]
X = np.array([[0.25, -1.25, 2.5, 300.0]], np.float32)


@pytest.fixture
def tflm(tmp_path: Path) -> Build:
    def build(model: bytes) -> Tflm:
        path = tmp_path / "model.tflite"
        path.write_bytes(model)
        return Tflm(Tflm.Config(model=str(path)), path)

    return build


def test_the_specs_are_the_models(tflm: Build) -> None:
    engine = tflm(tiny_models.add_and_subtract("int8", scale=0.5))
    assert [spec.name for spec in (*engine.inputs, *engine.outputs)] == ["a", "b", "difference", "sum"]
    assert [(spec.scale, spec.shape, spec.dtype) for spec in engine.inputs] == [(0.5, (1, 4), "int8")] * 2


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 0), ("int8", 0.5), ("int16", 0.25), ("int32", 0)])
def test_every_type_takes_the_same_real_values(tflm: Build, tflite: Any, dtype: str, scale: float) -> None:
    model = tiny_models.copy(dtype, (1, 4), scale)
    np.testing.assert_array_equal(tflm(model).infer(X)[0], tflite(model, kernels="reference").infer(X)[0])


def test_an_array_need_not_be_contiguous(tflm: Build) -> None:
    wide = np.arange(8, dtype=np.float32)[None]
    assert tflm(tiny_models.copy()).infer(wide[:, ::2])[0].tolist() == [[0, 2, 4, 6]]


@pytest.mark.parametrize(("name", "arena"), [("kws", 47_296), ("cifar10", None)])
def test_it_says_what_the_reference_kernels_say_and_how_much_arena_it_takes(name: str, arena: int | None) -> None:
    path = MODELS / name / "model.tflite"
    micro, reference = Tflm(Tflm.Config(model=name), path), Tflite(Tflite.Config(model=name, kernels="reference"), path)
    rng = np.random.default_rng(1)
    for _ in range(3):
        x = rng.normal(0, 25, micro.inputs[0].shape).astype(np.float32)
        assert np.abs(micro.infer(x)[0] - reference.infer(x)[0]).max() <= 2 / 256  # a fully connected layer's rounding
    assert micro.description.startswith("tflite-micro 0.")
    assert micro.description.endswith(f", reference kernels, {micro.arena:,} bytes of arena")
    assert arena in (None, micro.arena)
    # the largest tensors that live at one time must lie in it, and a board's RAM must be enough
    assert max(np.prod(spec.shape) for spec in (*micro.inputs, *micro.outputs)) < micro.arena < 300_000


def test_it_says_that_it_holds_the_gil() -> None:
    assert Tflm.holds_gil


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (tiny_models.with_custom_operator("Magic"), "needs the operator CUSTOM, which it does not have"),
        (tiny_models.accumulator(), "needs the operator RNN, which it does not have (tflite-micro 0."),
        (tiny_models.copy("bool"), "input 'x' holds bool, expected numbers"),
        (tiny_models.copy(shape=(1, 0)), "Dynamic tensors are not supported"),
        (tiny_models.copy("int8", scale=(0.5, 0.25, 0.1, 0.2)), "input 'x' has 4 scales, expected one"),
        (tiny_models.copy()[:-4], "is cut short or damaged"),
        (
            tiny_models.model(
                [tiny_models.Tensor("x", "float32", (1, 4))], [tiny_models.Operator(22, [9], [0])], [0], [0]
            ),
            "is damaged: operator 0 names tensors or a code that it does not have; fetch it again",
        ),
    ],
)
def test_a_model_that_cannot_run_is_refused_in_one_sentence(
    tflm: Build, capfd: pytest.CaptureFixture[str], model: bytes, said: str
) -> None:
    with pytest.raises(ModelError) as error:
        tflm(model)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_single_number_goes_in_and_out(tflm: Build) -> None:
    tensors = [tiny_models.Tensor(name, "float32", ()) for name in "aby"]
    engine = tflm(tiny_models.model(tensors, [tiny_models.Operator(0, [0, 1], [2])], [0, 1], [2]))
    assert engine.infer(np.array(1.5, np.float32), np.array(2.0, np.float32))[0] == 3.5


def test_wrong_input_is_refused(tflm: Build) -> None:
    engine = tflm(tiny_models.copy("int8", (1, 4), 0.5))
    with pytest.raises(SignalMismatch, match=r"got an array of shape \[4\], expected x \[1, 4\] int8"):
        engine.infer(X[0])
    with pytest.raises(DataError, match="not a number"):
        engine.infer(np.full((1, 4), np.nan, np.float32))


def test_no_runtime_says_what_to_install(tflm: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(MissingDependency, match=r"the engine tflm needs .*pip install 'eiq-demo\[tflm\]'"):
        tflm(tiny_models.copy())


def test_the_bundled_demo_runs_on_it(tmp_path: Path) -> None:
    done = in_process("run", "kws.yaml", "--engine", "tflm", "--fast", cwd=tmp_path)
    assert done.returncode == 0
    assert "model kws: tflite-micro 0." in done.stderr
    assert "47,296 bytes of arena" in done.stderr
    assert len(done.stdout.splitlines()) == 6
