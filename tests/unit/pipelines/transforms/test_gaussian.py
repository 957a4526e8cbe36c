from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config.schema import OutputPath
from pipelines.core import Frame, Result, Signal
from pipelines.errors import DataError, OutputError, SignalMismatch
from pipelines.transforms.gaussian import Gaussian, shrunk_covariance

FEATURES = Signal((4,), "float32", None, "features", ("a", "b", "c", "d"))
BEHIND = ("motion [any, 3] float32 at 200 Hz (ax_g ay_g az_g)", 'window {"length_ms":1000.0}')


def gaussian(signal: Signal = FEATURES, behind: tuple[str, ...] = BEHIND, **keys: Any) -> Gaussian:
    step = Gaussian(Gaussian.Config(**keys))
    step.follows(behind)
    out = step.resolve(signal)
    assert (out.shape, out.kind, out.channels) == ((1,), "scores", ("distance",))
    return step


def normal(count: int, size: int = 4, seed: int = 0) -> np.ndarray:
    """Correlated, of very different sizes, and far from 0."""
    draw = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(size, size)) * np.logspace(-3, 3, size)
    return (draw.normal(size=(count, size)) @ mixing + 1000 * np.arange(size)).astype(np.float32)


def frames(features: np.ndarray, hop_s: float = 0.25, first: int = 0) -> list[Frame]:
    return [Frame(x, t=1.0 + (first + i) * hop_s, seq=first + i) for i, x in enumerate(features)]


def run(step: Gaussian, stream: list[Frame]) -> tuple[list[float], list[Result]]:
    out = [
        float(item.array[0]) if isinstance(item, Frame) else item for frame in stream for item in step.process(frame)
    ]
    return [o for o in out if isinstance(o, float)], [o for o in out if isinstance(o, Result)]


def test_it_learns_tells_so_and_then_scores() -> None:
    stream = frames(normal(100))
    scores, results = run(gaussian(learn_s=10), stream)
    assert [(r.label, r.value, r.unit, r.t) for r in results] == [
        ("learning normal", 10.0, "s", 1.0),
        ("normal learned", 41.0, "frames", 11.0),
    ]
    assert len(scores) == 100 - 41
    assert 0.2 < np.median(scores) < 1.0


def test_one_is_where_95_percent_of_normal_end_and_another_state_is_far_beyond() -> None:
    step = gaussian(learn_s=100)
    scores, _ = run(step, frames(normal(2400)))
    assert np.mean(np.array(scores) < 1) == pytest.approx(0.95, abs=0.02)
    odd = normal(20, seed=3) + 8 * normal(400).std(axis=0)
    assert min(run(step, frames(odd, first=3000))[0]) > 2


def test_a_limit_learned_on_one_machine_suits_one_that_shakes_a_thousand_times_harder() -> None:
    # in float64, so that rounding is no difference of its own
    features = normal(200).astype(np.float64)
    assert run(gaussian(), frames(1000 * features))[0] == pytest.approx(run(gaussian(), frames(features))[0], rel=1e-6)


def test_it_is_the_distance_of_scikit_learn() -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    features = normal(60, size=3)
    step = gaussian(FEATURES.but(shape=(3,), channels=()))
    scores, _ = run(step, frames(features))
    learned = features[:41].astype(np.float64)
    standard = (features - learned.mean(axis=0)) / learned.std(axis=0)
    reference = covariance.LedoitWolf(assume_centered=True).fit(standard[:41])
    wanted = np.sqrt(reference.mahalanobis(standard[41:]))
    assert np.array(scores) / scores[0] == pytest.approx(wanted / wanted[0], rel=1e-4)


@settings(max_examples=50)
@given(seed=st.integers(0, 1000), frames_=st.integers(2, 60), size=st.integers(1, 40))
def test_shrinkage_is_that_of_scikit_learn(seed: int, frames_: int, size: int) -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    draw = np.random.default_rng(seed)
    centred = draw.normal(size=(frames_, size)) @ draw.normal(size=(size, size))
    centred -= centred.mean(axis=0)
    reference = covariance.LedoitWolf(assume_centered=True).fit(centred).covariance_
    np.testing.assert_allclose(shrunk_covariance(centred), reference, atol=1e-9 * np.abs(reference).max())


def test_fewer_frames_than_features_will_do() -> None:
    draw = np.random.default_rng(0)
    step = gaussian(FEATURES.but(shape=(20, 10), channels=()), learn_s=1)
    scores, results = run(step, frames(draw.normal(size=(60, 20, 10)).astype(np.float32)))
    assert results[1].value == 20.0  # a second has 5; it waits for enough
    assert 0.7 < np.median(scores) < 1.3
    assert run(step, frames(draw.normal(3, 1, (5, 20, 10)), first=60))[0] > [2.0] * 5


def test_features_that_stand_still_or_follow_from_others() -> None:
    features = normal(100)
    features[:, 1] = 7
    features[:, 2] = 2 * features[:, 0]
    step = gaussian()
    scores, _ = run(step, frames(features))
    assert np.mean(np.array(scores) < 1.5) > 0.9
    nudged, moved = features[:1].copy(), features[:1].copy()
    nudged[0, 1] = np.nextafter(np.float32(7), np.float32(8))
    moved[0, 1] = 8
    assert run(step, frames(nudged))[0] == pytest.approx(run(step, frames(features[:1]))[0], rel=0.05)
    assert run(step, frames(moved))[0][0] > 2


def test_when_all_stand_still_it_says_so() -> None:
    with pytest.raises(DataError, match="all 4 features stood still while gaussian learned, .*is the sensor on"):
        run(gaussian(), frames(np.ones((100, 4), np.float32)))


@pytest.mark.parametrize("at", [3, 80])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_names_the_step_that_tells(at: int, value: float) -> None:
    features = normal(100)
    features[at, 2] = value
    with pytest.raises(DataError, match=rf"not finite numbers at {1 + at / 4:g} s; put the step health before"):
        run(gaussian(), frames(features))


@pytest.mark.parametrize(
    "signal", [FEATURES.but(shape=(None, 4)), FEATURES.but(shape=(50, 40)), FEATURES.but(shape=(0,))]
)
def test_features_have_a_fixed_shape(signal: Signal) -> None:
    with pytest.raises(SignalMismatch):
        gaussian(signal)


# ---- the file


def kept(tmp_path: Path) -> Path:
    path = tmp_path / "normal.json"
    if not path.exists():
        run(gaussian(file=OutputPath(path)), frames(normal(41)))
    return path


def test_what_was_learned_is_loaded_and_scores_the_same(tmp_path: Path) -> None:
    path = OutputPath(tmp_path / "normal.json")
    stream = frames(normal(100))
    scores, _ = run(gaussian(file=path), stream)
    again, results = run(gaussian(file=path), stream[41:])
    assert again == scores
    assert [result.label for result in results] == ["normal loaded"]
    assert [file.name for file in tmp_path.iterdir()] == ["normal.json"]


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    learned = json.loads(kept(tmp_path).read_text())
    numbers = learned.pop("numbers")
    assert learned == {"step": "gaussian", "behind": list(BEHIND), "shape": [4], "channels": ["a", "b", "c", "d"],
                       "frames": 41, "seconds": 10.0}  # fmt: skip
    assert {key: np.shape(value) for key, value in numbers.items()} == {"mean": (4,), "whitening": (4, 4)}


def test_the_same_stream_learns_the_same_bytes(tmp_path: Path) -> None:
    before = kept(tmp_path).read_bytes()
    kept(tmp_path).unlink()
    assert kept(tmp_path).read_bytes() == before


def test_it_learns_anew_where_that_is_asked_for(tmp_path: Path) -> None:
    path = kept(tmp_path)
    before = path.read_bytes()
    _, results = run(gaussian(file=OutputPath(path), relearn=True), frames(normal(60, seed=5)))
    assert results[1].label == "normal learned"
    assert path.read_bytes() != before


def test_resolving_touches_nothing(tmp_path: Path) -> None:
    gaussian(file=OutputPath(tmp_path / "a.json"))
    assert not list(tmp_path.iterdir())
    gaussian(file=OutputPath(kept(tmp_path)), relearn=True)
    assert kept(tmp_path).stat().st_size > 100


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"behind": (BEHIND[0], 'window {"length_ms":500.0}')},
         r"was learned behind window .*1000.*, expected window .*500.*; learn anew with relearn: true"),
        ({"behind": BEHIND[:1]}, "learned behind 1 steps, expected 0 steps"),
        ({"signal": FEATURES.but(channels=("a", "b", "c", "e"))}, r"learned behind \[4\] \(a b c d\), expected"),
        ({"signal": FEATURES.but(shape=(2, 2))}, r"learned behind \[4\]"),
    ],
)  # fmt: skip
def test_other_features_are_refused_before_it_runs(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        gaussian(file=OutputPath(kept(tmp_path)), **keys)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"step": "gaussian"', b'"step": "cluster"', "was learned by cluster, expected gaussian"),
        (b'"mean": [', b'"mean": [1,', "is damaged: its arrays are not what gaussian learns"),
        (b'"mean": [', b'"mean": ["x",', "is damaged"),
        (b'"mean"', b'"median"', "is damaged"),
        (b'"numbers": {', b'"numbers": {"more": 1, ', "is damaged"),
        (b'"frames": 41', b'"frames": "41"', "holds nothing that was learned"),
        (b'"frames"', b'"pictures"', "holds nothing that was learned"),
        (b"{", b"", "holds nothing that was learned"),
        (b"gaussian", b"gauss\xffian", "holds nothing that was learned"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    path = kept(tmp_path)
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message) as info:
        gaussian(file=OutputPath(path))
    assert "\n" not in str(info.value)


@settings(max_examples=100)
@given(cut=st.integers(0, 800))
def test_a_file_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = kept(tmp_path_factory.getbasetemp())
    short = path.with_name("short.json")
    short.write_bytes(path.read_bytes().rstrip()[:-1][:cut])
    with pytest.raises(DataError, match="holds nothing that was learned"):
        gaussian(file=OutputPath(short))


def test_where_it_cannot_write_it_says_so_before_it_runs(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder .* does not exist, .*gaussian\.file"):
        gaussian(file=OutputPath(tmp_path / "none" / "a.json"))
    with pytest.raises(OutputError, match="is a directory"):
        gaussian(file=OutputPath(tmp_path))


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept(tmp_path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        run(gaussian(file=OutputPath(path), relearn=True), frames(normal(60)))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
