"""A body keeps its arithmetic, and a new head is what Python computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny_models
from apps.flatbuffer import packed, schema, unpacked
from apps.label_image.surgery import Body
from pipelines.engines._flatbuffer import read_model
from pipelines.engines.tflite import Tflite
from pipelines.errors import ModelError

pytest.importorskip("ai_edge_litert.tools", reason="changing a .tflite needs ai-edge-litert")
MODELS = Path(__file__).parents[4] / "models"
BODIES = [MODELS / "cifar10/model.tflite", MODELS / "kws/model.tflite"]
OTHERS = ["label_image/mobilenet_v1_0.25_128_quant.tflite", "nxp_eiq/mobilenet_v1_0.25_128_quant_int8.tflite",
          "nxp_eiq/cifarnet_quant_int8.tflite", "nxp_eiq/ds_cnn_s.tflite"]  # fmt: skip


def inputs(engine: Tflite, count: int = 4) -> list[np.ndarray]:
    spec = engine.inputs[0]
    rng = np.random.default_rng(1)
    if not spec.scale:
        return [rng.normal(-20, 60, spec.shape).astype(np.float32) for _ in range(count)]
    limits = np.iinfo(spec.dtype)
    return [rng.integers(limits.min, limits.max + 1, spec.shape).astype(spec.dtype) for _ in range(count)]


def check_new_head(path: Path, tflite: Callable[..., Tflite]) -> None:
    """The features are those in front of the old head, and the new head is softmax(W·f + b) of them."""
    body = Body(path.read_bytes(), path.name)
    rng = np.random.default_rng(2)
    weights, bias = rng.normal(0, 0.1, (3, body.size)).astype(np.float32), rng.normal(0, 1, 3).astype(np.float32)
    alone = tflite(body.features())
    examples = inputs(alone)
    features = np.stack([alone.infer(x)[0].ravel().copy() for x in examples]).astype(np.float64)
    assert features.shape == (4, body.size)
    assert features.std(axis=0).max() > 0  # they tell one picture from another
    logits = features @ weights.T.astype(np.float64) + bias
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    combined = tflite(Body(path.read_bytes(), path.name).with_head(weights, bias))
    assert combined.outputs[0].shape == (1, 3)
    assert combined.outputs[0].dtype == "float32"
    given_scores = np.concatenate([combined.infer(x)[0].copy() for x in examples])
    np.testing.assert_allclose(given_scores, odds / odds.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.parent.name)
def test_a_new_head_on_our_models(path: Path, tflite: Callable[..., Tflite]) -> None:
    check_new_head(path, tflite)


@pytest.mark.parametrize("name", OTHERS)
def test_a_new_head_on_models_of_others(name: str, shared_data: Path, tflite: Callable[..., Tflite]) -> None:
    check_new_head(shared_data / name, tflite)


def old_head(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights and bias of the last layer in real numbers, and the scale of its output."""
    model = unpacked(path.read_bytes())
    graph = model.subgraphs[0]
    dense = schema().BuiltinOperator.FULLY_CONNECTED, schema().BuiltinOperator.CONV_2D
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    last = [operator for operator in graph.operators if codes[operator.opcodeIndex] in dense][-1]
    _, weights, bias = (graph.tensors[i] for i in last.inputs)

    def real(tensor: Any, dtype: str) -> np.ndarray:
        stored = np.frombuffer(model.buffers[tensor.buffer].data, dtype).astype(np.float64).reshape(tensor.shape)
        scale, zero = np.array(tensor.quantization.scale), np.array(tensor.quantization.zeroPoint)
        wide = (-1,) + (1,) * (stored.ndim - 1)
        return (stored - zero.reshape(wide)) * scale.reshape(wide)

    w = real(weights, {3: "u1", 9: "i1"}[weights.type])
    scale = graph.tensors[last.outputs[0]].quantization.scale[0]
    return w.reshape(len(w), -1), real(bias, "<i4"), float(scale)


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.parent.name)
def test_the_old_head_in_float_answers_as_the_whole_model_did(path: Path, tflite: Callable[..., Tflite]) -> None:
    weights, bias, step = old_head(path)
    whole = tflite(path.read_bytes())
    again = tflite(Body(path.read_bytes(), "same").with_head(weights.astype(np.float32), bias.astype(np.float32)))
    for x in inputs(whole):
        one, other = whole.infer(x)[0].ravel().copy(), again.infer(x)[0].ravel()
        # the old head rounds its logits to a step of its output, and its scores to 1/256
        assert np.abs(one - other).max() <= np.exp(step) - 1 + 2 / 256
        assert one[other.argmax()] >= one.max() - 0.05


def test_what_the_new_head_does_not_need_is_gone(shared_data: Path) -> None:
    path = shared_data / OTHERS[0]
    body = Body(path.read_bytes(), path.name)
    smaller = body.with_head(np.zeros((2, body.size), np.float32), np.zeros(2, np.float32))
    assert len(smaller) < len(path.read_bytes()) - 1001 * body.size + 10_000  # the weights of 1,001 classes
    model = unpacked(smaller)
    used = {int(t) for operator in model.subgraphs[0].operators for t in (*operator.inputs, *operator.outputs)}
    assert used == set(range(len(model.subgraphs[0].tensors)))
    assert {tensor.buffer for tensor in model.subgraphs[0].tensors} | {0} == set(range(len(model.buffers)))


def test_weights_stay_aligned(tmp_path: Path) -> None:
    """TFLite's schema wants 16 bytes, and reads the file in place."""
    data = BODIES[0].read_bytes()
    body = Body(data, "body")
    whole = body.with_head(np.full((3, body.size), 0.123, np.float32), np.zeros(3, np.float32))
    at = whole.find(np.full(8, 0.123, "<f4").tobytes())
    assert at > 0
    assert at % 16 == 0
    (tmp_path / "whole.tflite").write_bytes(whole)
    assert read_model(tmp_path / "whole.tflite") == whole  # every offset of it lies inside


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (tiny_models.copy(), "ends with its own input"),
        (tiny_models.with_custom_operator("Magic"), "ends with CUSTOM"),
        (tiny_models.add_and_subtract(), "1 graphs, 2 inputs and 2 outputs"),
    ],
    ids=["no network", "unknown", "two outputs"],
)
def test_a_model_without_a_head_is_refused(model: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Body(model, "mine.tflite")


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.parent.name)
def test_packing_what_was_unpacked_changes_no_answer(path: Path, tflite: Callable[..., Tflite]) -> None:
    before, after = tflite(path.read_bytes()), tflite(packed(unpacked(path.read_bytes())))
    for x in inputs(before):
        assert (before.infer(x)[0] == after.infer(x)[0]).all()
