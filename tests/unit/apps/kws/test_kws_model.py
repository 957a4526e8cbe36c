"""The shipped keyword model is what its manifest says, and pictures give the features that audio gives."""

from __future__ import annotations

import hashlib
import wave
from pathlib import Path

import numpy as np
import pytest

from apps.kws import pictures, stream
from apps.kws.augment import Augmenter
from apps.kws.pictures import KEYWORDS, LABELS, RATE, SILENCE, UNKNOWN, Bank
from pipelines.core import Frame, Signal
from pipelines.models import read_manifest
from pipelines.registry import load

ROOT = Path(__file__).parents[4]
SHARED = ROOT.parent / "shared" / "data" / "kws" / "wav"
MODEL = ROOT / "models" / "kws"

needs_clips = pytest.mark.skipif(not SHARED.is_dir(), reason="the Speech Commands clips of ../shared/data are absent")


def clip(label: str, number: int = 0) -> np.ndarray:
    path = sorted((SHARED / label).glob("*.wav"))[number]
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(RATE), "<i2").astype(np.float32) / 32768
    return np.pad(samples, (0, RATE - len(samples)))


def shipped_features(audio: np.ndarray) -> np.ndarray:
    """[49, 10] by the transforms that the manifest names."""
    frame, signal = Frame(audio, t=1.0, seq=0), Signal((None,), "float32", RATE, "audio")
    for step in read_manifest(MODEL / "manifest.yaml").preprocess:
        transform = load("transforms", step.name)(step.config)
        signal = transform.resolve(signal)
        (frame,) = transform.process(frame)
    return frame.array


def test_the_file_is_the_manifests_and_small_enough():
    manifest = read_manifest(MODEL / "manifest.yaml")
    file, _ = manifest.files
    data = (MODEL / "model.tflite").read_bytes()
    assert hashlib.sha256(data).hexdigest() == file.sha256
    assert len(data) == file.bytes <= 54_000
    assert manifest.labels == LABELS


def test_the_manifest_claims_an_accuracy_over_the_bar_of_all_clips():
    measured = [score for score in read_manifest(MODEL / "manifest.yaml").accuracy if score.measured == "here"]
    top1 = next(score for score in measured if score.metric == "top-1")
    assert top1.value >= 0.94
    assert top1.samples == 4890


@needs_clips
@pytest.mark.parametrize("label", ["yes", "stop", "unknown"])
def test_features_from_a_picture_of_a_clip_are_those_of_the_shipped_mfcc(label):
    audio = clip(label)
    pixels = pictures.pixels_of_audio(audio)
    assert pixels.shape == (98, 40)
    from_picture = pictures.features_of_pictures(pixels[None])[0]
    shipped = shipped_features(audio)
    assert shipped.shape == from_picture.shape == (49, 10)
    # a pixel is a tenth of ln P: rounding moves a coefficient by some hundredths, at most sqrt(40 * 2) * 0.05
    assert np.abs(from_picture - shipped).max() < 0.45
    assert np.abs(from_picture - shipped).mean() < 0.05


@needs_clips
def test_unrounded_features_equal_the_shipped_mfcc():
    audio = clip("left")
    power = pictures.power_of_audio(audio, hop=320)
    own = pictures.mfcc(np.log(power + pictures.FLOOR))
    np.testing.assert_allclose(own, shipped_features(audio), atol=2e-3)


@needs_clips
def test_the_model_names_most_shared_clips():
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("sklearn")
    from apps.evaluate import Asked, evaluate

    report = evaluate("kws.yaml", SHARED, Asked(limit=60))
    assert report.items == 60
    assert report.accuracy >= 0.88


def bank(rng: np.random.Generator) -> Bank:
    """Six pictures a class: a loud block in faint noise; silence is the noise alone."""
    labels = np.repeat(np.arange(len(LABELS)), 6)
    pixels = rng.integers(8, 40, (len(labels), 98, 40)).astype(np.uint8)
    pixels[labels != SILENCE, 30:70] += 120
    return Bank(pixels, labels)


def test_extents_are_where_the_sound_is():
    spans = pictures.extents(bank(np.random.default_rng(1)).pixels)
    assert (spans[0] == [30, 70]).all()


def test_an_epoch_keeps_labels_except_of_fragments():
    rng = np.random.default_rng(2)
    pictured = bank(rng)
    chosen = np.tile(np.arange(len(pictured)), 20)
    features, labels = Augmenter(pictured, pictured.pixels[pictured.labels == SILENCE]).epoch(chosen, rng)
    assert features.shape == (len(chosen), 49, 10)
    assert np.isfinite(features).all()
    changed = labels != pictured.labels[chosen]
    assert 0.02 < changed.mean() < 0.2
    assert (labels[changed] == UNKNOWN).all()


def test_a_stream_has_its_words_where_the_plan_says():
    pictured = bank(np.random.default_rng(3))
    plan = stream.plan(pictured, 2.0, np.random.default_rng(4))
    heard = stream.render_pictures(plan, pictured)
    assert heard.shape == (12000, 40)
    word = max(plan.keywords, key=lambda placed: placed.gain)
    begin, end = round(word.begin_s / stream.ROW_S), round(word.end_s / stream.ROW_S)
    assert end - begin == 40
    assert heard[begin:end].mean() > heard[begin - 6 : begin - 2].mean() + 3


def test_judging_counts_hits_wrong_words_and_false_alarms():
    pictured = bank(np.random.default_rng(3))
    plan = stream.plan(pictured, 3.0, np.random.default_rng(4))
    words = plan.keywords
    assert len(words) > 10
    right = [(word.end_s + 0.2, LABELS[word.label]) for word in words]
    verdict = stream.judge(plan, right)
    assert (verdict.hits, verdict.wrong, verdict.false_alarms) == (len(words), 0, 0)
    assert verdict.delay_s(0.5) == pytest.approx(0.2)
    other = next(label for label in KEYWORDS if label != LABELS[words[0].label])
    verdict = stream.judge(plan, [(words[0].end_s + 0.2, other), *right[1:], (right[-1][0] + 0.1, right[-1][1])])
    assert (verdict.misses, verdict.wrong, verdict.false_alarms) == (1, 1, 1)
