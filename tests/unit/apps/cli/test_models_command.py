from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import demos
import tiny_models
from apps.cli.main import main
from pipelines import resources
from web import Page, serving

MODEL = tiny_models.copy("float32", (1, 3))
MANIFEST = f"""\
name: tiny
title: A tiny one
files:
  - {{engine: tflite, path: tiny.tflite, sha256: {hashlib.sha256(MODEL).hexdigest()}, bytes: {len(MODEL)}}}
labels: [no, off, "null"]
input: {{kind: image, shape: [1, 1, 3]}}
preprocess: [scale]
training: {{data: none, licence: CC0-1.0, macs: 1234567, parameters: 89000}}
accuracy:
  - {{metric: top-1, value: 0.875, data: eight pictures, measured: here}}
  - {{metric: top-5, value: 1, data: eight pictures, measured: here}}
"""
WIDTHS = (("1.0", 4.24), ("0.75", 2.59), ("0.5", 1.34), ("0.25", 0.47))
MACS = {"1.0": (569, 418, 291, 186), "0.75": (317, 233, 162, 104), "0.5": (150, 110, 77, 49), "0.25": (41, 34, 21, 14)}


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


def row(name: str) -> list[str]:
    """The line of a model in the list, cell by cell."""
    (line,) = [line for line in models("list").stdout.splitlines() if line.startswith(f"{name} ")]
    return re.split(r"  +", line)


def test_a_title_sends_nothing_to_the_terminal(tiny: Path) -> None:
    told = MANIFEST.replace("title: A tiny one", 'title: "A \\e[2J\\nkws"')
    (tiny / "manifest.yaml").write_text(told)
    assert row("tiny")[-1] == "A ?[2J?kws"


def url(folder: Path, address: str = "https://nowhere.invalid/tiny.tflite") -> None:
    """The file has an address, and is not here."""
    manifest = folder / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace("bytes:", f'url: "{address}", bytes:'))
    (folder / "tiny.tflite").unlink()


def quoted(folder: Path) -> None:
    """The manifest does not know the file's sha256."""
    manifest = folder / "manifest.yaml"
    manifest.write_text(re.sub(r", sha256.*\}", "}", manifest.read_text()))


def test_list_has_a_line_for_each_model(tiny: Path) -> None:
    head = models("list").stdout.splitlines()[0]
    assert head.split() == ["model", "bytes", "MACs", "parameters", "top-1", "top-5", "scores", "file", "what"]
    assert row("tiny") == ["tiny", f"{len(MODEL):,}", "1.23 M", "0.089 M", "87.5", "100.0", "measured", "here",
                           "A tiny one"]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda folder: (folder / "tiny.tflite").write_bytes(b"short"), "damaged"),
        (lambda folder: (folder / "tiny.tflite").unlink(), "missing"),
        (url, "to fetch"),
        (quoted, "quoted"),
    ],
    ids=["damaged", "missing", "to fetch", "quoted"],
)
def test_list_says_whether_the_file_is_here(tiny: Path, change: Callable[[Path], object], state: str) -> None:
    change(tiny)
    assert row("tiny")[-2] == state
    found = {one["name"]: one for one in map(json.loads, models("list", "--json").stdout.splitlines())}
    assert found["tiny"]["file"] == state


def test_a_score_that_is_not_top_1_stands_beside_the_title(tiny: Path) -> None:
    (tiny / "manifest.yaml").write_text(MANIFEST.replace("top-1, value: 0.875", "AUC, value: 0.98"))
    assert row("tiny")[4:] == ["-", "100.0", "measured", "here", "A tiny one (AUC 0.98)"]


def test_the_list_is_the_table_of_mobilenets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # MobileNet v1: widths x sizes, with millions of multiply-accumulates and parameters as its makers give them
    monkeypatch.delenv("EIQ_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    listed = [re.split(r"  +", line) for line in models("list").stdout.splitlines()]
    rows = {line[0]: line for line in listed}
    hashed = {"mobilenet_v1_0.25_128", "mobilenet_v1_0.5_160", "mobilenet_v1_0.75_192"}
    for width, parameters in WIDTHS:
        names = [f"mobilenet_v1_{width}_{size}" for size in (224, 192, 160, 128)]
        for name, macs in zip(names, MACS[width], strict=True):
            assert rows[name][2:4] == [f"{macs} M", f"{parameters} M"]
            assert rows[name][6:8] == ["quoted", "to fetch" if name in hashed else "quoted"]
            assert (rows[name][1] == "-") == (name not in hashed)
        for column in (4, 5):  # fewer pixels, fewer right
            right = [float(rows[name][column]) for name in names]
            assert right == sorted(right, reverse=True)
    assert rows["mobilenet_v1_1.0_224"][4:6] == ["70.0", "89.0"]
    assert rows["mobilenet_v1_0.25_128"][4:6] == ["39.5", "64.4"]


def test_list_as_json_is_one_object_a_line(tiny: Path) -> None:
    found = {one["name"]: one for one in map(json.loads, models("list", "--json").stdout.splitlines())}
    assert found["tiny"] == {
        "name": "tiny",
        "title": "A tiny one",
        "bytes": len(MODEL),
        "macs": 1234567,
        "parameters": 89000,
        "scores": [
            {"metric": "top-1", "value": 0.875, "data": "eight pictures", "measured": "here"},
            {"metric": "top-5", "value": 1.0, "data": "eight pictures", "measured": "here"},
        ],
        "file": "here",
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


def test_verify_passes_over_what_is_not_here_unless_it_is_named(tiny: Path) -> None:
    url(tiny)
    result = models("verify")
    assert result.exit_code == 0
    assert "tiny" not in result.stdout
    result = models("verify", "tiny")
    assert result.exit_code == 2
    assert result.stdout == (
        f"tiny: model tiny is not on this machine ({len(MODEL)} bytes); fetch it: eiq-demo models fetch tiny, or, "
        "without network, from a folder: eiq-demo models fetch tiny --from DIR\n"
    )
    quoted(tiny)
    assert "tiny" not in models("verify").stdout
    demos.says(models("verify", "tiny").stdout, ["tiny: model tiny is quoted only: no sha256 of its file is"])


# ---- fetch -------------------------------------------------------------------------------------------------------


def test_fetch_from_a_folder_then_it_is_here(tiny: Path, tmp_path: Path) -> None:
    url(tiny)
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "download.bin").write_bytes(MODEL)
    there = tmp_path / "tiny/tiny.tflite"  # the first folder of EIQ_MODELS
    result = models("fetch", "tiny", "--from", str(stick))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"tiny: {there} ({len(MODEL):,} bytes, sha256 right)\n"
    assert models("fetch", "tiny").stdout == f"tiny: {there} is here, and right\n"
    assert models("verify", "tiny").exit_code == 0


def test_fetch_from_the_network(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with serving(model=Page(MODEL)) as server:
        url(tiny, f"{server}/model")
        result = models("fetch", "tiny")
    assert (result.exit_code, result.stderr) == (0, "")  # no bar in a pipe
    assert (tiny / "tiny.tflite").read_bytes() == MODEL


def test_fetch_all_goes_on_after_what_it_cannot_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "bundled", lambda: tmp_path / "none")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path))
    with serving(b=Page(MODEL), c=Page(MODEL)) as server:
        for name in "abcd":
            (tmp_path / name).mkdir()
            (tmp_path / name / "tiny.tflite").touch()
            (tmp_path / name / "manifest.yaml").write_text(MANIFEST.replace("name: tiny", f"name: {name}"))
            url(tmp_path / name, f"{server}/{name}")
        quoted(tmp_path / "d")
        result = models("fetch", "--all")
        assert result.exit_code == 1
        assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["b", "c"]
        demos.says(result.stderr, ["model a was not fetched: 127.0.0.1: it answers 404 Not Found\n", "without network"])
        demos.says(result.stderr, ["1 of 3 files were not fetched; see above"])
        named = models("fetch", "a", "d")
        assert named.exit_code == 2  # nothing is begun where a name cannot be had at all
        demos.says(named.stderr, ["model d is quoted only"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected the names of models (see eiq-demo models list), or --all"),
        (["tiny", "--all"], "expected the names of models"),
        (["tinny"], "unknown model 'tinny'; did you mean \"tiny\"?"),
        (["tiny", "--from", "/nowhere"], "Directory '/nowhere' does not exist"),
    ],
)
def test_fetch_of_what_is_not_there(tiny: Path, arguments: list[str], says: str) -> None:
    result = models("fetch", *arguments)
    assert result.exit_code == 2
    demos.says(result.stderr, [says])


def test_a_fetched_file_that_a_damaged_one_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped/models/tiny"
    shipped.mkdir(parents=True)
    (shipped / "tiny.tflite").touch()
    (shipped / "manifest.yaml").write_text(MANIFEST)
    url(shipped)
    (shipped / "tiny.tflite").write_bytes(b"cut short")
    monkeypatch.setattr(resources, "bundled", lambda: tmp_path / "shipped")
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path / "mine"))
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/tiny.tflite").write_bytes(MODEL)
    result = models("fetch", "tiny", "--from", str(tmp_path / "stick"))
    assert result.exit_code == 1
    demos.says(result.stderr, [f"{shipped}/tiny.tflite is another file and is found before {tmp_path}/mine/"])


@pytest.mark.parametrize("command", ["info", "verify", "fetch"])
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
        (MANIFEST.replace(", bytes", "} #").encode(), ["files[0]: got one of sha256 and bytes, expected both"]),
        (MANIFEST.replace("bytes:", "url: 'http://a.org/b', bytes:").encode(), ["got the address http://a.org/b, exp"]),
        (MANIFEST.replace("bytes:", "mirrors: ['file:///b'], bytes:").encode(), ["got the address file:///b, expect"]),
        (
            MANIFEST.replace("name: tiny", "name: ../tiny").encode(),
            ["got the name '../tiny', expected one without"],
        ),
        (MANIFEST.replace("[scale]", "[scael]").encode(), ["unknown transform 'scael'; did you mean \"scale\"?"]),
    ],
)
@pytest.mark.parametrize(
    "command", [["list"], ["info", "tiny"], ["info", "tiny", "--json"], ["verify", "tiny"], ["fetch", "tiny"]]
)
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
