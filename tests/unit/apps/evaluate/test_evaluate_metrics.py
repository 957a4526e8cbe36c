from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from apps.evaluate.metrics import Samples, answers, groups, wilson

LABELS = ("a", "b", "c", "d", "e", "f")


def int8_scores() -> st.SearchStrategy[list[list[int]]]:
    """Few levels, so that there are ties, as an int8 softmax has them."""
    return st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=12)


@given(int8_scores(), st.data())
def test_counts_are_those_of_a_loop(rows: list[list[int]], data: st.DataObject) -> None:
    truth = data.draw(st.lists(st.sampled_from(LABELS), min_size=len(rows), max_size=len(rows)))
    found = answers(Samples(truth, np.array(rows, float) / 4), LABELS)
    ranks = [  # of equal scores the lower index is better
        sum(other > row[i] or (other == row[i] and j < i) for j, other in enumerate(row))
        for row, i in zip(rows, map(LABELS.index, truth), strict=True)
    ]
    assert found.right == sum(rank == 0 for rank in ranks)
    assert found.accuracy == pytest.approx(found.right / len(rows), abs=1e-6)
    for k in (3, 5):
        assert found.top_k[str(k)] == pytest.approx(sum(rank < k for rank in ranks) / len(rows), abs=1e-6)
    assert sum(map(sum, found.confusion)) == len(rows)
    assert sum(found.confusion[i][i] for i in range(6)) == found.right
    assert [one.samples for one in found.classes] == [truth.count(label) for label in LABELS]
    assert [one.answers for one in found.classes] == [sum(column) for column in zip(*found.confusion, strict=True)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=20), st.booleans())
def test_auc_is_the_chance_that_a_positive_one_scores_higher(pairs: list[tuple[bool, int]], rising: bool) -> None:
    samples = Samples(["bad" if bad else "good" for bad, _ in pairs], np.array([[float(v)] for _, v in pairs]))
    found = groups(samples, (), ("bad",), ("good",), rising=rising)
    sign = 1 if rising else -1
    bad, good = ([sign * v for is_bad, v in pairs if is_bad is which] for which in (True, False))
    assert (found.positives, found.negatives) == (len(bad), len(good))
    if not bad or not good:
        assert found.auc is None
        return
    wins = sum((b > g) + (b == g) / 2 for b, g in product(bad, good))
    assert found.auc == pytest.approx(wins / len(bad) / len(good), abs=1e-6)


def test_groups_of_classes_add_their_scores_and_leave_the_rest_out() -> None:
    rows = [[0.6, 0.3, 0.1], [0.1, 0.4, 0.5], [0.2, 0.7, 0.1], [0.9, 0.0, 0.1], [0.0, 0.0, 1.0]]
    samples = Samples(["on", "clog", "friction", "on", "off"], np.array(rows))
    found = groups(samples, ("on", "clog", "friction"), ("clog", "friction"), ("on",), rising=True)
    assert (found.positives, found.negatives, found.auc) == (2, 2, 1.0)


def test_a_class_that_is_missing_has_no_recall_and_one_never_answered_no_precision() -> None:
    found = answers(Samples(["a", "b"], np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0]])), ("a", "b", "c"))
    by_label = {one.label: one for one in found.classes}
    assert (by_label["a"].precision, by_label["a"].recall, by_label["a"].auc) == (0.5, 1.0, 1.0)
    assert (by_label["b"].precision, by_label["b"].recall, by_label["b"].f1) == (None, 0.0, 0.0)
    assert (by_label["c"].precision, by_label["c"].recall, by_label["c"].f1, by_label["c"].auc) == (None,) * 4
    assert found.auc == 1.0  # of the two that are there
    assert found.top_k == {}  # of three classes the best three are all


@pytest.mark.parametrize(("right", "of"), [(8966, 10_000), (0, 7), (7, 7), (1, 2)])
def test_wilson_is_the_formula(right: int, of: int) -> None:
    z, p = 1.959963984540054, right / of
    centre, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = wilson(right, of)
    assert low == pytest.approx((centre - half) / (1 + z * z / of), abs=1e-6)
    assert high == pytest.approx((centre + half) / (1 + z * z / of), abs=1e-6)


def test_wilsons_interval_is_the_published_one() -> None:
    # R. G. Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I: 81 of 263
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
