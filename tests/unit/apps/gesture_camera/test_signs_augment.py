from __future__ import annotations

import cv2
import numpy as np
import pytest

from apps.gesture_camera.augment import Augmenter, Material, hand_mask, photographed
from apps.gesture_camera.data import NONE, SIDE


def hand(tone: tuple[int, int, int] = (190, 140, 100)) -> np.ndarray:
    """An oval of skin colour before a gray wall."""
    picture = np.full((SIDE, SIDE, 3), 200, np.uint8)
    cv2.ellipse(picture, (50, 60), (20, 35), 0, 0, 360, tone, -1)
    return picture


def oval() -> np.ndarray:
    return cv2.ellipse(np.zeros((SIDE, SIDE), np.uint8), (50, 60), (20, 35), 0, 0, 360, 255, -1)


@pytest.mark.parametrize("tone", [(190, 140, 100), (110, 75, 50), (230, 200, 180)])
def test_the_hand_is_found_by_its_colour(tone: tuple[int, int, int]) -> None:
    assert np.mean(hand_mask(hand(tone)) != oval()) < 0.02


def test_no_hand_in_gray() -> None:
    assert not hand_mask(np.full((SIDE, SIDE, 3), 90, np.uint8)).any()


@pytest.fixture
def augmenter() -> Augmenter:
    others = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), np.uint8)
    return Augmenter(Material.of(np.stack([hand()] * 4), np.array([7, 1, 2, 3]), others))


def test_an_epoch_has_each_hand_twice_and_half_as_many_pictures_of_nothing(augmenter: Augmenter) -> None:
    drawn = list(augmenter.epoch(np.random.default_rng(1)))
    assert sorted(label for _, label in drawn) == [1, 1, 2, 2, 3, 3, 7, 7, *[NONE] * 4]
    assert {(picture.shape, picture.dtype.name) for picture, _ in drawn} == {((SIDE, SIDE, 3), "uint8")}


def test_the_seed_fixes_it(augmenter: Augmenter) -> None:
    first, second = (list(augmenter.epoch(np.random.default_rng(1))) for _ in range(2))
    assert all(np.array_equal(a, b) and la == lb for (a, la), (b, lb) in zip(first, second, strict=True))


def test_every_kind_of_nothing_is_a_picture(augmenter: Augmenter) -> None:
    rng = np.random.default_rng(2)
    kinds = (augmenter.ground, augmenter.other, augmenter.collage, augmenter.wall, augmenter.shuffled, augmenter.edge,
             augmenter.blobs)  # fmt: skip
    for kind in kinds:
        for _ in range(20):
            picture = kind(rng)
            assert (picture.shape, picture.dtype.name) == ((SIDE, SIDE, 3), "uint8"), kind


def test_a_wall_has_no_hand_left(augmenter: Augmenter) -> None:
    wall = augmenter.wall(np.random.default_rng(0)).astype(int)
    assert np.abs(wall[50:70, 45:55] - 200).max() <= 3  # the wall's gray, where the hand was


def test_without_other_pictures() -> None:
    augmenter = Augmenter(Material.of(np.stack([hand()]), np.array([0]), np.empty((0, 32, 32, 3), np.uint8)))
    assert len(list(augmenter.epoch(np.random.default_rng(0), times=20))) == 30


def test_light_changes_the_picture_and_not_its_input() -> None:
    before = hand()
    assert not np.array_equal(photographed(before, np.random.default_rng(0)), before)
    assert np.array_equal(before, hand())
