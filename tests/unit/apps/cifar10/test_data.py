"""Reading CIFAR-10 and holding a part of it out."""

import numpy as np
import pytest

from apps.cifar10.data import LABELS, hold_out, load
from pipelines.errors import DataError


def test_hold_out_is_a_partition_and_repeats():
    train, held = hold_out(100, 20, seed=1)
    assert len(held) == 20
    assert sorted([*train, *held]) == list(range(100))
    assert np.array_equal(held, hold_out(100, 20, seed=1)[1])
    assert not np.array_equal(held, hold_out(100, 20, seed=2)[1])


def test_load_reads_class_folders_as_rgb(tmp_path):
    cv2 = pytest.importorskip("cv2")
    for index, name in enumerate(LABELS):
        folder = tmp_path / "test" / name
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "a.png"), np.full((32, 32, 3), (0, 0, 10 * index + 5), np.uint8))
    images, labels = load(tmp_path, "test")
    assert images.shape == (10, 32, 32, 3)
    assert labels.tolist() == list(range(10))
    assert images[3, 0, 0].tolist() == [35, 0, 0]


def test_load_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match="expected the folders airplane"):
        load(tmp_path, "test")


def test_load_reads_npz(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.zeros((2, 32, 32, 3), np.uint8), labels=np.array([3, 9]))
    images, labels = load(tmp_path / "some.npz", "test")
    assert images.shape == (2, 32, 32, 3)
    assert labels.tolist() == [3, 9]
