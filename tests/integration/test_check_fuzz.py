"""Mutated YAML at ``check``: whatever stands in the file, the answer is a verdict with a place, never a traceback."""

from __future__ import annotations

import os
import re
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny_models
from apps.cli.main import main
from pipelines.resources import bundled_configs

PICTURE = """
title: A picture
description: in all its sizes
sensor: {camera: {file: p.png, interval_ms: 100}}
preprocess:
  - color: {order: bgr}
  - pad: {top_px: 1, left_px: 2, fill: [1, 2, 3]}
  - crop: {region: [0, 0, 4, 4], margin: 0.1}
  - resize: {width_px: 1, height_px: 1, fit: letterbox, fill: 7}
  - normalize: {mean: [1, 2, 3], std: 2.5}
engine: {model: image.tflite, labels: [no, off, "null"], threads: 1, kernels: builtin}
postprocess:
  - softmax
  - smooth: {over: 3}
  - top: {k: 2, threshold: 0.1, ignore: [no], refractory_ms: 100}
actions:
  - console
  - jsonl: {path: out.jsonl, append: true}
  - snapshot: {folder: shots, limit: 3, picture: jpg}
  - led: {name: green, on_ms: 5}
targets:
  sim: {title: On the desktop, sensor: {camera: {loop: false}}}
"""
SOUND = """
sensor:
  microphone: {file: s.wav, rate_hz: 8000, chunk_ms: 20, pace: fast}
steps:
  - window: {length_ms: 100, hop_ms: 50}
  - mfcc: {window_ms: 30, hop_ms: 20, mels: 20, fmin_hz: 20, coefficients: 3, log: {unit: db, top_db: 80}}
  - scale: {from: [0, 255], to: [0, 1]}
  - engine: {model: sound.tflite, shared: true}
  - threshold: {above: 0.5, of: 3, label: loud, cleared: quiet, hysteresis: 0.1}
actions: []
"""
SEVERAL = """
pipelines:
  left: &one
    sensor: {motion: {file: m.csv, rate_hz: 100, channels: [ax_g, ay_g], chunk_ms: 10}}
    preprocess: [window: {length_ms: 40, hop_ms: 10, max_age_ms: 5}, fork: {branches: [[], [scale]]}]
    engine: &engine {type: tflite, model: two.tflite}
    postprocess: [threshold: {below: 1, of: 3, output: 1}]
  right: *one
"""
NASTY = (
    "", "~", "[]", "{}", "''", "-1", "0", "1e400", "-.inf", ".nan", "99999999999999999999", "-9223372036854775809",
    "1e300",
    "1e-320", "true", "2024-01-01", "1:30", "0x7fffffff", "1_000", '"\\0"', '"\\e[31m"', '"\\ud800"', '"\\UFFFFFFFF"',
    '"a\\nb"', "*one", "&one [*one]", "!!python/object/apply:os.system [ls]", "!x y", "~nosuch/x", "/dev/null",
    "/proc/self/mem",
    "a" * 5000, "/" + "a/" * 3000, "..", "'*'", "[1, [2, {a: b}]]", "{a: 1, a: 2}", "\t", "|\n  x", "- x", ": :", "?",
    "image.tflite", "p.png", "s.wav", "m.csv", "odd.yaml", "microphone", "led", "engine", "top",
    "fork: {branches: [[fork], [fork]]}",
)  # fmt: skip
HAND_MADE = (
    "", "\n", "---\n---\n", "...", "\ufeff", "\x00", "\x85", "%YAML 9.9\n---\n", "%TAG ! x\n", "? a\n", "? [a]\n: b",
    "<<: {a: 1}",
    "- " * 500, "[" * 5000, "{a: " * 300, "a: &a [*a]", "a: &a {b: &b [*a, *b]}", "&a a: *a", "a: *b", "!!set {a}",
    "!!binary =",
    "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]\n" for i in range(12)),
    "".join(f"a{i}: &a{i} {'[' * 30}{f'*a{i - 1}' if i else 'x'}{']' * 30}\n" for i in range(20)),
    "sensor", "sensor:", "sensor: []", "sensor: {}", "sensor: {a: 1, b: 2}", "sensor: led", "sensor: {camera: []}",
    "pipelines:", "pipelines: {}", "pipelines: []", "pipelines: {a: }", "pipelines: {a: 1}",
    "pipelines: {'': {sensor: camera}}",
    "targets: 1", "targets: {sim: 1}", "targets: {sim: {targets: {sim: {}}}}", "targets: {nix: {}}", "steps: {}",
    "steps: [[]]",
    "engine: 1", "engine: {type: [1], model: x}", "engine: {model: []}", "engine: {model: ''}", "engine: {model: .}",
    "engine: {model: a.yaml}", "engine: {model: a.xyz}", "actions: console", "title: {a: b}", "a: 1\na: 2\na: 3",
    "x: " + "9" * 10_000, "x: '" + "y" * 100_000 + "'", "k" * 2000 + ": 1", "\u202e: 1", "a\t: 1", "a:\tb", "\ta: b",
    "'a\nb': 1",
    "sensor: {camera: {file: p.png}}\npreprocess:\n" + "  - scale\n" * 300,
)  # fmt: skip


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the configs find a picture, a sound, motion, and models that fit them."""
    import cv2

    path = tmp_path_factory.mktemp("fuzz")
    cv2.imwrite(str(path / "p.png"), np.zeros((4, 4, 3), np.uint8))
    with wave.open(str(path / "s.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    (path / "m.csv").write_text("ax_g,ay_g\n" + "0,1\n" * 20)
    (path / "image.tflite").write_bytes(tiny_models.copy("float32", (1, 3)))
    (path / "sound.tflite").write_bytes(tiny_models.copy("float32", (1, 4, 3)))
    (path / "two.tflite").write_bytes(tiny_models.add_and_subtract("float32", (1, 4, 2)))
    (path / "odd.yaml").write_text("name: odd\nfiles: []\nlabels: labels.txt\nwhat: 1\n")
    return path


def valid() -> list[str]:
    # the bundled ones look for their samples beside them first; nothing of theirs is in the fuzz folder
    return [PICTURE, SOUND, SEVERAL, *(path.read_text(encoding="utf-8") for path in bundled_configs())]


def checked(folder: Path, text: bytes) -> Result:
    (folder / "f.yaml").write_bytes(text)
    before, here = sorted(folder.iterdir()), Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(main, ["check", "f.yaml"])
    finally:
        os.chdir(here)
    assert sorted(folder.iterdir()) == before, "check has written something"
    return result


def says_what_it_means(folder: Path, text: bytes) -> Result:
    result = checked(folder, text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 2), result.output
    if result.exit_code == 0:
        assert "─►" in result.stdout
        assert not result.stderr
        return result
    assert not result.stdout
    lines = result.stderr.splitlines()
    assert lines
    for line in lines:
        assert re.match(r"[^\s:][^:]*(:\d+:\d+)?: .*\w", line), line
        assert line.isprintable(), line
    return result


@pytest.mark.parametrize("text", [PICTURE, SOUND, SEVERAL])
def test_what_is_mutated_is_right_before(folder: Path, text: str) -> None:
    # otherwise every mutation would end at the same first error, and the fuzz would see nothing
    result = says_what_it_means(folder, text.encode())
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("text", HAND_MADE, ids=range(len(HAND_MADE)))
def test_nasty_documents_are_refused(folder: Path, text: str) -> None:
    assert says_what_it_means(folder, text.encode("utf-8", "surrogatepass")).exit_code == 2


# ---- mutations ---------------------------------------------------------------------------------------------------

Draw = Callable[[st.SearchStrategy[int]], int]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    configs = [text.encode() for text in valid()]
    data = draw(st.sampled_from(configs))
    for _ in range(draw(st.integers(1, 4))):
        data = draw(st.sampled_from(MUTATIONS))(draw, data, configs)
    return data


def _flip(draw: st.DrawFn, data: bytes, _: list[bytes]) -> bytes:
    at = draw(st.integers(0, max(0, len(data) - 1)))
    return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]


def _delete(draw: st.DrawFn, data: bytes, _: list[bytes]) -> bytes:
    start, stop = _slice(draw, data)
    return data[:start] + data[stop:]


def _double(draw: st.DrawFn, data: bytes, _: list[bytes]) -> bytes:
    start, stop = _slice(draw, data)
    return data[:stop] + data[start:]


def _swap_lines(draw: st.DrawFn, data: bytes, _: list[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    a, b = (draw(st.integers(0, len(lines) - 1)) for _ in "ab")
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def _splice(draw: st.DrawFn, data: bytes, configs: list[bytes]) -> bytes:
    other = draw(st.sampled_from(configs))
    start, stop = _slice(draw, other)
    at = draw(st.integers(0, len(data)))
    return data[:at] + other[start:stop] + data[at:]


def _other_value(draw: st.DrawFn, data: bytes, _: list[bytes]) -> bytes:
    """A scalar, list or name becomes something else: the mutation that gets deepest."""
    places = list(re.finditer(rb"(?<=[:,\[-] )[^\s,{}\[\]]+|(?<=[\[{])[^\s,{}\[\]]+|\[[^\[\]]*\]|\w+(?=:)", data))
    if not places:
        return data
    place = draw(st.sampled_from(places))
    value = draw(st.sampled_from(NASTY) | st.integers(-3, 3000).map(str) | st.floats().map(repr)).encode()
    return data[: place.start()] + value + data[place.end() :]


def _slice(draw: st.DrawFn, data: bytes) -> tuple[int, int]:
    start = draw(st.integers(0, len(data)))
    return start, min(len(data), start + draw(st.integers(0, 80)))


MUTATIONS = (_other_value, _other_value, _other_value, _flip, _delete, _double, _swap_lines, _splice)


# seeds are the profile's, see conftest.py
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(text=mutated())
def test_no_mutation_makes_a_traceback(folder: Path, text: bytes) -> None:
    says_what_it_means(folder, text)


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("EIQ_FUZZ", "2000")), suppress_health_check=list(HealthCheck))
@given(text=mutated())
def test_no_mutation_makes_a_traceback_ever(folder: Path, text: bytes) -> None:
    says_what_it_means(folder, text)
