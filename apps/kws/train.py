"""Trains the keyword-spotting model: ``python -m apps.kws.train --data DIR --out models/kws``.

DIR holds ``train_spectrograms.npz.xz`` (see pictures.py): the training and validation splits of Speech Commands
v0.02 (Pete Warden, Google, CC BY 4.0). Synthetic speech by espeak-ng and synthetic noise are added; no test clip is
seen.
Writes ``model.tflite``; checkpoints after every epoch stand in ``--work``, and ``--resume`` goes on from there. The
seed fixes the data and its order; TensorFlow's threads still add in varying order: weights are not equal to the bit.
Needs the extra ``train`` and espeak-ng.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.kws import network, synthesis
from apps.kws.augment import Augmenter, Recipe
from apps.kws.pictures import LABELS, SILENCE, UNKNOWN, Bank, Floats, Integers, Pixels, features_of_pictures, load
from apps.script import need_for_training
from apps.script import run as run_script

BATCH = 128
SPOKEN_WORDS, SPOKEN_SENTENCES, NOISES, BABBLES = 500, 400, 1500, 400
SMOOTHING, SETTLING_RATE = 0.03, 1e-3
GENTLE = Recipe(context=0.04, fragment=0.03, noisy=0.2, snr_db=(5.0, 35.0), masked=0.0, gain_db=4.0, speed=0.03)
INPUT_RANGE = (-100.0, 40.0)  # MFCC 0 spans -124 to 60; what is cut off is silence and overload


@dataclass(frozen=True)
class Corpus:
    """What is trained and validated on.

    Args:
        train: pictures; the first ``real`` of them are recordings, the rest is synthetic.
        validation: the official validation split.
        unheard: synthetic speech by voices that training never hears.
        noises: [M, 98, 40] pictures of what is mixed in.
    """

    train: Bank
    real: int
    validation: Bank
    unheard: Bank
    noises: Pixels


def corpus(data: Path, work: Path, seed: int) -> Corpus:
    """Reads the recordings; synthesises the rest, once, into ``work/synthetic-<seed>.npz``."""
    train, validation = load(data / "train_spectrograms.npz.xz")
    stored = work / f"synthetic-{seed}.npz"
    if not stored.exists():
        rng = np.random.default_rng([seed, 1])
        spoken = synthesis.spoken_bank(SPOKEN_WORDS, SPOKEN_SENTENCES, synthesis.VOICES, rng)
        unheard = synthesis.spoken_bank(50, 40, synthesis.TUNING_VOICES, rng)
        noises = synthesis.noise_bank(NOISES, rng)
        babble = Bank(synthesis.babble_pictures(BABBLES, synthesis.VOICES, rng), np.full(BABBLES, UNKNOWN))
        np.savez(stored, **_flat(spoken=spoken, unheard=unheard, noises=noises, babble=babble))
    kept = np.load(stored)
    spoken, unheard, noises, babble = (
        Bank(kept[f"{name}_pixels"], kept[f"{name}_labels"]) for name in ("spoken", "unheard", "noises", "babble")
    )
    mixed_in = np.concatenate([train.pixels[train.labels == SILENCE], noises.pixels, babble.pixels])
    return Corpus(train.joined(spoken).joined(noises).joined(babble), len(train), validation, unheard, mixed_in)


def _flat(**banks: Bank) -> dict[str, Any]:
    return {f"{k}_{part}": getattr(bank, part) for k, bank in banks.items() for part in ("pixels", "labels")}


def choose(data: Corpus, rng: np.random.Generator) -> Integers:
    """An epoch's pictures, shuffled: all recordings, some synthetic ones, silence and unknown words again."""
    labels = data.train.labels
    recorded, synthetic = np.arange(data.real), np.arange(data.real, len(labels))
    silence, unknown = (recorded[labels[: data.real] == label] for label in (SILENCE, UNKNOWN))
    again = [
        rng.choice(synthetic, len(synthetic) * 2 // 5, replace=False),
        rng.choice(silence, 1500),
        rng.choice(unknown, 500, replace=False),
    ]
    return rng.permutation(np.concatenate([recorded, *again]))


def stored_input(features: Floats) -> Floats:
    """Features as the int8 input holds them: rounded to 1/255 of its range and cut off at its ends."""
    low, high = INPUT_RANGE
    step = (high - low) / 255
    return np.asarray(np.clip(np.rint((features - low) / step), 0, 255) * step + low, dtype=np.float32)


def epochs(data: Corpus, recipe: Recipe, seed: int, numbers: range) -> Iterator[tuple[int, Floats, Integers]]:
    """Epoch, [N, 49, 10] features and [N] labels, the next one being prepared while this one trains."""
    augmenter = Augmenter(data.train, data.noises, recipe)

    def prepare(epoch: int) -> tuple[Floats, Integers]:
        rng = np.random.default_rng([seed, 2, epoch])
        features, labels = augmenter.epoch(choose(data, rng), rng)
        return stored_input(features), labels

    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(prepare, epoch) for epoch in numbers[:1]]
        for epoch in numbers:
            features, labels = waiting.pop().result()
            if epoch + 1 in numbers:
                waiting.append(pool.submit(prepare, epoch + 1))
            yield epoch, features, labels


def accuracy(model: Any, bank: Bank) -> float:
    """Top-1 of the float model on pictures as they are."""
    scores = model.predict(stored_input(features_of_pictures(bank.pixels))[..., None], batch_size=512, verbose=0)
    return round(float((scores.argmax(axis=1) == bank.labels).mean()), 4)


def compiled(model: Any, steps: int) -> Any:
    """The model with AdamW and smoothed labels; the learning rate falls to zero after a quarter, and at the end."""
    import keras

    rate = keras.optimizers.schedules.CosineDecayRestarts(2.5e-3, steps // 4, t_mul=3.0)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=2e-3)
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING))
    return model


def train(data: Corpus, options: argparse.Namespace) -> Any:
    """The trained Keras model, before ``settle``; a checkpoint after every epoch."""
    import keras

    checkpoint, state = options.work / "last.keras", options.work / "last.json"
    if options.resume and checkpoint.exists():
        model, first = keras.models.load_model(checkpoint), json.loads(state.read_text())["epoch"] + 1
    else:
        model, first = compiled(network.build(), options.epochs * steps_of(data)), 0
    for epoch, features, labels in epochs(data, Recipe(), options.seed, range(first, options.epochs)):
        line = fit(model, epoch, features, labels, data, options.work)
        model.save(checkpoint)
        state.write_text(json.dumps(line))
    return model


def settle(model: Any, data: Corpus, options: argparse.Namespace) -> Any:
    """The model after some more epochs of gentler augmentation with activations rounded to 8 bits, small steps only."""
    import keras

    if not options.settle:
        return model
    rounded = network.build(rounded=True)
    rounded.set_weights(model.get_weights())
    rate = keras.optimizers.schedules.CosineDecay(SETTLING_RATE, options.settle * steps_of(data))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=2e-3)
    rounded.compile(optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING))
    numbers = range(options.epochs, options.epochs + options.settle)
    for epoch, features, labels in epochs(data, GENTLE, options.seed, numbers):
        fit(rounded, epoch, features, labels, data, options.work)
        rounded.save_weights(options.work / "settling.weights.h5")
    model.set_weights(rounded.get_weights())
    return model


def steps_of(data: Corpus) -> int:
    """Batches in an epoch."""
    return -(-len(choose(data, np.random.default_rng(0))) // BATCH)


def fit(model: Any, epoch: int, features: Floats, labels: Integers, data: Corpus, work: Path) -> dict[str, Any]:
    """One epoch; its facts, also printed and added to ``work/log.jsonl``."""
    import keras

    started = time.monotonic()
    targets = keras.utils.to_categorical(labels, len(LABELS))
    history = model.fit(features[..., None], targets, batch_size=BATCH, epochs=1, verbose=0, shuffle=False)
    line = {"epoch": epoch, "loss": round(history.history["loss"][0], 4)}
    line |= {"seconds": round(time.monotonic() - started, 1), "validation": accuracy(model, data.validation)}
    line |= {"unheard_voices": accuracy(model, data.unheard)}
    with (work / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)
    return line


def export(model: Any, data: Corpus, options: argparse.Namespace) -> dict[str, Any]:
    """Writes ``out/model.tflite``; its facts, with the accuracy on the validation split before and after quantising."""
    augmenter, rng = Augmenter(data.train, data.noises), np.random.default_rng([options.seed, 3])
    examples, _ = augmenter.epoch(choose(data, rng)[:1500], rng)
    flatbuffer = network.quantised(model, stored_input(examples))
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "model.tflite"
    path.write_bytes(flatbuffer)
    scores = network.run_flatbuffer(flatbuffer, features_of_pictures(data.validation.pixels))
    return {
        "file": path.name,
        "bytes": len(flatbuffer),
        "sha256": hashlib.sha256(flatbuffer).hexdigest(),
        "parameters": sum(int(np.prod(weights.shape)) for weights in model.trainable_weights),
        "macs": network.macs(model),
        "validation_float": accuracy(model, data.validation),
        "validation_int8": round(float((scores.argmax(axis=1) == data.validation.labels).mean()), 4),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.kws.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of train_spectrograms.npz.xz")
    parser.add_argument("--out", type=Path, default=Path("models/kws"))
    parser.add_argument("--work", type=Path, default=Path("build/kws"), help="checkpoints and synthetic speech")
    parser.add_argument("--epochs", type=int, default=64)
    parser.add_argument("--settle", type=int, default=24, help="gentler epochs with rounded activations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last finished epoch (settling begins anew)"
    )
    options = parser.parse_args()
    need_for_training("tensorflow", "keras")

    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    data = corpus(options.data, options.work, options.seed)
    model = settle(train(data, options), data, options)
    print(json.dumps(export(model, data, options), indent=2))


if __name__ == "__main__":
    run_script(main)
