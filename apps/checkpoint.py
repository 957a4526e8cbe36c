"""Where a Keras training stands, in one file: weights, the optimiser's state, epochs done.

Going on from it gives what an uninterrupted training gives, as far as the framework's threads add in the same order.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from apps.evaluate.datasets.arrays import npz
from apps.shipping import write_whole
from pipelines.errors import DataError

EXPECTED = "a checkpoint of this training (without any it begins anew)"


def save(path: Path, model: Any, epochs: int, asked: str = "") -> None:
    """Write ``path`` (.npz), whole or not at all.

    Args:
        model: compiled, trained for at least one step.
        epochs: that are done.
        asked: what makes a training another one (Options.asked).
    """
    arrays = {f"w{i}": weights for i, weights in enumerate(model.get_weights())}
    arrays |= {f"o{i}": np.asarray(variable) for i, variable in enumerate(model.optimizer.variables)}
    file = io.BytesIO()
    np.savez(file, epochs=np.array(epochs), asked=np.array(asked), **arrays)  # type: ignore[arg-type,unused-ignore]
    write_whole(path, file.getvalue())


def load(path: Path, model: Any, asked: str = "") -> int:
    """Put a checkpoint's state into a compiled model of the same shape; how many epochs are done.

    Raises:
        DataError: the file is none, or of another model or training.
    """
    model.optimizer.build(model.trainable_variables)
    kept = npz(path, EXPECTED)
    check_asked(path, str(kept.get("asked", "")), asked)
    try:
        model.set_weights([kept[f"w{i}"] for i in range(len(model.weights))])
        for i, variable in enumerate(model.optimizer.variables):
            variable.assign(kept[f"o{i}"])
        return int(kept["epochs"])
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is of another model ({error}), expected {EXPECTED}; remove it") from error


def check_asked(path: Path, kept: str, asked: str) -> None:
    """A checkpoint that does not say what it is of (an earlier version's) is taken. Raises DataError."""
    if kept and kept != asked:
        raise DataError(f"{path} is of a training with {kept}, got {asked}; give the same, or leave --resume out to "
                        "begin anew")  # fmt: skip
