"""Trains the fan's autoencoder: ``eiq-demo train anomaly --data DIR``; DIR holds ``fan_1_3.npz`` (data.py).

It learns from the three recordings of one fan running normally. The limit of its error comes from recordings of that
fan alone: with each of them left out in turn, another autoencoder learns from the other two, and the largest smoothed
error on what was left out counts. The other fan is for the score.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from apps.anomaly.data import LICENCE, SOURCE, STATES, Recording, load, other_fan
from apps.anomaly.features import HOP_MS, Floats, Variation, band_powers, recipe, varied, windows
from apps.anomaly.fitting import answers, fit, prepare
from apps.anomaly.metrics import auc
from apps.anomaly.network import BANDS, NOISE, build, on_raw
from apps.shipping import write_model, write_whole
from apps.training import Options, training_options

COMMAND = "eiq-demo train anomaly --data DIR"
SLIGHT = Variation(gain_db=0.5, tilt_db=0.5, shift_hz=1.0)
OVER = 4
"""So many errors are averaged, as ``smooth`` in the config does."""

MARGIN = 1.1
"""The limit is so many times the largest error of what is left out: another five minutes may bring a larger one."""

FAULTS = ("clog", "friction", "off")


@click.command("anomaly")
@training_options("anomaly", epochs=60, config="anomaly_autoencoder")
@click.option("--fan", default=1, show_default=True, help="The fan to learn from; the other one is for the score.")
def command(fan: int, **options: Any) -> None:
    """Learn what a fan's normal vibration is, and from where on it is none.

    DIR holds fan_1_3.npz, see docs/anomaly.md. Prints the limit for the config; what learns on the spot needs no
    training.
    """
    train(fan, Options(**options))


def train(fan: int, options: Options) -> None:
    """Train, calibrate, export, score, write."""
    recordings = load(options.data)
    other = other_fan(recordings, fan)
    prepare(options)
    limit, held_out = calibrate(recordings, fan, options)
    again = f"{COMMAND} --fan {fan} --epochs {options.epochs} --seed {options.seed}"
    flatbuffer, onnx, facts = learn(_normal(recordings, fan), f"fan-{fan}", options)
    learn(_normal(recordings, other), f"fan-{other}", options)
    hours = len(held_out) * HOP_MS / 3.6e6
    scores = [
        *score(options.work / f"fan-{fan}.tflite", recordings, fan, other, "python -m apps.anomaly.score --data DIR"),
        *score(options.work / f"fan-{other}.tflite", recordings, other, fan, COMMAND,
               "; the other way round, by a model that is not shipped"),
        {"metric": f"limit of the error's mean over {OVER} windows, (ln g²)²", "value": limit,
         "samples": len(held_out), "measured": "here", "command": again,
         "data": f"{MARGIN} times the largest in {hours:.2f} hours of normal recordings of fan {fan}, each left out in "
                 "turn by an autoencoder that learned from the other two"},
    ]  # fmt: skip
    write_model(options.out, flatbuffer, {
        "name": "anomaly",
        "title": "A fan's normal vibration: an autoencoder whose error tells of anomalies",
        "labels": [],
        **recipe(BANDS),
        "training": {
            "data": f"fan {fan} of NXP's fan vibration running normally, 3 recordings of 5 minutes ({SOURCE})",
            "licence": LICENCE,
            "command": again,
            "seed": options.seed,
            **facts,
        },
        "accuracy": scores,
    }, onnx=onnx)  # fmt: skip


def learn(normal: list[Recording], name: str, options: Options) -> tuple[bytes, bytes, dict[str, int]]:
    """The int8 autoencoder of these recordings and its float .onnx, also as ``work/<name>.tflite``, and its size."""
    import keras

    from apps.int8 import to_float_onnx, to_int8

    cut = np.concatenate([windows(one.samples) for one in normal])
    plain = band_powers(cut, BANDS)
    mean, deviation = plain.mean(axis=0), float(plain.std())

    def epoch(rng: np.random.Generator) -> tuple[Floats, Floats]:
        # four variants of each window, or an epoch would be seven steps
        clean = np.concatenate([band_powers(varied(cut, SLIGHT, rng), BANDS) for _ in range(4)])
        noisy = clean + rng.normal(0, NOISE, clean.shape)
        return (noisy - mean) / deviation, (clean - mean) / deviation

    model = build()
    model.compile(keras.optimizers.Adam(2e-3), keras.losses.MeanSquaredError())
    fit(model, epoch, options, name)
    raw = on_raw(model, mean, deviation)
    flatbuffer = to_int8(raw, lambda: (example[None] for example in _examples(plain)))
    write_whole(options.work / f"{name}.tflite", flatbuffer)
    weights = [one.shape for one in raw.get_weights() if one.ndim == 2]
    macs = int(sum(np.prod(shape) for shape in weights))
    return flatbuffer, to_float_onnx(raw), {"parameters": raw.count_params(), "macs": macs}


def _examples(plain: Floats) -> Floats:
    """Features that span what the input may hold: down to a sensor at rest, up to 20 dB above the strongest."""
    low, high = np.full_like(plain[:1], -17.0), np.full_like(plain[:1], plain.max() + 4.6)
    return np.concatenate([plain[::4], low, high])


def _normal(recordings: tuple[Recording, ...], fan: int) -> list[Recording]:
    return [one for one in recordings if one.fan == fan and one.state == "on"]


def calibrate(recordings: tuple[Recording, ...], fan: int, options: Options) -> tuple[float, Floats]:
    """The limit, and the smoothed errors that it is the largest of: every normal recording, left out in turn."""
    normal, found = _normal(recordings, fan), []
    for left_out in normal:
        name = f"without-{left_out.name}"
        learn([one for one in normal if one is not left_out], name, options)
        found.append(smoothed(errors(options.work / f"{name}.tflite", left_out)))
        print(f"{name}: its error is {np.median(found[-1]):.3f} (median), {found[-1].max():.3f} (largest)", flush=True)
    together = np.concatenate(found)
    return round(MARGIN * float(together.max()), 2), together


def errors(model: Path, recording: Recording) -> Floats:
    """[windows]: the mean squared error of each window of a recording, as the engine's ``residual: mean`` gives it."""
    features = band_powers(windows(recording.samples), BANDS)
    return np.asarray(((features - answers(model, features)) ** 2).mean(axis=(1, 2)), dtype=np.float32)


def smoothed(values: Floats) -> Floats:
    """[windows] to [windows - OVER + 1]: the mean of the last OVER."""
    return np.convolve(values, np.full(OVER, 1 / OVER, np.float32), "valid")


def score(
    model: Path, recordings: tuple[Recording, ...], learned: int, fan: int, command: str, note: str = ""
) -> list[dict[str, Any]]:
    """A manifest's lines for a model on a fan that it did not learn from, also printed; each window alone."""
    found: dict[str, list[Floats]] = {state: [] for state in STATES}
    for one in recordings:
        if one.fan == fan:
            found[one.state].append(errors(model, one)[::4])  # windows that do not overlap
    by_state = {state: np.concatenate(values) for state, values in found.items()}
    by_state["clog or friction"] = np.concatenate([by_state["clog"], by_state["friction"]])
    print(f"learned from fan {learned}, scored on fan {fan}; error of a window, 1 %, median, 99 %:")
    for state in STATES:
        print(f"  {state:9}" + "".join(f"{value:9.3f}" for value in np.quantile(by_state[state], [0.01, 0.5, 0.99])))
    lines = []
    for fault in ("clog or friction", *FAULTS):
        value, samples = auc(by_state["on"], by_state[fault]), len(by_state["on"]) + len(by_state[fault])
        print(f"  AUC, normal (on) against {fault}: {value:.4f} of {samples} windows")
        lines.append({
            "metric": f"AUC, normal (on) against {fault}", "value": round(value, 4), "samples": samples,
            "data": f"fan {fan}, never seen: the model learned from fan {learned}; single windows of 2.56 s that do "
                    f"not overlap{note}",
            "measured": "here", "command": command,
        })  # fmt: skip
    return lines
