"""Several inputs, outputs and pipelines, from YAML through a real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import demos
import tiny_models
from apps.cli.main import main
from apps.cli.options import opened, overrides

TWO = """
sensor: {camera: {file: pictures}}
preprocess:
  - resize: {width_px: 1, height_px: 1}
  - fork:
      branches:
        - [scale: {from: [0, 255], to: [0, 1]}]       # a
        - [scale: {from: [0, 255], to: [1, 0]}]       # b: the negative
engine: {model: two.tflite}
postprocess:
  - threshold: {above: 0.5, of: 0, output: %s, label: beyond}
"""


def told(folder: Path, text: str, *arguments: str) -> list[dict[str, Any]]:
    (folder / "demo.yaml").write_text(text)
    done = CliRunner().invoke(main, ["run", str(folder / "demo.yaml"), "--json", *arguments])
    assert done.exit_code == 0, done.stderr
    return list(map(json.loads, done.stdout.splitlines()))


def results(folder: Path, text: str, *arguments: str) -> list[dict[str, Any]]:
    return [line for line in told(folder, text, *arguments) if line["event"] == "result"]


def eyes_and_ears(folder: Path) -> str:
    text = "pipelines:\n"
    for name, path in {"eyes": demos.colours(folder), "ears": demos.loud(folder)}.items():
        lines = [line for line in path.read_text().splitlines() if not line.startswith("title")]
        text += f"  {name}:\n" + "".join(f"    {line}\n" for line in lines)
    return text


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(0, [(2.0, 0.569)], id="a - b: only the red picture has its first channel beyond"),
        pytest.param(1, [(0.0, 1.0)], id="a + b: always 1, reported once, when it first crosses"),
    ],
)
def test_two_inputs_and_two_outputs(tmp_path: Path, output: int, expected: list[tuple[float, float]]) -> None:
    demos.colours(tmp_path)
    (tmp_path / "two.tflite").write_bytes(tiny_models.add_and_subtract("float32", (1, 3)))
    found = results(tmp_path, TWO % output)
    assert [(r["t"], round(float(str(r["value"])), 3)) for r in found] == expected


def test_a_camera_and_a_microphone_at_once(tmp_path: Path) -> None:
    found = results(tmp_path, eyes_and_ears(tmp_path))
    assert [r["label"] for r in found if r["pipeline"] == "eyes"] == ["blue", "green", "red"]
    assert [(r["label"], r["t"]) for r in found if r["pipeline"] == "ears"] == [("loud", 0.11), ("quiet", 0.12)]


@pytest.mark.parametrize("engine", ["tflite", "tflm"])
def test_stages_are_told_in_the_order_of_each_pipeline(tmp_path: Path, engine: str) -> None:
    """Also where the engines run in processes of their own, as tflm does."""
    if engine == "tflm":
        pytest.importorskip("tflite_micro")
    summary = told(tmp_path, eyes_and_ears(tmp_path), "--engine", engine)[-1]
    rows = [(row["pipeline"], row["stage"]) for row in summary["stages"]]
    eyes, ears = ["resize", "scale", engine, "top", "total"], ["window", engine, "threshold", "total"]
    assert rows == [*(("eyes", name) for name in eyes), *(("ears", name) for name in ears)]


@pytest.mark.parametrize("shared", [False, True])
def test_pipelines_whose_engine_holds_the_gil_run_it_in_processes(tmp_path: Path, shared: bool) -> None:
    pytest.importorskip("tflite_micro")
    demo = demos.colours(tmp_path)
    lines = demo.read_text().replace("engine: {", f"engine: {{type: tflm, shared: {str(shared).lower()}, ").splitlines()
    body = "".join(f"    {line}\n" for line in lines if not line.startswith("title"))
    text = f"pipelines:\n  left:\n{body}  right:\n{body}"
    found = results(tmp_path, text)
    for side in ("left", "right"):
        assert [r["label"] for r in found if r["pipeline"] == side] == ["blue", "green", "red"]
    with opened(str(tmp_path / "demo.yaml"), "sim", overrides((), False, None, None)) as (_, graphs, _target):
        engines = [graph.engines[0][1] for graph in graphs]
        assert all("in a process of its own" in engine.description for engine in engines)
        assert (engines[0] is engines[1]) is shared
    with opened(str(demo), "sim", overrides((), False, None, "tflm")) as (_, graphs, _target):
        assert "process" not in graphs[0].engines[0][1].description
