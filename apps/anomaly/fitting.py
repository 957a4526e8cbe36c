"""What the trainers of the fans' models share: the loop with its checkpoints, and running what was exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps import checkpoint
from apps.anomaly.features import Floats
from apps.progress import track
from apps.training import Options
from pipelines import registry

BATCH = 200

Epoch = Callable[[np.random.Generator], tuple[Any, Any]]


def prepare(options: Options) -> None:
    """Fix seeds and threads. Call once, before the first model is built."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(options.seed)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fit(model: Any, epoch: Epoch, options: Options, name: str) -> None:
    """Train a compiled model; a checkpoint after every epoch in ``work/<name>.npz``.

    Args:
        epoch: inputs and targets of one epoch, given a generator of its own.
    """
    path = options.work / f"{name}.npz"
    first = checkpoint.load(path, model, options.asked) if options.resume and path.exists() else 0
    loss = float("nan")
    for number in track(range(first, options.epochs), name):
        rng = np.random.default_rng([options.seed, number])
        x, y = epoch(rng)
        order = rng.permutation(len(x))
        loss = model.fit(x[order], y[order], batch_size=BATCH, epochs=1, verbose=0, shuffle=False).history["loss"][0]
        checkpoint.save(path, model, number + 1, options.asked)
    print(f"{name}: {options.epochs} epochs, loss {loss:.4f}", flush=True)


def answers(model: Path, features: Floats, name: str = "tflite") -> Floats:
    """What the exported model gives for [N, bands, axes]: [N, …], by the shipped engine of that name."""
    kind = registry.load("engines", name)
    engine = kind(kind.Config(model=str(model)), model)
    try:
        shape = engine.inputs[0].shape
        return np.stack([engine.infer(one.reshape(shape))[0][0].copy() for one in features])
    finally:
        engine.close()
