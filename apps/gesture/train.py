"""Trains the gesture model: ``eiq-demo train gesture --data DIR``.

DIR holds one CSV per gesture, 119 samples a recording at 119 Hz (nanguoyu/Magic_Wand_Data, data/train, MIT). All of
them are one hand's: each epoch sees them as other hands might have done them (augment.py), laid into rest and
cut out by ``segment`` as in a stream, with as many movements that are no gesture as of two gestures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from apps import checkpoint
from apps.gesture import network
from apps.gesture.augment import PLAIN, Hands, bank
from apps.gesture.data import AXES, CHANNELS, LABELS, RATE, SAMPLES, Floats, Inputs, Integers, Recordings, read
from apps.int8 import to_float_onnx, to_int8
from apps.progress import track
from apps.shipping import write_model
from apps.training import Options, training_options
from pipelines.models import open_model

PER_CLASS, NO_GESTURE = 240, 480
BATCH, RATE_OF_LEARNING, SMOOTHING = 64, 2e-3, 0.05
PREPROCESS = [
    {"segment": {"start_g": 0.4, "stop_g": 0.2, "start_dps": 80.0, "stop_dps": 40.0, "quiet_ms": 250.0,
                 "min_ms": 400.0, "max_ms": 2500.0, "before_ms": 50.0, "after_ms": 50.0}},
    {"level": {"about": "x"}},
    {"stretch": {"samples": SAMPLES}},
    {"normalize": {"mean": [0.0, 0.0, 1.0, 0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0, 120.0, 120.0, 120.0]}},
    "unit_rms",
]  # fmt: skip
"""The recipe of data.py as the manifest says it; a test holds them together."""


def epoch_of(known: Recordings, hands: Hands, seed: int, epoch: int) -> tuple[Floats, Integers]:
    """What an epoch sees: [N, 64, 6] and [N]."""
    found, labels = bank(known, hands, PER_CLASS, NO_GESTURE, np.random.default_rng([seed, epoch]))
    return Inputs().of(found), labels


def fitted(known: Recordings, hands: Hands, epochs: int, seed: int, kept: Callable[[Any, int], None] | None = None,
           start: Callable[[Any], int] = lambda model: 0) -> Any:  # fmt: skip
    """A trained Keras model.

    Args:
        known: what it learns from.
        hands: how the recordings are varied.
        kept: is given the model and how many epochs are done, after each.
        start: puts an earlier state into the model; how many epochs it had.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = network.build()
    steps = epochs * (PER_CLASS * (len(LABELS) - 1) + NO_GESTURE) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(RATE_OF_LEARNING, steps)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss)
    for epoch in track(range(start(model), epochs), "epochs"):
        x, labels = epoch_of(known, hands, seed, epoch)
        model.fit(x, np.eye(len(LABELS))[labels], batch_size=BATCH, shuffle=False, verbose=0)
        if kept:
            kept(model, epoch + 1)
    return model


def single(model: Any) -> Any:
    """The same network for one movement at a time."""
    one = network.build(batch=1)
    one.set_weights(model.get_weights())
    return one


def quantised(model: Any, known: Recordings, hands: Hands, seed: int) -> bytes:
    """The model as int8 .tflite, its ranges measured on an epoch."""
    examples, _ = epoch_of(known, hands, seed, epoch=1_000_000)
    return to_int8(single(model), lambda: (example[None] for example in examples))


def limit_threads(threads: int) -> None:
    """Before TensorFlow does anything."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def manifest(model: Any, command: str, seed: int, count: int) -> dict[str, Any]:
    """What the model's manifest says, but for its scores on other data."""
    weights = sum(int(np.prod(weights.shape)) for weights in model.trainable_weights)
    return {
        "name": "gesture",
        "title": "Five wand gestures from an accelerometer and a gyroscope, and none",
        "labels": list(LABELS),
        "input": {"kind": "motion", "shape": [SAMPLES, AXES], "dtype": "float32", "channels": list(CHANNELS)},
        "source": {"kind": "motion", "rate_hz": RATE, "channels": list(CHANNELS)},
        "preprocess": PREPROCESS,
        "training": {
            "data": f"Magic_Wand_Data (nanguoyu, 18618c5), data/train: {count} recordings of five gestures by one "
                    "hand, varied and laid into rest by the script; movements that are no gesture made of them and of "
                    "signal models",
            "licence": "MIT (Copyright (c) 2024 Dong Wang)",
            "command": command,
            "seed": seed,
            "parameters": weights,
            "macs": network.macs(model),
        },
    }  # fmt: skip


@click.command("gesture")
@training_options("gesture", epochs=40, free=("test",))
@click.option(
    "--test",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder of further recordings, to score on and never to learn from.",
)
@click.option("--plain", is_flag=True, help="Leave the recordings as they are, to see what the augmentation is worth.")
def command(test: Path | None, plain: bool, **options: Any) -> None:
    """Train the wand-gesture model on single recordings.

    DIR holds one CSV per gesture with aX,aY,aZ,gX,gY,gZ in g and degrees per second: 119 samples a recording.
    """
    told = Options(**options)
    limit_threads(told.threads)
    known, hands = read(told.data), PLAIN if plain else Hands()
    unseen = read(test) if test else None
    saved = told.work / "training.npz"
    if not told.resume:
        saved.unlink(missing_ok=True)

    def start(model: Any) -> int:
        return checkpoint.load(saved, model, told.asked) if saved.exists() else 0

    def keep(model: Any, done: int) -> None:
        checkpoint.save(saved, model, done, told.asked)

    model = fitted(known, hands, told.epochs, told.seed, keep, start)
    said = f"eiq-demo train gesture --data DIR --out models/gesture --epochs {told.epochs} --seed {told.seed}"
    said += " --plain" if plain else ""
    flatbuffer, facts = quantised(model, known, hands, told.seed), manifest(model, said, told.seed, len(known))
    onnx = to_float_onnx(single(model))
    write_model(told.out, flatbuffer, facts, onnx=onnx)
    if unseen:
        write_model(told.out, flatbuffer, facts | {"accuracy": [_score(told.out, unseen, told.seed)]}, onnx=onnx)


def _score(model: Path, unseen: Recordings, seed: int) -> dict[str, Any]:
    """The manifest's line for what was written, on recordings that it did not learn from; also printed."""
    from apps.gesture.score import Chain, score_recordings

    found = score_recordings(unseen, Chain(open_model(str(model / "manifest.yaml"), Path.cwd())), seed)
    print(f"{found['right']} of {found['recordings']} recordings of --test right")
    return {"metric": "top-1", "value": found["top-1"], "samples": found["recordings"],
            "data": "recordings that it did not learn from (--test)", "measured": "here",
            "command": "python -m apps.gesture.score recordings --data DIR --model FOLDER"}  # fmt: skip
