"""The area under the ROC curve, and what few hours without an alarm allow to say."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def auc(normal: ArrayLike, faulty: ArrayLike) -> float:
    """How often a faulty window's score is above a normal one's; ties count half (Mann and Whitney, 1947)."""
    low, high = np.sort(np.asarray(normal, np.float64)), np.asarray(faulty, np.float64)
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / 2 / len(low))


def rate_bound(alarms: int, hours: float) -> float:
    """The largest rate per hour that so many alarms in so many hours go with, at 95 % (Poisson, one-sided).

    With none it is the rule of three, 3 / hours.
    """
    high = (alarms + 5.0) * 4
    low = 0.0
    for _ in range(60):  # the mean at which so few have a chance of 5 %
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(alarms, middle) > 0.05 else (low, middle)
    return high / hours


def _at_most(count: int, mean: float) -> float:
    """Poisson's chance of no more than ``count``; by logarithms, as exp(-mean) alone is 0 from 745 on."""
    k = np.arange(count + 1)
    factorials = np.cumsum(np.log(np.maximum(k, 1)))
    return float(np.exp(k * np.log(mean) - mean - factorials).sum())
