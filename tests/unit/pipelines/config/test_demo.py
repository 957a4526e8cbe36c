from __future__ import annotations

from pathlib import Path

import pytest

from fakes import FakeTarget
from pipelines.config.demo import Demo, Overrides, load_demo
from pipelines.errors import ConfigError

GOOD = "title: T\nsensor: {camera: {fps: 5}}\npostprocess: [top]\n"


def load(tmp_path: Path, text: str, overrides: Overrides | None = None) -> Demo:
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    return load_demo(str(path), FakeTarget(), overrides)


def problems(tmp_path: Path, text: str, overrides: Overrides | None = None) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text, overrides)
    return [str(p).replace(str(tmp_path) + "/", "") for p in error.value.problems]


def test_defaults() -> None:
    demo = load_demo("kws.yaml", FakeTargetWithMicrophone())
    assert demo.title == "Keyword spotting"
    assert [s.name for s in demo.pipelines[0].steps] == ["window", "mfcc", "tflite", "smooth", "top"]


class FakeTargetWithMicrophone(FakeTarget):
    def config_of(self, capability: str) -> type:
        from hal.sim.target import Sim

        return Sim().config_of(capability)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "demo.yaml: is empty; expected a demo"),
        ("# nothing", "demo.yaml: is empty"),
        ("hello", 'demo.yaml:1:1: got "hello", expected a demo'),
        ("- a", "got a list of 1, expected a demo"),
        ("sensr: {camera: {}}", 'demo.yaml:1:1: sensr: unknown key; did you mean "sensor"?'),
        ("title: 5\n" + GOOD[9:], "demo.yaml:1:1: title: got 5, expected text"),
        ("sensor: {camra: {}}", "demo.yaml:1:10: sensor.camra: unknown sensor 'camra'; did you mean \"camera\""),
        ("sensor: {camera: {}, microphone: {}}", "sensor: got a mapping of camera, microphone, expected one sensor"),
        ("sensor: 7", "sensor: got 7, expected one sensor"),
        ("title: x", "demo.yaml:1:1: sensor: is missing"),
        (GOOD + "steps: []", "postprocess: stands beside steps"),
        (GOOD + "actions: console", 'actions: got "console", expected a list of steps'),
        (GOOD + "actions: [consol]", "actions[0]: unknown action 'consol'; did you mean \"console\"?"),
        (GOOD + "preprocess:\n  - top", "demo.yaml:5:5: preprocess[0]: unknown transform 'top'"),
        (GOOD + "preprocess:\n  - mfcc: {mel: 40}", 'demo.yaml:5:12: preprocess[0].mfcc.mel: unknown option'),
        (GOOD + "engine: tflite", 'engine: got "tflite", expected options such as {model: kws}'),
        (GOOD + "engine: {model: kwz}", "engine: unknown model 'kwz'"),
        (GOOD + "engine: {threads: 2}", 'the option "model" is missing'),
        (GOOD + "engine: {model: x.tflite, type: tfl}", "demo.yaml:4:27: engine.type: unknown engine 'tfl'"),
        (GOOD + "engine: {model: x.bin}", "no engine is known for .bin"),
        (GOOD + "targets: [sim]", "targets: got a list of 1, expected targets by name"),
        (GOOD + "targets: {simm: {}}", "demo.yaml:4:11: targets.simm: unknown target 'simm'; did you mean \"sim\"?"),
        (GOOD + "targets: {sim: 3}", "targets.sim: got 3, expected keys of a demo"),
        ("pipelines: {}", "pipelines: got an empty mapping, expected pipelines by name"),
        ("pipelines: {a: 1}", "pipelines.a: got 1, expected sensor, engine"),
        ("sensor: camera\npipelines: {a: {sensor: camera}}", "sensor: stands beside pipelines; move it into one"),
        ("pipelines: {a: {sensor: camera, title: x}}", "pipelines.a.title: unknown key"),
    ],
)  # fmt: skip
def test_problems(tmp_path: Path, text: str, says: str) -> None:
    found = problems(tmp_path, text)
    assert any(says in problem for problem in found), found


def test_all_problems_of_a_file_in_its_order(tmp_path: Path) -> None:
    found = problems(tmp_path, "tittle: x\nsensor: {camera: {fpz: 1}}\nactions: [consol]\nengine: {model: kwz}\n")
    assert [p.split(": ")[1] for p in found] == ["tittle", "sensor.camera.fpz", "actions[0]", "engine"]


def test_the_targets_section_is_merged_over_the_file(tmp_path: Path) -> None:
    demo = load(tmp_path, GOOD + "targets: {sim: {title: S, sensor: {camera: {file: a.png}}}}")
    assert demo.title == "S"
    assert (demo.pipelines[0].sensor.config.fps, demo.pipelines[0].sensor.config.file) == (5.0, "a.png")


def test_a_problem_in_an_override_has_the_overrides_place(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, GOOD + "targets:\n  sim:\n    sensor: {camera: {fps: -1}}")
    assert problem.startswith("demo.yaml:6:28: sensor.camera.fps: expected a number")


def test_set_changes_one_key(tmp_path: Path) -> None:
    overrides = Overrides(sets=("sensor.camera.fps=7", "postprocess[0]={top: {k: 3}}", "title=no"))
    demo = load(tmp_path, GOOD, overrides)
    assert demo.title == "no"
    assert demo.pipelines[0].sensor.config.fps == 7.0
    assert demo.pipelines[0].steps[0].config.k == 3


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("title", "--set title:1:1: expected key=value"),
        ("postprocess.9=top", "--set postprocess.9=top:1:1: postprocess: is a list of 1; expected an index, got '9'"),
        ("sensor.camera.fsp=1", 'sensor.camera.fsp: unknown option; did you mean "fps"?'),
        ("title=[", "--set title=["),
    ],
)
def test_problems_of_set(tmp_path: Path, option: str, says: str) -> None:
    found = problems(tmp_path, GOOD, Overrides(sets=(option,)))
    assert any(says in problem for problem in found), found


@pytest.mark.parametrize("sensor", ["camera", "{camera: {}}", "{camera: {file: x.png}}"])
def test_live_and_input_reach_the_sensor(tmp_path: Path, sensor: str) -> None:
    overrides = Overrides(sensors=(("--live", {"live": True, "file": None}),))
    demo = load(tmp_path, f"sensor: {sensor}\npostprocess: [top]", overrides)
    assert (demo.pipelines[0].sensor.config.live, demo.pipelines[0].sensor.config.file) == (True, None)


def test_an_option_that_a_sensor_does_not_take(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, GOOD, Overrides(sensors=(("--input x", {"wavefile": "x"}),)))
    assert problem == "--input x:1:1: sensor: the camera of target sim does not take it"


def test_an_option_is_taken_away_from_the_sensors_that_have_it(tmp_path: Path) -> None:
    overrides = Overrides(sensors=(("--input y", {"file": "y", "synthetic": None}),))
    assert load(tmp_path, GOOD, overrides).pipelines[0].sensor.config.file == "y"
    motion = "sensor: {motion: {synthetic: {fan: {}}}}\npostprocess: [{threshold: {above: 1, of: 0}}]\n"
    (tmp_path / "motion.yaml").write_text(motion)
    (pipeline,) = load_demo(str(tmp_path / "motion.yaml"), FakeTargetWithMicrophone(), overrides).pipelines
    assert (pipeline.sensor.config.file, pipeline.sensor.config.synthetic) == (str(Path("y").absolute()), None)


def test_unknown_config_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match='did you mean "kws.yaml"'):
        load_demo("kw.yaml", FakeTarget())
