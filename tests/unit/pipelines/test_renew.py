from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

import demos
import tiny_models
from fakes import FakeSensor, Recorder
from hal.sim.target import Sim
from pipelines.config.demo import load_demo
from pipelines.core import Frame, Result
from pipelines.graph import Graph, resolve
from pipelines.renew import renewed
from pipelines.run import run

pytest.importorskip("ai_edge_litert")


@pytest.fixture
def stack() -> ExitStack:
    with ExitStack() as stack:
        yield stack


def resolved(config: Path, stack: ExitStack) -> Graph:
    target = Sim()
    (graph,) = resolve(load_demo(str(config), target), target, stack)
    return graph


def reports(graph: Graph, frames: list[Frame], *, new: bool) -> list[str]:
    recorder = Recorder()
    stages = renewed(graph) if new else graph.stages
    run([replace(graph, sensor=FakeSensor(frames, graph.sensor.output), stages=stages)], [recorder])
    return [result.label for result in recorder.of(Result)]


def test_what_a_decoder_has_reported_is_forgotten(tmp_path: Path, stack: ExitStack) -> None:
    config = demos.colours(tmp_path)
    config.write_text(config.read_text().replace("threshold: 0.5", "threshold: 0.5, refractory_ms: 60000"))
    graph = resolved(config, stack)
    frames = list(graph.sensor.frames())
    assert reports(graph, frames, new=True) == ["blue", "green", "red"]
    assert reports(graph, frames, new=True) == ["blue", "green", "red"]
    assert reports(graph, frames, new=False) == ["blue", "green", "red"]  # this chain's first time
    assert reports(graph, frames, new=False) == []


def test_a_stateful_model_begins_anew(tmp_path: Path, stack: ExitStack) -> None:
    (tmp_path / "sum.tflite").write_bytes(tiny_models.accumulator())
    demos.loud(tmp_path)
    config = tmp_path / "sum.yaml"
    config.write_text(
        "sensor: {microphone: {file: clicks.wav, rate_hz: 8000, pace: fast}}\n"
        "preprocess: [window: {length_ms: 0.125, hop_ms: 0.125}]\n"
        "engine: {model: sum.tflite}\npostprocess: [threshold: {above: 70, label: much}]\n"
    )
    graph = resolved(config, stack)
    frames = list(graph.sensor.frames())
    for _ in range(3):  # 80 samples of 0.92 are 73
        assert reports(graph, frames, new=True) == ["much"]


def test_names_fused_tables_and_engines_stay(tmp_path: Path, stack: ExitStack) -> None:
    config = demos.colours(tmp_path)
    (tmp_path / "same.tflite").write_bytes(tiny_models.copy("int8", (1, 3), 1 / 255, -128))
    config.write_text(config.read_text().replace("  - scale", "  - resize: {width_px: 1, height_px: 1}\n  - scale"))
    graph = resolved(config, stack)
    stages = renewed(graph)
    assert [stage.name for stage in stages] == ["resize1", "resize2", "scale", "tflite", "top"]
    same = [new.part is old.part for new, old in zip(stages, graph.stages, strict=True)]
    assert same == [False, False, True, True, False]
    assert [stage.output for stage in stages] == [stage.output for stage in graph.stages]
