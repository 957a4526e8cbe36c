"""Trains the keyword-spotting model: ``eiq-demo train kws --data DIR``.

DIR holds ``train_spectrograms.npz.xz`` (see pictures.py): the training and validation splits of Speech Commands
v0.02 (Pete Warden, Google, CC BY 4.0). Synthetic speech by espeak-ng and synthetic noise are added; no test clip is
seen.

The seed fixes the data and its order; TensorFlow's threads add in varying order: with more than one, weights are not
equal to the bit. Needs the extra ``train`` and espeak-ng.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from apps import checkpoint
from apps.int8 import to_float_onnx
from apps.kws import network, synthesis
from apps.kws.augment import Augmenter, Recipe
from apps.kws.pictures import LABELS, RATE, SILENCE, UNKNOWN, Bank, Floats, Integers, Pixels, features_of_pictures, load
from apps.progress import track
from apps.shipping import write_model, write_whole
from apps.training import Options, set_up_keras, training_options

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
        file = io.BytesIO()
        np.savez(file, **_flat(spoken=spoken, unheard=unheard, noises=noises, babble=babble))
        write_whole(stored, file.getvalue())
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


def train(data: Corpus, options: Options) -> Any:
    """The trained Keras model, before ``settle``; a checkpoint after every epoch."""
    model = compiled(network.build(), options.epochs * steps_of(data))
    return _fitted(model, data, Recipe(), range(options.epochs), options, "training")


def settle(model: Any, data: Corpus, options: Options, more: int) -> Any:
    """The model after ``more`` epochs of gentler augmentation with activations rounded to 8 bits, small steps only."""
    import keras

    if not more:
        return model
    rounded = network.build(rounded=True)
    rounded.set_weights(model.get_weights())
    rate = keras.optimizers.schedules.CosineDecay(SETTLING_RATE, more * steps_of(data))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=2e-3)
    rounded.compile(optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING))
    numbers = range(options.epochs, options.epochs + more)
    model.set_weights(_fitted(rounded, data, GENTLE, numbers, options, "settling").get_weights())
    return model


def _fitted(model: Any, data: Corpus, recipe: Recipe, numbers: range, options: Options, phase: str) -> Any:
    """The compiled model after the epochs of these numbers, or those that are left of them."""
    kept = options.work / f"{phase}.npz"
    done = checkpoint.load(kept, model, options.asked) if options.resume and kept.exists() else 0
    left = numbers[done:]
    for epoch, features, labels in track(epochs(data, recipe, options.seed, left), f"{phase}, epochs", len(left)):
        line = fit(model, epoch, features, labels)
        checkpoint.save(kept, model, epoch + 1 - numbers[0], options.asked)
        line |= {"validation": accuracy(model, data.validation), "unheard_voices": accuracy(model, data.unheard)}
        print(json.dumps(line), flush=True)
    return model


def steps_of(data: Corpus) -> int:
    """Batches in an epoch."""
    return -(-len(choose(data, np.random.default_rng(0))) // BATCH)


def fit(model: Any, epoch: int, features: Floats, labels: Integers) -> dict[str, Any]:
    """One epoch; its facts."""
    import keras

    started = time.monotonic()
    targets = keras.utils.to_categorical(labels, len(LABELS))
    history = model.fit(features[..., None], targets, batch_size=BATCH, epochs=1, verbose=0, shuffle=False)
    return {"epoch": epoch, "loss": round(history.history["loss"][0], 4),
            "seconds": round(time.monotonic() - started, 1)}  # fmt: skip


def export(model: Any, data: Corpus, options: Options, settled: int) -> None:
    """Quantise, score on the validation split, and write model and manifest; the float model stays in ``work``."""
    augmenter, rng = Augmenter(data.train, data.noises), np.random.default_rng([options.seed, 3])
    examples, _ = augmenter.epoch(choose(data, rng)[:1500], rng)
    flatbuffer = network.quantised(model, stored_input(examples))
    model.save(options.work / "model.keras")
    write_whole(options.work / "model.tflite", flatbuffer)
    scores = network.scores_of(options.work / "model.tflite", features_of_pictures(data.validation.pixels))
    right = round(float((scores.argmax(axis=1) == data.validation.labels).mean()), 4)
    print(f"{len(flatbuffer):,} bytes; validation: float {accuracy(model, data.validation):.4f}, int8 {right:.4f}")
    onnx = to_float_onnx(model)
    write_model(options.out, flatbuffer, manifest(model, data, options, settled, right), onnx=onnx)


def manifest(model: Any, data: Corpus, options: Options, settled: int, right: float) -> dict[str, Any]:
    """What the model is; ``right`` is its score on the validation split, for which it was not trained."""
    command = f"eiq-demo train kws --data DIR --epochs {options.epochs} --settle {settled} --seed {options.seed}"
    return {
        "name": "kws",
        "title": "Ten spoken English command words, silence and unknown",
        "labels": list(LABELS),
        "input": {"kind": "features", "shape": [49, 10], "dtype": "float32", "rate_hz": 50},
        "source": {"kind": "audio", "rate_hz": RATE},
        "preprocess": [
            {"window": {"length_ms": 1000, "hop_ms": 100}},
            {"mfcc": {"window_ms": 30, "hop_ms": 20, "mels": 40, "fmin_hz": 0, "fmax_hz": 4000, "coefficients": 10}},
        ],
        "training": {
            "data": f"Speech Commands v0.02 (Pete Warden, Google), {data.real:,} clips of its training split as "
                    "log-mel pictures; synthetic speech by espeak-ng and synthetic noise made by the script",
            "licence": "CC BY 4.0 (Speech Commands); synthetic speech and noise made here",
            "command": command,
            "seed": options.seed,
            "parameters": sum(int(np.prod(weights.shape)) for weights in model.trainable_weights),
            "macs": network.macs(model),
        },
        "accuracy": [{
            "metric": "top-1",
            "value": right,
            "samples": len(data.validation),
            "data": "validation split of Speech Commands v0.02 as log-mel pictures: watched, not learned from",
            "measured": "here",
            "command": command,
        }],
    }  # fmt: skip


@click.command("kws")
@training_options("kws", epochs=64)
@click.option("--settle", "settled", type=click.IntRange(min=0), default=24, show_default=True,
              help="Further, gentler epochs with activations rounded to 8 bits.")  # fmt: skip
def command(settled: int, **options: Any) -> None:
    """Train the keyword spotter on Speech Commands and synthetic speech.

    DIR holds train_spectrograms.npz.xz, the training and validation splits as log-mel pictures. Needs espeak-ng.
    """
    told = Options(**options)
    set_up_keras(told)
    if not told.resume:
        for phase in ("training", "settling"):
            (told.work / f"{phase}.npz").unlink(missing_ok=True)
    data = corpus(told.data, told.work, told.seed)
    export(settle(train(data, told), data, told, settled), data, told, settled)
