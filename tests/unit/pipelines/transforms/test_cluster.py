from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import optional
from pipelines.config.schema import OutputPath
from pipelines.core import Frame, Result, Signal
from pipelines.errors import DataError, MissingDependency
from pipelines.transforms.cluster import Cluster

pytest.importorskip("sklearn")
FEATURES = Signal((3,), "float32", None, "features")
CENTRES = np.array([[0, 0, 5000], [1, 0.5, 9000], [0, 0.5, 5000], [1, 0, 5000], [0.5, 1, 7000]])


def cluster(signal: Signal = FEATURES, **keys: Any) -> Cluster:
    step = Cluster(Cluster.Config(**{"learn_s": 30.0, **keys}))
    step.follows(("motion",))
    out = step.resolve(signal)
    assert (out.kind, out.shape[0]) == ("scores", len(out.channels))
    return step


def states(order: list[int], each: int = 40, seed: int = 0) -> np.ndarray:
    """Features that go through states in turn."""
    noise = np.random.default_rng(seed).normal(size=(len(order) * each, 3)) * (0.05, 0.03, 150)
    return (CENTRES[np.repeat(order, each)] + noise).astype(np.float32)


def frames(features: np.ndarray, first: int = 0) -> list[Frame]:
    return [Frame(x, t=(first + i) / 4, seq=first + i) for i, x in enumerate(features)]


def run(step: Cluster, stream: list[Frame]) -> tuple[np.ndarray, list[Result]]:
    out = [item.array.copy() if isinstance(item, Frame) else item for frame in stream for item in step.process(frame)]
    return np.array([o for o in out if isinstance(o, np.ndarray)]), [o for o in out if isinstance(o, Result)]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_it_finds_how_many_states_there_are_and_names_them_as_they_came(count: int) -> None:
    order = list(range(count))[::-1]
    step = cluster(learn_s=10 * count - 0.25)
    _, results = run(step, frames(states(order)))
    assert [(r.label, r.value, r.unit) for r in results] == [
        ("learning states", 10 * count - 0.25, "s"),
        ("states learned", count, "states"),
    ]
    scores, _ = run(step, frames(states(order, each=5, seed=1), first=1000))
    assert scores.dtype == np.float32
    assert scores.argmax(axis=1).tolist() == np.repeat(range(count), 5).tolist()
    assert scores.sum(axis=1) == pytest.approx(1)
    assert scores.max(axis=1).min() > 0.6
    assert not scores[:, count:].any()
    assert step.labels == ("learning states", "states learned", "states loaded")


@pytest.mark.slow
@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_what_it_finds_are_the_hidden_states(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    order = np.random.default_rng(seed).permutation([0, 1, 2, 3, 0, 2]).tolist()
    step = cluster(learn_s=60 - 0.25)
    run(step, frames(states(order, seed=seed)))
    scores, _ = run(step, frames(states(order, seed=seed + 1), first=1000))
    assert metrics.adjusted_rand_score(np.repeat(order, 40), scores.argmax(axis=1)) > 0.98


def test_one_state_is_one() -> None:
    step = cluster()
    _, results = run(step, frames(states([0, 0, 0, 0])))
    assert results[1].value == 1
    scores, _ = run(step, frames(states([0]), first=1000))
    assert (scores == [1, *[0] * 7]).all()


def test_no_more_than_it_may_find() -> None:
    step = cluster(learn_s=49, most=3)
    _, results = run(step, frames(states([0, 1, 2, 3, 4])))
    assert results[1].value is not None
    assert results[1].value <= 3


def test_repeated_frames_make_no_states_of_their_own() -> None:
    _, results = run(cluster(), frames(np.repeat(CENTRES[:2], 61, axis=0).astype(np.float32)))
    assert results[1].value == 2


@pytest.mark.parametrize("seed", range(4))
def test_a_single_frame_may_be_missing_from_those_that_are_compared(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr("pipelines.transforms.cluster.MOST_COMPARED", 40)
    features = states([0, 0, 0])
    features[5] = 1e6  # K-means makes it a state of its own, of which 40 of 120 frames may know nothing
    _, results = run(cluster(most=2, seed=seed, learn_s=29.75), frames(features))
    assert results[1].label == "states learned"


@pytest.mark.slow
def test_the_seed_makes_it_reproducible(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("a.json", "b.json"))
    for path in (first, second):
        run(cluster(file=OutputPath(path)), frames(states([0, 1, 2, 0])))
    assert first.read_bytes() == second.read_bytes()


def test_what_was_learned_is_loaded_and_needs_no_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = OutputPath(tmp_path / "states.json")
    stream = frames(states([0, 1, 2, 1]))
    scores, _ = run(cluster(learn_s=29, file=path), stream)

    def missing(module: str, *, purpose: str, install: str) -> Any:
        raise MissingDependency(f"{purpose} needs the module {module}")

    monkeypatch.setattr("pipelines.transforms.cluster.require", missing)
    again, results = run(cluster(file=path), stream[-len(scores) :])
    assert np.array_equal(again, scores)
    assert [result.label for result in results] == ["states loaded"]
    with pytest.raises(MissingDependency):
        cluster()


def test_more_states_than_there_may_be_are_refused(tmp_path: Path) -> None:
    path = OutputPath(tmp_path / "states.json")
    run(cluster(learn_s=39, file=path), frames(states([0, 1, 2, 3])))
    with pytest.raises(DataError, match="is damaged"):
        cluster(file=path, most=2)


def test_scikit_learn_is_asked_for_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(optional.importlib, "import_module", broken)
    with pytest.raises(MissingDependency, match=r"cluster needs the module sklearn.cluster .*eiq-demo\[classical\]"):
        cluster()


def test_when_all_stand_still_it_says_so() -> None:
    with pytest.raises(DataError, match="all 3 features stood still while cluster learned"):
        run(cluster(), frames(np.ones((200, 3), np.float32)))
