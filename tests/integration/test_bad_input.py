"""Bad input gets one clear sentence, with what was got, what was expected and what to do; and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import demos
import tiny_models

TONE = (8000 * np.sin(np.arange(16000) / 5)).astype(np.int16)  # a second at 16 kHz
KEYWORDS = """\
sensor: {microphone: {file: tone.wav}}
preprocess:
  - window: {length_ms: 1000, hop_ms: 100}
  - mfcc: {window_ms: 30, hop_ms: 20, coefficients: 10}
engine: {model: features.tflite}
postprocess: [threshold: {above: 1e9, of: 0}]
"""


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    return demos.colours(tmp_path)


@pytest.fixture
def keywords(tmp_path: Path) -> Path:
    """A demo with a model that wants features [1, 49, 10]."""
    demos.sound(tmp_path / "tone.wav", TONE, 16000)
    (tmp_path / "features.tflite").write_bytes(tiny_models.copy("float32", (1, 49, 10)))
    (tmp_path / "keywords.yaml").write_text(KEYWORDS)
    return tmp_path / "keywords.yaml"


def refused(
    *arguments: str | Path, says: list[str], code: int = 2, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = demos.eiq_demo(*arguments, cwd=cwd, **environment)
    demos.says(done.stderr, says)
    assert done.returncode == code, done.stderr
    return done


# ---- the file ----------------------------------------------------------------------------------------------------

ALIASES = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'lol'}]\n" for i in range(10))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ["bad.yaml: is empty; expected a demo"]),
        (b"# only a comment\n", ["bad.yaml: is empty; expected a demo"]),
        (b"\x89PNG\r\n\x1a\n\0\0", ["bad.yaml: is not UTF-8 text (byte 0); expected a YAML file"]),
        (b"title: \x00\x01", ["bad.yaml: not YAML text", "expected a text file"]),
        (b"\x7fELF\x02\x01\x01\x00" * 200_000, ["bad.yaml: is larger than 1,000,000 bytes; expected a demo's YAML"]),
        (b"title: x\nsensor:\n\tcamera: {}\n", ["bad.yaml:3:1: a tab; YAML indents with spaces only"]),
        (b"title: a\nsensor: camera\ntitle: b\n", ["bad.yaml:3:1: title: duplicate key; it stands on line 1 already"]),
        (ALIASES.encode(), ["stands for more than 10,000 values (aliases written out); expected a demo"]),
        (
            b"title: !!python/object/apply:os.system [ls]\n",
            ["bad.yaml:1:8: the tag !!python/object/apply:os.system is not", "a demo holds plain values only"],
        ),
        (b"sensor: [camera\n", ["bad.yaml:2:1: while parsing a flow sequence expected ',' or ']'"]),
        (b"title: Words: and more\n", ["bad.yaml:1:13: a second key on one line; quote text that holds ': ', or mend"]),
        (b"sensor: camera\ntitle\n", ["bad.yaml:3:1: expected key: value; mend the line before this one"]),
        (b"sensor: {camera: {file: *.png}}\n", ["bad.yaml:1:26: a * that begins no alias; quote the text"]),
        (b"title: @home\n", ["bad.yaml:1:8: a character that plain text cannot begin with; quote the text"]),
        (b"sensor:\n  camera: {}\n engine: {}\n", ["bad.yaml:3:2: does not line up with what stands before; mend"]),
        (
            b"sensor: {camera: {file: .}}\npreprocess:\n  - resize:\n    width_px: 3\n",
            [
                "bad.yaml:3:5: preprocess[0]: got a mapping of resize, width_px, expected one step, such as",
                "indent its options deeper than its name",
            ],
        ),
        (b"- sensor\n", ["bad.yaml:1:1: got a list of 1, expected a demo: sensor, engine, actions"]),
        (b'title: "\\UFFFFFFFF"\n', ["bad.yaml:1:11: an escape that is no character"]),
        (b"a: 1\n---\nb: 1\n", ["bad.yaml:2:1: a second document; expected one per file"]),
        (b"title: " + b"[" * 100 + b"]" * 100, ["nested more than 40 levels deep"]),
        (b"{\xe2\x80\xae: 1}", ["unknown key; expected one of: title, description", "\\u202e"]),  # turns text around
    ],
    ids=[
        "empty",
        "comment",
        "picture",
        "control characters",
        "large",
        "tab",
        "duplicate",
        "aliases",
        "python object",
        "unclosed",
        "colon",
        "no colon",
        "star",
        "at",
        "indentation",
        "options beside",
        "list",
        "escape",
        "two documents",
        "deep",
        "right to left",
    ],
)
def test_what_is_no_demo(tmp_path: Path, content: bytes, says: list[str]) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    done = demos.in_process("run", "bad.yaml", cwd=tmp_path)
    demos.says(done.stderr, says)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_directory(tmp_path: Path) -> None:
    refused("run", tmp_path, says=[f"{tmp_path}: is a folder; expected a YAML file"])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("- resize", "- rezise", ["4:5: preprocess[0]: unknown transform 'rezise'; did you mean \"resize\"?"]),
        ("width_px", "width", ['4:14: preprocess[0].resize.width: unknown option; did you mean "width_px"?']),
        ("title", "titel", ['1:1: titel: unknown key; did you mean "title"?']),
        ("width_px: 1", "width_px: one", ['preprocess[0].resize.width_px: expected a whole number, got "one"']),
        ("width_px: 1", "width_px: [1]", ["preprocess[0].resize.width_px: expected a whole number, got a list of 1"]),
        ("width_px: 1", "width_px: -1", ["preprocess[0].resize.width_px: expected a whole number >= 1, got -1"]),
        ("width_px: 1", "width_px: 0", ["expected a whole number >= 1, got 0"]),
        ("width_px: 1", "width_px: 99999", ["expected a whole number <= 8192, got 99999"]),
        ("[0, 255]", "[0, 0]", ["preprocess[1].scale: got from [0, 0], expected two different numbers"]),
        ("threshold: 0.5", "threshold: 50", ["postprocess[0].top.threshold: expected a number <= 1.0, got 50"]),
        ("camera: {", "camra: {", ["2:10: sensor.camra: unknown sensor 'camra'; did you mean \"camera\"?"]),
        (
            "camera: {",
            "led: {",
            ["2:10: sensor.led: unknown sensor 'led'; expected one of: camera, microphone, motion"],
        ),
        (
            "engine: {",
            "engine: {type: tensorrt, ",
            ["engine.type: unknown engine 'tensorrt'; expected one of: ", "onnx, opencv, sklearn, tflite"],
        ),
        ("same.tflite", "nowhere.tflite", ["6:9: engine: model nowhere.tflite: ", "nowhere.tflite is not there"]),
        ("same.tflite", "kvs", ["engine: unknown model 'kvs'; did you mean \"kws\"?"]),
        ("same.tflite", "same.pt", ["no engine is known for .pt; name one with engine.type"]),
        ("same.tflite", "pictures/red.png", ["no engine is known for .png"]),
        ("[red, green, blue]", "[red, green]", ["engine: got 2 labels, expected 3, one per output of model same"]),
        ("[red, green, blue]", "labels.txt", ["labels", "labels.txt", "expected a text file, one label a line"]),
        ("[red, green, blue]", "/dev/zero", ["labels /dev/zero cannot be read", "expected a text file"]),
        ("[red, green, blue]", "[red, 2, true]", ["engine.labels[1]: expected text, got 2"]),
        (
            ", labels: [red, green, blue]",
            "",
            ["without labels, expected one label per class; name them with engine.labels"],
        ),
        (
            "postprocess:\n  - top: {threshold: 0.5}\n",
            "",
            ["expected a decoder at its end, such as postprocess: [top]"],
        ),
        (
            "sensor: {camera: {file: pictures}}\n",
            "",
            ["1:1: sensor: is missing; expected a sensor, such as microphone"],
        ),
        (
            "width_px: 1,",
            "width_px: 2,",
            [
                "got image [1, 2, 3] float32 (r g b), expected [1, 3] for input x of model same",
                "put a resize to that size before the engine",
            ],
        ),
    ],
)
def test_what_does_not_fit_in_a_demo(colours: Path, old: str, new: str, says: list[str]) -> None:
    text = colours.read_text()
    assert old in text
    colours.write_text(text.replace(old, new))
    done = demos.in_process("check", "colours.yaml", cwd=colours.parent)
    demos.says(done.stderr, ["colours.yaml:", *says])
    assert (done.returncode, done.stdout) == (2, "")


def test_features_of_another_shape(keywords: Path) -> None:
    keywords.write_text(KEYWORDS.replace("hop_ms: 20,", "hop_ms: 10,"))
    expected = "expected [1, 49, 10] for input x of model features; change the preprocessing to give that shape"
    refused("check", keywords, says=[f"got features [98, 10] float32 at 100 Hz, {expected}"])


def test_a_file_hides_a_bundled_config_and_a_folder_does_not(colours: Path, tmp_path: Path) -> None:
    colours.rename(tmp_path / "kws.yaml")
    assert demos.eiq_demo("check", "kws.yaml", cwd=tmp_path).stdout.startswith("Colours on target sim")
    (tmp_path / "kws").mkdir()
    assert demos.eiq_demo("check", "kws", cwd=tmp_path).stdout.startswith("Keyword spotting on target sim")


# ---- models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ["same.tflite looks like an empty file, expected a .tflite model"]),
        (b"\x89HDF\r\n", ["looks like an HDF5 file (a Keras .h5 model), expected a .tflite model"]),
        (b"<html>", ["looks like a web page or XML (a download that went wrong)"]),
        (tiny_models.copy()[:-20], ["same.tflite is cut short or damaged"]),
        (tiny_models.with_custom_operator("Magic"), ["needs the operator 'Magic', which "]),
    ],
    ids=["empty", "keras", "web page", "cut", "operator"],
)
def test_a_model_file_that_is_none(colours: Path, content: bytes, says: list[str]) -> None:
    (colours.parent / "same.tflite").write_bytes(content)
    refused("run", colours, says=["colours.yaml:6:9: engine: ", *says])


CRASHES = "void *tflite_plugin_create_delegate(void) { *(volatile int *)0 = 1; return 0; }"


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler (cc)")
@pytest.mark.parametrize("command", ["run", "check", "bench"])
def test_a_delegate_that_crashes_ends_no_program(colours: Path, command: str) -> None:
    source = colours.with_name("d.c")
    source.write_text(f"{CRASHES} void tflite_plugin_destroy_delegate(void *d) {{}}")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", colours.with_name("d.so"), source], check=True)
    says = ["colours.yaml:6:9: engine: the delegate ", "d.so", "ended the process in which it was tried (SIGSEGV)"]
    done = refused(command, colours, "--set", f"engine.delegate={colours.with_name('d.so')}", says=says)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("{type: tflm, model: huge.tflite}", ["huge.tflite", "tflite-micro"]),
        ("{model: pickle.tflite}", ["looks like a pickle", "expected a .tflite model"]),
        ("{model: pickle.onnx}", ["looks like a pickle", "expected an ONNX model"]),
        ("{model: pickle.skops}", ["is a pickle, whose loading may run any code, and is never loaded"]),
        ("{type: onnx, model: same.tflite}", ["looks like a .tflite model, expected an ONNX model"]),
        ("{type: opencv, model: net.caffemodel}", ["does not say how large its input is; say it with"]),
        (
            "{type: opencv, model: net.caffemodel, input_shape: [1, 3]}",
            ["holds weights alone; name the network's .proto"],
        ),
        ("{model: same.tflite, threads: 0}", ["engine.threads: expected a whole number >= 1, got 0"]),
        ("{model: same.tflite, threads: 1000}", ["engine.threads: expected a whole number <= 64, got 1000"]),
        ("{model: same.tflite, delegate: pictures}", ["is no file, expected a shared library"]),
        ("{model: same.tflite, delegate: same.tflite}", ["is no shared library"]),
        ("{model: same.tflite, delegate: vx, delegate_options: [a]}", ["delegate_options: expected a mapping"]),
        ('{model: same.tflite, delegate: vx, delegate_options: {a: "b\\0"}}', ["with a NUL in it; leave it out"]),
    ],
)
def test_an_engine_that_cannot_run_it(colours: Path, options: str, says: list[str]) -> None:
    if "tflm" in options:
        pytest.importorskip("tflite_micro")
    folder = colours.parent
    for suffix in ("tflite", "onnx", "skops"):
        (folder / f"pickle.{suffix}").write_bytes(b"\x80\x04cos\nsystem\n(S'touch ran'\ntR.")
    size = np.int32([1, 3]).tobytes()
    (folder / "huge.tflite").write_bytes((folder / "same.tflite").read_bytes().replace(size, b"\xff\xff\xff\x7f" * 2))
    (folder / "net.caffemodel").write_bytes(b"\x0a\x04tiny")
    text = colours.read_text()
    colours.write_text(text.replace("{model: same.tflite, labels: [red, green, blue]}", options))
    done = demos.in_process("check", "colours.yaml", cwd=folder)
    demos.says(done.stderr, ["colours.yaml:6:", *says])
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert not (folder / "ran").exists()


def test_a_model_that_is_another_than_its_manifest_says(colours: Path, tmp_path: Path) -> None:
    model = tiny_models.copy("float32", (1, 3))
    folder = tmp_path / "models/same"
    folder.mkdir(parents=True)
    (folder / "m.tflite").write_bytes(model)
    (folder / "manifest.yaml").write_text(
        "name: same\ntitle: Same\nfiles:\n"
        f"  - {{engine: tflite, path: m.tflite, sha256: {hashlib.sha256(model).hexdigest()}, bytes: {len(model)}}}\n"
        "labels: [red, green, blue]\ninput: {kind: image, shape: [1, 1, 3]}\n"
        "preprocess: [resize: {width_px: 1, height_px: 1}, scale]\ntraining: {data: none, licence: CC0-1.0}\n"
    )
    colours.write_text(colours.read_text().replace("model: same.tflite", "model: same"))
    assert demos.eiq_demo("check", colours, EIQ_MODELS=str(tmp_path / "models")).returncode == 0
    (folder / "m.tflite").write_bytes(model[:-1] + b"\x01")
    refused("check", colours, says=["m.tflite has sha256 ", "its manifest says ",
    "damaged or another file: fetch it again"],
            EIQ_MODELS=str(tmp_path / "models"))  # fmt: skip


# ---- recordings --------------------------------------------------------------------------------------------------


def riff(samples: bytes, promised: int | None = None) -> bytes:
    """A 16 kHz mono WAV whose data chunk promises so many bytes."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16)
    data = struct.pack("<4sI", b"data", len(samples) if promised is None else promised) + samples
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (riff(TONE.tobytes()[:20_000], 32_000), ["tone.wav is cut short: got 10000 of the 16000 samples it promises"]),
        (riff(b""), ["tone.wav holds 0 samples, expected some sound; record it again"]),
        (b"", ["tone.wav is empty, expected a sound file (WAV, FLAC, OGG)"]),
        (riff(b"")[:20], ["tone.wav is not a sound file (WAV, FLAC, OGG)"]),
        (b"ID3\x03 not a wav", ["tone.wav is not a sound file (WAV, FLAC, OGG)"]),
    ],
    ids=["truncated", "zero long", "empty", "header cut", "not a WAV"],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_sound_that_is_none(keywords: Path, command: str, content: bytes, says: list[str]) -> None:
    (keywords.parent / "tone.wav").write_bytes(content)
    refused(command, keywords, says=["keywords.yaml:1:22: sensor.microphone: ", *says])


def test_a_directory_is_no_sound(keywords: Path, tmp_path: Path) -> None:
    refused("run", keywords, "--input", tmp_path, says=["is a folder, expected a sound file", "name one file in it"])


def test_an_endless_device_is_no_sound(keywords: Path) -> None:
    refused(
        "run",
        keywords,
        "--input",
        "/dev/zero",
        says=["/dev/zero is a device or pipe, expected a sound file", "name a file"],
    )


@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [
        (np.zeros(16000, np.int16), 16000),
        (TONE[::2], 8000),
        (np.stack([TONE, -TONE // 2], axis=1), 16000),
        (np.tile(TONE, 3), 48000),
    ],
    ids=["silent", "8 kHz", "stereo", "48 kHz"],
)
def test_these_sounds_are_fine(keywords: Path, samples: np.ndarray, rate_hz: int) -> None:
    path = demos.sound(keywords.parent / "other.wav", samples, rate_hz)
    done = demos.eiq_demo("run", keywords, "--fast", "--json", "--input", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[0])["frames"] == 1  # one second, one window


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"JFIF? no"), ["photo.png is not a picture"]),
        (lambda path: path.write_bytes(b""), ["photo.png is empty, expected a picture"]),
        (lambda path: path.with_suffix("").mkdir(), ["cannot open", "photo.png", "expected a picture"]),
        (lambda path: path.mkdir(), ["the folder", "photo.png holds no picture, expected at least one file of"]),
    ],
    ids=["text", "empty", "missing", "empty folder"],
)
def test_a_picture_that_is_none(colours: Path, make: Callable[[Path], object], says: list[str]) -> None:
    path = colours.parent / "photo.png"
    make(path)
    refused("run", colours, "--input", path, says=says)


# ---- where results go --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (
            "jsonl: {path: nowhere/out.jsonl}",
            ["nowhere does not exist, expected one to write to; make it or change jsonl.path"],
        ),
        ("jsonl: {path: pictures}", ["pictures is a directory, expected the name of a file"]),
        ("jsonl: {path: colours.yaml/out.jsonl}", ["colours.yaml is a file, expected one to write to"]),
        ("jsonl: {}", ['actions[0].jsonl: the option "path" is missing']),
        ('jsonl: {path: "a\\0b"}', ["actions[0].jsonl.path: got ", "expected a file's path (embedded null byte)"]),
        (
            "snapshot: {folder: nowhere/deep}",
            ["nowhere does not exist, expected one to write to; make it or change snapshot.folder"],
        ),
        (
            "snapshot: {folder: colours.yaml}",
            ["colours.yaml is a file, expected one to write to", "change snapshot.folder"],
        ),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_it_runs(colours: Path, action: str, says: list[str]) -> None:
    colours.write_text(f"{colours.read_text()}actions: [{action}, console]\n")
    done = refused("run", "colours.yaml", says=["colours.yaml:", *says], cwd=colours.parent)
    assert done.stdout == ""


def two_writers(colours: Path, first: str, second: str) -> subprocess.CompletedProcess[str]:
    """A run of two pipelines that write one file, each with such options."""
    _, *lines = colours.read_text().splitlines()
    one = "\n".join("    " + line for line in lines)
    left = f"  a:\n{one}\n    actions: [jsonl: {{path: out.jsonl{first}}}]\n"
    right = f"  b:\n{one}\n    actions: [jsonl: {{path: ./out.jsonl{second}}}]\n"
    colours.write_text(f"pipelines:\n{left}{right}")
    return demos.in_process("run", "colours.yaml", cwd=colours.parent)


@pytest.mark.parametrize(("first", "second"), [("", ""), (", append: true", ""), ("", ", append: true")])
def test_two_pipelines_do_not_move_each_others_file_away(colours: Path, first: str, second: str) -> None:
    done = two_writers(colours, first, second)
    assert done.returncode == 2
    says = [
        "pipelines.b.actions[0].jsonl: pipelines.a.actions[0].jsonl writes ",
        "give each its own file, or both append",
    ]
    demos.says(done.stderr, says)


def test_two_pipelines_may_add_to_one_file(colours: Path) -> None:
    assert two_writers(colours, ", append: true", ", append: true").returncode == 0
    lines = [json.loads(line) for line in (colours.parent / "out.jsonl").read_text().splitlines()]
    assert sorted((line["pipeline"], line["t"]) for line in lines) == [(name, t) for name in "ab" for t in (0, 1, 2)]


def test_a_place_that_nobody_may_write_to(colours: Path) -> None:
    colours.write_text(f"{colours.read_text()}actions: [jsonl: {{path: /proc/out.jsonl}}]\n")
    if os.geteuid() == 0:  # root may write everywhere, so that only trying tells
        refused("run", colours, code=1, says=["cannot write to /proc/out.jsonl (No such file or directory)"])
    else:
        refused("run", colours, code=2, says=["/proc cannot be written to; change its permissions or jsonl.path"])


def test_a_full_disk_is_told_and_the_run_fails(colours: Path) -> None:
    colours.write_text(f"{colours.read_text()}actions: [jsonl: {{path: /dev/full}}]\n")
    what = "cannot write to /dev/full (No space left on device); the 0 results before are in it, make room or change"
    refused("run", colours, code=1, says=["failed: ", what])


def test_a_disk_that_becomes_full_loses_nothing_from_before(tmp_path: Path) -> None:
    config, out = demos.loud(tmp_path), tmp_path / "out.jsonl"
    out.write_text('{"t": 0, "label": "an earlier run", "score": 1.0}\n')
    config.write_text(config.read_text() + f"actions: [jsonl: {{path: {out}}}]\n")

    def small_disk() -> None:  # a limit on a file's size refuses as a full disk does, and needs no root
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(
        demos.command("run", config, "--set", "sensor.microphone.loop=true"),
        capture_output=True, text=True, timeout=60,
        preexec_fn=small_disk, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    lines = [json.loads(line) for line in out.read_text().splitlines()]  # all whole, none cut
    assert len(lines) >= 10
    demos.says(done.stderr, ["failed: ", f"the {len(lines)} results before are in it"])
    assert "an earlier run" in (tmp_path / "out.1.jsonl").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(colours: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    colours.write_text(f"{colours.read_text()}actions: [jsonl: {{path: {locked}/out.jsonl}}]\n")
    refused("check", colours, says=["locked cannot be written to; change its permissions or jsonl.path"])
