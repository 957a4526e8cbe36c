"""Trains the model of hand signs: ``eiq-demo train gesture_camera --data DIR --none DIR``.

The first DIR is the folder ``Dataset`` of ardamavi/Sign-Language-Digits-Dataset, of which the students of the training
part are learnt from (data.py), the second any pictures without hands, such as CIFAR-10's ``train``.

The seed fixes the data, its order and the first weights; TensorFlow's threads add in varying order: with more than one,
weights are not equal to the bit. Needs the extra ``train``.
"""

from __future__ import annotations

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
from apps.gesture_camera.data import (
    BLOCK,
    FOLDS,
    LABELS,
    NONE,
    TEST_FOLD,
    Labels,
    Pictures,
    choose,
    labelled,
    load,
    photographs,
    picture_files,
)  # fmt: skip
from apps.gesture_camera.preprocessing import Floats, Preprocessing
from apps.progress import track
from apps.shipping import write_model, write_whole
from apps.training import Options, set_up_keras, training_options
from pipelines.errors import DataError

BATCH = 64
RATE, DECAY, SMOOTHING = 3e-3, 2e-3, 0.05
OTHERS = 10_000  # at most so many pictures without hands
OTHERS_PX = 32
WATCHED = 1000  # pictures without hands for validation
STEPS: list[dict[str, dict[str, Any]]] = [
    {"resize": {"width_px": 64, "height_px": 64, "fit": "crop", "filter": "area"}},
    {"scale": {"from": [0, 255], "to": [0, 1]}},
]
"""The preprocessing: training goes through it, and the manifest and the config say it."""


@dataclass(frozen=True)
class Corpus:
    """What is learnt from, and what is watched.

    Args:
        hands, signs: of the training part.
        others: pictures [M, 32, 32, 3] without hands.
        watched, labels: validation: hands of other students, and other pictures without hands.
    """

    hands: Pictures
    signs: Labels
    others: Pictures
    watched: Floats
    labels: Labels


def corpus(data: Path, none: Path | None, seed: int, fold: int, steps: Preprocessing) -> Corpus:
    """Read the photographs of the training and validation parts, and pictures without hands.

    Raises:
        DataError: there are none.
    """
    photos = photographs(data)
    hands, signs = labelled(choose(photos, "train", fold))
    watched, labels = labelled(choose(photos, "validation", fold))
    if not len(hands) or not len(watched):
        raise DataError(
            f"{data} has {len(hands)} photographs to learn from and {len(watched)} to watch; expected those of "
            f"at least {FOLDS * BLOCK} students, whole series of 0 to 9 in the order of their numbers"
        )
    others = np.empty((0, OTHERS_PX, OTHERS_PX, 3), np.uint8)
    if none is not None:
        files = picture_files(none)
        order = np.random.default_rng([seed, 1]).permutation(len(files))[: OTHERS + WATCHED]
        others, _ = load([files[row] for row in order], OTHERS_PX)
    count = min(WATCHED, len(others) // 5)
    more = steps(iter(others[:count]), count)
    return Corpus(
        hands, signs, others[count:],
        np.concatenate([steps(iter(watched), len(watched)), more]),
        np.concatenate([labels, np.full(count, NONE)]),
    )  # fmt: skip


def epochs(data: Corpus, steps: Preprocessing, seed: int, numbers: range) -> Iterator[tuple[int, Floats, Labels]]:
    """Epoch, pictures and labels, the next one being prepared while this one trains."""
    import cv2

    from apps.gesture_camera.augment import Augmenter, Material

    cv2.setNumThreads(1)
    augmenter = Augmenter(Material.of(data.hands, data.signs, data.others))

    def prepare(epoch: int) -> tuple[Floats, Labels]:
        drawn = list(augmenter.epoch(np.random.default_rng([seed, 2, epoch])))
        labels = np.array([label for _, label in drawn], np.int64)
        return steps((picture for picture, _ in drawn), len(drawn)), labels

    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(prepare, epoch) for epoch in numbers[:1]]
        for epoch in numbers:
            pictures, labels = waiting.pop().result()
            if epoch + 1 in numbers:
                waiting.append(pool.submit(prepare, epoch + 1))
            yield epoch, pictures, labels


def train(data: Corpus, steps: Preprocessing, options: Options) -> Any:
    """The trained Keras model; a checkpoint after every epoch."""
    import keras

    from apps.gesture_camera import network

    model = network.build()
    total = options.epochs * -(-len(data.hands) * 3 // BATCH)
    warm = min(total // 10, 300)
    rate = keras.optimizers.schedules.CosineDecay(1e-4, total - warm, warmup_target=RATE, warmup_steps=warm)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=DECAY), loss)
    kept = options.work / "training.npz"
    first = checkpoint.load(kept, model, options.asked) if options.resume and kept.exists() else 0
    left = range(first, options.epochs)
    for epoch, pictures, labels in track(epochs(data, steps, options.seed, left), "epochs", len(left)):
        started = time.monotonic()
        targets = keras.utils.to_categorical(labels, len(LABELS))
        history = model.fit(pictures, targets, batch_size=BATCH, epochs=1, verbose=0, shuffle=False)
        checkpoint.save(kept, model, epoch + 1, options.asked)
        line = {"epoch": epoch, "loss": round(history.history["loss"][0], 4)}
        line |= {"seconds": round(time.monotonic() - started, 1)}
        print(json.dumps(line | rates(model.predict(data.watched, batch_size=256, verbose=0), data.labels)), flush=True)
    return model


def rates(scores: Floats, labels: Labels) -> dict[str, float]:
    """Share of right answers, on hands (none is wrong there) and on pictures without."""
    right = scores.argmax(axis=1) == labels
    parts = {"signs": right[labels != NONE], "none": right[labels == NONE]}
    return {name: round(float(part.mean()), 4) for name, part in parts.items() if len(part)}


def export(model: Any, data: Corpus, steps: Preprocessing, options: Options, fold: int) -> None:
    """Quantise, score on the validation part, and write model and manifest; the float model stays in ``work``."""
    from apps.gesture_camera import network
    from apps.gesture_camera.score import answers
    from apps.int8 import to_float_onnx

    ((_, examples, _),) = epochs(data, steps, options.seed, range(options.epochs, options.epochs + 1))
    flatbuffer = network.quantised(model, examples[:600])
    model.save(options.work / "model.keras")
    write_whole(options.work / "model.tflite", flatbuffer)
    scored = rates(answers(options.work / "model.tflite", data.watched), data.labels)
    floats = rates(model.predict(data.watched, batch_size=256, verbose=0), data.labels)
    print(f"{len(flatbuffer):,} bytes; validation: float {floats}, int8 {scored}")
    write_model(options.out, flatbuffer, manifest(model, data, options, fold, scored), onnx=to_float_onnx(model))


def manifest(model: Any, data: Corpus, options: Options, fold: int, scored: dict[str, float]) -> dict[str, Any]:
    """What the model is; ``scored`` on the validation part, which it did not learn from."""
    from apps.gesture_camera import network

    command = " ".join([
        "eiq-demo train gesture_camera --data DIR", *(["--none DIR"] if len(data.others) else []),
        *([f"--fold {fold}"] if fold != TEST_FOLD else []), f"--epochs {options.epochs} --seed {options.seed}",
    ])  # fmt: skip
    facts = {
        "signs": ("top-1", int((data.labels != NONE).sum()),
                  "validation part, hands of students it did not learn from; none counts as wrong"),
        "none": ("share taken for none", int((data.labels == NONE).sum()),
                 "pictures without hands, out of the folder of --none, that it did not learn from"),
    }  # fmt: skip
    return {
        "name": "gesture_camera",
        "title": "Ten hand signs, the digits of sign language, and none",
        "labels": list(LABELS),
        "input": {"kind": "image", "shape": [64, 64, 3], "dtype": "float32", "channels": ["r", "g", "b"]},
        "source": {"kind": "image", "channels": ["r", "g", "b"]},
        "preprocess": STEPS,
        "training": {
            "data": f"{len(data.hands):,} photographs of hands out of ardamavi/Sign-Language-Digits-Dataset "
                    f"4b09433 (Z. Dikle, A. Mavi, 2017); {len(data.others):,} pictures without hands (CIFAR-10 "
                    "training images, A. Krizhevsky, 2009); backgrounds, shapes and walls made by the script",
            "licence": "Apache-2.0 (hands); CIFAR-10 states none, its authors ask to be cited",
            "command": command,
            "seed": options.seed,
            "parameters": sum(int(np.prod(weights.shape)) for weights in model.trainable_weights),
            "macs": network.macs(model),
        },
        "accuracy": [
            {"metric": metric, "value": scored[name], "samples": samples, "data": what, "measured": "here",
             "command": command}
            for name, (metric, samples, what) in facts.items() if name in scored
        ],
    }  # fmt: skip


@click.command("gesture_camera")
@training_options("gesture_camera", epochs=100)
@click.option("--none", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of pictures without hands, such as CIFAR-10's train.")  # fmt: skip
@click.option("--fold", type=click.IntRange(0, FOLDS - 1), default=TEST_FOLD, show_default=True,
              help="Which fifth of the students is kept for testing.")  # fmt: skip
def command(none: Path | None, fold: int, **options: Any) -> None:
    """Train the model of hand signs.

    --data is the folder Dataset of ardamavi/Sign-Language-Digits-Dataset. Without --none, what shows no sign is made of
    shapes, walls and parts of hands alone.
    """
    told = Options(**options)
    set_up_keras(told)
    if not told.resume:
        (told.work / "training.npz").unlink(missing_ok=True)
    steps = Preprocessing.of(STEPS)
    data = corpus(told.data, none, told.seed, fold, steps)
    export(train(data, steps, told), data, steps, told, fold)
