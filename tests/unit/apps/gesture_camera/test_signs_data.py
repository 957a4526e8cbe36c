from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gesture_camera.data import (
    FOLDS,
    PARTS,
    SIDE,
    choose,
    labelled,
    load,
    part_of,
    photographs,
    picture_files,
    sittings,
)
from pipelines.errors import DataError


@pytest.mark.parametrize(
    ("signs", "students"),
    [
        ("0123456789" * 3, 3),
        ("01234567890213456789", 2),  # neighbours changed about, as in the data
        ("012345678801123456789", 2),  # one shown twice, the last one not
        ("980123456789", 2),
        ("012345678456789", 1),  # broke off: kept together, never split
    ],
)
def test_a_student_begins_where_the_sign_falls(signs: str, students: int) -> None:
    assert len(set(sittings(map(int, signs)))) == students


@given(st.lists(st.integers(0, 9), max_size=300))
def test_sittings_are_runs(signs: list[int]) -> None:
    numbers = sittings(signs)
    assert len(numbers) == len(signs)
    assert numbers[:1] in ([], [0])
    assert all(step in (0, 1) for step in np.diff(numbers))


@given(st.integers(0, 10_000))
def test_every_sitting_is_tested_in_one_fold_and_blocks_stay_whole(sitting: int) -> None:
    assert sum(part_of(sitting, fold) == "test" for fold in range(FOLDS)) == 1
    for fold in range(FOLDS):
        assert part_of(sitting, fold) == part_of(sitting // 10 * 10, fold)


def test_parts_are_seven_one_two_tenths() -> None:
    for fold in range(FOLDS):
        counts = [sum(part_of(sitting, fold) == part for sitting in range(200)) for part in PARTS]
        assert counts == [140, 20, 40]


def dataset(folder: Path, students: int) -> Path:
    """Gray pictures, as bright as their number says."""
    for number in range(10 * students):
        path = folder / f"{number % 10}/IMG_{1000 + number}.JPG"
        path.parent.mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(path), np.full((SIDE, SIDE, 3), number % 250, np.uint8))
    return folder


def test_photographs_come_in_the_order_they_were_taken(tmp_path: Path) -> None:
    photos = photographs(dataset(tmp_path, 60))
    assert [photo.number for photo in photos] == list(range(1000, 1600))
    assert [photo.sign for photo in photos[:12]] == [*range(10), 0, 1]
    assert photos[-1].sitting == 59
    seen = {part: {photo.sitting for photo in choose(photos, part)} for part in PARTS}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    pictures, signs = labelled(choose(photos, "test"))
    assert (pictures.shape, pictures.dtype) == ((100, SIDE, SIDE, 3), np.uint8)
    assert signs.tolist() == [*range(10)] * 10


def test_a_picture_that_does_not_open_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = photographs(dataset(tmp_path, 2))
    photos[3].path.write_bytes(b"no picture")
    _, signs = labelled(photos)
    assert signs.tolist() == [0, 1, 2, *range(4, 10), *range(10)]
    assert f"1 of 20 pictures do not open and are left out: {photos[3].path}" in capsys.readouterr().err


def test_large_pictures_are_made_small(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), np.full((300, 400, 3), (1, 2, 3), np.uint8))
    pictures, opened = load([tmp_path / "large.png"])
    assert opened.tolist() == [True]
    assert pictures.shape == (1, SIDE, SIDE, 3)
    assert (pictures == (3, 2, 1)).all()


def test_other_folders_are_refused(tmp_path: Path) -> None:
    dataset(tmp_path / "some", 1)
    (tmp_path / "some/7/IMG_1007.JPG").unlink()
    with pytest.raises(DataError, match="no photographs of the sign 7; expected"):
        photographs(tmp_path / "some")
    with pytest.raises(DataError, match="holds no picture"):
        picture_files(tmp_path / "none")
