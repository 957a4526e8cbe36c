from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

import demos
import fakes
from apps.cli.main import main


@pytest.fixture
def colours(tmp_path: Path) -> str:
    return str(demos.colours(tmp_path))


@pytest.fixture
def loud(tmp_path: Path) -> str:
    return str(demos.loud(tmp_path))


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["run", *arguments], prog_name="eiq-demo")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def objects(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_results_are_on_stdout_and_talk_is_on_stderr(colours: str) -> None:
    result = run(colours)
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["0.000", "s", "blue", "0.78"],
        ["1.000", "s", "green", "0.78"],
        ["2.000", "s", "red", "0.78"],
    ]
    demos.says(result.stderr, ["Colours on target sim; Ctrl-C stops", "model same: ",
                               "end of input: 3 frames, 3 results", "stage times measured here, in ms"])  # fmt: skip


def test_json_is_one_object_a_line_and_nothing_else(colours: str) -> None:
    result = run(colours, "--json")
    assert result.stderr == ""
    *results, ended, summary = objects(result)
    assert [(r["event"], r["t"], r["label"]) for r in results] == [
        ("result", 0.0, "blue"), ("result", 1.0, "green"), ("result", 2.0, "red"),
    ]  # fmt: skip
    assert ended == {"event": "ended", "reason": "end of input", "frames": 3, "results": 3}
    assert (summary["event"], summary["dropped"], summary["times"]) == ("summary", {}, "measured here")
    stages = {row["stage"]: row["frames"] for row in summary["stages"]}  # type: ignore[attr-defined]
    assert stages == {"resize": 2, "scale": 2, "tflite": 2, "top": 2, "total": 2}  # the first of three apart


def test_json_keeps_other_actions_and_drops_the_console(colours: str, tmp_path: Path) -> None:
    config = Path(colours)
    config.write_text(config.read_text() + f"actions: [console, jsonl: {{path: {tmp_path}/out.jsonl}}]\n")
    assert len(objects(run(colours, "--json"))) == 5
    assert [json.loads(line)["label"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        "blue", "green", "red",
    ]  # fmt: skip


def test_frames_ends_after_so_many(colours: str) -> None:
    result = run(colours, "--frames", "2")
    assert result.stdout.split()[2::4] == ["blue", "green"]
    assert "limit: 2 frames, 2 results" in result.stderr


def test_seconds_is_stream_time(loud: str) -> None:
    whole, start = objects(run(loud, "--json")), objects(run(loud, "--json", "--seconds", "0.115"))
    assert [o["label"] for o in whole if o["event"] == "result"] == ["loud", "quiet"]
    assert [o.get("reason") for o in start if o["event"] == "ended"] == ["limit"]
    assert [o["label"] for o in start if o["event"] == "result"] == []  # its chunk of 20 ms ends at 0.12 s


def test_set_changes_one_key(colours: str) -> None:
    assert run(colours, "--set", "postprocess[0].top.threshold=0.9").stdout == ""
    assert "rot" in run(colours, "--set", "engine.labels=[rot, gruen, blau]").stdout


def test_input_takes_another_recording(colours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "pictures")  # relative to where the user is, not to the config
    assert run(colours, "--input", "red.png").stdout.split()[2::4] == ["red"]
    assert run(colours, "--input", "*e*.png").stdout.split()[2::4] == ["blue", "green", "red"]


def test_input_beats_a_file_that_says_live(colours: str, tmp_path: Path) -> None:
    config = Path(colours)
    config.write_text(config.read_text().replace("file: pictures", "live: true, device: 99"))
    assert run(colours, "--input", str(tmp_path / "pictures")).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--live", "--input", "x.wav"], ["got both --live and --input, expected one"]),
        (["--frames", "0"], ["--frames", "0 is not in the range"]),
        (["--seconds", "-1"], ["--seconds", "-1.0 is not in the range"]),
        (["--seconds", "soon"], ["'soon' is not a valid float"]),
        (["--set", "engine"], ["--set engine:1:1: expected key=value, such as engine.threads=2"]),
        (["--set", "=1"], ["expected key=value"]),
        (["--set", "engine.thread=2"], ['engine.thread: unknown option; did you mean "threads"?']),
        (["--set", "preprocess[9].x=2"], ["preprocess: is a list of 2; expected an index, got '9'"]),
        (["--set", "engine.labels=[a"], ["--set engine.labels=[a:1:3: "]),
        (["--set", "targets.sim.title=x"], ["targets: cannot be changed here"]),
        (["--set", ".".join(["engine"] * 100) + "=1"], ["100 levels deep, expected at most"]),
        (["--target", "mars"], ["unknown target 'mars'; expected one of: imx8, rt, sim"]),
        (["--engine", "tflight"], ["unknown engine 'tflight'; did you mean \"tflite\"?"]),
        (["--input", "nowhere.png"], ["colours.yaml:2:18: sensor.camera: cannot open", "nowhere.png"]),
        (["--input", "~nobody-here/a.png"], ["cannot open", "~nobody-here/a.png"]),
        (["--input", "a" * 300], ["sensor.camera.file: got", "expected a file's path (File name too long)"]),
        (["--fast", "--target"], ["--target' requires an argument"]),
        (["second.yaml"], ["unexpected extra argument (second.yaml)"]),
    ],
)
def test_a_wrong_request_is_exit_code_2_and_one_sentence(colours: str, arguments: list[str], says: list[str]) -> None:
    result = run(colours, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    demos.says(result.stderr, says)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("kvs.yaml", 'no such file, and no bundled config of that name; did you mean "kws.yaml"?'),
        ("/nowhere/kws.yaml", "/nowhere/kws.yaml: there is no such file"),
        ("~nobody-here/kws.yaml", "there is no such file"),
        ("a" * 300, "cannot be read (File name too long); expected a YAML file"),
        ("a\0b", "there is no such file"),
        ("", "is a folder; expected a YAML file"),
    ],
)
def test_a_config_that_is_not_there(name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(name)
    assert result.exit_code == 2
    demos.says(result.stderr, [says])


def test_a_run_that_fails_on_its_way_is_exit_code_1_with_its_summary(colours: str, tmp_path: Path) -> None:
    red = tmp_path / "pictures/red.png"
    red.write_bytes(red.read_bytes()[:40])  # begins as a picture does: that shows when it is reached only
    result = run(colours)
    assert result.exit_code == 1
    assert result.stdout.split()[2::4] == ["blue", "green"]
    demos.says(result.stderr, ["failed: 2 frames, 2 results", "red.png is damaged, expected a picture"])


def test_a_recording_shorter_than_a_window_says_so(loud: str, tmp_path: Path) -> None:
    import numpy as np

    short = demos.sound(tmp_path / "short.wav", np.zeros(40, np.int16))
    result = run(loud, "--input", str(short))
    assert result.exit_code == 0
    demos.says(result.stderr, ["end of input: 0 frames, 0 results", "the input is shorter than one window"])


def test_a_snapshot_is_a_picture_where_a_camera_took_it(colours: str, tmp_path: Path) -> None:
    config = Path(colours)
    config.write_text(f"{config.read_text()}actions: [snapshot: {{folder: {tmp_path}/shots}}]\n")
    assert run(colours).exit_code == 0
    taken = sorted((tmp_path / "shots").iterdir())
    assert [path.name for path in taken] == ["0000.000-blue.png", "0001.000-green.png", "0002.000-red.png"]
    # as it was captured: not the one pixel that the model saw
    for path, name in zip(taken, ("blue", "green", "red"), strict=True):
        assert (cv2.imread(str(path)) == cv2.imread(str(tmp_path / f"pictures/{name}.png"))).all()


def test_a_lost_link_is_told_at_once_and_in_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    from apps.cli.display import Display, JsonLines
    from hal.sim.target import Sim
    from pipelines.config.demo import Demo
    from pipelines.core import LinkBack, LinkLost, StageTime
    from pipelines.timing import Stats

    stats = Stats()
    for watcher in (stats, display := Display(Demo("", ""), [], Sim(), stats), lines := JsonLines([], Sim(), stats)):
        watcher.on(LinkLost("the cable was pulled"))
        watcher.on(LinkBack(0.25))
        for seq in range(2):
            watcher.on(StageTime("board.device", 0.001, seq, measured="on the board, in core cycles"))
    display.finish()
    lines.finish()
    told = capsys.readouterr()
    demos.says(told.err, [
        "link to the board lost: the cable was pulled; trying to get it back",
        "the board is back after 0.25 s; the run goes on",
        "the link to the board was lost once",
        "stage times measured here (where nothing else is said), in ms",
        "on the board, in core cycles",
    ])  # fmt: skip
    lost, back, summary = map(json.loads, told.out.splitlines())
    assert (lost, back["event"], summary["link_lost"]) == (
        {"event": "link_lost", "to": "the board", "reason": "the cable was pulled"}, "link_back", 1,
    )  # fmt: skip


def test_what_a_camera_delivers_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    from apps.cli.display import Display, JsonLines
    from hal.sim.target import Sim
    from pipelines.config.demo import Demo
    from pipelines.core import StageTime
    from pipelines.timing import Stats

    class Camera(fakes.FakeSensor):
        mode, copied = "640x480 at 30 fps, asked for 1280x720 at 60 fps", 3

    stats, graphs = Stats(), [replace(fakes.graph(Camera([])), name=name) for name in ("left", "right")]
    display, lines = Display(Demo("", ""), graphs, Sim(), stats), JsonLines(graphs, Sim(), stats)
    for watcher in (display, lines):
        for pipeline in ("right", "right", "left"):
            watcher.on(StageTime("resize", 0.001, 0, pipeline))
    display.finish()
    told = capsys.readouterr()
    demos.says(told.err, [
        "right: camera delivers 640x480 at 30 fps, asked for 1280x720 at 60 fps",
        "left: camera delivers 640x480 at 30 fps, asked for 1280x720 at 60 fps",
        "left: 3 pictures were copied, as their source has few buffers",
        "right: 3 pictures were copied",
    ])  # fmt: skip
    assert told.err.count("delivers") == 2
    assert [json.loads(line) for line in told.out.splitlines()] == [
        {"event": "sensor", "mode": f"camera delivers {Camera.mode}", "pipeline": name} for name in ("right", "left")
    ]
