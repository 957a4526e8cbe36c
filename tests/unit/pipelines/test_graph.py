from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fakes
import tiny_models
from fakes import IMAGE, FakeSensor, FakeTarget, Recorder, picture
from pipelines.config.demo import Overrides, load_demo
from pipelines.core import Ended, Frame, Result, Signal, Stage
from pipelines.errors import ConfigError
from pipelines.graph import Graph, resolve, stage_order
from pipelines.run import run
from pipelines.shared_engine import SharedEngine

SHARED = Path(__file__).parents[4] / "shared/data"
SHIP = SHARED / "nxp_eiq/cifarnet_quant_int8.tflite"
needs_models = pytest.mark.skipif(not SHIP.exists(), reason="needs ../shared/data, which is not beside this checkout")

LABELS = "[airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck]"
DEMO = f"""
sensor: {{camera: {{}}}}
preprocess:
  - resize: {{width_px: 32, height_px: 32}}
  - scale: {{from: [0, 255], to: [0, 1]}}
engine: {{model: {SHIP}, labels: {LABELS}}}
postprocess: [top]
"""


def problems(tmp_path: Path, text: str, overrides: Overrides | None = None) -> list[str]:
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error, ExitStack() as stack:
        target = FakeTarget()
        resolve(load_demo(str(path), target, overrides), target, stack)
    return [str(p).replace(str(tmp_path) + "/", "") for p in error.value.problems]


@needs_models
def test_every_link_is_resolved_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(DEMO)
    target = FakeTarget()
    with ExitStack() as stack:
        (graph,) = resolve(load_demo(str(tmp_path / "demo.yaml"), target), target, stack)
        assert [stage.name for stage in graph.stages] == ["resize", "scale", "tflite", "top"]
        assert str(graph.stages[0].output) == "image [32, 32, 3] uint8 (r g b)"
        assert str(graph.stages[1].output) == "image [32, 32, 3] int8 (r g b)"  # scaled and quantised by one table
        assert graph.stages[2].output.channels[8] == "ship"
        assert [name for name, _ in graph.actions] == ["console"]


@needs_models
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("width_px: 32", "width_px: 16", "engine: got image [32, 16, 3] float32 (r g b), expected [1, 32, 32, 3]"),
        ("  - resize: {width_px: 32, height_px: 32}\n", "", "put a resize to that size before the engine"),
        ("[airplane, ", "[", "engine: got 9 labels, expected 10, one per output of model cifarnet_quant_int8"),
        ("[top]", "[smooth: {over: 2}]", "expected a decoder at its end"),
        ("[top]", "[top: {ignore: [shp]}]", 'did you mean "ship"'),
        ("scale: {", "mfcc: {window_ms: 30, hop_ms: 20, mels: 40}\n  - scale: {", "preprocess[1].mfcc"),
        ("resize: {", "fork: {branches: [[], []]}\n  - resize: {", "preprocess[1].resize: got bundle of (image"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_at_its_step(tmp_path: Path, old: str, new: str, says: str) -> None:
    (problem,) = problems(tmp_path, DEMO.replace(old, new))
    assert says in problem
    assert problem.startswith("demo.yaml:")


@needs_models
@pytest.mark.parametrize("step", ["top", "threshold: {above: 0.5, of: ship}"])
def test_an_action_that_waits_for_a_label_that_never_comes_is_refused(tmp_path: Path, step: str) -> None:
    text = DEMO.replace("[top]", f"[{step}]") + f"actions: [snapshot: {{folder: {tmp_path}, labels: [shipp]}}]\n"
    (problem,) = problems(tmp_path, text)
    assert "actions[0].snapshot: labels: unknown label 'shipp'; did you mean \"ship\"?" in problem


@needs_models
def test_two_inputs_are_wanted_where_a_fork_gives_two(tmp_path: Path) -> None:
    text = DEMO.replace("engine:", "  - fork: {branches: [[], []]}\nengine:")
    (problem,) = problems(tmp_path, text)
    assert "got 2 signals" in problem
    assert "expected the 1 inputs of model" in problem


@needs_models
@pytest.mark.parametrize("shared", [True, False])
def test_pipelines_share_an_engine_where_asked(tmp_path: Path, shared: bool) -> None:
    model = f"{{model: {SHIP}, shared: {str(shared).lower()}}}"
    one = f"""
    sensor: {{camera: {{}}}}
    steps:
      - resize: {{width_px: 32, height_px: 32}}
      - scale: {{from: [0, 255], to: [0, 1]}}
      - engine: {model}
      - threshold: {{above: 0.5, label: yes, of: 8}}
"""
    (tmp_path / "demo.yaml").write_text(f"pipelines:\n  left:{one}\n  right:{one}")
    target = FakeTarget(frames=map(picture, range(20)))
    with ExitStack() as stack:
        graphs = resolve(load_demo(str(tmp_path / "demo.yaml"), target), target, stack)
        engines = [graph.engines[0][1] for graph in graphs]
        assert (engines[0] is engines[1]) is shared
        assert isinstance(engines[0], SharedEngine) is shared
        recorder = Recorder()
        run(graphs, [recorder])
    assert sum(ended.frames for ended in recorder.of(Ended)) == 20


def test_stages_keep_each_pipeline_s_order() -> None:
    def chain(where: str, *names: str) -> Graph:
        stages = [Stage(name, "transforms", lambda frame: [frame], IMAGE, None) for name in names]
        return replace(fakes.graph(FakeSensor([]), *stages), name=where)

    left, right = chain("left", "resize", "scale"), chain("right", "crop", "resize")
    lefts, rights = ["age", "resize", "scale", "decode", "total"], ["age", "crop", "resize", "decode", "total"]
    assert stage_order([left, right]) == (*(("left", name) for name in lefts), *(("right", name) for name in rights))
    assert stage_order([left]) == tuple(("", name) for name in lefts)  # as run() calls one alone


@pytest.mark.parametrize("shared", [True, False])
def test_a_model_with_a_state_is_not_shared(tmp_path: Path, shared: bool) -> None:
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "sum.tflite").write_bytes(tiny_models.accumulator())
    text = f"""
sensor: {{camera: {{}}}}
engine: {{model: {tmp_path}/sum.tflite, shared: {str(shared).lower()}}}
postprocess: [threshold: {{above: 0.5, label: bright}}]
"""
    told = " ".join(problems(tmp_path, text))
    assert ("got shared: true for a model that keeps a state from frame to frame" in told) is shared
    assert ("sum" in told) is not shared  # a picture is no input of it


@needs_models
def test_a_cascade_from_yaml_looks_twice(tmp_path: Path) -> None:
    import cv2

    ship = cv2.cvtColor(cv2.imread(str(SHARED / "nxp_eiq/ship.bmp")), cv2.COLOR_BGR2RGB)
    engine = f"engine: {{model: {SHIP}, labels: {LABELS}}}"
    recipe = "resize: {width_px: 32, height_px: 32}\n  - scale: {from: [0, 255], to: [0, 1]}"
    (tmp_path / "demo.yaml").write_text(
        f"sensor: camera\nsteps:\n  - {recipe}\n  - {engine}\n  - top: {{threshold: 0.9}}\n"
        f"  - crop: {{region: [0, 0, {ship.shape[1]}, {ship.shape[0]}]}}\n"
        f"  - {recipe}\n  - {engine}\n  - top\n"
    )
    frames = [Frame(ship, 0.0, 0), Frame(np.zeros_like(ship), 1.0, 1)]
    target = FakeTarget(Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b")), frames)
    with ExitStack() as stack:
        graphs = resolve(load_demo(str(tmp_path / "demo.yaml"), target), target, stack)
        names = [stage.name for stage in graphs[0].stages]
        assert names == ["resize1", "scale1", "tflite1", "top1", "crop", "resize2", "scale2", "tflite2", "top2"]
        recorder = Recorder()
        run(graphs, [recorder])
    assert [(r.label, r.t) for r in recorder.of(Result)] == [("ship", 0.0)]
