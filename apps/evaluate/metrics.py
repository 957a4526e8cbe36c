"""Numbers from scores and labels, by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from apps.evaluate.report import Answers, ClassScore, Groups
from pipelines.core import Array
from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[classical]'"
TOP_K = (3, 5)


@dataclass(frozen=True)
class Samples:
    """What is counted.

    Args:
        truth: each sample's label.
        scores: [samples, classes], or [samples, 1] of a value.
    """

    truth: Sequence[str]
    scores: Array


def sklearn_metrics() -> ModuleType:
    """Raises MissingDependency where scikit-learn is not installed."""
    return require("sklearn.metrics", purpose="evaluate", install=INSTALL)


def answers(samples: Samples, labels: tuple[str, ...]) -> Answers:
    """Accuracy, top-k, per class, confusion. Of equal scores the class with the lower index counts, as in ``top``."""
    metrics = sklearn_metrics()
    place = {label: index for index, label in enumerate(labels)}
    truth = np.array([place[label] for label in samples.truth], np.intp)
    given = samples.scores.argmax(axis=1)
    every = np.arange(len(labels))
    right = int((truth == given).sum())
    aucs = [_auc(truth == index, samples.scores[:, index]) for index in every]
    known = [auc for auc in aucs if auc is not None]
    return Answers(
        right=right,
        accuracy=rounded(right / len(truth)),
        interval_95=wilson(right, len(truth)),
        top_k=_top_k(truth, samples.scores),
        auc=rounded(float(np.mean(known))) if known else None,
        classes=tuple(_classes(truth, given, labels, aucs)),
        confusion=tuple(map(tuple, metrics.confusion_matrix(truth, given, labels=every).tolist())),
    )


def groups(
    samples: Samples, labels: tuple[str, ...], positive: tuple[str, ...], negative: tuple[str, ...], *, rising: bool
) -> Groups:
    """The AUC of ``positive`` against ``negative`` labels; samples of others do not count.

    Args:
        labels: of the scores; empty for a value, which is itself the score.
        rising: False where a lower value speaks for the positive labels.
    """
    counted = np.array([label in positive or label in negative for label in samples.truth], bool)
    is_positive = np.array([label in positive for label in samples.truth], bool)[counted]
    columns = [index for index, label in enumerate(labels) if label in positive] or [0]
    score = samples.scores[counted][:, columns].sum(axis=1)
    auc = _auc(is_positive, score if rising else -score)
    return Groups(positive, negative, int(is_positive.sum()), int((~is_positive).sum()), auc)


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share: E. B. Wilson, JASA 22 (1927), 209 to 212."""
    stats = require("scipy.stats", purpose="evaluate", install=INSTALL)
    interval = stats.binomtest(right, of).proportion_ci(0.95, method="wilson")
    return rounded(float(interval.low)), rounded(float(interval.high))


def rounded(value: float) -> float:
    """More digits than any data set gives."""
    return round(value, 6)


def _auc(positive: Array, score: Array) -> float | None:
    if positive.all() or not positive.any():
        return None
    return rounded(float(sklearn_metrics().roc_auc_score(positive, score)))


def _top_k(truth: Array, scores: Array) -> dict[str, float]:
    count = scores.shape[1]
    # scikit-learn prefers the higher index of equal scores: counted from the other end it is the lower one
    found = {
        str(k): sklearn_metrics().top_k_accuracy_score(count - 1 - truth, scores[:, ::-1], k=k, labels=np.arange(count))
        for k in TOP_K
        if k < count
    }
    return {k: rounded(float(share)) for k, share in found.items()}


def _classes(truth: Array, given: Array, labels: tuple[str, ...], aucs: Sequence[float | None]) -> list[ClassScore]:
    every = np.arange(len(labels))
    precision, recall, f1, support = sklearn_metrics().precision_recall_fscore_support(
        truth, given, labels=every, zero_division=np.nan
    )
    return [
        ClassScore(label, int(support[i]), int((given == i).sum()), _number(precision[i]), _number(recall[i]),
                   _number(f1[i]) if support[i] else None, aucs[i])
        for i, label in enumerate(labels)
    ]  # fmt: skip


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else rounded(float(value))
