from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import demos
from apps.cli.doctor import _section
from apps.cli.list import KINDS
from apps.cli.main import main
from pipelines import resources
from pipelines.errors import EiqError


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments, prog_name="eiq-demo")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


# ---- check -------------------------------------------------------------------------------------------------------


def test_check_shows_every_link(tmp_path: Path) -> None:
    result = call("check", str(demos.colours(tmp_path)))
    assert (result.exit_code, result.stderr) == (0, "")
    *links, model = result.stdout.splitlines()
    assert links == [
        "Colours on target sim",
        "  camera   ─► image [any, any, 3] uint8 (r g b)",
        "  resize   ─► image [1, 1, 3] uint8 (r g b)",
        "  scale    ─► image [1, 1, 3] float32 (r g b)",
        "  tflite   ─► scores [3] float32 (red green blue)",
        "  top      ─► results",
        "  console",
    ]
    assert model.startswith("  model same: same.tflite, ")


def test_check_runs_nothing_and_writes_nothing(tmp_path: Path) -> None:
    config = demos.colours(tmp_path)
    config.write_text(
        f"{config.read_text()}actions: [jsonl: {{path: {tmp_path}/o.jsonl}}, snapshot: {{folder: {tmp_path}/s}}]\n"
    )
    before = sorted(tmp_path.iterdir())
    assert call("check", str(config)).exit_code == 0
    assert sorted(tmp_path.iterdir()) == before


def test_check_tells_everything_at_once_with_its_place(tmp_path: Path) -> None:
    config = demos.colours(tmp_path)
    config.write_text("titel: x\nsensor: {camera: {fil: p.png}}\nengine: {model: nix}\npostprocess: [to]\n")
    result = call("check", str(config))
    assert (result.exit_code, result.stdout) == (2, "")
    places = [line.removeprefix(str(config)).split(": ")[:2] for line in result.stderr.splitlines()]
    assert places == [
        [":1:1", "titel"], [":2:19", "sensor.camera.fil"], [":3:9", "engine"], [":4:15", "postprocess[0]"],
    ]  # fmt: skip


def test_check_live_opens_no_device(tmp_path: Path) -> None:
    # a file is checked for a machine that has the camera, maybe on one that has none
    result = call("check", str(demos.colours(tmp_path)), "--live")
    assert (result.exit_code, result.stderr) == (0, "")


def test_several_pipelines_are_named(tmp_path: Path) -> None:
    config = demos.colours(tmp_path)
    _, *lines = config.read_text().splitlines()
    one = "\n".join("    " + line for line in lines)
    config.write_text(f"pipelines:\n  left:\n{one}\n  right:\n{one}\n")
    out = call("check", str(config)).stdout
    assert "pipeline left\n" in out
    assert "pipeline right\n" in out
    result = call("run", str(config), "--frames", "1")
    assert result.exit_code == 0
    assert sorted(line.split()[-1] for line in result.stdout.splitlines()) == ["left", "right"]


# ---- list --------------------------------------------------------------------------------------------------------


def test_list_has_a_line_for_each_kind() -> None:
    result = call("list")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == list(KINDS)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("targets", "sim"), ("sensors", "microphone"), ("transforms", "mfcc"), ("engines", "tflite"), ("decoders", "top"),
     ("actions", "jsonl"), ("models", "kws"), ("configs", "kws.yaml")],
)  # fmt: skip
def test_list_of_a_kind_is_one_name_a_line(kind: str, name: str) -> None:
    result = call("list", kind)
    assert result.exit_code == 0
    assert name in result.stdout.splitlines()


@pytest.mark.parametrize("kind", ["sensors", "transforms", "engines", "decoders", "actions"])
def test_every_name_tells_what_it_does_and_its_options(kind: str) -> None:
    for name in call("list", kind).stdout.split():
        result = call("list", kind, name)
        assert result.exit_code == 0, result.output
        assert len(result.stdout.splitlines()) >= 2, f"{kind} {name} says nothing"
        assert "<" not in result.stdout.partition("Args:")[0], f"{kind} {name} shows a Python object"


def test_options_come_with_their_defaults() -> None:
    lines = [line.split(maxsplit=1) for line in call("list", "decoders", "top").stdout.splitlines()]
    assert ["threshold", "default 0.0"] in lines
    assert ["k", "default 1"] in lines
    assert ["width_px", "required"] in [
        line.split() for line in call("list", "transforms", "resize").stdout.splitlines()
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["transform"], ["'transform' is not one of", "'transforms'"]),
        (["transforms", "mffc"], ["unknown transform 'mffc'; did you mean \"mfcc\"?"]),
        (["sensors", "radar"], ["unknown sensor 'radar'; expected one of: camera, microphone, motion"]),
        (["sensors", "led"], ["unknown sensor 'led'"]),
        (["sensors", "camera", "--target", "mars"], ["unknown target 'mars'; expected one of: imx8, rt, sim"]),
        (["models", "kws"], ["models have no options of their own; see eiq-demo models info"]),
    ],
)
def test_list_of_what_is_not_there(arguments: list[str], says: list[str]) -> None:
    result = call("list", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    demos.says(result.stderr, says)


# ---- doctor ------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if eiq-demo had been installed without its data."""
    monkeypatch.setattr(resources, "bundled", lambda: tmp_path)
    monkeypatch.delenv("EIQ_MODELS", raising=False)


def test_doctor_says_what_does_not_work_and_goes_on(no_models: None) -> None:
    result = call("doctor")
    assert result.exit_code == 1
    out = result.stdout
    assert "ok   Python" in out
    assert "BAD  models           no model is there; install eiq-demo again, or name a folder" in out
    assert "camera" in out.splitlines()[-1]  # it went on to the end
    assert "of the things that the bundled demos need do not work; see above" in result.stderr


def test_doctor_s_lines_fit_and_what_is_long_stands_below_itself(capsys: pytest.CaptureFixture[str]) -> None:
    def bad() -> str:
        raise EiqError("here: " + "it is long; " * 12 + "mend it\nthere: it is short")

    assert _section("the bundled demos", {"my.yaml": bad, "kws.yaml": lambda: "here"}) == 1
    assert capsys.readouterr().out.splitlines() == [
        "the bundled demos:",
        "  BAD  my.yaml          here: " + "it is long; " * 7 + "it is",
        " " * 24 + "long; " + "it is long; " * 4 + "mend it",
        " " * 24 + "there: it is short",
        "  ok   kws.yaml         here",
    ]


# ---- help --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*sorted(main.commands)])
def test_help_shows_a_command_to_copy(name: str) -> None:
    for flag in ("--help", "-h"):
        result = call(name, flag)
        assert result.exit_code == 0
        demos.says(result.stdout, [f"Usage: eiq-demo {name}", f"eiq-demo {name}"])


def test_help_of_all_names_every_command() -> None:
    out = call("--help").stdout
    demos.says(out, [*main.commands, "eiq-demo run kws.yaml"])
    assert call("--version").stdout.startswith("eiq-demo, version 0.")


@pytest.mark.parametrize("option", ["--target", "--live", "--input", "--set", "--engine"])
def test_options_of_a_config_are_the_same_everywhere(option: str) -> None:
    for name in ("run", "check", "bench"):
        assert option in call(name, "--help").stdout


def test_an_unknown_command_is_exit_code_2() -> None:
    result = call("rnu")
    assert result.exit_code == 2
    demos.says(result.stderr, ["No such command 'rnu'"])
