from __future__ import annotations

import hashlib
import json
from pathlib import Path

import demos
import pytest
from click.testing import CliRunner, Result

import tiny_models
from apps.cli.main import main

MODEL = tiny_models.copy("float32", (1, 3))
MANIFEST = f"""\
name: tiny
title: A tiny one
files:
  - {{engine: tflite, path: tiny.tflite, sha256: {hashlib.sha256(MODEL).hexdigest()}, bytes: {len(MODEL)}}}
labels: [no, off, "null"]
input: {{kind: image, shape: [1, 1, 3]}}
preprocess: [scale]
training: {{data: none, licence: CC0-1.0}}
accuracy:
  - {{metric: top-1, value: 0.875, data: eight pictures, measured: here}}
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of the user's own, in a folder that EIQ_MODELS names."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "tiny.tflite").write_bytes(MODEL)
    (folder / "manifest.yaml").write_text(MANIFEST)
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path))
    return folder


def models(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["models", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_list_has_a_line_for_each_model(tiny: Path) -> None:
    lines = [line for line in models("list").stdout.splitlines() if line.startswith("tiny ")]
    assert len(lines) == 1
    demos.says(lines[0], [f"{len(MODEL):,} bytes", "top-1 0.875 (here)", "A tiny one"])


def test_list_as_json_is_one_object_a_line(tiny: Path) -> None:
    found = {one["name"]: one for one in map(json.loads, models("list", "--json").stdout.splitlines())}
    assert found["tiny"] == {
        "name": "tiny",
        "title": "A tiny one",
        "bytes": len(MODEL),
        "path": str(tiny / "manifest.yaml"),
    }
    assert "kws" in found


def test_info_is_the_manifest(tiny: Path) -> None:
    assert models("info", "tiny").stdout == f"# {tiny / 'manifest.yaml'}\n{MANIFEST}"
    as_json = json.loads(models("info", "tiny", "--json").stdout)
    assert as_json["labels"] == ["no", "off", "null"]  # words, not false and nothing
    assert as_json["input"] == {"kind": "image", "shape": [1, 1, 3]}


def test_verify_says_which_file_is_not_the_right_one(tiny: Path) -> None:
    assert models("verify", "tiny").stdout == "tiny: tiny.tflite is right\n"
    (tiny / "tiny.tflite").write_bytes(MODEL[:-1] + b"!")
    result = models("verify", "tiny")
    assert result.exit_code == 2
    demos.says(
        result.stdout, ["tiny.tflite has sha256", "its manifest says", "damaged or another file: fetch it again"]
    )
    demos.says(result.stderr, ["1 of the model files are not what their manifests say"])
    (tiny / "tiny.tflite").write_bytes(MODEL[:-1])
    demos.says(models("verify", "tiny").stdout, [f"has {len(MODEL) - 1:,} bytes, its manifest says {len(MODEL):,}"])
    (tiny / "tiny.tflite").unlink()
    demos.says(models("verify").stdout, ["tiny.tflite is not there", "kws: "])  # and goes on with the others


@pytest.mark.parametrize("command", ["info", "verify"])
def test_an_unknown_model_names_the_nearest(tiny: Path, command: str) -> None:
    result = models(command, "tinny")
    assert result.exit_code == 2
    demos.says(result.stderr, ["unknown model 'tinny'; did you mean \"tiny\"?"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ["manifest.yaml: is empty; expected a model's manifest"]),
        (b"\xff\xfe\x00", ["is not UTF-8 text (byte 0)"]),
        (
            MANIFEST.replace("title", "titel").encode(),
            ['manifest.yaml:2:1: titel: unknown option; did you mean "title"?'],
        ),
        (MANIFEST.replace("bytes: ", "bytes: -").encode(), ["files[0].bytes: expected a whole number >= 1"]),
        (MANIFEST.replace("sha256: ", "sha256: x").encode(), ["files[0].sha256: expected text matching regex"]),
        (MANIFEST.replace("[scale]", "[scael]").encode(), ["unknown transform 'scael'; did you mean \"scale\"?"]),
    ],
)
@pytest.mark.parametrize("command", [["list"], ["info", "tiny"], ["info", "tiny", "--json"], ["verify", "tiny"]])
def test_a_manifest_that_is_wrong(tiny: Path, command: list[str], content: bytes, says: list[str]) -> None:
    (tiny / "manifest.yaml").write_bytes(content)
    result = models(*command)
    assert result.exit_code == 2
    demos.says(result.stderr, says)


@pytest.mark.parametrize("folder", ["/nowhere", "~nobody-here/models", ":::", "/dev/null"])
def test_a_folder_of_models_that_is_not_there_adds_none(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.delenv("EIQ_MODELS", raising=False)
    bundled = models("list").stdout
    monkeypatch.setenv("EIQ_MODELS", folder)
    assert models("list").stdout == bundled
