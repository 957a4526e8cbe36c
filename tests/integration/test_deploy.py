"""What stands in deploy/: the root for 64-bit Arm, its wheels, and the container."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"deploy_{name}", DEPLOY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


parity, wheels = script("parity"), script("wheels")


# ---- equal, or not -----------------------------------------------------------------------------------------------


def said(engine: str, score: float = 0.5, label: str = "yes", demo: str = "kws") -> dict[str, Any]:
    results = [{"event": "result", "t": 1.0, "label": label, "score": score}]
    scores = {"0.0": [score, 0.25], "1600.0": [0.0, 1.0]}
    case = {"demo": demo, "engine": engine, "input": "", "sets": [], "results": results, "step": 1 / 256,
            "scores": scores}  # fmt: skip
    return {"machine": {}, "cases": [case]}


@pytest.mark.parametrize("engine", ["bundle", "reference", "default", "none"])
def test_the_same_is_no_fault(engine: str) -> None:
    (row,) = parity.compare(said(engine), said(engine))
    assert (row.frames, row.values, row.differing, row.largest, row.fault) == (2, 4, 0, 0.0, False)


@pytest.mark.parametrize(
    ("engine", "fault"), [("bundle", True), ("reference", True), ("none", True), ("default", False)]
)
def test_one_step_is_a_fault_where_there_is_no_freedom(engine: str, fault: bool) -> None:
    (row,) = parity.compare(said(engine), said(engine, 0.5 + 1 / 256))
    assert (row.differing, row.lsb, row.results_same, row.fault) == (1, 1.0, False, fault)


def test_another_label_is_a_fault_on_every_engine() -> None:
    (row,) = parity.compare(said("default"), said("default", label="no"))
    assert row.fault
    assert "differ |" in "\n".join(parity.table([row]))


def test_a_frame_that_one_side_lacks_is_a_fault() -> None:
    there = said("default")
    del there["cases"][0]["scores"]["1600.0"]
    (row,) = parity.compare(said("default"), there)
    assert row.fault


def test_other_cases_are_refused() -> None:
    with pytest.raises(SystemExit, match="take both again"):
        parity.compare(said("bundle"), said("bundle", demo="gesture"))


def test_parity_takes_what_the_demos_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine, twice: the recorded scores and results are those of the run command."""
    monkeypatch.setattr(parity, "cases", lambda pictures: iter([parity.Case("cifar10", "reference")]))
    monkeypatch.setattr(parity, "machine", dict)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("a.json", "b.json"):
        parity.take(tmp_path / name, tmp_path)
    assert parity.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    (row,) = parity.compare(*(parity.json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json")))
    assert (row.frames, row.values, row.results) == (10, 100, 10)


# ---- the root for 64-bit Arm -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_arm_says_what_this_machine_says() -> None:
    folder = os.environ.get("EIQ_ARM64")
    if not folder:
        pytest.skip("needs a root for 64-bit Arm: EIQ_ARM64=FOLDER, which deploy/arm64.sh FOLDER has made (as root)")
    done = subprocess.run([DEPLOY / "arm64.sh", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for demo in ("cifar10", "kws", "gesture", "anomaly", "anomaly_autoencoder", "fan_state"):
        assert f"| {demo} |" in done.stdout


def test_arm64_says_how_it_is_called() -> None:
    done = subprocess.run([DEPLOY / "arm64.sh"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "arm64.sh FOLDER" in done.stderr


# ---- wheels ------------------------------------------------------------------------------------------------------


def test_extras_of_extras_are_followed() -> None:
    project = {"optional-dependencies": {"a": ["eiq-demo[b,c]", "x==1"], "b": ["y==2"], "c": ["eiq-demo[b]"]}}
    assert list(wheels.requirements("a", project)) == ["y==2", "y==2", "x==1"]


def test_an_unknown_extra_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert wheels.main(["desktp"]) == 2
    assert "desktp" in capsys.readouterr().err


@pytest.mark.slow
def test_what_the_image_installs_has_wheels_for_arm(capsys: pytest.CaptureFixture[str]) -> None:
    assert wheels.main(["desktop", "rt"]) == 0, capsys.readouterr()


# ---- the container -----------------------------------------------------------------------------------------------


def test_the_image_is_made_of_what_the_wheel_is_made_of() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    folders = {*wheel["packages"], *wheel["force-include"]}
    dockerfile, ignored = ((DEPLOY / name).read_text() for name in ("Dockerfile", "Dockerfile.dockerignore"))
    copied = re.findall(r"^COPY (\w+) (\w+)$", dockerfile, re.MULTILINE)
    assert {one for one, _ in copied} == folders
    assert all(one == other for one, other in copied)
    assert folders <= set(re.findall(r"^!(\w+)$", ignored, re.MULTILINE))
    assert all((ROOT / name).exists() for name in re.findall(r"^!(\S+)$", ignored, re.MULTILINE))
