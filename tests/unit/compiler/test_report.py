from __future__ import annotations

from pathlib import Path

from compiler import report
from compiler.emit import Bundle, compile_graph
from compiler.measure import Measured
from compiler.reader import read_graph

GRAPH = read_graph(Path(__file__).parents[3] / "models/kws/model.tflite")


def measured(bundle: Bundle, each: int) -> Measured:
    layers = tuple(each + i for i, layer in enumerate(layer for layer in bundle.layers if layer.kernel))
    return Measured("gcc", 1000, 200, 50, sum(layers), layers, 7)


def test_both_kernels_stand_side_by_side() -> None:
    own, theirs = compile_graph(GRAPH), compile_graph(GRAPH, "cmsis-nn")
    first, second = measured(own, 1000), measured(theirs, 5000)
    head, *rows = report.as_text(own, first, (theirs, second)).splitlines()
    assert head.split()[:10] == [
        "operator", "output", "MACs", "flash", "scratch", "instructions", "a", "MAC", "by", "CMSIS-NN"
    ]  # fmt: skip
    assert "1,000" in rows[0]
    assert "5,000" in rows[0]
    text = "\n".join(rows)
    assert f"own kernels: {first.instructions:,} instructions an inference" in text
    assert f"CMSIS-NN: {second.instructions:,} instructions an inference" in text
    assert "by own kernels" in report.as_text(theirs, second, (own, first)).splitlines()[0]


def test_as_an_object() -> None:
    own, theirs = compile_graph(GRAPH), compile_graph(GRAPH, "cmsis-nn")
    assert "measured_in_qemu" not in report.as_object(own)
    told = report.as_object(theirs, measured(theirs, 5), (own, measured(own, 1)))
    assert (told["kernels"], told["compared_in_qemu"]["kernels"]) == ("cmsis-nn", "own")
    assert told["compared_in_qemu"]["layers"][0] == 1
    assert sum(layer["macs"] for layer in told["layers"]) == told["macs"]
