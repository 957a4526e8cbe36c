from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engines._flatbuffer import check, operators, read_model
from pipelines.errors import ModelError
from tiny_models import Operator, Tensor, add_and_subtract, copy, model

MODEL = add_and_subtract("int8", scale=0.5)


def test_a_whole_model_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(MODEL)
    assert read_model(path) == MODEL


def test_data_behind_the_model_does_no_harm() -> None:
    check(MODEL + b"metadata", Path("m.tflite"))  # the label archives of TensorFlow's model hub lie there


@given(st.integers(8, len(MODEL) - 1))
def test_every_shorter_file_is_refused(length: int) -> None:
    with pytest.raises(ModelError, match=rf"m.tflite is cut short or damaged: {length} bytes"):
        check(MODEL[:length], Path("m.tflite"))


@given(st.lists(st.tuples(st.integers(8, len(MODEL) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_damage_is_accepted_or_refused_and_never_a_bug(changes: list[tuple[int, int]]) -> None:
    data = bytearray(MODEL)
    for place, value in changes:
        data[place] = value
    _accepted_or_refused(bytes(data))


def _sum(a: Tensor, b: Tensor, y: Tensor, inputs: tuple[int, ...] = (0, 1)) -> bytes:
    """y = a + b."""
    return model([a, b, y], [Operator(0, inputs, [2])], [0, 1], [2])


A, B, Y = (Tensor(name, "int8", (1, 4), 0.5) for name in "aby")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_sum(A, B, Y, inputs=(0, -1)), "operator 0 lacks an input that it needs"),
        (_sum(A, B, Y, inputs=(0, 3)), "operator 0 names tensors or a code that it does not have"),
        (_sum(A, B, replace(Y, data=np.zeros((1, 4), np.int8))), "operator 0 writes to a constant"),
        (_sum(A, replace(B, scale=0.0), Y), "operator 0 computes with 8-bit numbers that have no scale"),
        (_sum(A, B, replace(Y, dtype="float32", scale=0.0)), "operator 0 makes float of integers"),
        (model([A], [], [0], [1]), "its inputs or outputs name tensors that it does not have"),
    ],
)
def test_what_interpreters_would_follow_into_nothing_is_refused(content: bytes, said: str) -> None:
    """Each of these ended LiteRT 2.3 with a signal, at the latest when it ran, but for what it checks itself."""
    with pytest.raises(ModelError, match=f"m.tflite is damaged: {said}.*; fetch it again"):
        check(content, Path("m.tflite"))


def test_no_model_of_others_is_taken_for_damaged(shared_data: Path) -> None:
    models = [*shared_data.rglob("*.tflite"), *(Path(__file__).parents[4] / "models").rglob("*.tflite")]
    assert len(models) > 8
    for path in models:
        assert read_model(path)


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"\x1f\x8brest", "a gzip archive"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x08\x07\x12\x07pytorch", "an ONNX or TensorFlow protobuf"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"airplane\nautomobile\n", "text"),
        (b"TFL3", "text"),
        (bytes(100), "something else (it starts with 00 00 00 00 00 00 00 00)"),
    ],
)
def test_another_file_is_refused_and_said_what_it_looks_like(tmp_path: Path, content: bytes, looks: str) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        read_model(path)
    assert f"{path} looks like {looks}" in str(error.value)


def test_no_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model .*nowhere.tflite \(No such file or directory\)"):
        read_model(tmp_path / "nowhere.tflite")
    with pytest.raises(ModelError, match="is a directory, expected a .tflite file"):
        read_model(tmp_path)


def test_tables_that_run_in_circles_end() -> None:
    data = bytearray(copy())
    check(bytes(data), Path("m.tflite"))
    root = int.from_bytes(data[:4], "little")
    for place in range(root, len(data) - 4, 4):  # every offset in turn back to itself or nearly so
        broken = data.copy()
        broken[place : place + 4] = b"\0\0\0\0"
        _accepted_or_refused(bytes(broken))


def _accepted_or_refused(data: bytes) -> None:
    with suppress(ModelError):
        check(data, Path("m.tflite"))
        list(operators(data))
