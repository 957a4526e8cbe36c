"""The new head: a multinomial logistic regression on features, its strength of regularisation by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.progress import track
from pipelines.optional import require

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Of C, scikit-learn's inverse regularisation, on features of unit variance."""
WITHOUT_CHOICE = 1e-2  # where a class has one picture to learn from, there is nothing to cross-validate on
FOLDS = 4


@dataclass(frozen=True)
class Head:
    """scores = softmax(weights · features + bias).

    Args:
        weights: [classes, features].
        bias: [classes].
        strength: C of the regression.
    """

    weights: Floats
    bias: Floats
    strength: float

    def scores(self, features: Floats) -> Floats:
        """[N, features] to [N, classes] probabilities."""
        logits = features @ self.weights.T + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


def fitted(views: Floats, labels: Labels, threads: int = 1) -> Head:
    """A head for pictures [N, views, features] with labels [N]; the views of a picture weigh as much as one."""
    limits = require("threadpoolctl", purpose="the head", install=INSTALL).threadpool_limits
    with limits(threads):
        return _fit(views, labels, _chosen(views[:, :1], labels))


def _chosen(views: Floats, labels: Labels) -> float:
    """The strength with the least cross-entropy on pictures left out."""
    sklearn = _sklearn("model_selection")
    folds = min(FOLDS, int(np.bincount(labels).min()))
    if folds < 2:
        return WITHOUT_CHOICE
    splits = list(sklearn.StratifiedKFold(folds).split(labels, labels))  # in order: neighbours stay together
    loss = dict.fromkeys(STRENGTHS, 0.0)
    for strength, (rows, left) in track([(c, s) for c in STRENGTHS for s in splits], "regularisation"):
        scores = _fit(views[rows], labels[rows], strength).scores(views[left, 0])
        loss[strength] -= float(np.log(scores[np.arange(len(left)), labels[left]] + 1e-12).sum())
    return min(loss, key=loss.__getitem__)


def _fit(views: Floats, labels: Labels, strength: float) -> Head:
    flat = views.reshape(-1, views.shape[2])
    scaler = _sklearn("preprocessing").StandardScaler().fit(flat)
    model = _sklearn("linear_model").LogisticRegression(C=strength, max_iter=2000)
    weight = np.full(len(flat), 1 / views.shape[1])
    model.fit(scaler.transform(flat), np.repeat(labels, views.shape[1]), weight)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # two classes: one row of log-odds, halved between them
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    weights = weights / scaler.scale_
    bias = bias - weights @ scaler.mean_
    return Head(weights.astype(np.float32), bias.astype(np.float32), strength)


INSTALL = "pip install 'eiq-demo[desktop,classical]'"


def _sklearn(module: str) -> Any:
    return require(f"sklearn.{module}", purpose="the head", install=INSTALL)
