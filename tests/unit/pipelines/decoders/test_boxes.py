from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Array, Frame, Result, Signal
from pipelines.decoders.boxes import Boxes
from pipelines.errors import ModelError, SignalMismatch
from pipelines.transforms.crop import Crop
from pipelines.transforms.pad import Pad
from pipelines.transforms.resize import Resize

LABELS = ("cat", "dog", "car")
CAPTURED = Frame(np.zeros((100, 200, 3), np.uint8), t=1.5, seq=3)  # 200 px wide, 100 px high


def part(*shape: int) -> Signal:
    return Signal(shape, "float32", None, "scores")


def bundle(*parts: Signal, labels: tuple[str, ...] = LABELS) -> Signal:
    return Signal((), "", None, "bundle", labels, parts)


def detector(n: int) -> Signal:
    return bundle(part(n, 4), part(n), part(n), part())


def decode(found: list[tuple[float, float, float, float, int, float]], frame: Frame | None = None,
           **config: Any) -> list[Result]:  # fmt: skip
    """Boxes as (ymin, xmin, ymax, xmax, class, score)."""
    rows = np.array(found, np.float32).reshape(-1, 6)
    decoder = Boxes(Boxes.Config(**config))
    decoder.resolve(detector(len(rows)))
    y = (rows[:, :4], rows[:, 4], rows[:, 5], np.array(len(rows), np.float32))
    return list(decoder.decode(y, frame or Frame(y, t=1.5, seq=3, source=CAPTURED)))


def test_the_best_comes_first_with_its_place_in_the_captured_picture() -> None:
    found = decode([(0.0, 0.0, 0.5, 0.25, 0, 0.6), (0.1, 0.5, 0.2, 1.0, 2, 0.9), (0, 0, 1, 1, 1, 0.4)])
    assert [(r.label, pytest.approx(r.score), pytest.approx(r.region), r.source) for r in found] == [
        ("car", 0.9, (100, 10, 100, 10), CAPTURED),
        ("cat", 0.6, (0, 0, 50, 50), CAPTURED),
    ]


def behind(captured: Frame, *steps: Any) -> Frame:
    """The frame that these steps make of a picture."""
    signal = Signal((*captured.array.shape,), "uint8", None, "image", ("r", "g", "b"))
    frame = captured
    for step in steps:
        signal = step.resolve(signal)
        (frame,) = step.process(frame)
    return frame


def resize(**config: Any) -> Resize:
    return Resize(Resize.Config(**config))


@pytest.mark.parametrize(
    ("steps", "region"),
    [
        ((), (0, 0, 200, 100)),
        ((resize(width_px=30, height_px=30, fit="stretch"),), (0, 0, 200, 100)),
        ((resize(width_px=30, height_px=30),), (50, 0, 100, 100)),
        ((resize(width_px=40, height_px=10),), (0, 25, 200, 50)),
        ((resize(width_px=30, height_px=30, fit="stretch", crop=0.5),), (50, 25, 100, 50)),
        # the bars, 50 px above and below, are no part of the picture
        ((resize(width_px=30, height_px=30, fit="letterbox"),), (0, 0, 200, 100)),
        ((Pad(Pad.Config(left_px=200, top_px=50)),), (0, 0, 200, 100)),
        ((Crop(Crop.Config(region=(20, 10, 100, 50))), resize(width_px=30, height_px=30)), (45, 10, 50, 50)),
    ],
)
def test_the_whole_input_is_what_the_steps_took(steps: tuple[Any, ...], region: tuple[float, ...]) -> None:
    frame = behind(CAPTURED, *steps)
    (result,) = decode([(0, 0, 1, 1, 0, 0.9)], frame)
    assert result.region == pytest.approx(region)


def test_a_letterboxed_box_lies_where_the_resize_put_it() -> None:
    frame = behind(CAPTURED, resize(width_px=20, height_px=20, fit="letterbox"))  # of 200 x 200 px, picture from y = 50
    (result,) = decode([(0.5, 0.5, 0.75, 1.0, 0, 0.9)], frame)
    assert result.region == pytest.approx((100, 50, 100, 50))


def test_a_box_ends_at_the_pictures_edges_and_one_outside_is_none() -> None:
    found = decode([(-0.5, -0.5, 0.5, 0.5, 0, 0.9), (1.1, 1.1, 1.5, 1.5, 1, 0.8), (0.5, 0.5, 0.4, 0.4, 2, 0.7)])
    assert [(r.label, r.region) for r in found] == [("cat", pytest.approx((0, 0, 100, 50)))]


def test_behind_a_crop_it_lies_in_what_was_cropped() -> None:
    cause = Result(1.5, "car", 0.9, region=(20.0, 10.0, 100.0, 50.0))
    frame = Frame(CAPTURED.array, 1.5, 3, source=CAPTURED, cause=cause)
    (result,) = decode([(0, 0.5, 1, 1, 0, 0.9)], behind(frame, Crop(Crop.Config())))
    assert result.region == pytest.approx((70, 10, 50, 50))
    (result,) = decode([(0, 0.5, 1, 1, 0, 0.9)], behind(frame, Crop(Crop.Config(margin=0.1))))
    assert result.region == pytest.approx((70, 5, 60, 60))
    (result,) = decode([(0, 0.5, 1, 1, 0, 0.9)], frame)  # a second look at the whole picture
    assert result.region == pytest.approx((100, 0, 100, 100))


def test_nothing_beyond_the_count_counts() -> None:
    decoder = Boxes(Boxes.Config())
    decoder.resolve(detector(2))
    boxes, ones = np.tile(np.float32([0, 0, 1, 1]), (2, 1)), np.ones(2, np.float32)
    assert not list(decoder.decode((boxes, ones, ones, np.float32([0])), CAPTURED))


def test_ignored_labels_take_no_place() -> None:
    rows = [(0, 0, 1, 1, 0, 0.9), (0, 0, 1, 1, 1, 0.8), (0, 0, 1, 1, 2, 0.7)]
    assert [r.label for r in decode(rows, most=1, ignore=("cat",))] == ["dog"]


places = st.integers(0, 20).map(lambda value: value / 20)
rows = st.tuples(places, places, places, places, st.integers(0, 2), st.integers(0, 1000)).map(
    lambda r: (min(r[0], r[2]), min(r[1], r[3]), max(r[0], r[2]) + 0.05, max(r[1], r[3]) + 0.05, r[4], r[5] / 1000)
)


@given(st.lists(rows, max_size=12, unique_by=lambda row: row[5]), st.sampled_from([0.0, 0.3, 0.5, 0.7]))
def test_nms_is_opencvs(found: list[tuple[float, float, float, float, int, float]], limit: float) -> None:
    cv2 = pytest.importorskip("cv2")
    found = [tuple(np.clip(row[:4], 0, 1)) + row[4:] for row in found]  # type: ignore[misc]
    found = [row for row in found if row[0] < row[2] and row[1] < row[3]]
    expected: list[tuple[int, float]] = []
    for c in range(3):
        of_class = [row for row in found if row[4] == c]
        xywh = [(row[1], row[0], row[3] - row[1], row[2] - row[0]) for row in of_class]
        if of_class and not near(of_class, limit):
            kept = cv2.dnn.NMSBoxes(xywh, [row[5] for row in of_class], 0.0, limit)
            expected += [(c, of_class[int(i)][5]) for i in np.asarray(kept).flatten()]
        elif of_class:
            return  # equal to the limit but for rounding: either is right
    got = [(LABELS.index(r.label), r.score) for r in decode(found, threshold=0.0, iou=limit, most=100)]
    zero = [pair for pair in got if pair[1] > 0]  # OpenCV leaves out what scores 0
    assert [(c, pytest.approx(s)) for c, s in sorted(zero)] == sorted(pair for pair in expected if pair[1] > 0)


def near(found: list[Any], limit: float) -> bool:
    """Some overlap equals the limit but for rounding; counted in cells of 1/400, which they all end on."""
    cells = [np.zeros((22, 22), bool) for _ in found]
    for cell, row in zip(cells, found, strict=True):
        ymin, xmin, ymax, xmax = (round(float(v) * 20) for v in row[:4])
        cell[ymin:ymax, xmin:xmax] = True
    return any(abs((a & b).sum() / (a | b).sum() - limit) < 1e-4 for i, a in enumerate(cells) for b in cells[:i])


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (Signal((3,), "float32", None, "scores", LABELS), "the four of a detector"),
        (bundle(part(10, 4), part(10), part(10)), r"the outputs 0 \[10, 4\], 1 \[10\], 2 \[10\] with 3 labels"),
        (bundle(part(10), part(10, 4), part(10), part()), r"0 \[10\], 1 \[10, 4\]"),
        (bundle(part(10, 4), part(9), part(10), part()), r"1 \[9\]"),
        (bundle(part(10, 4), part(10), part(10, 2), part()), r"2 \[10, 2\]"),
        (bundle(part(10, 4), part(10), part(10), part(5)), r"3 \[5\] with"),
        (bundle(part(10, 4), part(10), part(10), part(), labels=()), "without labels"),
    ],
)
def test_what_is_no_detector_is_refused(signal: Signal, said: str) -> None:
    with pytest.raises(SignalMismatch, match=said):
        Boxes(Boxes.Config()).resolve(signal)


def test_outputs_in_another_order_are_named() -> None:
    decoder = Boxes(Boxes.Config(scores=0, boxes=1, count=2, classes=3))  # as TensorFlow 2 exports them
    decoder.resolve(bundle(part(1), part(1, 4), part(), part(1)))
    y = (np.float32([0.9]), np.float32([[0, 0, 1, 1]]), np.float32([1]), np.float32([1]))
    assert [r.label for r in decoder.decode(y, CAPTURED)] == ["dog"]
    with pytest.raises(ValueError, match="expected four different"):
        Boxes.Config(scores=0)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((0, 0, 1, 1, 0, np.nan), "NaN"),
        ((0, 0, np.nan, 1, 0, 0.9), "boxes are not finite"),
        ((0, 0, 1, 1, 7, 0.9), "class 7, expected 0 to 2"),
        ((0, 0, 1, 1, np.nan, 0.9), "class nan, expected 0 to 2"),
        ((0, 0, 1, 1, 0, 3.0), "score is 3"),
    ],
)
def test_what_no_detector_says_is_an_error(row: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        decode([row])


def test_a_score_of_8_bits_may_miss_1_by_half_a_step() -> None:
    assert decode([(0, 0, 1, 1, 0, 233 * 0.0043)])[0].score == 1.0  # 1.0019


# ---- and back: detect, crop, classify ----------------------------------------------------------------------------


@st.composite
def looks(draw: st.DrawFn) -> Frame:
    """A picture whose pixels say where they are, behind the steps that may stand before a detector."""
    width, height = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    places = np.stack([x % 256, y % 256, 64 + x // 256 + 2 * (y // 256)], axis=-1).astype(np.uint8)
    steps: list[Any] = []
    if draw(st.booleans()):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        region = left, top, draw(st.integers(1, width - left)), draw(st.integers(1, height - top))
        steps.append(Crop(Crop.Config(region=region)))
    if draw(st.booleans()):
        steps.append(Pad(Pad.Config(left_px=draw(st.integers(0, 50)), bottom_px=draw(st.integers(0, 50)))))
    fit, crop = draw(st.sampled_from(["stretch", "crop", "letterbox"])), draw(st.sampled_from([1.0, 0.875, 0.3]))
    to_width, to_height = draw(st.integers(1, 100)), draw(st.integers(1, 100))
    steps.append(resize(width_px=to_width, height_px=to_height, fit=fit, crop=crop, filter="nearest"))
    return behind(Frame(places, t=0.0, seq=0), *steps)


def place(pixel: Array) -> tuple[int, int]:
    """x and y of a pixel."""
    r, g, b = map(int, pixel)
    return r + 256 * (b % 2), g + 256 * (b // 2 % 2)


edges = st.floats(-0.5, 1.5, width=32)


@given(looks(), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_region_is_what_the_input_shows_there(frame: Frame, down: float, across: float) -> None:
    """Oracle: OpenCV's nearest neighbour, which keeps what each pixel says of its place."""
    picture = frame.array
    rows, columns = picture.shape[:2]
    row, column = int(down * rows), int(across * columns)
    found = decode([(row / rows, column / columns, (row + 1) / rows, (column + 1) / columns, 0, 0.9)], frame)
    if picture[row, column, 2] < 64:  # a bar or border
        return
    (result,) = found
    assert result.region is not None
    left, top, width, height = result.region
    x, y = place(picture[row, column])
    assert left - 1.01 <= x <= left + width + 0.01
    assert top - 1.01 <= y <= top + height + 0.01


@given(looks(), st.tuples(edges, edges, edges, edges), st.floats(0, 2))
def test_what_crop_cuts_out_holds_the_region_and_lies_in_the_picture(looked: Frame, box: Any, margin: float) -> None:
    captured = looked.captured
    height, width = captured.array.shape[:2]
    step = Crop(Crop.Config(margin=margin))
    step.resolve(Signal((height, width, 3), "uint8", None, "image", ("r", "g", "b")))
    for result in decode([(*box, 0, 0.9)], looked):
        assert result.region is not None
        (frame,) = step.process(Frame(captured.array, 0.0, 0, cause=result))
        cut = frame.array
        assert cut.size > 0
        left, top = place(cut[0, 0])
        high, wide = cut.shape[:2]
        dx, dy = margin * result.region[2], margin * result.region[3]
        assert left <= max(0, result.region[0] - dx) < left + 1
        assert top <= max(0, result.region[1] - dy) < top + 1
        right, bottom = result.region[0] + result.region[2] + dx, result.region[1] + result.region[3] + dy
        assert left + wide - 1 < min(width, right) + 1e-6
        assert left + wide >= min(width, right) - 1e-6
        assert top + high >= min(height, bottom) - 1e-6
        assert left + wide <= width
        assert top + high <= height


def test_the_whole_picture_is_cropped_as_it_is() -> None:
    (result,) = decode([(0, 0, 1, 1, 0, 0.9)])
    step = Crop(Crop.Config(margin=0.1))
    step.resolve(Signal((100, 200, 3), "uint8", None, "image", ("r", "g", "b")))
    (frame,) = step.process(Frame(CAPTURED.array, 1.5, 3, cause=result))
    assert frame.array.shape == (100, 200, 3)
