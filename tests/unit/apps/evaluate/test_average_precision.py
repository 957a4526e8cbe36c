"""AP of boxes: numbers that can be worked out by hand, and the data sets that they come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.evaluate.average_precision import Detection, Picture, average_precision
from apps.evaluate.datasets.items import Place, Request
from apps.evaluate.datasets.layouts import layout_of, read
from pipelines.errors import ConfigError, DataError

LABELS = ("cat", "dog")
CAT = Place("cat", 0.1, 0.1, 0.4, 0.4, 0.16)
AT: Any = (10.0, 10.0, 40.0, 40.0)


@pytest.mark.parametrize(
    ("found", "ap", "ap50"),
    [
        ([("cat", 0.9, AT)], 1.0, 1.0),
        ([], 0.0, 0.0),
        ([("cat", 0.9, (10.0, 10.0, 40.0, 25.2))], 0.3, 1.0),  # IoU 0.63: right at 0.50, 0.55 and 0.60
        ([("cat", 0.9, (55.0, 55.0, 40.0, 40.0)), ("cat", 0.8, AT)], 0.5, 0.5),  # a false one before it
        ([("cat", 0.9, AT), ("cat", 0.8, (55.0, 55.0, 40.0, 40.0))], 1.0, 1.0),  # and behind it
        ([("dog", 0.9, AT)], 0.0, 0.0),
    ],
)
def test_one_object(found: list[Detection], ap: float, ap50: float) -> None:
    pytest.importorskip("pycocotools")
    scores = average_precision([Picture((100, 100), [CAT], found)], LABELS, 0.01, 100)
    assert (scores.ap, scores.ap50) == pytest.approx((ap, ap50), abs=1e-6)
    cat, dog = scores.classes
    assert (cat.objects, cat.ap, dog.objects, dog.ap) == (1, pytest.approx(ap, abs=1e-6), 0, None)
    assert scores.large is None
    assert scores.medium == pytest.approx(ap)


def test_a_crowd_is_neither_missed_nor_falsely_found() -> None:
    pytest.importorskip("pycocotools")
    crowd = Place("cat", 0.6, 0.6, 0.4, 0.4, 0.16, crowd=True)
    one = Picture((100, 100), [CAT, crowd], [("cat", 0.8, AT), ("cat", 0.9, (60.0, 60.0, 40.0, 40.0))])
    scores = average_precision([one, Picture((50, 50), [], [])], LABELS, 0.01, 100)
    assert (scores.ap, scores.objects, scores.reported) == (1.0, 1, 2)


def test_labels_that_do_not_count_do_neither_here_nor_there() -> None:
    pytest.importorskip("pycocotools")
    dog = Place("dog", 0, 0, 0.5, 0.5, 0.25)
    scores = average_precision(
        [Picture((100, 100), [CAT, dog], [("cat", 0.9, AT), ("dog", 0.8, AT)])], ("cat",), 0.5, 100
    )
    assert (scores.ap, scores.objects, scores.reported, len(scores.classes)) == (1.0, 1, 1, 1)


# ---- data --------------------------------------------------------------------------------------------------------


def request(where: Path, split: str | None = None) -> Request:
    return Request(where, split, "camera", LABELS)


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / f"images/{name}.jpg").write_bytes(b"")
    (tmp_path / "labels/a.txt").write_text("1 0.5 0.25 0.2 0.5\n\n0 0.5 0.5 1 1\n")
    (tmp_path / "labels/b.txt").write_text("")
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\n")
    return tmp_path


@pytest.mark.parametrize("names", ["names: [cat, dog]", "names: {0: cat, 1: dog}", "other: 1"])
def test_yolo_s_text_is_boxes(yolo: Path, names: str) -> None:
    (yolo / "data.yaml").write_text(names)
    assert layout_of(yolo) == "yolo"
    found = read(request(yolo))
    assert found.boxed
    assert [item.name for item in found.items] == ["images/a.jpg", "images/b.jpg", "images/c.jpg"]
    (dog, cat), nothing, none = (item.places for item in found.items)
    assert (dog.label, dog.x, dog.y, dog.width, dog.height) == ("dog", pytest.approx(0.4), 0.0, 0.2, 0.5)
    assert (cat.label, cat.area, nothing, none) == ("cat", 1.0, (), ())
    assert found.labels == ["dog", "cat"]


def test_yolo_s_splits_are_folders(yolo: Path) -> None:
    for kind in ("images", "labels"):
        for split in ("train2017", "val2017"):
            (yolo / kind / split).mkdir()
    (yolo / "images/val2017/v.jpg").write_bytes(b"")
    (yolo / "labels/val2017/v.txt").write_text("0 0.5 0.5 1 1")
    (yolo / "images/train2017/t.jpg").write_bytes(b"")
    assert [(d.split, d.items[0].name, len(d.items[0].places)) for d in (
        read(request(yolo)), read(request(yolo, "validation")), read(request(yolo, "train")),
    )] == [("val2017", "images/val2017/v.jpg", 1)] * 2 + [("train2017", "images/train2017/t.jpg", 0)]  # fmt: skip
    with pytest.raises(DataError, match="has the folders train2017, val2017, expected test"):
        read(request(yolo, "test"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 1", r"a\.txt:1: got '0 0.5 0.5 1', expected a class and the box"),
        ("x 0.5 0.5 1 1", "expected a class"),
        ("2 0.5 0.5 1 1", "got class 2, expected one of the 2"),
        ("0 320 240 10 10", "expected fractions"),
        ("0 nan 0.5 1 1", "expected fractions"),
    ],
)
def test_a_line_that_is_no_box_is_named(yolo: Path, line: str, said: str) -> None:
    (yolo / "labels/a.txt").write_text(line)
    with pytest.raises(DataError, match=said):
        read(request(yolo))


def test_names_that_are_none(yolo: Path) -> None:
    (yolo / "data.yaml").write_text("names: cat")
    with pytest.raises(DataError, match="neither a list nor numbered"):
        read(request(yolo))
    (yolo / "data.yaml").write_text("names: [")
    with pytest.raises(ConfigError):
        read(request(yolo))


INSTANCES: dict[str, Any] = {
    "info": {"year": 2017},
    "images": [{"id": 7, "file_name": "b.jpg", "width": 200, "height": 100},
               {"id": 3, "file_name": "a.jpg", "width": 50, "height": 50}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 18, "bbox": [20, 10, 100, 50], "area": 400, "iscrowd": 1}],
    "categories": [{"id": 17, "name": "cat", "supercategory": "animal"}, {"id": 18, "name": "dog"}],
}  # fmt: skip


@pytest.mark.parametrize("folder", ["annotations", "annotations/images", "val2017", "images/val2017"])
def test_coco_s_json_is_boxes(tmp_path: Path, folder: str) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / "a.jpg").write_bytes(b"")
    path = tmp_path / "annotations/instances_val2017.json"
    path.write_text(json.dumps(INSTANCES))
    assert layout_of(path) == "coco"
    a, b = read(request(path)).items
    assert (a.name, a.path, a.places) == ("a.jpg", tmp_path / folder / "a.jpg", ())
    assert b.places == (Place("dog", 0.1, 0.1, 0.5, 0.5, 0.02, crowd=True),)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"annotations": [{"image_id": 1, "category_id": 17, "bbox": [0, 0, 1, 1]}]},
            "a box of image 1 and category 17",
        ),
        ({"annotations": [{"image_id": 7, "category_id": 17, "bbox": [0, 0, 1]}]}, "is not COCO's JSON of boxes"),
        ({"images": [{"id": 7, "file_name": "b.jpg", "width": 0, "height": 100}], "annotations": []}, "is not COCO's"),
        ({"images": [], "annotations": []}, "lists no images"),
        ({}, "none of the 2 pictures of .*, such as b.jpg, is there"),
    ],
)
def test_what_is_no_coco_json_is_said(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**INSTANCES, **change}))
    with pytest.raises(DataError, match=said):
        read(request(path))
    path.write_bytes(bytes(np.arange(256, dtype=np.uint8)))
    with pytest.raises(DataError, match="is not COCO's JSON"):
        read(request(path))
