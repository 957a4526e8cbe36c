from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny_models
import tiny_onnx
from pipelines.engines._protobuf import OnnxFile, read_graph, read_model
from pipelines.errors import ModelError

WEIGHTS = np.arange(4, dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.onnx"


def read(path: Path, data: bytes) -> OnnxFile:
    path.write_bytes(data)
    return read_model(path)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -3), ("uint8", 128), ("uint16", 40000), ("int16", 0)])
def test_it_knows_how_the_edges_are_quantised(path: Path, dtype: str, zero_point: int, raw: bool) -> None:
    file = read(path, tiny_onnx.quantised_add_and_subtract(dtype, 0.25, zero_point, raw))
    assert file.quantised == dict.fromkeys(("a", "b", "difference", "sum"), (0.25, zero_point))


def test_an_edge_that_is_read_in_two_ways_has_no_scale(path: Path) -> None:
    scales = [tiny_onnx.Tensor("s1", np.float32(0.5)), tiny_onnx.Tensor("s2", np.float32(0.25))]
    nodes = [
        tiny_onnx.Node("DequantizeLinear", ["x", "s1"], ["y"]),
        tiny_onnx.Node("DequantizeLinear", ["x", "s2"], ["z"]),
        tiny_onnx.Node("DequantizeLinear", ["w", "s2"], ["v"]),
    ]
    assert read(path, tiny_onnx.model(nodes, [], [], scales)).quantised == {"w": (0.25, 0)}


@pytest.mark.parametrize("scale", [np.float32([0.5, 0.25]), np.float32(0), np.float32(np.inf), np.float16(0.5)])
def test_a_scale_that_is_not_one_positive_number_is_none(path: Path, scale: np.ndarray) -> None:
    nodes = [tiny_onnx.Node("DequantizeLinear", ["x", "s"], ["y"])]
    assert read(path, tiny_onnx.model(nodes, [], [], [tiny_onnx.Tensor("s", scale)])).quantised == {}


@pytest.mark.parametrize("place", ["weights.bin", "/etc/passwd", "../../elsewhere"])
def test_weights_in_another_file_are_refused(path: Path, place: str) -> None:
    with pytest.raises(ModelError, match="keeps the weights 'w' in another file, expected one file"):
        read(path, tiny_onnx.scaled(tiny_onnx.Tensor("w", WEIGHTS, external=place)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "looks like an empty file, expected an ONNX model"),
        (tiny_models.copy(), "looks like a .tflite model, expected an ONNX model"),
        (b"\x80\x05\x95", "looks like a pickle"),
        (b"<html>", "looks like a web page"),
        (b"\x08\x07\x12\x03abc", "holds no graph"),
        (b"\x08\x01\x3a\x05abc", "is cut short or damaged"),
        (b"\x08" + b"\xff" * 20, "is cut short or damaged"),
        (b"\x08\x01\x38\x05", "is cut short or damaged"),  # a number where the graph should be
        (b"\x08\x01\x03", "is cut short or damaged"),  # a wire type that nobody writes
    ],
)
def test_what_is_no_model_is_refused(path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ModelError) as error:
        read(path, content)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_messages_within_messages_end_somewhere(path: Path) -> None:
    graph = b""
    for _ in range(60):  # a graph in an attribute of a node of a graph …
        graph = tiny_onnx._message(1, tiny_onnx._message(5, tiny_onnx._message(6, graph)))
    with pytest.raises(ModelError, match="is cut short or damaged"):
        read(path, b"\x08\x08" + tiny_onnx._message(7, graph))


@given(data=st.data())
def test_no_mutation_is_anything_but_a_model_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(tiny_onnx.quantised_add_and_subtract(raw=False))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path_factory.getbasetemp() / "mutated.onnx"
    said = ""
    try:
        assert read(path, bytes(content)).data == content
    except ModelError as error:
        said = str(error)
    assert "\n" not in said


def test_the_onnx_package_reads_the_tests_models(path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    for data in (
        tiny_onnx.quantised_add_and_subtract(raw=False),
        tiny_onnx.copy("int64", ["N", None, 4]),
        tiny_onnx.cast("string"),
    ):
        onnx.checker.check_model(onnx.load_from_string(data), full_check=True)


def test_a_graph_is_what_the_onnx_package_wrote(path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, numbers = onnx.helper, onnx.numpy_helper
    make = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Constant", [], ["k"], value=numbers.from_array(np.int64([1, -1]))),
        helper.make_node("AveragePool", ["x"], ["p"], name="pool", kernel_shape=[3, 2], auto_pad="SAME_LOWER"),
        helper.make_node("LeakyRelu", ["p"], ["r"], alpha=0.25),
        helper.make_node("Reshape", ["r", "k"], ["y"], allowzero=1),
    ]
    constants = [
        numbers.from_array(np.float32([[1, 2.5]]), "f"), helper.make_tensor("typed", 7, [2], [3, -4]),
        helper.make_tensor("real", 1, [1], [0.5]), numbers.from_array(np.zeros((5, 5), np.float32), "large"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "g", [make("x", 1, ["N", 3, 8, 8])], [make("y", 1, [1, 192])], constants, value_info=[make("p", 1, [1])]
    )
    opsets = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 14)]
    found = read_graph(read(path, helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()))
    assert found.opset == 14
    assert [(node.name, node.operator, node.inputs, node.outputs) for node in found.nodes] == [
        (node.name, node.op_type, tuple(node.input), tuple(node.output)) for node in nodes
    ]
    assert [node.attributes for node in found.nodes] == [
        {}, {"kernel_shape": (3, 2), "auto_pad": "SAME_LOWER"}, {"alpha": 0.25}, {"allowzero": 1},
    ]  # fmt: skip
    assert found.inputs == {"x"}
    assert found.constants == {"k", "f", "typed", "real", "large"}
    assert found.values == {"k": (1, -1), "f": (1, 2.5), "typed": (3, -4), "real": (0.5,)}
    assert found.shapes == {
        "x": (None, 3, 8, 8), "p": (1,), "y": (1, 192), "k": (2,), "f": (1, 2), "typed": (2,), "real": (1,),
        "large": (5, 5),
    }  # fmt: skip
