from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from apps.label_image import head
from apps.label_image.head import Head, fitted


def clusters(classes: int, count: int, views: int = 2, apart: float = 3.0, seed: int = 1) -> tuple:
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, apart, (classes, 12))
    labels = np.repeat(np.arange(classes), count)
    x = centres[labels][:, None] + rng.normal(0, 1, (len(labels), views, 12))
    return (x * 5 + 3).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 5])
def test_the_head_is_scikit_learns_own_answer(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, labels = clusters(classes, 20, views=1, apart=0.5)
    ours = fitted(x, labels)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=ours.strength, max_iter=2000)).fit(x[:, 0], labels)
    np.testing.assert_allclose(ours.scores(x[:, 0]), theirs.predict_proba(x[:, 0]), atol=2e-3)


def test_the_same_data_give_the_same_head() -> None:
    x, labels = clusters(3, 10)
    one, other = fitted(x, labels), fitted(x, labels)
    assert (one.weights == other.weights).all()
    assert one.strength == other.strength


def test_noise_is_regularised_and_what_is_clear_less_so() -> None:
    rng = np.random.default_rng(1)
    clear, labels = clusters(2, 40, views=1)
    noise = rng.normal(size=(80, 1, 12)).astype(np.float32)
    assert fitted(noise, labels).strength < fitted(clear, labels).strength


def test_one_picture_a_class_is_enough_to_learn_from() -> None:
    x, labels = clusters(3, 1)
    made = fitted(x, labels)
    assert made.strength == head.WITHOUT_CHOICE
    assert (made.scores(x[:, 0]).argmax(axis=1) == labels).all()


def test_scores_are_probabilities() -> None:
    made = Head(np.array([[500.0], [-500.0]], np.float32), np.zeros(2, np.float32), 1.0)
    np.testing.assert_allclose(made.scores(np.array([[3.0], [0.0]], np.float32)), [[1, 0], [0.5, 0.5]])
