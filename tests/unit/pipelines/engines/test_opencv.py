import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny_models
import tiny_networks
import tiny_onnx
from demos import in_process
from pipelines.engines.opencv import Opencv
from pipelines.errors import DataError, MissingDependency, ModelError, SignalMismatch
from tiny_onnx import Node, Tensor, Value

cv2 = pytest.importorskip("cv2")
MODELS = Path(__file__).parents[4] / "models"
FIVE = cv2.__version__.startswith("5.")
X = np.array([[0.25, -1.25, 2.5, 300.0]], np.float32)
Build = Callable[..., Opencv]


@pytest.fixture
def opencv(tmp_path: Path) -> Build:
    def build(model: bytes, name: str = "model.onnx", **config: Any) -> Opencv:
        path = tmp_path / name
        path.write_bytes(model)
        return Opencv(Opencv.Config(model=str(path), **config), path)

    return build


@pytest.mark.parametrize("name", ["cifar10", "kws", "gesture", "gesture_camera", "fan_state", "anomaly"])
def test_our_models_say_what_onnx_runtime_says(name: str) -> None:
    runtime = pytest.importorskip("onnxruntime")
    path = MODELS / name / "model.onnx"
    engine, other = Opencv(Opencv.Config(model=name), path), runtime.InferenceSession(path.read_bytes())
    rng = np.random.default_rng(1)
    for _ in range(5):
        x = rng.normal(0, 2, engine.inputs[0].shape).astype(np.float32)
        (expected,) = other.run(None, {engine.inputs[0].name: x})
        np.testing.assert_allclose(engine.infer(x)[0], expected, atol=2e-4)


@pytest.mark.parametrize("name", ["cifar10", "kws", "gesture", "gesture_camera", "fan_state", "anomaly"])
def test_every_model_of_ours_runs(name: str) -> None:
    """Also where there is no ONNX Runtime, as in Debian's OpenCV 4.6."""
    engine = Opencv(Opencv.Config(model=name), MODELS / name / "model.onnx")
    (y,) = engine.infer(np.ones(engine.inputs[0].shape, np.float32))
    assert y.shape == engine.outputs[0].shape
    assert np.isfinite(y).all()


def test_several_inputs_and_outputs_keep_the_models_order(opencv: Build) -> None:
    engine = opencv(tiny_onnx.add_and_subtract())
    assert [spec.name for spec in (*engine.inputs, *engine.outputs)] == ["a", "b", "difference", "sum"]
    difference, total = engine.infer(np.full((1, 4), 5, np.float32), np.full((1, 4), 2, np.float32))
    assert (difference.tolist(), total.tolist()) == ([[3] * 4], [[7] * 4])


def test_an_array_need_be_neither_contiguous_nor_float32(opencv: Build) -> None:
    engine = opencv(tiny_onnx.copy())
    assert engine.infer(np.arange(8.0)[None, ::2])[0].tolist() == [[0, 2, 4, 6]]


def test_an_open_batch_is_1(opencv: Build) -> None:
    assert opencv(tiny_onnx.copy("float32", ["N", 4])).inputs[0].shape == (1, 4)


def test_it_says_what_runs(opencv: Build) -> None:
    description = opencv(tiny_onnx.add_and_subtract(), threads=2).description
    assert description.startswith(f"OpenCV {cv2.__version__}, ONNX, CPU for all ")
    assert description.endswith(" layers, 2 threads")


# ---- other formats -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(FIVE, reason="OpenCV 5 does not read Caffe")
def test_caffe(opencv: Build, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(tiny_networks.PROTOTXT)
    named = {"definition": str(tmp_path / "net.prototxt"), "input_shape": (1, 4)}
    engine = opencv(tiny_networks.caffemodel(), "net.caffemodel", **named)
    np.testing.assert_allclose(engine.infer(X)[0], X @ tiny_networks.WEIGHTS + tiny_networks.BIAS, rtol=1e-6)
    assert ", Caffe, CPU for all " in engine.description
    with pytest.raises(ModelError, match=r"holds weights alone; name the network's .prototxt with engine.definition"):
        opencv(tiny_networks.caffemodel(), "net.caffemodel", input_shape=(1, 4))
    with pytest.raises(ModelError, match="does not say how large its input is; say it with engine.input_shape"):
        opencv(tiny_networks.caffemodel(), "net.caffemodel", definition=named["definition"])


def test_tensorflow(opencv: Build) -> None:
    engine = opencv(tiny_networks.frozen_graph(), "net.pb", input_shape=(1, 4))
    np.testing.assert_allclose(engine.infer(X)[0], X @ tiny_networks.WEIGHTS, rtol=1e-6)
    with pytest.raises(ModelError, match="looks like text, expected a frozen TensorFlow graph"):
        opencv(b"hello", "net.pb", input_shape=(1, 4))


def test_tflite_is_refused(opencv: Build) -> None:
    with pytest.raises(ModelError, match=r"does not read reliably; convert it with python -m apps.to_onnx"):
        opencv(tiny_models.add_and_subtract(), "net.tflite")


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (tiny_onnx.copy("int8"), "input 'x' is no float32 (ONNX's type 3), expected float32 of a fixed shape"),
        (tiny_onnx.copy("float32", ["N", "T", 4]), "input 'x' is [any, any, 4], expected float32 of a fixed shape"),
        (tiny_onnx.copy()[:-9], "is cut short or damaged"),
        (
            tiny_onnx.model(
                [Node("Nope", ["x"], ["y"])], [Value("x", "float32", (1, 4))], [Value("y", "float32", (1, 4))]
            ),
            "cannot be run by OpenCV",
        ),
        (
            tiny_onnx.scaled(Tensor("w", np.ones(4, np.float32), external="../weights.bin")),
            "keeps the weights 'w' in another file",
        ),
        (b"\x80\x04\x95hello", "looks like a pickle"),
        (
            tiny_onnx.model(
                [Node("Relu", ["nowhere"], ["y"])], [Value("x", "float32", (1, 4))], [Value("y", "float32", (1, 4))]
            ),
            "is damaged: it takes 'nowhere', which nothing in it gives",
        ),
    ],
)
def test_a_model_that_cannot_run_is_refused_in_one_sentence(
    opencv: Build, capfd: pytest.CaptureFixture[str], model: bytes, said: str
) -> None:
    with pytest.raises(ModelError) as error:
        opencv(model)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_picture_of_another_layout_is_refused(tmp_path: Path) -> None:
    engine = Opencv(Opencv.Config(model="m"), MODELS / "cifar10/model.onnx")
    with pytest.raises(SignalMismatch, match=r"an array of shape \[1, 3, 32, 32\], expected input0 \[1, 32, 32, 3\]"):
        engine.infer(np.zeros((1, 3, 32, 32), np.float32))


def test_a_definition_of_what_needs_none_is_refused(opencv: Build) -> None:
    with pytest.raises(ModelError, match="needs no engine.definition; leave it out"):
        opencv(tiny_onnx.copy(), definition="net.prototxt")


def test_no_opencv_says_what_to_install(opencv: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependency, match=r"the engine opencv needs .*pip install 'eiq-demo\[desktop\]'"):
        opencv(tiny_onnx.copy())


def test_the_bundled_demo_runs_on_it(tmp_path: Path) -> None:
    done = in_process("run", "cifar10.yaml", "--engine", "opencv", "--fast", cwd=tmp_path)
    assert done.returncode == 0
    assert f"model cifar10: OpenCV {cv2.__version__}, ONNX, CPU for all " in done.stderr
    other = in_process("run", "cifar10.yaml", "--fast", cwd=tmp_path)
    labels, others = ([line.split()[2] for line in run.stdout.splitlines()] for run in (done, other))
    assert labels == others
    assert len(labels) == 10


@pytest.mark.skipif(FIVE, reason="OpenCV 5 does not read Caffe")
@pytest.mark.parametrize(("old", "new"), [(b"num_output", b"num_outpup"), (b"InnerProduct", b"Inner\xb8roduct")])
def test_a_prototxt_that_crashes_opencv_ends_no_program(opencv: Build, tmp_path: Path, old: bytes, new: bytes) -> None:
    """4.14 dies of these, 4.6 refuses them."""
    (tmp_path / "net.prototxt").write_bytes(tiny_networks.PROTOTXT.encode().replace(old, new))
    with pytest.raises(ModelError, match="net.caffemodel (in OpenCV .* ended the process|cannot be run by OpenCV)"):
        opencv(
            tiny_networks.caffemodel(), "net.caffemodel", definition=str(tmp_path / "net.prototxt"), input_shape=(1, 4)
        )


def test_a_nan_is_no_zero(opencv: Build) -> None:
    """OpenCV's ReLU makes 0 of a NaN: the scores would be believable."""
    x, y = (Value(name, "float32", [1, 4]) for name in "xy")
    engine = opencv(tiny_onnx.model([Node("Relu", ["x"], ["y"])], [x], [y]))
    assert engine.infer(np.array([[1, -2, np.inf, 0]], np.float32))[0].tolist() == [[1, 0, np.inf, 0]]
    with pytest.raises(DataError, match="a value for the model's input 'x' is not a number"):
        engine.infer(np.array([[1, 2, np.nan, 4]], np.float32))
