"""What the table takes from a compiled model, and what the wire cannot describe."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import tiny_models
from compiler.graph import Tensor
from hal.rt.firmware.models import ModelSource, compiled, digest, placed
from pipelines.errors import ModelError


def test_a_compiled_models_blobs_have_no_gaps(tmp_path: Path) -> None:
    pytest.importorskip("tflite")
    (tmp_path / "two.tflite").write_bytes(tiny_models.add_and_subtract("int8", (1, 5), 0.25))
    source = ModelSource("two", tmp_path / "two.tflite")
    made = compiled(source, "model0_two")
    for tensors, total in ((made.inputs, made.input_bytes), (made.outputs, made.output_bytes)):
        assert [tensor.place for tensor in tensors] == [5 * i for i in range(len(tensors))]
        assert total == 5 * len(tensors) == 10
    # in the board's memory they are where the bundle has them: no two in one place
    addresses = sorted(tensor.address for tensor in (*made.inputs, *made.outputs))
    assert all(b - a >= 5 for a, b in pairwise(addresses))
    assert made.mutable_bytes >= addresses[-1] + 5
    assert made.sha256 == digest(source)
    assert set(made.files) == {"model0_two.c", "model0_two.h"}
    assert "int model0_two(uint8_t *constantWeight" in made.files["model0_two.h"]


@pytest.mark.parametrize("tensor", [
    Tensor("x", (1, 4), "int64"),
    Tensor("x", (1, 1, 1, 1, 1, 1, 4), "int8"),
    Tensor("x", (1, 2), "int8", (0.1, 0.2), (0, 0), 1),
])  # fmt: skip
def test_a_tensor_that_cannot_be_described_is_refused(tensor: Tensor) -> None:
    with pytest.raises(ModelError, match="cannot be described to the host, expected int8"):
        placed([tensor], [0])
