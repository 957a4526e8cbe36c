"""Trains the fan's states: ``eiq-demo train fan_state --data DIR``; DIR holds ``fan_1_3.npz`` (apps/anomaly/data.py).

One network learns from fan 1 and is scored on fan 3, another the other way round, with the same recipe; the first one
is shipped. The recipe (window, bands, hidden units, variation) was chosen by leaving out one recording of fan 1 at a
time; fan 3 was not looked at for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from apps.anomaly.data import LICENCE, SOURCE, STATES, Recording, load, other_fan, unseen
from apps.anomaly.features import LENGTH, Floats, Variation, band_powers, recipe, varied, windows
from apps.anomaly.fitting import answers, fit, prepare
from apps.anomaly.metrics import auc
from apps.fan_state.network import BANDS, build, macs, on_raw
from apps.shipping import write_model, write_whole
from apps.training import Options, training_options

RUNNING = Variation(gain_db=1.5, tilt_db=1.5, shift_hz=2.0)
DRAGGING = Variation(gain_db=1.5, tilt_db=1.5, shift_hz=50.0)  # friction slows a fan down by anything
STILL = Variation(gain_db=0.0, tilt_db=0.0, shift_hz=0.0)  # the sensor's own noise has no gain
VARIATIONS = {"on": RUNNING, "clog": RUNNING, "friction": DRAGGING, "off": STILL}
COMMAND = "eiq-demo train fan_state --data DIR"


@click.command("fan_state")
@training_options("fan_state", epochs=40)
@click.option("--fan", default=1, show_default=True, help="The fan to learn from; the other one is for the score.")
def command(fan: int, **options: Any) -> None:
    """Learn to tell a fan's states by its vibration.

    DIR holds fan_1_3.npz, see docs/anomaly.md. Learns from one fan and scores on the other; then the other way round,
    for the score alone.
    """
    train(fan, Options(**options))


def train(fan: int, options: Options) -> None:
    """Train, export, score, write."""
    recordings = load(options.data)
    other = other_fan(recordings, fan)
    prepare(options)
    flatbuffer, onnx, facts = _one(recordings, fan, options)
    _one(recordings, other, options)
    scores = [
        *score(options.work / f"fan-{fan}.tflite", recordings, fan, other),
        *score(options.work / f"fan-{other}.tflite", recordings, other, fan, shipped=False),
    ]
    write_model(options.out, flatbuffer, {
        "name": "fan_state",
        "title": "A fan's state by its vibration: on, off, clog, friction",
        "labels": list(STATES),
        **recipe(BANDS),
        "training": {
            "data": f"fan {fan} of NXP's fan vibration, 3 recordings of 5 minutes of each state ({SOURCE})",
            "licence": LICENCE,
            "command": f"{COMMAND} --fan {fan} --epochs {options.epochs} --seed {options.seed}",
            "seed": options.seed,
            **facts,
        },
        "accuracy": scores,
    }, onnx=onnx)  # fmt: skip


def _one(recordings: tuple[Recording, ...], fan: int, options: Options) -> tuple[bytes, bytes, dict[str, int]]:
    """The int8 model that learned from one fan and its float .onnx, also as ``work/fan-<fan>.tflite``, and its size."""
    import keras

    from apps.int8 import to_float_onnx, to_int8

    mine = [one for one in recordings if one.fan == fan]
    cut = {state: np.concatenate([windows(one.samples) for one in mine if one.state == state]) for state in STATES}
    plain = np.concatenate([band_powers(cut[state], BANDS) for state in STATES])
    mean, deviation = plain.mean(axis=0), float(plain.std())
    labels = np.repeat(np.arange(len(STATES)), [len(cut[state]) for state in STATES])

    def epoch(rng: np.random.Generator) -> tuple[Floats, Any]:
        features = [band_powers(varied(cut[state], VARIATIONS[state], rng), BANDS) for state in STATES]
        return (np.concatenate(features) - mean) / deviation, labels

    model = build()
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy())
    fit(model, epoch, options, f"fan-{fan}")
    raw = on_raw(model, mean, deviation)
    flatbuffer = to_int8(raw, lambda: (example[None] for example in _examples(plain)))
    write_whole(options.work / f"fan-{fan}.tflite", flatbuffer)
    return flatbuffer, to_float_onnx(raw), {"parameters": raw.count_params(), "macs": macs(raw)}


def _examples(plain: Floats) -> Floats:
    """Features that span what the input may hold: the sensor's noise, and 6 dB above the strongest."""
    return np.concatenate([plain[::10], plain.max(axis=0, keepdims=True) + np.float32(1.4)])


def score(
    model: Path,
    recordings: tuple[Recording, ...],
    learned: int,
    fan: int,
    *,
    shipped: bool = True,
    engine: str = "tflite",
) -> list[dict[str, Any]]:
    """A manifest's lines for a model on a fan that it did not learn from, also printed. Windows do not overlap."""
    tested = unseen(recordings, fan, learned)
    given = [answers(model, band_powers(windows(one.samples, LENGTH), BANDS), engine) for one in tested]
    scores = np.concatenate(given)
    truth = np.repeat([STATES.index(one.state) for one in tested], [len(one) for one in given])
    confusion = np.zeros((len(STATES), len(STATES)), int)
    np.add.at(confusion, (truth, scores.argmax(axis=1)), 1)
    print(f"learned from fan {learned}, scored on fan {fan}; rows are the truth, columns {' '.join(STATES)}:")
    for state, row in zip(STATES, confusion, strict=True):
        print(f"  {state:9}{''.join(f'{count:6d}' for count in row)}")
    data = f"fan {fan}, never seen: the model learned from fan {learned}; "
    data += "windows of 2.56 s that do not overlap, without copies"
    if not shipped:
        data += "; the other way round, by a model that is not shipped"
    command = "python -m apps.fan_state.score --data DIR" if shipped else COMMAND
    lines = []
    for metric, value, samples in _numbers(scores, truth, confusion):
        print(f"  {metric}: {value:.4f} of {samples} windows")
        lines.append({"metric": metric, "value": round(value, 4), "samples": samples, "data": data,
                      "measured": "here", "command": command})  # fmt: skip
    return lines


def _numbers(scores: Floats, truth: Any, confusion: Any) -> list[tuple[str, float, int]]:
    right, counts = np.diag(confusion), confusion.sum(axis=1)
    strange = -scores[:, STATES.index("on")]
    normal = truth == STATES.index("on")
    broken = np.isin(truth, [STATES.index("clog"), STATES.index("friction")])
    return [
        ("accuracy", float(right.sum() / counts.sum()), int(counts.sum())),
        *((f"accuracy of {state}", float(right[i] / counts[i]), int(counts[i])) for i, state in enumerate(STATES)),
        ("AUC, normal (on) against faulty (clog, friction)", auc(strange[normal], strange[broken]),
         int(normal.sum() + broken.sum())),
        ("AUC, normal (on) against all else (off too)", auc(strange[normal], strange[~normal]), len(truth)),
    ]  # fmt: skip
