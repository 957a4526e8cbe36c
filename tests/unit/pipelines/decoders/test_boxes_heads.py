"""The heads of detectors without post-processing: layouts, against decoding and NMS that are not ours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Array, Frame, Result, Signal
from pipelines.decoders._found import nms
from pipelines.decoders._ssd import anchors, decoded
from pipelines.decoders.boxes import Boxes
from pipelines.errors import ModelError, SignalMismatch

LABELS = ("cat", "dog", "car")
CAPTURED = Frame(np.zeros((100, 200, 3), np.uint8), t=1.5, seq=3)  # 200 px wide, 100 px high


def head(*shape: int, labels: tuple[str, ...] = LABELS) -> Signal:
    return Signal(shape, "float32", None, "scores", labels)


def bundle(*shapes: tuple[int, ...]) -> Signal:
    return Signal((), "", None, "bundle", LABELS, tuple(head(*shape, labels=()) for shape in shapes))


def decode(signal: Signal, y: Any, **config: Any) -> list[Result]:
    decoder = Boxes(Boxes.Config(**config))
    decoder.resolve(signal)
    return list(decoder.decode(y, Frame(y, t=1.5, seq=3, source=CAPTURED)))


def as_v5(rows: Array) -> Array:
    """[n, 4 + classes] with an objectness of 0.8 put in; class scores stay the products."""
    return np.concatenate([rows[:, :4], np.full((len(rows), 1), 0.8), rows[:, 4:] / 0.8], axis=1).astype(np.float32)


def layouts(rows: Array) -> dict[str, tuple[Signal, Array]]:
    v5, v8 = as_v5(rows), np.ascontiguousarray(rows.T.astype(np.float32))
    return {"yolov5": (head(*v5.shape), v5), "yolov8": (head(*v8.shape), v8)}


@pytest.mark.parametrize("layout", ["yolov5", "yolov8"])
@pytest.mark.parametrize(("scale", "input_px"), [(1, None), (320, (320, 320))])
def test_a_yolo_box_is_its_centre_and_size(layout: str, scale: float, input_px: Any) -> None:
    rows = np.float64([[0.5, 0.25, 0.2, 0.5, 0.1, 0.7, 0.2], [0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1]])
    rows[:, :4] *= scale
    (result,) = decode(*layouts(rows)[layout], layout=layout, input_px=input_px)
    assert (result.label, pytest.approx(result.score, abs=1e-6)) == ("dog", 0.7)
    assert result.region == pytest.approx((80, 0, 40, 50), abs=1e-4)


@pytest.mark.parametrize("layout", ["yolov5", "yolov8"])
def test_an_input_that_is_not_square_has_its_own_scale_each_way(layout: str) -> None:
    rows = np.float64([[320, 96, 64, 96, 0.7, 0.1, 0.1]])
    (result,) = decode(*layouts(rows)[layout], layout=layout, input_px=(640, 192))
    assert result.region == pytest.approx((90, 25, 20, 50), abs=1e-4)


cells = st.integers(0, 40).map(lambda value: value / 40)
yolo_rows = st.tuples(cells, cells, cells, cells, *[st.integers(0, 700).map(lambda value: value / 1000)] * 3)


@given(st.lists(yolo_rows, min_size=1, max_size=30), st.sampled_from(["yolov5", "yolov8"]),
       st.sampled_from([0.31, 0.53]), st.sampled_from([0.1004, 0.3503]))  # fmt: skip
def test_yolo_is_opencvs_nms_of_each_class(found: list[Any], layout: str, limit: float, threshold: float) -> None:
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "NMSBoxesBatched"):
        pytest.skip(f"needs OpenCV 4.7 for its NMS of several classes, this is {cv2.__version__}")
    rows = np.float64(found)
    rows[:, 2:4] += 0.05
    rows[:, 4:] += np.arange(len(rows))[:, None] * 1e-6 + np.float64([2e-7, 1e-7, 0])  # no two are equal
    best = rows[:, 4:].argmax(axis=1)
    scores = rows[:, 4:].max(axis=1)
    corners = np.stack([rows[:, 0] - rows[:, 2] / 2, rows[:, 1] - rows[:, 3] / 2, rows[:, 2], rows[:, 3]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(corners.tolist(), scores.tolist(), best.tolist(), threshold, limit)
    kept = [i for i in np.asarray(kept).flatten() if seen(corners[i])]
    if any(not seen(corner) for corner in corners) or near(corners, best, limit):
        return  # those are cut away before; or an overlap equals the limit but for rounding
    got = decode(*layouts(rows)[layout], layout=layout, threshold=threshold, iou=limit, most=100)
    assert [r.label for r in got] == [LABELS[best[i]] for i in kept]
    assert [r.score for r in got] == pytest.approx([scores[i] for i in kept], abs=1e-6)


def seen(corner: Array) -> bool:
    x, y, width, height = corner
    return bool(x < 1 and y < 1 and x + width > 0 and y + height > 0)


def near(corners: Array, classes: Array, limit: float) -> bool:
    for i, (x, y, w, h) in enumerate(corners):
        for j, (u, v, r, s) in enumerate(corners[:i]):
            wide, high = min(x + w, u + r) - max(x, u), min(y + h, v + s) - max(y, v)
            both = max(wide, 0) * max(high, 0)
            if classes[i] == classes[j] and abs(both / (w * h + r * s - both) - limit) < 1e-4:
                return True
    return False


@pytest.mark.parametrize("layout", ["yolov5", "yolov8"])
def test_logits_become_scores(layout: str) -> None:
    rows = np.float64([[0.5, 0.5, 0.5, 0.5, -1, 2, 0]])
    signal, y = layouts(rows)[layout]
    if layout == "yolov5":
        y = np.float32([[0.5, 0.5, 0.5, 0.5, 3, -1, 2, 0]])
    (result,) = decode(signal, y, layout=layout, sigmoid=True)
    objectness = 1 / (1 + math.exp(-3)) if layout == "yolov5" else 1
    assert result.score == pytest.approx(objectness / (1 + math.exp(-2)), abs=1e-6)
    with pytest.raises(ModelError, match="sigmoid: true"):
        decode(signal, y, layout=layout)


@pytest.mark.parametrize("layout", ["yolov5", "yolov8"])
def test_what_no_head_says_is_an_error(layout: str) -> None:
    signal, y = layouts(np.float64([[320, 96, 64, 96, 0.7, 0.1, 0.1]]))[layout]
    with pytest.raises(ModelError, match=r"go to 320, .*input_px: \[width, height\]"):
        decode(signal, y, layout=layout)
    # also where the boxes that count all lie in the picture's corner
    signal, corner = layouts(np.float64([[2, 2, 3, 3, 0.7, 0.1, 0.1], [320, 96, 64, 96, 0.1, 0.1, 0.1]]))[layout]
    with pytest.raises(ModelError, match=r"go to 320, .*input_px: \[width, height\]"):
        decode(signal, corner, layout=layout)
    signal, y = layouts(np.float64([[320, 96, 64, 96, 0.7, 0.1, 0.1]]))[layout]
    for place, said in ((0, "not finite"), (5, "NaN")):
        broken = y.copy()
        broken.ravel()[place] = np.nan
        with pytest.raises(ModelError, match=said):
            decode(signal, broken, layout=layout, input_px=(640, 640))


# ---- SSD ---------------------------------------------------------------------------------------------------------


def test_the_anchors_are_counted_as_their_grids_say() -> None:
    assert len(anchors(Boxes.Config())) == 19 * 19 * 3 + (100 + 25 + 9 + 4 + 1) * 6 == 1917
    first, *_, last = anchors(Boxes.Config())
    assert first == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert last == pytest.approx([0.5, 0.5, math.sqrt(0.95), math.sqrt(0.95)])


@given(st.integers(0, 1916), st.tuples(cells, cells, cells, cells))
def test_a_box_that_is_encoded_as_the_paper_says_is_decoded(place: int, box: tuple[float, ...]) -> None:
    y, x, high, wide = box[0], box[1], box[2] + 0.05, box[3] + 0.05
    a = anchors(Boxes.Config())[place]
    t = [10 * (y - a[0]) / a[2], 10 * (x - a[1]) / a[3], 5 * math.log(high / a[2]), 5 * math.log(wide / a[3])]
    (got,) = decoded(np.float64([t]), a[None])
    assert got == pytest.approx([y - high / 2, x - wide / 2, y + high / 2, x + wide / 2])


@pytest.mark.parametrize("background", [0, 1])
def test_ssd_reports_the_anchor_with_the_best_class(background: int) -> None:
    locations, scores = np.zeros((1917, 4), np.float32), np.zeros((1917, 3 + background), np.float32)
    scores[:, 0] = 0.9 * background  # sure that there is nothing
    scores[1083 + 6 * 55, 1 + background] = 0.8  # the second grid's cell 5, 5 of 10 x 10
    (result,) = decode(bundle((1917, 4), (1917, 3 + background)), (locations, scores), layout="ssd")
    assert (result.label, result.score) == ("dog", pytest.approx(0.8))
    side = 0.2 + 0.75 / 5
    assert result.region == pytest.approx(((0.55 - side / 2) * 200, (0.55 - side / 2) * 100, side * 200, side * 100))


def test_a_box_that_overflows_is_said() -> None:
    locations, scores = np.full((1917, 4), 1e6, np.float32), np.full((1917, 3), 0.8, np.float32)
    with pytest.raises(ModelError, match="not finite"):
        decode(bundle((1917, 4), (1917, 3)), (locations, scores), layout="ssd")


# ---- what does not fit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "layout", "said"),
    [
        (head(100, 8), "yolov8", r"0 \[100, 8\] with 3 labels, expected .*\[4 \+ 3 labels, n\].*layout: yolov5$"),
        (head(7, 100), "yolov5", r"\[n, 5 \+ 3 labels\].*it would fit with layout: yolov8"),
        (head(7, 100), "detected", "it would fit with layout: yolov8"),
        (bundle((1917, 4), (1917, 4)), "detected", "it would fit with layout: ssd"),
        (bundle((10, 4), (10,), (10,), ()), "ssd", "it would fit with layout: detected"),
        (bundle((2034, 4), (2034, 3)), "ssd", r"boxes \[1917, 4\].*grids of 19, 10, 5, 3, 2, 1 cells"),
        (head(100, 9), "yolov5", "name a detector's model"),
        (head(100, 8, labels=()), "yolov5", "without labels"),
    ],
)
def test_another_layout_is_named(signal: Signal, layout: Any, said: str) -> None:
    with pytest.raises(SignalMismatch, match=said):
        Boxes(Boxes.Config(layout=layout)).resolve(signal)


def test_outputs_of_ssd_are_named() -> None:
    Boxes(Boxes.Config(layout="ssd", boxes=1, scores=0)).resolve(bundle((1917, 3), (1917, 4)))
    Boxes(Boxes.Config(layout="ssd", grid=20)).resolve(bundle((2034, 4), (2034, 3)))
    with pytest.raises(ValueError, match="expected two different"):
        Boxes.Config(layout="ssd", boxes=1)


def test_nms_keeps_no_more_than_the_most() -> None:
    boxes = np.stack([np.arange(50.0), np.zeros(50), np.arange(50) + 0.5, np.ones(50)], axis=1)
    assert nms(boxes, np.zeros(50, int), 7, 0.5) == list(range(7))
