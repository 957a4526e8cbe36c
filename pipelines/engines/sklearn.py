"""Classical models of scikit-learn, from .skops files: support vector machines, forests, models of what is normal."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipelines.config.schema import EngineConfig
from pipelines.core import Array, TensorSpec
from pipelines.engines import _skops
from pipelines.errors import DataError, ModelError, SignalMismatch
from pipelines.optional import require


class Sklearn:
    """A scikit-learn estimator, saved with ``skops.io.dump``: an estimator, or a dict of ``estimator`` and
    ``input_shape`` (without the batch).

    What it gives, float32:

    - a classifier its classes' probabilities [1, classes], in the order of ``classes_``;
    - a detector of outliers [1, 1], how far x is beyond what is normal: above 0 is an outlier
      (``-decision_function``);
    - a density [1, 1], how unlikely x is (``-score_samples``);
    - a regression its values [1, n].

    A pickle or joblib file is never loaded, as loading one may run any code.

    Raises when built:
        ModelError: no .skops file, damaged, with a type that is not scikit-learn's, or a classifier without
            probabilities.
        MissingDependency: scikit-learn or skops is not installed.
    """

    holds_gil: ClassVar[bool] = True

    class Config(EngineConfig, frozen=True, kw_only=True):
        """Has no keys of its own."""

    def __init__(self, config: Config, path: Path) -> None:
        estimator, shape, saved = _skops.load(path)
        features = int(estimator.n_features_in_)
        shape = shape or (features,)
        if int(np.prod(shape)) != features:
            raise ModelError(f"{path} states the input shape {list(shape)}, its model takes {features} features")
        self._answer, what = _answer(estimator, path)
        self._row = np.zeros((1, features))
        self._error = require("sklearn.exceptions", purpose="the engine sklearn",
                              install="pip install 'eiq-demo[classical]'").NotFittedError  # fmt: skip
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what it would say of zeros
                first = np.asarray(self._answer(self._row), np.float32)
        except (ValueError, AttributeError, TypeError, IndexError, self._error) as error:
            raise ModelError(f"{path} cannot be run ({error}); train it again") from error
        self._out = np.empty((1, first.size), np.float32)
        self.inputs = (TensorSpec("features", (1, *shape), "float32"),)
        self.outputs = (TensorSpec(what, self._out.shape, "float32"),)
        name, version = type(_last(estimator)).__name__, require("sklearn", purpose="", install="").__version__
        other = f" (saved by {saved})" if saved not in ("", version) else ""
        self.description = f"scikit-learn {version}{other}, {name} of {features} features, 1 thread"

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array in the input's shape to one float32 array, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN or an infinite number, or one that scikit-learn does not take.
        """
        if len(x) != 1:
            raise SignalMismatch(f"{len(x)} arrays", "1, the features")
        if x[0].shape != self.inputs[0].shape:
            raise SignalMismatch(f"an array of shape {list(x[0].shape)}", self.inputs[0])
        np.copyto(self._row, x[0].reshape(self._row.shape))
        if not np.isfinite(self._row).all():
            raise DataError("a feature is not a finite number (NaN or infinite); look for a logarithm of 0 or a "
                            "division by 0 in preprocess")  # fmt: skip
        try:
            with np.errstate(over="ignore"):  # said below
                y = np.asarray(self._answer(self._row))
        except ValueError as error:  # a feature that a scaler brings beyond float32
            raise DataError(
                f"scikit-learn does not take the features ({_skops.first_line(error)}), which lie between "
                f"{self._row.min():.4g} and {self._row.max():.4g}; look at preprocess"
            ) from error
        np.copyto(self._out, y.reshape(self._out.shape), casting="same_kind")
        return (self._out,)

    def reset(self) -> None:
        """Nothing to forget: such a model has no state."""

    def close(self) -> None:
        """Let go of the model's memory. May be called twice; ``infer`` may not be called after it."""
        self._answer = None  # type: ignore[assignment]


def _last(estimator: Any) -> Any:
    """Of a pipeline its last step; of a calibrated classifier the one that was calibrated."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return last.estimator if type(last).__name__ == "CalibratedClassifierCV" else last


def _answer(estimator: Any, path: Path) -> tuple[Callable[[Array], Any], str]:
    """From [1, features] to what the engine gives, and what to call it."""
    base = require("sklearn.base", purpose="the engine sklearn", install="pip install 'eiq-demo[classical]'")
    if base.is_classifier(estimator):
        if not hasattr(estimator, "predict_proba"):
            raise ModelError(f"{path} holds {type(_last(estimator)).__name__} without probabilities; put it into "
                             "CalibratedClassifierCV(…, ensemble=False) and train it again")  # fmt: skip
        return estimator.predict_proba, "probabilities"
    if base.is_outlier_detector(estimator):
        return lambda x: -estimator.decision_function(x), "outlier"
    if hasattr(estimator, "score_samples"):
        return lambda x: -estimator.score_samples(x), "unlikeliness"
    if hasattr(estimator, "predict"):
        return estimator.predict, "value"
    raise ModelError(f"{path} holds {type(_last(estimator)).__name__}, which predicts nothing; save a whole model")
