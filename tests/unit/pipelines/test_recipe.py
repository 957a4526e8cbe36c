from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path

import pytest

import tiny_models
from hal.sim.target import Sim
from pipelines.config.convert import convert, value
from pipelines.config.demo import load_demo
from pipelines.config.schema import Step, Transforms
from pipelines.config.yaml12 import parse
from pipelines.core import Signal
from pipelines.errors import ConfigError, Problem, SignalMismatch
from pipelines.graph import resolve
from pipelines.models import Manifest, Model
from pipelines.recipe import compare_recipe, described

MANIFEST = """
name: tiny
title: T
files: []
labels: [a, b]
input: {kind: features, shape: [49, 10], rate_hz: 50}
source: {kind: audio, rate_hz: 16000}
preprocess:
  - window: {length_ms: 1000, hop_ms: 100}
  - mfcc: {window_ms: 30, hop_ms: 20, mels: 40, fmin_hz: 0, fmax_hz: 4000, coefficients: 10}
training: {data: d, licence: l}
"""
AUDIO = Signal((None,), "float32", 16000.0, "audio")
SIGNAL = Signal((49, 10), "float32", 50.0, "features")


def model() -> Model:
    problems: list[Problem] = []
    node = parse(MANIFEST, "manifest.yaml", Path("/x"), problems)
    assert node is not None
    manifest = convert(node, Manifest, "", problems)
    assert not problems, problems
    return Model("tiny", "tflite", Path("/x/m"), ("a", "b"), manifest)


def steps(text: str) -> list[Step]:
    problems: list[Problem] = []
    node = parse(text, "f.yaml", Path("/x"), problems)
    assert node is not None
    found = value(node, Transforms, "preprocess", problems)
    assert not problems, problems
    return list(found)


def compare(text: str, signal: Signal = SIGNAL) -> list[str]:
    problems: list[Problem] = []
    compare_recipe(model(), AUDIO, signal, steps(text), problems)
    return [str(problem) for problem in problems]


def test_the_hop_is_the_demos_own_choice_and_defaults_may_be_written_out() -> None:
    assert compare(
        "- window: {length_ms: 1000, hop_ms: 20}\n"
        "- mfcc: {window_ms: 30.0, hop_ms: 20, mels: 40, fmin_hz: 0.0, fmax_hz: 4000, coefficients: 10, center: false}"
    ) == []  # fmt: skip


def test_each_differing_option_has_its_place() -> None:
    assert compare(
        "- window: {length_ms: 1000, hop_ms: 100}\n- mfcc: {window_ms: 30, hop_ms: 20, mels: 64, coefficients: 10}"
    ) == [
        "f.yaml:2:43: preprocess[1].mfcc.mels: got 64, but model tiny was trained with 40",
        "f.yaml:2:9: preprocess[1].mfcc.fmax_hz: got no value, but model tiny was trained with 4000.0",
    ]


def test_other_steps_are_refused() -> None:
    with pytest.raises(SignalMismatch, match=r"got the preprocessing \[window\], expected \[window, mfcc\]"):
        compare("- window: {length_ms: 1000, hop_ms: 100}")


def test_another_rate_is_refused() -> None:
    text = "- window: {length_ms: 1000, hop_ms: 100}\n"
    text += "- mfcc: {window_ms: 30, hop_ms: 20, mels: 40, fmax_hz: 4000, coefficients: 10}"
    with pytest.raises(SignalMismatch, match="at 25 Hz, expected features .* at 50 Hz, on which model tiny"):
        compare(text, SIGNAL.but(rate_hz=25.0))


def test_a_model_without_a_manifest_takes_anything() -> None:
    problems: list[Problem] = []
    compare_recipe(
        Model("m", "tflite", Path("m"), ()), AUDIO, SIGNAL, steps("- scale: {from: [0, 1], to: [0, 2]}"), problems
    )
    assert problems == []


@pytest.mark.parametrize("captured", [AUDIO.but(rate_hz=44100.0), AUDIO.but(kind="motion")])
def test_another_source_is_refused_even_where_the_features_look_alike(captured: Signal) -> None:
    with pytest.raises(SignalMismatch, match="expected audio at 16000 Hz, on which model tiny was trained"):
        compare_recipe(model(), captured, SIGNAL, [], [])


def test_what_is_learned_behind_is_told_in_words_without_what_is_free() -> None:
    found = steps("- window: {length_ms: 1000, hop_ms: 100}\n- band_power: {bands: 8}\n- smooth: {over: 3}")
    other = steps("- window: {length_ms: 1000, hop_ms: 500}\n- band_power: {bands: 8}\n- smooth: {over: 3}")
    assert described(AUDIO, found, {}) == described(AUDIO, other, {})
    assert described(AUDIO, found, {}) == (
        "audio [any] float32 at 16000 Hz",
        'window {"length_ms":1000.0}',
        'band_power {"bands":8,"fmin_hz":0.0,"fmax_hz":null,"floor":1e-9}',
        'smooth {"over":3}',
    )


MOTION = """\
sensor:
  motion: {rate_hz: 200, channels: [ax_g, ay_g, az_g], pace: fast, synthetic: {fan: {seconds: 1}}}
preprocess:
  - window: {length_ms: 250, hop_ms: 250}
  - health
  - band_power: {bands: 5}
engine: {model: tiny/manifest.yaml}
postprocess: [{threshold: {above: 0, of: 0}}]
"""


@pytest.mark.parametrize("trained_with", ["", "  - health: {range_g: 2}\n"])
def test_a_step_that_only_holds_frames_back_is_no_part_of_it(tmp_path: Path, trained_with: str) -> None:
    (tmp_path / "tiny").mkdir()
    flatbuffer = tiny_models.copy("float32", (1, 5, 3))
    (tmp_path / "tiny/model.tflite").write_bytes(flatbuffer)
    (tmp_path / "tiny/manifest.yaml").write_text(
        "name: tiny\ntitle: T\n"
        f"files: [{{engine: tflite, path: model.tflite, sha256: {hashlib.sha256(flatbuffer).hexdigest()}, "
        f"bytes: {len(flatbuffer)}}}]\n"
        "labels: []\ninput: {kind: features, shape: [5, 3]}\ntraining: {data: d, licence: l}\n"
        f"preprocess:\n  - window: {{length_ms: 250, hop_ms: 100}}\n{trained_with}  - band_power: {{bands: 5}}\n"
    )

    def stages(text: str) -> list[str]:
        (tmp_path / "demo.yaml").write_text(text)
        target = Sim()
        with ExitStack() as stack:
            (graph,) = resolve(load_demo(str(tmp_path / "demo.yaml"), target), target, stack)
        return [stage.name for stage in graph.stages]

    assert stages(MOTION) == ["window", "health", "band_power", "tflite", "threshold"]
    assert stages(MOTION.replace("  - health\n", "")) == ["window", "band_power", "tflite", "threshold"]
    with pytest.raises(ConfigError, match="got 6, but model tiny was trained with 5"):
        stages(MOTION.replace("bands: 5", "bands: 6"))
