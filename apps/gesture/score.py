"""Scores the gesture model: ``python -m apps.gesture.score recordings|stream|cross|folders --data DIR``. Prints JSON.

DIR holds one CSV per gesture, 119 samples a recording. ``recordings`` lays each between two rests and sends it through
the model's own chain, ``segment`` first; ``stream`` makes an hour out of them and of other movements and runs
``gesture.yaml`` over it as ``eiq-demo run`` does; ``cross`` trains anew for every fold of recordings and scores on
what was left out (needs the extra ``train``). ``folders`` writes what ``recordings`` would score to ``--out``, one
folder per gesture, for ``eiq-demo evaluate gesture.yaml --data``.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from apps.gesture import stream
from apps.gesture.augment import PLAIN, Hands, in_rest
from apps.gesture.data import CHANNELS, LABELS, NONE, STREAM, Floats, Recordings, holds_gesture, read
from apps.reports import reports
from apps.script import run as run_script
from apps.shipping import make_folder, write_whole
from pipelines import registry
from pipelines.core import Frame, Transform
from pipelines.engine_stage import EngineStage
from pipelines.errors import DataError
from pipelines.models import Model, open_model


class Chain:
    """A model behind its own preprocessing, from a stream to scores."""

    def __init__(self, model: Model) -> None:
        if model.manifest is None:
            raise DataError(f"{model.name} has no manifest, so its preprocessing is not known")
        signal = STREAM
        steps: list[Transform] = []
        for step in model.manifest.preprocess:
            part: Transform = registry.load("transforms", step.name)(step.config)
            signal = part.resolve(signal)
            steps.append(part)
        engine = registry.load("engines", model.engine)
        self.engine = engine(engine.Config(model=model.name), model.path)
        self._steps, self._stage = steps, EngineStage(self.engine, model.name, signal, model.labels)
        self._at = 0

    def scores(self, motion: Floats) -> list[Floats]:
        """[6] of every movement in a stream [n, 6] that has nothing to do with the one before."""
        frames = [Frame(motion, 0.0, 0, self._at)]
        self._at += len(motion) + 1  # a gap, so that no movement holds parts of two
        for step in self._steps:
            # an array of its own for each: a step may reuse its buffer for the next frame
            frames = [made.with_data(made.array.copy()) for frame in frames for made in step.process(frame)
                      if isinstance(made, Frame)]  # fmt: skip
        return [np.array(out.array) for frame in frames for out in self._stage.process(frame)]


def score_recordings(known: Recordings, chain: Chain, seed: int) -> dict[str, Any]:
    """Top-1 over all recordings; one in which no movement is found counts as wrong, the best of several counts."""
    rng = np.random.default_rng(seed)
    found = [chain.scores(in_rest(motion, rng)) for motion in known.motion]
    given = np.array([int(max(scores, key=np.max).argmax()) if scores else -1 for scores in found])
    forced = np.array([int(max(scores, key=np.max)[:NONE].argmax()) if scores else -1 for scores in found])
    return summary(known, given, forced)


def write_folders(known: Recordings, out: Path, seed: int) -> dict[str, Any]:
    """The recordings between two rests each, as ``out/LABEL/NUMBER.csv``. Raises OutputError."""
    rng = np.random.default_rng(seed)
    for number, (motion, label) in enumerate(zip(known.motion, known.labels, strict=True)):
        make_folder(out / LABELS[label])
        write_csv(out / LABELS[label] / f"{number:04}.csv", in_rest(motion, rng))
    return {"recordings": len(known), "out": str(out)}


def summary(known: Recordings, given: Floats, forced: Floats) -> dict[str, Any]:
    """What comes of the given labels; -1 where no movement was found. ``forced``: the best of the five gestures."""
    held = np.array([holds_gesture(motion) for motion in known.motion])
    confusion = np.zeros((NONE, len(LABELS) + 1), int)
    np.add.at(confusion, (known.labels, given), 1)  # -1 is the last column
    return {
        "recordings": len(known),
        "right": int((given == known.labels).sum()),
        "top-1": _share(given == known.labels),
        "top-1 of the five gestures": _share(forced == known.labels),
        "no movement found": int((given < 0).sum()),
        "hold a gesture": int(held.sum()),
        "top-1 of those": _share((given == known.labels)[held]),
        "top-1 of those, of the five gestures": _share((forced == known.labels)[held]),
        "per_class": {LABELS[i]: _share((given == i)[known.labels == i]) for i in range(NONE)},
        "confusion_rows_are_truth": {
            "columns": [*LABELS, "no movement"],
            **{LABELS[i]: confusion[i].tolist() for i in range(NONE)},
        },
    }


def _share(right: Any) -> float:
    return round(float(np.mean(right)), 4)


def cross(known: Recordings, hands: Hands, folds: int, epochs: int, seed: int) -> dict[str, Any]:
    """Each recording left out once; everything, augmentation too, is made anew from what is left in."""
    from apps.gesture.train import fitted, quantised
    from pipelines.engines.tflite import Tflite

    fold = np.zeros(len(known), int)
    rng = np.random.default_rng(seed)
    for label in range(NONE):
        mine = rng.permutation(np.flatnonzero(known.labels == label))
        fold[mine] = np.arange(len(mine)) % folds
    given, forced = (np.full(len(known), -1) for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        for k in range(folds):
            left_in = known.of(fold != k)
            path = Path(folder) / f"{k}.tflite"
            path.write_bytes(quantised(fitted(left_in, hands, epochs, seed), left_in, hands, seed))
            engine = Tflite(Tflite.Config(model=path.name), path)
            for index in np.flatnonzero(fold == k):
                scores = _scores_of(engine, known.motion[index], rng)
                if scores is not None:
                    given[index], forced[index] = scores.argmax(), scores[:NONE].argmax()
            engine.close()
    return {"folds": folds, **summary(known, given, forced)}


def _scores_of(engine: Any, motion: Floats, rng: np.random.Generator) -> Floats | None:
    from apps.gesture.data import Inputs, longest, movements

    movement = longest(movements(in_rest(motion, rng)))
    return None if movement is None else np.array(engine.infer(Inputs().of([movement]))[0][0])


def write_csv(path: Path, motion: Floats) -> None:
    """A recording as the simulated motion sensor reads it."""
    text = io.StringIO()
    np.savetxt(text, motion, "%.4g", delimiter=",", header=",".join(CHANNELS), comments="")
    write_whole(path, text.getvalue().encode())


def score_stream(known: Recordings, config: str, minutes: float, seed: int, sets: tuple[str, ...]) -> dict[str, Any]:
    """Misses and false alarms of a config over a stream made of the recordings that hold a gesture."""
    held = np.array([holds_gesture(motion) for motion in known.motion])
    whole = stream.made(known.of(held), minutes, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "stream.csv"
        write_csv(recording, whole.motion)
        return stream.judge(whole, reports(config, recording, sets))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.gesture.score", description=__doc__)
    parser.add_argument("what", choices=("recordings", "stream", "cross", "folders"))
    parser.add_argument("--data", type=Path, required=True, help="folder of one CSV per gesture")
    parser.add_argument("--model", default="gesture", help="recordings: a model's name, manifest or folder")
    parser.add_argument("--config", default="gesture.yaml", help="stream: the config")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--set", action="append", default=[], help="stream: override one key of the config")
    parser.add_argument("--out", type=Path, default=Path("build/gesture/folders"), help="folders: where to")
    parser.add_argument("--folds", type=int, default=5, help="cross")
    parser.add_argument("--epochs", type=int, default=40, help="cross")
    parser.add_argument("--plain", action="store_true", help="cross: without augmentation")
    options = parser.parse_args()
    known = read(options.data)
    if options.what == "recordings":
        chain = Chain(open_model(options.model, Path.cwd()))
        result = score_recordings(known, chain, options.seed)
        chain.engine.close()
    elif options.what == "stream":
        result = score_stream(known, options.config, options.minutes, options.seed, tuple(options.set))
    elif options.what == "folders":
        result = write_folders(known, options.out, options.seed)
    else:
        result = cross(known, PLAIN if options.plain else Hands(), options.folds, options.epochs, options.seed)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    run_script(main)
