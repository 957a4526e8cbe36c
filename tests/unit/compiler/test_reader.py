from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import tiny_models
from compiler.reader import identifier, read_graph
from pipelines.errors import ModelError

MODELS = Path(__file__).parents[3] / "models"


def test_the_bundled_model_is_read_whole() -> None:
    graph = read_graph(MODELS / "kws/model.tflite")
    assert [node.op for node in graph.nodes][:3] == ["conv_2d", "depthwise_conv_2d", "conv_2d"]
    (x,), (y,) = (list(graph.tensors_of(indices)) for indices in (graph.inputs, graph.outputs))
    assert (x.shape, x.dtype) == ((1, 49, 10, 1), "int8")
    assert (y.shape, y.scale, y.zero_point) == ((1, 12), 1 / 256, -128)
    weights = graph.tensors[graph.nodes[0].inputs[1]]
    assert weights.data is not None
    assert weights.data.shape == weights.shape
    assert len(weights.scales) == weights.shape[0]
    assert graph.nodes[0].options["stride_h"] == 2
    assert len({tensor.name for tensor in graph.tensors}) == len(graph.tensors)


def test_numbers_are_those_of_the_interpreter() -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = MODELS / "cifar10/model.tflite"
    interpreter = litert.Interpreter(model_path=str(path))
    graph = read_graph(path)
    for told in interpreter.get_tensor_details()[: len(graph.tensors)]:
        mine = graph.tensors[told["index"]]
        assert mine.shape == tuple(told["shape"])
        assert mine.dtype == np.dtype(told["dtype"]).name
        assert np.allclose(mine.scales, told["quantization_parameters"]["scales"])
        assert list(mine.zero_points) == told["quantization_parameters"]["zero_points"].tolist()


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"hello world")
    with pytest.raises(ModelError, match="no .tflite model"):
        read_graph(tmp_path / "a.tflite")
    with pytest.raises(ModelError, match="cannot read"):
        read_graph(tmp_path / "b.tflite")


def test_an_operator_that_nobody_has_is_named(shared_data: Path) -> None:
    with pytest.raises(ModelError, match=r"operator \d+ is the custom operator"):
        read_graph(shared_data / "refuse/model_invoking_error.tflite")


@pytest.mark.parametrize("seed", range(20))
def test_damage_is_told_or_does_no_harm(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    whole = (tiny_models.copy("int8", (1, 3)), (MODELS / "kws/model.tflite").read_bytes())[seed % 2]
    for _ in range(20):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        data = data[: rng.randrange(8, len(data))] if rng.random() < 0.3 else data
        path = tmp_path / "damaged.tflite"
        path.write_bytes(data)
        with suppress(ModelError):  # anything else is a crash
            read_graph(path)


@pytest.mark.parametrize(
    ("text", "name"),
    [("kws", "kws"), ("my-net.v2", "my_net_v2"), ("2d", "model_2d"), ("float", "model_float"), ("main", "model_main")],
)
def test_a_models_name_is_one_that_c_takes(text: str, name: str) -> None:
    assert identifier(text) == name
