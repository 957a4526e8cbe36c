from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pipelines.core import Frame, Result, Signal
from pipelines.decoders.top import Top
from pipelines.errors import ModelError, SignalMismatch

LABELS = ("silence", "unknown", "yes", "no")
SCORES = Signal((4,), "float32", None, "scores", LABELS)
CAPTURED = Frame(np.zeros(8), t=0.0, seq=0)


def top(**config: Any) -> Top:
    decoder = Top(Top.Config(**config))
    decoder.resolve(SCORES)
    return decoder


def at(t: float, **more: Any) -> Frame:
    return Frame(np.zeros(4), t=t, seq=0, source=CAPTURED, **more)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def labels(results: Iterable[Result]) -> list[str]:
    return [result.label for result in results]


def spoken(decoder: Top, yes: Iterable[float], hop_s: float = 0.1) -> list[float]:
    """The times at which "yes" is reported, given its score at each hop."""
    found = []
    for hop, score in enumerate(yes):
        t = hop * hop_s
        found += [r.t for r in decoder.decode(scores(1 - score, 0, score, 0), at(t)) if r.label == "yes"]
    return found


def test_the_best_comes_first() -> None:
    results = top(k=3).decode(scores(0.1, 0.2, 0.6, 0.1), at(1.5))
    assert [(r.label, pytest.approx(r.score), r.t) for r in results] == [
        ("yes", 0.6, 1.5),
        ("unknown", 0.2, 1.5),
        ("silence", 0.1, 1.5),
    ]


def test_of_equal_ones_the_lower_index_comes_first() -> None:
    assert labels(top(k=4).decode(scores(0.25, 0.25, 0.25, 0.25), at(0))) == list(LABELS)


def test_more_than_there_are() -> None:
    assert len(top(k=9).decode(scores(0.1, 0.2, 0.6, 0.1), at(0))) == 4


def test_the_threshold_counts_as_reached() -> None:
    assert labels(top(k=4, threshold=0.25).decode(scores(0.25, 0.2, 0.5, 0.05), at(0))) == ["yes", "silence"]
    assert not top(threshold=0.9).decode(scores(0.1, 0.2, 0.6, 0.1), at(0))


def test_ignored_labels_take_no_place() -> None:
    decoder = top(k=2, ignore=("silence", "unknown"))
    assert labels(decoder.decode(scores(0.5, 0.3, 0.1, 0.1), at(0))) == ["yes", "no"]


def test_a_result_knows_where_it_is_from() -> None:
    (alone,) = top().decode(scores(0, 0, 1, 0), at(2.0))
    assert alone.source is CAPTURED
    assert alone.region is None
    cause = Result(2.0, "face", 0.9, region=(1, 2, 3, 4))
    (inside,) = top().decode(scores(0, 0, 1, 0), at(2.0, cause=cause))
    assert inside.region == (1, 2, 3, 4)


def test_the_input_is_not_changed() -> None:
    y = scores(0.1, 0.2, 0.6, 0.1)
    y.flags.writeable = False
    top(k=4).decode(y, at(0))


@given(st_numpy.arrays(np.float32, 20, elements=st.floats(0, 1, width=32)), st.integers(1, 20))
def test_it_agrees_with_a_stable_sort(y: np.ndarray, k: int) -> None:
    decoder = Top(Top.Config(k=k))
    decoder.resolve(SCORES.but(shape=(20,), channels=tuple(map(str, range(20)))))
    assert labels(decoder.decode(y, at(0))) == [str(i) for i in np.argsort(-y, kind="stable")[:k]]


# ---- when a label fires again ------------------------------------------------------------------------------------


def test_without_a_refractory_time_every_frame_reports() -> None:
    assert spoken(top(), [0.9, 0.9, 0.9]) == pytest.approx([0.0, 0.1, 0.2])


def test_a_long_word_is_reported_once() -> None:
    decoder = top(threshold=0.7, refractory_ms=200)
    assert spoken(decoder, [0, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.6, 0]) == pytest.approx([0.1])


def test_a_second_word_is_reported() -> None:
    decoder = top(threshold=0.7, refractory_ms=200)
    assert spoken(decoder, [0.8, 0.8, 0.1, 0.8, 0.8]) == pytest.approx([0.0, 0.3])


def test_a_second_word_that_begins_too_soon_is_reported_when_it_may() -> None:
    decoder = top(threshold=0.7, refractory_ms=400)
    assert spoken(decoder, [0.8, 0.1, 0.8, 0.8, 0.8, 0.8]) == pytest.approx([0.0, 0.4])


def test_a_flicker_at_the_threshold_waits_for_the_refractory_time() -> None:
    decoder = top(threshold=0.7, refractory_ms=500)
    assert spoken(decoder, [0.8, 0.6, 0.8, 0.6, 0.8]) == pytest.approx([0.0])


def test_without_rearm_a_long_word_is_reported_again_and_again() -> None:
    decoder = top(threshold=0.7, refractory_ms=300, rearm=False)
    assert spoken(decoder, [0.9] * 8) == pytest.approx([0.0, 0.3, 0.6])


def test_the_refractory_time_ends_on_the_hop_whatever_the_floats_say() -> None:
    decoder = top(threshold=0.7, refractory_ms=800, rearm=False)
    times = spoken(decoder, [0.9] * 200)
    assert len(times) == 25  # one in 8 hops, although 1.7 - 0.9 < 0.8


def test_another_label_may_fire_at_once() -> None:
    decoder = top(threshold=0.7, refractory_ms=800)
    assert labels(decoder.decode(scores(0, 0, 0.9, 0), at(0))) == ["yes"]
    assert labels(decoder.decode(scores(0, 0, 0, 0.9), at(0.1))) == ["no"]
    assert labels(decoder.decode(scores(0, 0, 0.9, 0), at(0.2))) == []
    assert labels(decoder.decode(scores(0, 0, 0.9, 0), at(0.8))) == ["yes"]


# ---- what it refuses ---------------------------------------------------------------------------------------------


def refused(signal: Signal, **config: Any) -> str:
    with pytest.raises(SignalMismatch) as error:
        Top(Top.Config(**config)).resolve(signal)
    return str(error.value)


def test_what_is_no_scores_is_refused() -> None:
    assert refused(SCORES.but(kind="features")).startswith("got features [4] float32")


def test_scores_without_labels_are_refused() -> None:
    assert "without labels, expected one label per class; name them with engine.labels" in refused(
        SCORES.but(channels=())
    )


def test_the_wrong_number_of_labels_is_refused() -> None:
    assert "with 4 labels, expected one label per class" in refused(SCORES.but(shape=(5,)))


def test_an_ignored_label_that_is_not_there_is_refused() -> None:
    assert refused(SCORES, ignore=("silense",)) == (
        "got ignore: 'silense', expected a label of the model; did you mean \"silence\"?"
    )
    assert refused(SCORES, ignore=("xyz",)).endswith("the labels are: silence, unknown, yes, no")


def test_one_output_of_several() -> None:
    bundle = Signal((), "", None, "bundle", (), (SCORES.but(kind="features"), SCORES))
    decoder = Top(Top.Config(output=1))
    decoder.resolve(bundle)
    assert labels(decoder.decode((scores(1, 0, 0, 0), scores(0, 0, 1, 0)), at(0))) == ["yes"]
    assert "got output: 2, expected 0 to 1" in refused(bundle, output=2)
    assert "got output: 1, expected 0, as there is one output" in refused(SCORES, output=1)


def test_a_nan_is_an_error() -> None:
    with pytest.raises(ModelError, match="not numbers"):
        top().decode(scores(0.1, float("nan"), 0.9, 0), at(0))


@pytest.mark.parametrize("logits", [(7.2, 0, 0, 0), (-3.0, -4, -5, -6)])
def test_logits_are_an_error_that_names_softmax(logits: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match="expected 0 to 1; add the step softmax"):
        top().decode(scores(*logits), at(0))


def test_a_score_that_misses_the_end_by_rounding_is_held_to_it() -> None:
    assert top().decode(scores(0, 0, 1.0000001, 0), at(0))[0].score == 1.0
