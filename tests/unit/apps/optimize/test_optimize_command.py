"""What a user gets wrong is one sentence; the work itself is tested in tests/training."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny_models
from demos import colours, in_process, says


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pytest.importorskip("cv2")
    colours(tmp_path)
    (tmp_path / "pictures.keras").write_bytes(b"no model")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.tflite", "--config", "colours.yaml"], ["none.tflite is not there"]),
        (["cifar10"], ["build/cifar10/model.keras, which eiq-demo train cifar10 leaves, is not there"]),
        (["same.tflite"], ["without --config"]),
        (["same.tflite", "--config", "colours.yaml", "--prune", "0.5"], ["cannot be pruned", "cannot be trained"]),
        (["colours.yaml", "--config", "colours.yaml"], ["expected a .keras file or a float .tflite"]),
    ],
    ids=lambda given: given[0],
)
def test_a_wrong_request_is_one_sentence(folder: Path, arguments: list[str], said: list[str]) -> None:
    done = in_process("optimize", *arguments, "--data", "pictures", cwd=folder)
    assert done.returncode == 2
    says(done.stderr, said)


def test_an_8_bit_model_is_quantised_already(folder: Path) -> None:
    pytest.importorskip("ai_edge_quantizer")
    (folder / "int8.tflite").write_bytes(tiny_models.copy("int8", (1, 3), scale=1 / 255, zero_point=-128))
    done = in_process("optimize", "int8.tflite", "--config", "colours.yaml", "--data", "pictures", cwd=folder)
    assert done.returncode == 2
    says(done.stderr, ["int8.tflite takes x [1, 3] int8", "quantised already"])
