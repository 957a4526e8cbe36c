"""Written here, run by ONNX Runtime, compared with what LiteRT says of the same .tflite."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import tiny_models
from apps.to_onnx import OPERATORS, main, to_onnx
from compiler.reader import read_graph
from pipelines.engines.onnx import Onnx
from pipelines.engines.tflite import Tflite
from pipelines.errors import EiqError, ModelError
from random_graphs import Case, float_graphs

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tflite")
MODELS = Path(__file__).parents[3] / "models"


def both(path: Path) -> tuple[Tflite, Onnx]:
    written = path.with_suffix(".onnx")
    written.write_bytes(to_onnx(read_graph(path)))
    return Tflite(Tflite.Config(model="m", kernels="builtin"), path), Onnx(Onnx.Config(model="m"), written)


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(case=float_graphs().filter(lambda case: {name.lower() for name in case.operators} <= set(OPERATORS)))
def test_any_float_network_gives_the_same(case: Case, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("onnx") / "m.tflite"
    path.write_bytes(case.model)
    try:
        litert, onnx = both(path)
    except ModelError as refused:  # an activation, a mean over other axes
        if not re.search(r"^operator \d+ \(\w+\) (has the activation|is not over|has beta)", str(refused)):
            raise
        return
    rng = np.random.default_rng(1)
    x = [rng.normal(0, 2, spec.shape).astype(np.float32) for spec in litert.inputs]
    assert [spec.shape for spec in litert.inputs] == [spec.shape for spec in onnx.inputs]
    for y, expected in zip(onnx.infer(*x), litert.infer(*x), strict=True):
        np.testing.assert_allclose(y, expected, atol=2e-5 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("name", ["cifar10", "kws", "gesture", "gesture_camera", "fan_state", "anomaly"])
def test_a_quantised_network_becomes_real_numbers(name: str, tmp_path: Path) -> None:
    """Within what its int8 activations round, and of the weights that ship as float."""
    path = tmp_path / "m.tflite"
    path.write_bytes((MODELS / name / "model.tflite").read_bytes())
    _, onnx = both(path)
    shipped = Onnx(Onnx.Config(model=name), MODELS / name / "model.onnx")
    assert [(s.name, s.shape) for s in onnx.inputs] == [(s.name, s.shape) for s in shipped.inputs]
    x = np.random.default_rng(1).random(shipped.inputs[0].shape, np.float32) - (
        10 if name in ("fan_state", "anomaly") else 0
    )
    y, expected = onnx.infer(x)[0], shipped.infer(x)[0]
    assert np.abs(y - expected).max() < 0.1 * max(1, np.abs(expected).max())
    assert y.argmax() == expected.argmax()


@pytest.mark.parametrize("name", ["cifar10", "kws", "gesture", "gesture_camera", "fan_state", "anomaly"])
def test_the_shipped_float_network_is_the_int8_ones(name: str) -> None:
    """Each int8 weight is a float one rounded, so that scores differ by rounding alone."""
    graph = read_graph(MODELS / name / "model.tflite")
    onnx = pytest.importorskip("onnx")
    file = onnx.load(MODELS / name / "model.onnx")
    floats = [onnx.numpy_helper.to_array(c) for c in file.graph.initializer]
    for node in graph.nodes:
        if node.op not in ("conv_2d", "depthwise_conv_2d", "fully_connected"):
            continue
        tensor = graph.tensors[node.inputs[1]]
        scales = np.array(tensor.scales).reshape([-1 if i == tensor.axis and len(tensor.scales) > 1 else 1
                                                  for i in range(len(tensor.shape))])  # fmt: skip
        laid = {"conv_2d": (0, 3, 1, 2), "depthwise_conv_2d": (3, 0, 1, 2), "fully_connected": (1, 0)}[node.op]
        stored, scales = tensor.data.transpose(laid), np.broadcast_to(scales, tensor.shape).transpose(laid)
        assert any(w.shape == stored.shape and np.abs(w / scales - stored).max() < 0.501 for w in floats), node


def test_an_operator_without_counterpart_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tiny_models.add_and_subtract())
    with pytest.raises(ModelError, match=r"operator 1 \(sub\) has no counterpart here, expected one of: add, "):
        to_onnx(read_graph(tmp_path / "m.tflite"))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["to_onnx", str(MODELS / "kws/model.tflite"), str(tmp_path / "k.onnx")])
    main()
    assert capsys.readouterr().err == f"wrote {tmp_path / 'k.onnx'}\n"
    assert Onnx(Onnx.Config(model="m"), tmp_path / "k.onnx").inputs[0].shape == (1, 49, 10, 1)
    monkeypatch.setattr(sys, "argv", ["to_onnx"])
    with pytest.raises(EiqError, match="got 0 arguments, expected two"):
        main()
