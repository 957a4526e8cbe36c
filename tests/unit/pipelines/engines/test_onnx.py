import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny_onnx
from pipelines.engines import _onnxruntime
from pipelines.engines.onnx import Onnx
from pipelines.errors import CapabilityError, DataError, MissingDependency, ModelError, SignalMismatch
from tiny_onnx import Node, Tensor, Value

Build = Callable[..., Onnx]
X = np.array([[0.25, -1.25, 2.5, 300.0]], np.float32)
WEIGHTS = np.array([1, 2, 3, 4], np.float32)


@pytest.fixture
def onnx(tmp_path: Path) -> Build:
    pytest.importorskip("onnxruntime")

    def build(model: bytes, **config: Any) -> Onnx:
        path = tmp_path / "model.onnx"
        path.write_bytes(model)
        return Onnx(Onnx.Config(model=str(path), **config), path)

    return build


def refused(onnx: Build, model: bytes, said: str, **config: Any) -> None:
    with pytest.raises(ModelError) as error:
        onnx(model, **config)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "/onnxruntime_src/" not in str(error.value)


# ---- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", [0.25, -1.25, 2.5, 300]),
        ("float64", [0.25, -1.25, 2.5, 300]),
        ("float16", [0.25, -1.25, 2.5, 300]),
        ("int8", [0, -1, 3, 127]),
        ("uint8", [0, 0, 3, 255]),
        ("int16", [0, -1, 3, 300]),
        ("int32", [0, -1, 3, 300]),
        ("int64", [0, -1, 3, 300]),
    ],
)
def test_every_type_takes_the_same_real_values(onnx: Build, dtype: str, expected: list[float]) -> None:
    engine = onnx(tiny_onnx.copy(dtype))
    for x in (X, X.astype(np.float64)):
        (y,) = engine.infer(x)
        assert y.dtype == np.float32
        assert y.tolist() == [expected]


@pytest.mark.parametrize(
    ("dtype", "zero_point", "expected"),
    [("int8", -3, [65.0, -62.5, 2.5]), ("uint8", 128, [63.5, -64.0, 2.5]), ("int16", 0, [300.0, -300.0, 2.5])],
)
def test_an_integer_edge_has_the_scale_of_its_dequantize_linear(
    onnx: Build, dtype: str, zero_point: int, expected: list[float]
) -> None:
    nodes = [Node("DequantizeLinear", ["x", "s", "z"], ["r"]), Node("Relu", ["r"], ["p"]), Node("Neg", ["r"], ["n"]),
             Node("Relu", ["n"], ["q"]), Node("Sub", ["p", "q"], ["y"])]  # fmt: skip
    constants = [Tensor("s", np.float32(0.5)), Tensor("z", np.asarray(zero_point, dtype))]
    engine = onnx(
        tiny_onnx.model(
            nodes, [Value("x", dtype, (1, 3))], [Value("y", "float32", (1, 3))], constants, opset=21, ir_version=10
        )
    )
    (spec,) = engine.inputs
    assert (spec.scale, spec.zero_point) == (0.5, zero_point)
    (y,) = engine.infer(np.array([[300, -300, 2.5]], np.float32))
    assert y.tolist() == [expected]


def test_an_array_of_the_tensors_own_type_is_taken_as_it_is(onnx: Build) -> None:
    engine = onnx(tiny_onnx.quantised_add_and_subtract("int8", 0.5, -3))
    a, b = np.array([[-3, -2, 1, 10]], np.int8), np.full((1, 4), -3, np.int8)
    assert engine.infer(a, b)[0].tolist() == [[0, 0.5, 2, 6.5]]


def test_an_array_need_not_be_contiguous(onnx: Build) -> None:
    wide = np.arange(8, dtype=np.float32)[None]
    assert onnx(tiny_onnx.copy()).infer(wide[:, ::2])[0].tolist() == [[0, 2, 4, 6]]


def test_an_output_is_valid_until_the_next_infer(onnx: Build) -> None:
    engine = onnx(tiny_onnx.copy())
    (first,) = engine.infer(X)
    (second,) = engine.infer(X + 1)
    assert first is second, "the engine should not allocate for each call"


def test_a_nan_for_an_integer_is_an_error(onnx: Build) -> None:
    with pytest.raises(DataError, match="not a number"):
        onnx(tiny_onnx.copy("int64")).infer(np.full((1, 4), np.nan, np.float32))


def test_a_yes_or_no_comes_out_as_1_or_0(onnx: Build) -> None:
    (y,) = onnx(tiny_onnx.cast("bool")).infer(np.array([[0, 1, -2, 0]], np.float32))
    assert y.tolist() == [[0, 1, 1, 0]]


# ---- shapes and outputs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", ["N", None, 1])
def test_an_open_batch_is_1(onnx: Build, batch: str | int | None) -> None:
    engine = onnx(tiny_onnx.copy("float32", [batch, 4]))
    assert [spec.shape for spec in (*engine.inputs, *engine.outputs)] == [(1, 4), (1, 4)]
    assert engine.infer(X)[0].shape == (1, 4)


@pytest.mark.parametrize("shape", [["N", "T", 4], [1, None], [1, 0]])
def test_another_open_axis_is_refused(onnx: Build, shape: tiny_onnx.Shape) -> None:
    refused(onnx, tiny_onnx.copy("float32", shape), "expected a fixed one but for the batch")


def test_an_output_that_changes_its_size_is_an_error(onnx: Build) -> None:
    model = tiny_onnx.model(
        [Node("NonZero", ["x"], ["y"])], [Value("x", "float32", (1, 4))], [Value("y", "int64", (2, 4))]
    )
    engine = onnx(model)
    assert engine.infer(np.ones((1, 4), np.float32))[0].tolist() == [[0] * 4, [0, 1, 2, 3]]
    with pytest.raises(ModelError, match="while running its operator NonZero"):
        engine.infer(np.eye(1, 4, dtype=np.float32))


def test_outputs_are_chosen_by_name_and_order(onnx: Build) -> None:
    a, b = np.full((1, 4), 5, np.float32), np.full((1, 4), 2, np.float32)
    engine = onnx(tiny_onnx.add_and_subtract(), outputs=("sum", "difference"))
    assert [y[0, 0] for y in engine.infer(a, b)] == [7, 3]
    engine = onnx(tiny_onnx.add_and_subtract(), outputs=("sum",))
    assert [y[0, 0] for y in engine.infer(a, b)] == [7]


def test_an_output_may_be_an_input_or_a_constant(onnx: Build) -> None:
    """ONNX Runtime does not write to the buffer of an output that is an input."""
    row = (1, 4)
    values = [Value(name, "float32", row) for name in ("x", "y", "k")]
    constant = Tensor("k", np.float32([[5, 6, 7, 8]]))
    engine = onnx(tiny_onnx.model([Node("Relu", ["x"], ["y"])], values[:1], values, [constant]))
    for x in (X, -X, 2 * X):
        same, relu, k = engine.infer(x)
        np.testing.assert_array_equal(same, x)
        np.testing.assert_array_equal(relu, np.maximum(x, 0))
        np.testing.assert_array_equal(k, constant.data)


def test_an_output_that_is_not_there_or_named_twice_is_refused(onnx: Build) -> None:
    refused(onnx, tiny_onnx.add_and_subtract(), 'did you mean "sum"?', outputs=("summ",))
    refused(onnx, tiny_onnx.add_and_subtract(), "names 'sum' twice", outputs=("sum", "sum"))


def test_a_wrong_shape_is_refused(onnx: Build) -> None:
    with pytest.raises(SignalMismatch, match=r"got an array of shape \[4\], expected x \[1, 4\] float32"):
        onnx(tiny_onnx.copy()).infer(X[0])


# ---- what is refused ---------------------------------------------------------------------------------------------


def test_an_output_of_text_is_refused_unless_another_is_chosen(onnx: Build) -> None:
    refused(onnx, tiny_onnx.cast("string"), "is tensor(string), expected a tensor of numbers; read the other outputs")
    nodes = [Node("Cast", ["x"], ["label"], {"to": tiny_onnx.TYPES["string"]}), Node("Relu", ["x"], ["probabilities"])]
    values = [Value("label", "string", (1, 4)), Value("probabilities", "float32", (1, 4))]
    model = tiny_onnx.model(nodes, [Value("x", "float32", (1, 4))], values)
    assert onnx(model, outputs=("probabilities",)).infer(X)[0].tolist() == [[0.25, 0, 2.5, 300]]


def test_an_input_of_truth_values_is_refused(onnx: Build) -> None:
    refused(onnx, tiny_onnx.copy("bool"), "input 'x' is tensor(bool), expected a tensor of numbers")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Node("Nope", ["x"], ["y"]), "needs the operator 'Nope', which onnxruntime "),
        (Node("Nope", ["x"], ["y"], domain="my.own"), "needs the operator 'my.own:Nope', which onnxruntime "),
    ],
)
def test_an_unknown_operator_is_named(onnx: Build, node: Node, said: str) -> None:
    refused(onnx, tiny_onnx.model([node], [Value("x", "float32", (1, 4))], [Value("y", "float32", (1, 4))]), said)


@pytest.mark.parametrize(
    ("version", "said"), [({"opset": 99}, "ONNX Opset 99, newer"), ({"ir_version": 99}, "ONNX IR version: 99, newer")]
)
def test_a_model_from_the_future_is_refused(onnx: Build, version: dict[str, int], said: str) -> None:
    model = tiny_onnx.model(
        [Node("Relu", ["x"], ["y"])], [Value("x", "float32", (1, 4))], [Value("y", "float32", (1, 4))], **version
    )
    refused(onnx, model, said)


def test_a_graph_that_does_not_hold_together_is_refused(onnx: Build) -> None:
    model = tiny_onnx.model(
        [Node("Relu", ["nowhere"], ["y"])], [Value("x", "float32", (1, 4))], [Value("y", "float32", (1, 4))]
    )
    refused(onnx, model, "is refused by onnxruntime ")


def test_what_fails_while_it_runs_is_one_sentence(onnx: Build) -> None:
    nodes = [Node("Sub", ["x", "x"], ["zero"]), Node("Div", ["x", "zero"], ["y"])]
    engine = onnx(tiny_onnx.model(nodes, [Value("x", "int32", (1, 4))], [Value("y", "int32", (1, 4))]))
    with pytest.raises(ModelError, match=r"while running its operator Div \(Integer division by zero\); export"):
        engine.infer(np.ones((1, 4), np.float32))


def test_no_weights_are_read_from_elsewhere(onnx: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    monkeypatch.chdir(tmp_path)
    refused(onnx, tiny_onnx.scaled(Tensor("w", WEIGHTS, external="weights.bin")), "keeps the weights 'w' in another")


def test_no_runtime_says_what_to_install(onnx: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependency, match=r"the engine onnx needs .*pip install 'eiq-demo\[onnx\]'"):
        onnx(tiny_onnx.copy())


def test_another_provider_is_an_error(onnx: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_onnxruntime, "CPU", "SomeOtherProvider")
    monkeypatch.setattr(_onnxruntime, "load", lambda ort, data, *_: ort.InferenceSession(data, _options(ort)))
    monkeypatch.setattr(_onnxruntime, "check_providers", lambda ort, asked: None)
    refused(onnx, tiny_onnx.copy(), "would run on ", providers=("SomeOtherProvider",))


def test_a_provider_that_is_not_there_is_refused(onnx: Build) -> None:
    with pytest.raises(CapabilityError, match=r"engine.providers with VSINPUExecutionProvider, but this onnxruntime "):
        onnx(tiny_onnx.copy(), providers=("VSINPUExecutionProvider", "CPUExecutionProvider"))


@pytest.mark.parametrize("more", [(), ("CPUExecutionProvider",)])
def test_what_a_provider_leaves_to_the_cpu_is_said(onnx: Build, more: tuple[str, ...]) -> None:
    """PyPI's build has a second provider, which takes no ordinary operator."""
    runtime = pytest.importorskip("onnxruntime")
    if "AzureExecutionProvider" not in runtime.get_available_providers():
        pytest.skip("needs an ONNX Runtime with AzureExecutionProvider")
    engine = onnx(tiny_onnx.add_and_subtract(), providers=("AzureExecutionProvider", *more))
    said = "AzureExecutionProvider for 0 of 2 operators, 2 fell back to the CPU: Add, Sub, 1 thread"
    assert engine.description.endswith(said)
    a, b = np.full((1, 4), 5, np.float32), np.full((1, 4), 2, np.float32)
    assert engine.infer(a, b)[1].tolist() == [[7] * 4]


def test_the_cpu_alone_is_for_all(onnx: Build) -> None:
    engine = onnx(tiny_onnx.add_and_subtract(), providers=("CPUExecutionProvider",))
    assert "CPUExecutionProvider for all 2 operators" in engine.description


@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "/etc/passwd"])
def test_no_weights_are_read_from_any_other_file(onnx: Build, place: str) -> None:
    refused(onnx, tiny_onnx.scaled(Tensor("w", WEIGHTS, external=place)), "in another file, expected one file")


def _options(ort: Any) -> Any:
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


# ---- what is said ------------------------------------------------------------------------------------------------


def test_the_description_says_what_really_runs(onnx: Build) -> None:
    import onnxruntime

    description = onnx(tiny_onnx.add_and_subtract(), threads=2).description
    assert description == f"onnxruntime {onnxruntime.__version__}, CPUExecutionProvider for all 2 operators, 2 threads"


def test_neither_a_load_nor_a_refusal_says_anything_on_the_terminal(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "good.onnx").write_bytes(tiny_onnx.add_and_subtract())
    (tmp_path / "bad.onnx").write_bytes(
        tiny_onnx.model([Node("Nope", ["x"], ["y"])], [Value("x", "float32", (1, 4))], [Value("y", "float32", (1, 4))])
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from pipelines.engines.onnx import Onnx\n"
        "from pipelines.errors import ModelError\n"
        "for path in sorted(Path(sys.argv[1]).glob('*.onnx')):\n"
        "    try: Onnx(Onnx.Config(model='m'), path)\n"
        "    except ModelError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_no_damage_crashes_the_process(tmp_path: Path) -> None:
    """Files damaged anywhere, loaded and run in a process of their own that must end by itself."""
    pytest.importorskip("onnxruntime")
    rng, count = np.random.default_rng(1), 300
    for number in range(count):
        data = bytearray((tiny_onnx.quantised_add_and_subtract(), tiny_onnx.scaled(Tensor("w", WEIGHTS)))[number % 2])
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] = rng.integers(256)
        (tmp_path / f"{number}.onnx").write_bytes(data[: rng.integers(len(data)) if number % 3 == 0 else None])
    code = (
        "import sys, numpy; from pathlib import Path\n"
        "from pipelines.engines.onnx import Onnx\n"
        "from pipelines.errors import EiqError\n"
        "for path in Path(sys.argv[1]).glob('*.onnx'):\n"
        "    try:\n"
        "        engine = Onnx(Onnx.Config(model='m'), path)\n"
        "        engine.infer(*[numpy.ones(spec.shape, numpy.float32) for spec in engine.inputs])\n"
        "    except EiqError as error: assert '\\n' not in str(error)\n"
        "    print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("done")) == (0, count), done.stderr


# ---- an oracle that is not ours ----------------------------------------------------------------------------------


def test_the_answer_is_the_reference_evaluators(onnx: Build) -> None:
    """onnx.reference computes the same models in numpy."""
    reference = pytest.importorskip("onnx.reference")
    rng = np.random.default_rng(1)
    for model in (tiny_onnx.add_and_subtract(), tiny_onnx.quantised_add_and_subtract("uint8", 0.25, 100)):
        engine = onnx(model)
        dtype, scale, zero = engine.inputs[0].dtype, engine.inputs[0].scale or 1, engine.inputs[0].zero_point
        for _ in range(20):
            a, b = (rng.uniform(-20, 20, (1, 4)).astype(np.float32) for _ in range(2))
            if dtype == "uint8":
                a, b = (np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8) for x in (a, b))
            expected = reference.ReferenceEvaluator(model).run(None, {"a": a, "b": b})
            for y, stored in zip(engine.infer(a, b), expected, strict=True):
                np.testing.assert_array_equal(y, (stored.astype(np.float32) - zero) * np.float32(scale))
