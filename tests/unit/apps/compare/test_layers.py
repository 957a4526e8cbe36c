from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")  # brings TFLite's schema along

import tiny_models
from apps.compare.differences import Taken
from apps.compare.layers import first_layer, kind_of
from fakes import FakeEngine
from pipelines.core import Signal, Stage
from pipelines.engines.tflite import Tflite
from pipelines.process_engine import ProcessEngine
from pipelines.resources import bundled
from pipelines.shared_engine import SharedEngine

SIGNAL = Signal((1,), "float32", None, "scores")


def stage(path: Path, **config: object) -> Stage:
    made = Tflite.Config(model=str(path), **config)
    engine = Tflite(made, path)
    return Stage("tflite", "engines", lambda frame: (frame,), SIGNAL, engine, made)


def scored(one: Stage, data: np.ndarray) -> Taken:
    return Taken(0.0, one.part.infer(data)[0].ravel().copy())


def kept(path: Path, resolver: str, data: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """LiteRT's own way to see every layer: operator and output, in the order in which they run."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(str(path), experimental_op_resolver_type=getattr(litert.OpResolverType, resolver),
                                     experimental_preserve_all_tensors=True)  # fmt: skip
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], data)
    interpreter.invoke()
    return [
        (node["op_name"], interpreter.get_tensor(int(node["outputs"][0])).copy())
        for node in interpreter._get_ops_details()
    ]


@pytest.mark.parametrize("model", ["kws", "cifar10", "gesture"])
def test_the_first_layer_is_the_one_that_litert_shows(model: str) -> None:
    path = bundled() / "models" / model / "model.tflite"
    stages = stage(path, kernels="reference"), stage(path, kernels="builtin")
    rng = np.random.default_rng(1)
    spec = stages[0].part.inputs[0]
    for _ in range(20):
        data = rng.integers(-128, 128, spec.shape).astype(np.int8)
        a, b = kept(path, "BUILTIN_REF", data), kept(path, "BUILTIN_WITHOUT_DEFAULT_DELEGATES", data)
        theirs = next((i for i in range(len(a)) if not np.array_equal(a[i][1], b[i][1])), None)
        layer, why = first_layer(path, stages, data, [scored(one, data) for one in stages])
        if theirs is None:
            assert (layer, why) == (None, "given the same input, no layer differs: the inputs do")
            continue
        assert layer is not None, why
        apart = np.abs(a[theirs][1].astype(int) - b[theirs][1])
        assert (layer.index, layer.operator, layer.operators) == (theirs, a[theirs][0], len(a))
        assert (layer.values, layer.differing) == (apart.size, np.count_nonzero(apart))
        assert layer.largest_lsb == pytest.approx(apart.max(), abs=0.01)
        return
    pytest.fail("twenty inputs, and no layer differs")


def test_xnnpack_and_compiled_c_are_shown_too() -> None:
    pytest.importorskip("tflite")
    from pipelines.engines.bundle import Bundle

    path = bundled() / "models/kws/model.tflite"
    config = Bundle.Config(model=str(path))
    compiled = Stage("bundle", "engines", lambda frame: (frame,), SIGNAL, Bundle(config, path), config)
    quick = stage(path)
    data = np.random.default_rng(1).integers(-128, 128, quick.part.inputs[0].shape).astype(np.int8)
    layer, why = first_layer(path, (compiled, quick), data, [scored(compiled, data), scored(quick, data)])
    assert layer is not None, why
    assert (layer.index, layer.operator, layer.largest_lsb) == (0, "CONV_2D", 1.0)


def test_in_a_boards_place_runs_the_same_c_here() -> None:
    pytest.importorskip("tflite")
    path = bundled() / "models/kws/model.tflite"
    quick, reference = stage(path), stage(path, kernels="reference")
    board = Stage("board", "engines", lambda frame: (frame,), SIGNAL, FakeEngine(quick.part.inputs[0].shape))
    assert kind_of(board.part) is None
    data = np.random.default_rng(3).integers(-128, 128, quick.part.inputs[0].shape).astype(np.int8)
    shown = first_layer(path, (quick, board), data, [scored(quick, data), scored(reference, data)])
    assert shown == first_layer(path, (quick, reference), data, [scored(quick, data), scored(reference, data)])
    assert shown[0] is not None
    wrong = Taken(0.0, scored(reference, data).values + 1)  # a board that answers something else
    assert "gives other scores" in str(first_layer(path, (quick, board), data, [scored(quick, data), wrong])[1])


def test_a_shared_engine_and_one_in_a_process_are_shown_as_what_they_are() -> None:
    pytest.importorskip("tflite")
    path = bundled() / "models/kws/model.tflite"
    quick, reference = stage(path), stage(path, kernels="reference")
    config = reference.config
    elsewhere = SharedEngine(ProcessEngine(reference.part, "tflite", config, path))
    assert kind_of(elsewhere) is Tflite
    there = Stage("tflite", "engines", lambda frame: (frame,), SIGNAL, elsewhere, config)
    data = np.random.default_rng(3).integers(-128, 128, quick.part.inputs[0].shape).astype(np.int8)
    again = stage(path, kernels="reference")
    taken = [scored(quick, data), scored(again, data)]
    assert first_layer(path, (quick, there), data, taken) == first_layer(path, (quick, again), data, taken)
    elsewhere.close()


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    path = tmp_path / "copy.tflite"
    path.write_bytes(tiny_models.copy("int8", (1, 4), scale=0.5))
    one = stage(path)
    data = np.array([[1, 2, 3, 4]], np.int8)
    taken = scored(one, data)
    assert "the board computed" in str(first_layer(path, (one, one), np.zeros(12, np.uint8), None)[1])
    assert "another kind" in str(first_layer(tmp_path / "m.onnx", (one, one), data, None)[1])
    assert "the inputs do" in str(first_layer(path, (one, one), data, [taken, taken])[1])
    other = Taken(0.0, taken.values + 1)
    assert "gives other scores" in str(first_layer(path, (one, one), data, [taken, other])[1])
    add = tiny_models.model(
        [tiny_models.Tensor(name, "float32", (1, 4)) for name in "xy"],
        [tiny_models.Operator(0, [0, 0], [1])], [0], [0],
    )  # fmt: skip
    path.write_bytes(add)
    assert "expected one whose outputs it computes" in str(first_layer(path, (one, one), data, None)[1])
