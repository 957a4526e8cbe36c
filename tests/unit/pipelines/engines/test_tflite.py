import base64
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiny_models
from pipelines.engines import _litert
from pipelines.engines.tflite import Tflite
from pipelines.errors import MissingDependency, ModelError, SignalMismatch

Build = Callable[..., Tflite]
X = np.array([[0.25, -1.25, 2.5, 300.0]], np.float32)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        ("float32", 0, 0, [0.25, -1.25, 2.5, 300]),
        ("float16", 0, 0, [0.25, -1.25, 2.5, 300]),
        ("int8", 0.5, -3, [0.5, -1.5, 2.5, 65]),
        ("uint8", 0.5, 128, [0.5, -1.5, 2.5, 63.5]),
        ("int16", 0.25, 0, [0.25, -1.25, 2.5, 300]),
        ("int32", 0, 0, [0, -1, 3, 300]),
        ("int64", 0, 0, [0, -1, 3, 300]),
    ],
)
def test_every_type_takes_the_same_real_values(
    tflite: Build, dtype: str, scale: float, zero_point: int, expected: list[float]
) -> None:
    engine = tflite(tiny_models.copy(dtype, (1, 4), scale, zero_point))
    for x in (X, X.astype(np.float64)):
        (y,) = engine.infer(x)
        assert y.dtype == np.float32
        assert y.tolist() == [expected]


def test_the_specs_are_the_models(tflite: Build) -> None:
    engine = tflite(tiny_models.copy("int8", (1, 2, 3), 0.5, -3))
    (spec,) = engine.inputs
    assert (spec.name, spec.shape, spec.dtype, spec.scale, spec.zero_point) == ("x", (1, 2, 3), "int8", 0.5, -3)
    assert [spec.name for spec in engine.outputs] == ["y"]


def test_an_array_of_the_tensors_own_type_is_taken_as_it_is(tflite: Build) -> None:
    engine = tflite(tiny_models.copy("int8", (1, 4), 0.5, -3))
    (y,) = engine.infer(np.array([[-128, -3, 0, 127]], np.int8))
    assert y.tolist() == [[-62.5, 0, 1.5, 65]]


def test_other_integers_count_as_real_values(tflite: Build) -> None:
    for dtype in ("float32", "int8"):
        engine = tflite(tiny_models.copy(dtype, (1, 4), 0.5 if dtype == "int8" else 0, 0))
        (y,) = engine.infer(np.array([[0, 1, 2, 60]], np.uint8))
        assert y.tolist() == [[0, 1, 2, 60]]


def test_an_array_need_not_be_contiguous(tflite: Build) -> None:
    wide = np.arange(8, dtype=np.float32)[None]
    for dtype, scale in (("float32", 0), ("int8", 1.0)):
        (y,) = tflite(tiny_models.copy(dtype, (1, 4), scale)).infer(wide[:, ::2])
        assert y.tolist() == [[0, 2, 4, 6]]
    (y,) = tflite(tiny_models.copy("int8", (1, 4), 1.0)).infer(wide.astype(np.int8)[:, ::2])
    assert y.tolist() == [[0, 2, 4, 6]]


def test_the_input_is_not_written_to(tflite: Build) -> None:
    x = X.copy()
    x.flags.writeable = False
    tflite(tiny_models.copy("int8", (1, 4), 0.5)).infer(x)


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 0), ("int8", 0.5)])
def test_several_inputs_and_outputs_keep_the_models_order(tflite: Build, dtype: str, scale: float) -> None:
    engine = tflite(tiny_models.add_and_subtract(dtype, scale=scale))
    assert [spec.name for spec in engine.inputs] == ["a", "b"]
    assert [spec.name for spec in engine.outputs] == ["difference", "sum"]
    difference, total = engine.infer(np.full((1, 4), 5, np.float32), np.full((1, 4), 2, np.float32))
    assert difference.tolist() == [[3] * 4]
    assert total.tolist() == [[7] * 4]


def test_reset_forgets_the_state(tflite: Build) -> None:
    engine, one = tflite(tiny_models.accumulator()), np.ones((1, 1), np.float32)
    assert [float(engine.infer(one)[0][0, 0]) for _ in range(3)] == [1, 2, 3]
    engine.reset()
    assert engine.infer(one)[0][0, 0] == 1


COUNTER = zlib.decompress(base64.b64decode(
    "eNqVVDFoE2EUfpde25ieMdgQI3ToUMRBQlpFRLqEtkIlbUpbusaTXMvB9RIu1xJFUKGjVAcHkU5ODsXJwcHB0cHBwUE3J3FyseBgzfn9//9y+Xu1"
    "gz983Lvvf/97//veuxsjotUb1ct5GqcxKlKecmSBS5MJm8ARdYD3wL5B9BY4HCQawDtMeBEFh1Fkse8V4AzQdoJt19+oN5x1e8sLY98qfE22BXdH"
    "i5PhPYNzpoBLvLeDvVNsjwIztcW1ueWV+dpifWFutTJbWa3QS/ikNZ9N168HW37objr1bSdou02fMuC/Ap+Bj1zXO+ANsAc8BUKO8ZzvcwvIkVpp"
    "ykpt0sxNSHZIckN8Tiwr1tKUep7d/3H3Z+fLL4PrMuUpoqnS1GSpDPuPypWT3FVBxWvpdxRd4H2Lji4Pey0gBDrAPeABIHqwUJ1fHp9p+qg9dBol"
    "mbdsqNzfulHU6+8jDWJvsVlrEd/zInNrXdVjS6sxxb0S6ybHw2qWeQ7E3nRX9SQvtUMcO3Dt256j12BocUiLPc25CqhduOQ5zrByOV0U9fNc9OJO"
    "8fnuoTqTY02F1sJ/L+E/qdUxIE9m486JnmY5p9DJg1MLCFnDTdv1iWNPGGqOhIZVTbfdSOmW0/KYWs2vopN1Ffd5EcW6juT4LoJvQJOeT4qhVia+"
    "e4bj6rlTR/Tu1zrCtY5xD6+x/obsmxXP/P/1MksFmb8fv6g2Noqx3f92jEQcU+Pwy6FZvBzg+Ux8E9SfY73Pg6z9DvjzeK6Eduisb3lLdhC6If4A"
    "TmPG9rzr5YTOpehoHJO/7Q8815V2293wK41Gr+haazLZqyARQ3DjwgY/+u8YidkryH/wOe6gWsNSQ33+U/r8R+r7Ot6LguwtnRCrd0eD7/ia75j4"
    "b9c7UEq/4yDPd5nPFVmrTzj/RMW+b5Ipue/gHjN3AHuXbUvOA8mTYj4fMv8Xhf798A=="
))  # fmt: skip
"""``v.assign_add(x); return v`` of a tf.Variable of zeros [1, 3], by TensorFlow 2.21 with resource variables on."""


@pytest.mark.parametrize("kernels", ["auto", "reference"])
def test_reset_forgets_resource_variables_too(tflite: Build, kernels: str) -> None:
    engine, one = tflite(COUNTER, kernels=kernels), np.ones((1, 3), np.float32)
    assert [float(engine.infer(one)[0][0, 0]) for _ in range(3)] == [1, 2, 3]
    engine.reset()
    assert engine.infer(one)[0].tolist() == [[1, 1, 1]]
    assert " of 6 operators, those of its 1 other graph not counted" in tflite(COUNTER).description


def test_a_truth_value_comes_out_as_a_number(tflite: Build) -> None:
    (y,) = tflite(tiny_models.is_nonzero()).infer(np.array([[0, 1, 2, 0]], np.float32))
    assert y.tolist() == [[0, 1, 1, 0]]


def test_an_open_batch_has_the_size_that_the_file_states(tflite: Build) -> None:
    engine = tflite(tiny_models.copy(signature=(-1, 4)))
    assert engine.inputs[0].shape == (1, 4)
    assert engine.infer(X)[0].tolist() == X.tolist()


def test_an_output_that_changes_its_size_is_refused(tflite: Build) -> None:
    tensors = [tiny_models.Tensor("x", "float32", (1, 4)), tiny_models.Tensor("shape", "int32", (2,))]
    reshape = tiny_models.Operator(22, [0, 1], [2])
    engine = tflite(tiny_models.model([*tensors, tiny_models.Tensor("y", "float32", (1, 4))], [reshape], [0, 1], [2]))
    assert engine.infer(X, np.array([1, 4], np.int32))[0].tolist() == X.tolist()
    with pytest.raises(ModelError, match=r"output 'y' came out as \[2, 2\], expected \[1, 4\]"):
        engine.infer(X, np.array([2, 2], np.int32))
    with pytest.raises(ModelError, match="the model failed while running"):
        engine.infer(X, np.array([3, 3], np.int32))


def test_a_wrong_shape_or_number_of_arrays_is_refused(tflite: Build) -> None:
    engine = tflite(tiny_models.copy())
    with pytest.raises(SignalMismatch, match=r"got an array of shape \[4\], expected x \[1, 4\] float32"):
        engine.infer(X[0])
    with pytest.raises(SignalMismatch, match="got 2 arrays, expected 1"):
        engine.infer(X, X)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (tiny_models.with_custom_operator("Magic"), "needs the operator 'Magic', which .* does not have; convert"),
        (tiny_models.copy("bool"), "input 'x' holds bool, expected numbers"),
        (tiny_models.copy(shape=(1, 0)), "input 'x' has no fixed shape"),
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
def test_a_model_that_cannot_run_is_refused_in_one_sentence(tflite: Build, model: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said) as error:
        tflite(model)
    assert "\n" not in str(error.value)


def test_an_operator_of_a_later_version_is_named(tflite: Build) -> None:
    model = bytearray(tiny_models.copy())
    place = model.index(np.int32([1, 22]).tobytes())  # the operator code's version, then its builtin code
    model[place] = 99
    with pytest.raises(ModelError, match="needs the operator RESHAPE version 99, which"):
        tflite(bytes(model))


def test_no_runtime_says_what_to_install(tflite: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_litert, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingDependency, match=r"the engine tflite needs .*pip install 'eiq-demo\[desktop\]'"):
        tflite(tiny_models.copy())


def test_the_description_says_what_really_runs(tflite: Build) -> None:
    description = tflite(tiny_models.add_and_subtract(), threads=2).description
    assert description.startswith(("ai-edge-litert ", "tflite-runtime "))
    assert description.endswith(", XNNPACK for 2 of 2 operators, 2 threads")
    assert tflite(tiny_models.accumulator()).description.endswith(
        "optimised kernels (XNNPACK takes none of its operators), 1 thread"
    )
    assert tflite(tiny_models.copy(), kernels="builtin").description.endswith(", optimised kernels, 1 thread")
    assert tflite(tiny_models.copy(), kernels="reference").description.endswith(", reference kernels, 1 thread")


def test_loading_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_models.add_and_subtract())
    code = (
        "import sys; from pathlib import Path; from pipelines.engines.tflite import Tflite; "
        "Tflite(Tflite.Config(model='m'), Path(sys.argv[1])); print('talk', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "talk\n")


def test_what_others_say_meanwhile_is_handed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with _litert._without_chatter():
        os.write(2, b"before\nINFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nafter\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_close_may_be_called_twice(tflite: Build) -> None:
    engine = tflite(tiny_models.copy())
    engine.close()
    engine.close()


def test_the_answer_is_the_interpreters(tflite: Build, shared_data: Path) -> None:
    """Bit for bit what the bare interpreter says of a quantised model, on random input."""
    data = (shared_data / "nxp_eiq/cifarnet_quant_int8.tflite").read_bytes()
    litert = pytest.importorskip(f"{_litert.runtime()}.interpreter")
    bare = litert.Interpreter(
        model_content=data, experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF, num_threads=1
    )
    bare.allocate_tensors()
    x = np.random.default_rng(1).integers(-128, 128, (1, 32, 32, 3), np.int8)
    bare.set_tensor(bare.get_input_details()[0]["index"], x)
    bare.invoke()
    expected = bare.get_tensor(bare.get_output_details()[0]["index"])
    engine = tflite(data, kernels="reference")
    np.testing.assert_array_equal(engine.infer(x)[0], expected)
    np.testing.assert_array_equal(engine.infer(x.astype(np.float32) / 128)[0], expected)


@pytest.mark.parametrize("kernels", ["auto", "builtin"])
def test_nxps_model_sees_the_ship(tflite: Build, shared_data: Path, kernels: str) -> None:
    engine = tflite((shared_data / "nxp_eiq/cifarnet_quant_int8.tflite").read_bytes(), kernels=kernels)
    (scores,) = engine.infer((_bmp(shared_data / "nxp_eiq/ship.bmp", 32)[None] - 128.0) / 128)
    assert scores.argmax() == 8
    assert scores.max() > 0.99


def test_a_model_with_an_operator_that_nobody_has_is_refused(tflite: Build, shared_data: Path) -> None:
    with pytest.raises(ModelError, match="needs the operator 'fake-op-double'"):
        tflite((shared_data / "refuse/model_invoking_error.tflite").read_bytes())


def test_no_damage_crashes_the_process(tmp_path: Path, shared_data: Path) -> None:
    """Files cut short anywhere, loaded in a process of their own that must end by itself."""
    data = (shared_data / "nxp_eiq/ds_cnn_s.tflite").read_bytes()
    for number in range(20):
        (tmp_path / f"{number}.tflite").write_bytes(data[: 8 + number * len(data) // 20])
    code = (
        "import sys; from pathlib import Path\n"
        "from pipelines.engines.tflite import Tflite\n"
        "from pipelines.errors import ModelError\n"
        "for path in Path(sys.argv[1]).glob('*.tflite'):\n"
        "    try: Tflite(Tflite.Config(model='m'), path)\n"
        "    except ModelError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("refused")) == (0, 20), done.stderr


def _bmp(path: Path, side: int) -> np.ndarray:
    """A 24-bit bitmap as [side, side, 3] uint8, red first: rows from the bottom up, behind 54 bytes of header."""
    pixels = np.frombuffer(path.read_bytes(), np.uint8, side * side * 3, 54)
    return pixels.reshape(side, side, 3)[::-1, :, ::-1]
