"""A plug-in is a package of its own: built and installed by pip, found by name, used from YAML."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import demos

PACKAGE = Path(__file__).parents[1] / "data/plugin"
CONFIG = """\
title: Negatives
sensor: {camera: {file: pictures}}
preprocess:
  - invert
  - resize: {width_px: 1, height_px: 1}
  - scale: {from: [0, 255], to: [0, 1]}
engine: {model: same.tflite}
postprocess: [brightest: {least: 0.5}]
actions: [console, csv: {path: out.csv}]
targets:
  shelf: {sensor: camera}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with the package as pip installs it from its sources."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index",
         "--no-build-isolation", "--target", folder, PACKAGE],
        check=True, timeout=120,
    )  # fmt: skip
    return folder


@pytest.fixture
def negatives(tmp_path: Path) -> Path:
    demos.colours(tmp_path)
    path = tmp_path / "negatives.yaml"
    path.write_text(CONFIG)
    return path


def test_pip_installs_it_with_its_entry_points(installed: Path) -> None:
    (points,) = installed.glob("eiq_demo_example-*.dist-info/entry_points.txt")
    assert "transforms.invert = eiq_demo_example.invert:Invert" in points.read_text()


@pytest.mark.parametrize(
    ("kind", "name"), [("transforms", "invert"), ("decoders", "brightest"), ("actions", "csv"), ("targets", "shelf")]
)
def test_list_has_it_where_it_is_installed(installed: Path, kind: str, name: str) -> None:
    assert name in demos.eiq_demo("list", kind, PYTHONPATH=str(installed)).stdout.split()
    assert name not in demos.eiq_demo("list", kind).stdout.split()


def test_list_tells_its_options(installed: Path) -> None:
    out = demos.eiq_demo("list", "transforms", "invert", PYTHONPATH=str(installed)).stdout
    demos.says(out, ["Turns dark into bright", "white: what black becomes", "white  default 255"])


def test_check_resolves_it(installed: Path, negatives: Path) -> None:
    done = demos.eiq_demo("check", negatives, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    demos.says(
        done.stdout, ["  invert     ─► image [any, any, 3] uint8 (r g b)\n", "  brightest  ─► results\n", "  csv\n"]
    )


def test_run_runs_it(installed: Path, negatives: Path, tmp_path: Path) -> None:
    done = demos.eiq_demo("run", negatives, cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    # the negative of blue is brightest in red (the first of two equal ones)
    assert [line.split("  ")[-2] for line in done.stdout.splitlines()] == ["output 0", "output 0", "output 1"]
    assert (tmp_path / "out.csv").read_text() == "0,output 0\n1,output 0\n2,output 1\n"


def test_its_target_runs_a_config_too(installed: Path, negatives: Path, tmp_path: Path) -> None:
    text = negatives.read_text().replace("sensor: {camera: {file: pictures}}\n", "sensor: camera\n")
    negatives.write_text(text)
    done = demos.eiq_demo("run", negatives, "--target", "shelf", cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    assert "Negatives on target shelf" in done.stderr
    assert done.stdout.count("output 0") == 2


def test_its_options_are_checked_like_ours(installed: Path, negatives: Path) -> None:
    negatives.write_text(CONFIG.replace("- invert", "- invert: {wite: 3}").replace("least: 0.5", "least: 2"))
    done = demos.eiq_demo("check", negatives, PYTHONPATH=str(installed))
    assert done.returncode == 2
    demos.says(done.stderr, ['negatives.yaml:4:14: preprocess[0].invert.wite: unknown option; did you mean "white"?',
                             "postprocess[0].brightest.least: expected a number <= 1.0, got 2"])  # fmt: skip


def test_its_mismatch_has_a_place_too(installed: Path, negatives: Path) -> None:
    negatives.write_text(CONFIG.replace("  - invert\n", "").replace("to: [0, 1]}\n", "to: [0, 1]}\n  - invert\n"))
    done = demos.eiq_demo("check", negatives, PYTHONPATH=str(installed))
    assert done.returncode == 2
    says = "got image [1, 1, 3] float32 (r g b), expected a picture uint8; put invert before scale"
    demos.says(done.stderr, [f"negatives.yaml:6:5: preprocess[2].invert: {says}"])


# ---- broken ones -------------------------------------------------------------------------------------------------


def broken(folder: Path, entry_point: str, source: str) -> str:
    """A package whose metadata promise ``entry_point``; what PYTHONPATH must be to have it."""
    info = folder / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[eiq_demo.plugins]\n{entry_point}\n")
    (folder / "broken_plug_in.py").write_text(source)
    return str(folder)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", ["transforms.invert should be a class with a Config, broken_plug_in:Invert, which is not there"]),
        ("class Invert: ...", ["transforms.invert should be a class with a Config"]),
        ("def Invert(config): ...", ["transforms.invert should be a class with a Config"]),
        ("import nowhere_to_be_found", ["transforms.invert needs the module nowhere_to_be_found", "install it"]),
        ("from pipelines.core import Nothing", ["transforms.invert needs the module pipelines.core", "Nothing"]),
        ("1 / 0", ["transforms.invert cannot be imported from broken_plug_in (ZeroDivisionError('division by zero'))"]),
        ("def (", ["transforms.invert cannot be imported from broken_plug_in (SyntaxError"]),
    ],
)
@pytest.mark.parametrize("arguments", [["list", "transforms", "invert"], ["check"]], ids=["list", "check"])
def test_a_broken_one_is_one_sentence(
    tmp_path: Path, negatives: Path, arguments: list[str], source: str, says: list[str]
) -> None:
    path = broken(tmp_path, "transforms.invert = broken_plug_in:Invert", source)
    done = demos.eiq_demo(*arguments, *([negatives] if arguments == ["check"] else []), PYTHONPATH=path)
    assert done.returncode == 2
    demos.says(done.stderr, says)


def test_a_broken_one_does_not_hurt_who_does_not_use_it(tmp_path: Path, negatives: Path) -> None:
    path = broken(tmp_path, "transforms.invert = broken_plug_in:Invert", "1 / 0")
    assert "invert" in demos.eiq_demo("list", "transforms", PYTHONPATH=path).stdout.split()
    assert demos.eiq_demo("check", tmp_path / "colours.yaml", PYTHONPATH=path).returncode == 0


@pytest.mark.parametrize("arguments", [["list"], ["check", "colours.yaml"]], ids=["list", "check"])
def test_two_of_one_name_are_refused(tmp_path: Path, negatives: Path, arguments: list[str]) -> None:
    path = broken(tmp_path, "transforms.scale = broken_plug_in:Scale", "class Scale: ...")
    done = demos.eiq_demo(*arguments, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 2
    demos.says(done.stderr, ["transforms.scale is provided twice, by pipelines.transforms.scale:Scale and by "
                             "broken_plug_in:Scale; uninstall one of the two"])  # fmt: skip
