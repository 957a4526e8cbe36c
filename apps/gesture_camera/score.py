"""Scores the model: ``python -m apps.gesture_camera.score signs --data DIR``.

``signs``: the photographs of one part (DIR: the folder ``Dataset`` of ardamavi/Sign-Language-Digits-Dataset). ``none``:
any pictures without hands, how often a sign is seen in them. ``split``: the parts themselves, as folders of links with
``--write-split``, and how near the pictures of one are to those of another. Everything goes through the manifest's own
preprocessing. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.gesture_camera.data import (
    FOLDS,
    LABELS,
    NONE,
    PARTS,
    SIGNS,
    TEST_FOLD,
    Photograph,
    choose,
    load,
    part_of,
    photographs,
    picture_files,
)  # fmt: skip
from apps.gesture_camera.preprocessing import Floats, Preprocessing
from apps.progress import track
from apps.script import run as run_script
from apps.shipping import make_folder
from pipelines import registry
from pipelines.errors import DataError, OutputError
from pipelines.models import open_model

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def answers(path: Path, inputs: Floats, engine: str = "tflite") -> Floats:
    """Scores [N, 11] of a model file for inputs [N, 64, 64, 3], by the engine that demos use."""
    kind = registry.load("engines", engine)
    opened = kind(kind.Config(model=path.stem), path)
    scores = np.empty((len(inputs), len(LABELS)), np.float32)
    try:
        for row, given in enumerate(inputs):
            scores[row] = opened.infer(given[None])[0][0]
    finally:
        opened.close()
    return scores


def scores_of(reference: str, pictures: list[NDArray[np.uint8]]) -> Floats:
    """Scores [N, 11] of a model (a name, a manifest or its folder) for pictures of any size.

    Raises:
        DataError: it has no manifest, so its preprocessing is not known.
    """
    model = open_model(reference, Path.cwd())
    if model.manifest is None:
        raise DataError(
            f"{reference} has no manifest, so its preprocessing is not known; name a manifest or its folder"
        )
    chain = Preprocessing(registry.load("transforms", step.name)(step.config) for step in model.manifest.preprocess)
    return answers(model.path, chain(iter(pictures), len(pictures)), model.engine)


def read(paths: list[Path]) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Pictures RGB as a sensor gives them, and which of the files they are; the others are named."""
    from hal.recordings.pictures import Pictures

    pictures, rows = [], []
    for row, path in enumerate(track(paths, "pictures")):
        try:
            pictures += [np.asarray(picture) for picture in Pictures(path).read()]
            rows.append(row)
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
    return pictures, rows


def score_signs(photos: list[Photograph], model: str) -> dict[str, Any]:
    """Top-1, by sign and as a confusion, on hands; none counts as wrong. And what a threshold costs."""
    pictures, rows = read([photo.path for photo in photos])
    truth = np.array([photos[row].sign for row in rows])
    sitting = np.array([photos[row].sitting for row in rows])
    scores = scores_of(model, pictures)
    given = scores.argmax(axis=1)
    confusion = np.zeros((len(SIGNS), len(LABELS)), int)
    np.add.at(confusion, (truth, given), 1)
    right = given == truth
    by_sitting = [float(right[sitting == one].mean()) for one in np.unique(sitting)]
    return {
        "photographs": len(truth),
        "students": len(by_sitting),
        "right": int(right.sum()),
        "top-1": round(float(right.mean()), 4),
        "taken for none": int((given == NONE).sum()),
        "students with every sign right": sum(rate == 1 for rate in by_sitting),
        "worst student": round(min(by_sitting), 2),
        "per_sign": {name: round(confusion[i, i] / max(1, confusion[i].sum()), 3) for i, name in enumerate(SIGNS)},
        "confusion_rows_are_truth": {name: confusion[i].tolist() for i, name in enumerate(SIGNS)},
        "reported at threshold": {f"{at}": _reported(scores, truth, at) for at in THRESHOLDS},
    }


def _reported(scores: Floats, truth: NDArray[Any], threshold: float) -> dict[str, float]:
    """What a demo shows that ignores none: shares of right and wrong signs, the rest stays silent."""
    signs = scores[:, :NONE]
    shown = signs.max(axis=1) >= threshold
    right = signs.argmax(axis=1) == truth
    return {"right": round(float((shown & right).mean()), 4), "wrong": round(float((shown & ~right).mean()), 4)}


def score_none(paths: list[Path], model: str) -> dict[str, Any]:
    """How often pictures without hands are taken for none, and how often a sign passes a threshold."""
    pictures, _ = read(paths)
    scores = scores_of(model, pictures)
    best = scores[:, :NONE].max(axis=1)
    return {
        "pictures": len(scores),
        "taken for none": round(float((scores.argmax(axis=1) == NONE).mean()), 4),
        "a sign reported at threshold": {f"{at}": round(float((best >= at).mean()), 4) for at in THRESHOLDS},
    }


def describe_split(photos: list[Photograph], fold: int) -> dict[str, Any]:
    """How many there are in each part, and how near pictures come to pictures of others.

    The distance of two pictures is the root of the mean squared difference of their pixels, in gray, at 32 x 32, once
    the mean of each is taken away. A near-duplicate in two parts would show as a distance like that within a sitting.
    """
    pictures, opened = load([photo.path for photo in photos])
    photos = [photo for photo, good in zip(photos, opened, strict=True) if good]
    small = np.stack([gray(picture) for picture in pictures]).reshape(len(pictures), -1)
    small -= small.mean(axis=1, keepdims=True)
    squares = (small**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * small @ small.T, 0) / small.shape[1])
    sign, sitting = (np.array([getattr(photo, name) for photo in photos]) for name in ("sign", "sitting"))
    part = np.array([PARTS.index(part_of(one, fold)) for one in sitting])
    train, test = part == PARTS.index("train"), part == PARTS.index("test")
    other = sitting[:, None] != sitting[None]
    same = sign[:, None] == sign[None]
    return {
        "parts": {
            name: {"photographs": int((part == i).sum()), "students": len(np.unique(sitting[part == i]))}
            for i, name in enumerate(PARTS)
        },
        "distance to the nearest picture of the same sign (least, 1st, 50th percentile)": {
            "test to train": _nearest(distances, test, train, same),
            "train to train, another student": _nearest(distances, train, train, same & other),
            "any to any, the same student": _nearest(distances, part >= 0, part >= 0, same & ~other),
        },
    }  # fmt: skip


def _nearest(distances: Floats, rows: Any, columns: Any, allowed: Any) -> list[float]:
    square = np.where(allowed, distances, np.inf)
    np.fill_diagonal(square, np.inf)
    nearest = square[np.ix_(rows, columns)].min(axis=1)
    nearest = nearest[np.isfinite(nearest)]
    return [round(float(value), 2) for value in np.percentile(nearest, [0, 1, 50])] if len(nearest) else []


def gray(picture: NDArray[np.uint8]) -> Floats:
    """A picture [32, 32] in gray."""
    import cv2

    small = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)


def write_split(photos: list[Photograph], folder: Path, fold: int) -> None:
    """``folder/<part>/<sign>/IMG_n.JPG``, links to the photographs, as ``eiq-demo evaluate`` takes them.

    Raises:
        OutputError: it cannot be written there.
    """
    for photo in photos:
        link = folder / part_of(photo.sitting, fold) / SIGNS[photo.sign] / photo.path.name
        make_folder(link.parent)
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(photo.path.resolve())
        except OSError as error:
            raise OutputError(f"cannot link {link} ({error.strerror}); name another folder") from error


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.gesture_camera.score", description=__doc__)
    parser.add_argument("what", choices=("signs", "none", "split"))
    parser.add_argument("--data", type=Path, required=True, help="the folder Dataset; none: pictures without hands")
    parser.add_argument("--model", default="gesture_camera", help="a model's name, manifest or folder")
    parser.add_argument("--part", choices=PARTS, default="test", help="signs: of the photographs")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), default=TEST_FOLD, help="as the model was trained")
    parser.add_argument("--write-split", type=Path, metavar="DIR", help="split: folders of links to the photographs")
    options = parser.parse_args()
    if options.what == "none":
        result = score_none(picture_files(options.data), options.model)
    else:
        photos = photographs(options.data)
        if options.what == "signs":
            result = score_signs(choose(photos, options.part, options.fold), options.model)
        else:
            if options.write_split is not None:
                write_split(photos, options.write_split, options.fold)
            result = describe_split(photos, options.fold)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    run_script(main)
