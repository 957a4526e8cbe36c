"""How good a detector is, in the numbers of COCO, by COCO's own code (pycocotools)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from apps.evaluate.datasets.items import Place
from apps.evaluate.metrics import rounded
from apps.evaluate.report import BoxClass, BoxScores
from pipelines.core import Array, Box
from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[detection]'"
Detection = tuple[str, float, Box]


@dataclass(frozen=True)
class Picture:
    """What is in a picture, and what was found.

    Args:
        size: width and height in pixels.
        truth: what is there.
        found: label, score, and x, y, width, height in pixels.
    """

    size: tuple[int, int]
    truth: Sequence[Place]
    found: Sequence[Detection]


def cocoeval() -> ModuleType:
    """Raises MissingDependency where pycocotools is not installed."""
    return require("pycocotools.cocoeval", purpose="evaluate of a detector", install=INSTALL)


def average_precision(pictures: Sequence[Picture], labels: Sequence[str], threshold: float, most: int) -> BoxScores:
    """AP and AR of boxes as COCO defines them; a class that no picture has counts nowhere, as there.

    Args:
        labels: that count, of what is there and of what was found.
        threshold: below which the config reports nothing.
        most: at most so many boxes of a picture are reported.
    """
    ids = {label: place for place, label in enumerate(labels, 1)}
    images = [{"id": i, "width": p.size[0], "height": p.size[1]} for i, p in enumerate(pictures, 1)]
    truth = [a for i, p in enumerate(pictures, 1) for a in _truth(i, p, ids)]
    found = [a for i, p in enumerate(pictures, 1) for a in _found(i, p, ids)]
    with redirect_stdout(io.StringIO()):  # it tells its progress by print
        judge = cocoeval().COCOeval(_data(images, truth, ids), _data(images, found, ids), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    precision = judge.eval["precision"][..., 0, -1]  # [IoU, recall, class], all sizes, 100 boxes a picture
    ap, ap50, ap75, small, medium, large, _, _, recall, *_ = map(_number, judge.stats)
    return BoxScores(
        ap, ap50, ap75, small, medium, large, recall, sum(not a["iscrowd"] for a in truth), len(found), threshold,
        most,
        tuple(_classes(precision, truth, found, ids)),
    )  # fmt: skip


def _data(images: list[dict[str, int]], annotations: list[dict[str, Any]], ids: dict[str, int]) -> Any:
    data = require("pycocotools.coco", purpose="evaluate of a detector", install=INSTALL).COCO()
    categories = [{"id": place, "name": label} for label, place in ids.items()]
    numbered = [{**annotation, "id": n} for n, annotation in enumerate(annotations, 1)]  # 0 is none to it
    data.dataset = {"images": images, "annotations": numbered, "categories": categories}
    data.createIndex()
    return data


def _truth(image: int, picture: Picture, ids: dict[str, int]) -> Iterator[dict[str, Any]]:
    width, height = picture.size
    for place in picture.truth:
        if place.label in ids:
            box = [place.x * width, place.y * height, place.width * width, place.height * height]
            yield {"image_id": image, "category_id": ids[place.label], "bbox": box,
                   "area": place.area * width * height, "iscrowd": int(place.crowd)}  # fmt: skip


def _found(image: int, picture: Picture, ids: dict[str, int]) -> Iterator[dict[str, Any]]:
    for label, score, box in picture.found:
        if label in ids:
            yield {"image_id": image, "category_id": ids[label], "bbox": list(box), "area": box[2] * box[3],
                   "score": score, "iscrowd": 0}  # fmt: skip


def _classes(
    precision: Array, truth: list[dict[str, Any]], found: list[dict[str, Any]], ids: dict[str, int]
) -> Iterator[BoxClass]:
    there = np.bincount([a["category_id"] for a in truth if not a["iscrowd"]], minlength=len(ids) + 1)
    answers = np.bincount([a["category_id"] for a in found], minlength=len(ids) + 1)
    for label, place in ids.items():
        of_class = precision[:, :, place - 1]
        yield BoxClass(label, int(there[place]), int(answers[place]), _mean(of_class), _mean(of_class[:1]))


def _mean(precision: Array) -> float | None:
    known = precision[precision > -1]
    return rounded(float(known.mean())) if known.size else None


def _number(value: float) -> float | None:
    return None if value < 0 else rounded(float(value))
