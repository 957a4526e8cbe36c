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
from pipelines.engines._opencv_faults import fault
from pipelines.engines._protobuf import Graph
from pipelines.engines._protobuf import Node as Node_
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


# ---- what OpenCV computes otherwise than ONNX says ---------------------------------------------------------------


def _one(operator: str, x: list[int], y: list[int], *constants: Tensor, opset: int = 17, **integers: Any) -> bytes:
    node = Node(operator, ["x", *(tensor.name for tensor in constants)], ["y"], integers)
    return tiny_onnx.model([node], [Value("x", "float32", x)], [Value("y", "float32", y)], constants, opset)


@pytest.mark.parametrize(
    ("model", "what", "here"),
    [
        (_one("Softmax", [1, 3, 4, 5], [1, 3, 4, 5], opset=11), r"\(Softmax\) with axis 1 before opset 13", True),
        (_one("Softmax", [2, 3], [2, 3], opset=11, axis=0), r"\(Softmax\) with axis 0 before opset 13", True),
        (_one("PRelu", [1, 3, 4, 5], [1, 3, 4, 5], Tensor("slope", np.ones(5, np.float32))), "with a slope that", True),
        (
            _one("Concat", [1, 2, 3, 4], [1, 4, 3, 4], Tensor("c", np.ones((1, 2, 3, 4), np.float32)), axis=1),
            r"\(Concat\) with a constant",
            not FIVE,
        ),
        (
            _one("Add", [1, 1, 6, 6], [1, 1, 6, 6], Tensor("c", np.ones(6, np.float32))),
            r"\(Add\) with one row for a picture of one channel",
            not FIVE,
        ),
        (
            _one("Add", [1, 4, 7, 7], [1, 4, 7, 7], Tensor("c", np.ones(7, np.float32))),
            r"\(Add\) with one row for a picture of one channel, or a square one",
            not FIVE,
        ),
        (
            _one("ReduceMean", [1, 3, 4, 4], [1, 1, 1, 1], Tensor("axes", np.array([1, 2, 3])), opset=18),
            r"\(ReduceMean\) with axes",
            not FIVE,
        ),
    ],
)
def test_what_it_computes_otherwise_is_refused(opencv: Build, model: bytes, what: str, here: bool) -> None:
    if not here:
        opencv(model)
        return
    with pytest.raises(ModelError, match=f"has node 0 .*{what}.*, which OpenCV .* computes wrongly; use the engine on"):
        opencv(model)


@pytest.mark.parametrize("axis", [1, -1])
def test_a_softmax_over_the_last_axis_means_the_same_in_any_opset(opencv: Build, axis: int) -> None:
    x = np.array([[1, 2, 3]], np.float32)
    (y,) = opencv(_one("Softmax", [1, 3], [1, 3], opset=11, axis=axis)).infer(x)
    np.testing.assert_allclose(y, np.exp(x) / np.exp(x).sum(), rtol=1e-5)


def _pool(**attributes: Any) -> Graph:
    attributes = {"kernel_shape": (3, 3), "strides": (2, 2)} | attributes
    return _graph("AveragePool", attributes)


def _graph(operator: str, attributes: dict[str, Any], opset: int = 17, **values: tuple[float, ...]) -> Graph:
    node = Node_("n", operator, ("x", *values), ("y",), attributes)
    shapes: dict[str, tuple[int | None, ...]] = {"x": (1, 4, 9, 9)}
    shapes |= {name: (len(value),) for name, value in values.items()}
    return Graph(opset, (node,), frozenset("x"), frozenset(values), shapes, values)


def _conv(operator: str = "Conv", **attributes: Any) -> Graph:
    return _graph(operator, {"kernel_shape": (3, 3), "strides": (2, 2)} | attributes)


def _resize(nearest: str, where: str, scale: float = 2.0) -> Graph:
    attributes = {"mode": "nearest", "nearest_mode": nearest, "coordinate_transformation_mode": where}
    return _graph("Resize", attributes, roi=(), scales=(1, 1, scale, scale))


@pytest.mark.parametrize(
    ("graph", "wrong", "right"),
    [
        (_pool(pads=(1, 1, 1, 1), count_include_pad=1), [(4, 6), (4, 14)], [(5, 0)]),
        (_pool(pads=(1, 1, 1, 1)), [], [(4, 6), (4, 14), (5, 0)]),
        (_pool(ceil_mode=1), [], [(4, 6), (4, 14), (5, 0)]),
        (_pool(ceil_mode=1, strides=(4, 4)), [(4, 6), (4, 14), (5, 0)], []),
        (_pool(ceil_mode=1, pads=(1, 1, 1, 1)), [(5, 0)], [(4, 6), (4, 14)]),
        (_conv(auto_pad="SAME_LOWER"), [(4, 6), (4, 14), (5, 0)], []),
        (_conv(auto_pad="SAME_UPPER"), [(5, 0)], [(4, 6), (4, 14)]),
        (_conv(auto_pad="SAME_LOWER", strides=(1, 1)), [], [(4, 6), (4, 14), (5, 0)]),
        (_conv("MaxPool", dilations=(2, 2)), [(4, 6), (4, 14)], [(5, 0)]),
        (_conv("ConvTranspose", output_shape=(18, 18)), [(4, 14), (5, 0)], []),
        (_conv("ConvTranspose"), [], [(4, 14), (5, 0)]),
        (_resize("floor", "asymmetric"), [], [(4, 6), (4, 14), (5, 0)]),
        (_resize("ceil", "asymmetric"), [(4, 6), (4, 14)], [(5, 0)]),
        (_resize("floor", "asymmetric", 1.5), [(4, 6), (4, 14), (5, 0)], []),
        (_graph("ReduceL2", {"axes": (1,)}), [], [(4, 6), (4, 14), (5, 0)]),
        (_graph("ReduceL2", {"axes": (0,)}), [(4, 14)], [(4, 6), (5, 0)]),
        (_graph("ReduceMean", {}, 18, axes=(2,)), [(4, 6)], [(4, 10), (4, 14), (5, 0)]),
        (_graph("ReduceMean", {"axes": (1, 2, 3)}), [(4, 8), (4, 14)], [(4, 7), (5, 0)]),
        (_graph("ReduceMax", {"axes": (0, 1, 2, 3)}), [(4, 8), (4, 14)], [(4, 7), (5, 0)]),
        (_graph("ReduceMean", {"axes": (2, 3)}), [], [(4, 7), (4, 14), (5, 0)]),
        (_graph("Slice", {}, starts=(3.0,), ends=(0.0,), axes=(2.0,), steps=(-2.0,)), [(4, 6), (4, 14)], [(5, 0)]),
        (_graph("Slice", {}, starts=(0.0,), ends=(3.0,), axes=(2.0,), steps=(2.0,)), [], [(4, 6), (4, 14), (5, 0)]),
        (_graph("Add", {}, row=(1.0,) * 9), [(4, 6), (4, 14)], [(5, 0)]),
        (_graph("Add", {}, row=(1.0,)), [], [(4, 6), (4, 14), (5, 0)]),
        (_graph("Gemm", {"alpha": 0.5}), [(4, 6), (4, 8)], [(4, 10), (4, 14), (5, 0)]),
        (_graph("Split", {}, split=(1.0, 3.0)), [(4, 6)], [(4, 14), (5, 0)]),
        (_graph("Tile", {}, repeats=(1.0, 2.0)), [(4, 10)], [(4, 14), (5, 0)]),
    ],
)
def test_which_versions_are_wrong(graph: Graph, wrong: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    assert [bool(fault(graph, version)) for version in wrong] == [True] * len(wrong)
    assert [fault(graph, version) for version in right] == [""] * len(right)


def test_an_output_of_another_size_than_stated_is_refused(opencv: Build) -> None:
    with pytest.raises(
        ModelError, match=r"gives the output 'y' as \[1, 4\], expected \[1, 5\] as stated; use the engine"
    ):
        opencv(_one("Relu", [1, 4], [1, 5]))
    engine = opencv(_one("Relu", [1, 4], [4]))
    assert (engine.outputs[0].shape, engine.infer(X)[0].shape) == ((4,), (4,))
