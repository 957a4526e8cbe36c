"""Other formats through their converters, as docs/compile.md has it: what comes out compiles and keeps its bits.

Those that cannot live in this environment are taken from the virtual environments that EIQ_CONVERTERS names (DIR:DIR).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from compiled import function
from compiler.emit import compile_graph
from compiler.reader import read_graph

pytestmark = pytest.mark.training
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/compile.md").read_text()
CHECK = "calibration_image_sample_data_20x128x128x3_float32.npy"
CAFFE = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 8 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "relu" }
layer { name: "pool" type: "Pooling" bottom: "relu" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "full" type: "InnerProduct" bottom: "pool" top: "full" inner_product_param { num_output: 4 } }
layer { name: "prob" type: "Softmax" bottom: "full" top: "prob" }
"""
CAFFE_WEIGHTS = """
import numpy as np
from caffe2onnx.proto import caffe_upsample_pb2 as caffe
from google.protobuf import text_format
net, rng = caffe.NetParameter(), np.random.default_rng(0)
text_format.Merge(open("NET.prototxt").read(), net)
for layer in net.layer:
    for shape in {"conv": [(8, 3, 3, 3), (8,)], "full": [(4, 128), (4,)]}.get(layer.name, []):
        blob = layer.blobs.add()
        blob.shape.dim.extend(shape)
        blob.data.extend(rng.normal(0, 0.2, shape).ravel().tolist())
open("NET.caffemodel", "wb").write(net.SerializeToString())
"""
LITERT = """
import torch
model, example = torch.load("model.pt", weights_only=False).eval(), torch.zeros(1, 3, 16, 16)
"""


@cache
def python_with(module: str) -> str:
    """The interpreter of an environment that has it."""
    folders = [Path(folder) / "bin/python" for folder in os.environ.get("EIQ_CONVERTERS", "").split(":") if folder]
    for python in map(str, [sys.executable, *folders]):
        found = subprocess.run([python, "-c", f"import importlib.util as u; exit(not u.find_spec('{module}'))"],
                               capture_output=True, check=False)  # fmt: skip
        if found.returncode == 0:
            return python
    pytest.skip(f"needs {module}, in an environment of its own that EIQ_CONVERTERS names")


def documented(start: str, language: str = "sh") -> str:
    """The block of the page that starts so, or its line."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [block if language == "python" else line for block in blocks for line in block.splitlines()]
    return next(text for text in lines if start in text)


def run(command: str, folder: Path, **env: str) -> None:
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""} | env)  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def reference(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    kernels = litert.OpResolverType.BUILTIN_REF
    interpreter = litert.Interpreter(model_path=str(path), experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()

    def call(stored: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(x["index"], stored)
        interpreter.invoke()
        return interpreter.get_tensor(y["index"])

    return call


def compiles(path: Path, folder: Path) -> None:
    """The bundle gives the reference's bits, on inputs that give more than one answer."""
    pytest.importorskip("tflite", reason="needs the compiler's package: pip install 'eiq-demo[compile]'")
    graph = read_graph(path)
    ours, theirs, rng = function(compile_graph(graph), folder), reference(path), np.random.default_rng(3)
    answers = set()
    for _ in range(30):
        noise = rng.normal(rng.uniform(-100, 100), 60, graph.tensors[graph.inputs[0]].shape)
        stored = np.clip(np.rint(noise), -128, 127).astype(np.int8)
        expected = theirs(stored)
        np.testing.assert_array_equal(ours(stored), expected)
        answers.add(expected.tobytes())
    assert len(answers) > 2


@pytest.fixture
def samples(tmp_path: Path) -> np.ndarray:
    rng = np.random.default_rng(0)
    np.save(tmp_path / CHECK, rng.random((20, 128, 128, 3), np.float32))
    found = rng.random((64, 16, 16, 3), np.float32)
    np.save(tmp_path / "SAMPLES.npy", found)
    return found


def keras_model() -> object:
    keras = pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = inputs = keras.Input((16, 16, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same")(x)))
    x = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(layers.Conv2D(12, 1, activation="relu")(x)))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(x))


@pytest.mark.parametrize("name", ["MODEL.keras", "MODEL.h5", "MODEL"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.usefixtures("samples")
def test_keras_and_saved_models(name: str, tmp_path: Path) -> None:
    model = keras_model()
    if name == "MODEL":
        model.export(tmp_path / name, verbose=False)
    else:
        model.save(tmp_path / name)
    command = documented("python -m apps.convert").replace("MODEL.keras", name)
    run(command.replace("python", sys.executable, 1), tmp_path)
    compiles(tmp_path / "MODEL.tflite", tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.usefixtures("samples")
def test_what_cannot_be_converted_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "MODEL.keras").write_bytes(b"no model")
    keras_model().save(tmp_path / "OTHER.keras")
    np.save(tmp_path / "OTHER.npy", np.zeros((4, 5, 5, 3), np.float32))
    for arguments in (("MODEL.keras", "SAMPLES.npy"), ("GONE.keras", "SAMPLES.npy"), ("OTHER.keras", "OTHER.npy")):
        done = subprocess.run([sys.executable, "-m", "apps.convert", *arguments, "out.tflite"], cwd=tmp_path, text=True,
                              capture_output=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert f"{arguments[0]} cannot be converted (" in done.stderr.splitlines()[-1]
        assert not (tmp_path / "out.tflite").exists()


def torch_model() -> object:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.ReLU(),
        nn.Conv2d(8, 12, 1), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4),
        nn.Softmax(1),
    ).eval()  # fmt: skip


def from_onnx(name: str, model: str, folder: Path) -> Path:
    python = python_with("onnx2tf")
    command = documented("onnx2tf -i").replace("MODEL.onnx", model).replace("DIR", "out").replace("picture", name)
    run(command.replace("onnx2tf", f"{Path(python).parent}/onnx2tf", 1), folder)
    return folder / "out" / f"{Path(model).stem}_full_integer_quant.tflite"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("samples")
def test_pytorch_by_way_of_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python_with("onnx2tf")
    model = torch_model()
    monkeypatch.chdir(tmp_path)
    import torch

    exec(documented("torch.onnx.export", "python"), {"model": model, "example": torch.zeros(1, 3, 16, 16)})
    compiles(from_onnx("picture", "model.onnx", tmp_path), tmp_path)


def test_pytorch_by_litert_torch(samples: np.ndarray, tmp_path: Path) -> None:
    python = python_with("litert_torch")
    model = torch_model()
    import torch

    torch.save(model, tmp_path / "model.pt")
    np.save(tmp_path / "samples.npy", samples.transpose(0, 3, 1, 2))
    (tmp_path / "convert.py").write_text(LITERT + documented("import litert_torch", "python"))
    run(f"{python} convert.py", tmp_path)
    compiles(tmp_path / "model.tflite", tmp_path)


def test_caffe_by_way_of_onnx(samples: np.ndarray, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    python_with("onnx2tf")
    python = python_with("caffe2onnx")
    (tmp_path / "NET.prototxt").write_text(CAFFE)
    (tmp_path / "weights.py").write_text(CAFFE_WEIGHTS)
    run(f"{python} weights.py", tmp_path, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python")
    run(documented("-m caffe2onnx.convert").replace("=python python", f"=python {python}"), tmp_path)
    compiles(from_onnx("data_input", "NET.onnx", tmp_path), tmp_path)
    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "NET.prototxt"), str(tmp_path / "NET.caffemodel"))
    ours = reference(tmp_path / "out/NET_float32.tflite")
    for sample in samples[:5]:
        net.setInput(np.ascontiguousarray(sample.transpose(2, 0, 1)[None]))
        np.testing.assert_allclose(ours(sample[None]), net.forward(), atol=1e-6)
