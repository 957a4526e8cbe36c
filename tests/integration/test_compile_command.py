"""``eiq-demo compile`` from a user's chair, and what it says of the board, run on one."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from compiled import function
from compiler.emit import Bundle, compile_graph
from compiler.measure import NEEDED, measure
from compiler.reader import read_graph
from demos import in_process, says

MODELS = Path(__file__).parents[2] / "models"
board = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)),
    reason=f"needs {' and '.join(NEEDED)}: apt-get install {' '.join(NEEDED.values())}",
)


def test_a_bundle_and_its_report(tmp_path: Path) -> None:
    done = in_process("compile", "kws", "--out", "build", cwd=tmp_path)
    assert done.returncode == 0
    says(done.stdout, ["depthwise_conv_2d", "4,275,864 multiply-accumulates", "the least there can be"])
    assert sorted(path.name for path in (tmp_path / "build").iterdir()) == ["kws.c", "kws.h"]
    header = (tmp_path / "build/kws.h").read_text()
    for name in ("CONSTANT_MEM_SIZE", "MUTABLE_MEM_SIZE", "ACTIVATIONS_MEM_SIZE", "MEM_ALIGN", "in0", "out0"):
        assert f"#define KWS_{name} " in header
    assert "malloc" not in (tmp_path / "build/kws.c").read_text()


def test_a_graph_to_look_at(tmp_path: Path) -> None:
    done = in_process("compile", "kws", "--dump-graph", "g.svg", "--dump-graph", "g.txt", cwd=tmp_path)
    assert done.returncode == 0
    drawing = ElementTree.fromstring((tmp_path / "g.svg").read_text())
    texts = [element.text or "" for element in drawing.iter() if element.tag.endswith("text")]
    assert sum("conv_2d" in text for text in texts) == 11
    text = (tmp_path / "g.txt").read_text()
    says(text, ["== as read: 19 operators", "== fold_constants", "== remove_dead", "output scores int8[1, 12]"])


def test_the_flatbuffer_as_a_header_is_the_file(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    assert in_process("compile", "kws", "--format", "header", cwd=tmp_path).returncode == 0
    (tmp_path / "out.c").write_text(
        '#include "kws_tflite.h"\n#include <stdio.h>\n'
        "int main(void) { return fwrite(kws_tflite, 1, kws_tflite_len, stdout) != kws_tflite_len; }\n"
    )
    subprocess.run(["cc", "-o", "out", "out.c"], cwd=tmp_path, check=True)
    written = subprocess.run(["./out"], cwd=tmp_path, check=True, capture_output=True).stdout
    assert written == (MODELS / "kws/model.tflite").read_bytes()


def test_mistakes_are_one_sentence(tmp_path: Path, shared_data: Path) -> None:
    for arguments, phrases in (
        (["kwz"], ["unknown model 'kwz'", 'did you mean "kws"?']),
        (["gone.tflite"], ["is not there"]),
        ([str(shared_data / "refuse/model_invoking_error.tflite")], ["custom operator"]),
        (["kws", "--dump-graph", "g.png"], ["ends in .txt or .svg"]),
        (["kws", "--out", "/dev/null/x"], ["cannot make the folder /dev/null/x"]),
    ):
        done = in_process("compile", *arguments, cwd=tmp_path)
        assert done.returncode in (1, 2)
        says(done.stderr, phrases)


@board
def test_what_is_measured_on_the_board(tmp_path: Path) -> None:
    done = in_process("compile", "kws", "--measure", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    found = told["measured_in_qemu"]
    assert len(found["layers"]) == len(told["layers"])
    assert sum(found["layers"]) == pytest.approx(found["instructions"], rel=0.001)
    assert found["flash"] > told["constants_bytes"]
    assert found["ram"] > told["activations_bytes"] + told["inputs_and_outputs_bytes"]
    again = measure(compile_graph(read_graph(MODELS / "kws/model.tflite").but(name="kws")))
    assert again.instructions == pytest.approx(found["instructions"], abs=12)


@board
@pytest.mark.parametrize("name", ["kws", "cifar10"])
def test_the_board_gives_the_bits_of_the_host(name: str, tmp_path: Path) -> None:
    bundle = compile_graph(read_graph(MODELS / name / "model.tflite"))
    assert measure(bundle).checksum == checksum(bundle, tmp_path)


def checksum(bundle: Bundle, folder: Path) -> int:
    """As compiler/board/main.c: the same input, and a sum over inputs and outputs."""
    memory = bundle.memory
    mutable = (np.arange(memory.mutable, dtype=np.uint32) * 37 + 11).astype(np.uint8)
    (x,), (y,) = bundle.graph.inputs, bundle.graph.outputs
    inputs, outputs = (bundle.graph.tensors[index] for index in (x, y))
    place = memory.places[x]
    stored = mutable[place : place + inputs.size].view(np.int8).reshape(inputs.shape)
    place = memory.places[y]
    mutable[place : place + outputs.size] = function(bundle, folder)(stored).view(np.uint8).reshape(-1)
    total = 0
    for byte in mutable.tolist():
        total = (total * 31 + byte) % 2**32
    return total
