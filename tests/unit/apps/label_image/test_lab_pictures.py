from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.label_image.pictures import Photo, check_enough, find, held_out, views
from pipelines.errors import DataError

cv2 = pytest.importorskip("cv2")


def picture(path: Path, value: int, side: int = 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(value)
    cv2.imwrite(str(path), rng.integers(0, 255, (side, side, 3)).astype(np.uint8))
    return path


def test_classes_are_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number, name in enumerate(["dog/2.png", "dog/1.jpg", "cat/1.png", ".hidden/1.png"]):
        picture(tmp_path / name, number)
    (tmp_path / "dog" / "notes.txt").write_text("no picture")
    (tmp_path / "dog" / "3.png").mkdir()
    (tmp_path / "dog" / "4.png").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    labels, photos = find(tmp_path)
    assert labels == ("cat", "dog")
    assert [(photo.path.name, photo.label) for photo in photos] == [("1.png", 0), ("1.jpg", 1), ("2.png", 1)]


def test_a_copy_counts_once_and_in_two_classes_it_is_refused(tmp_path: Path) -> None:
    first = picture(tmp_path / "cat/1.png", 1)
    picture(tmp_path / "dog/1.png", 2)
    (tmp_path / "cat/2.png").write_bytes(first.read_bytes())
    assert len(find(tmp_path)[1]) == 2
    (tmp_path / "dog/9.png").write_bytes(first.read_bytes())
    with pytest.raises(DataError, match=r"dog/9.png and .*cat/1.png are the same picture in two classes"):
        find(tmp_path)


@pytest.mark.parametrize("names", [[], ["cat/1.png", "cat/2.png"]], ids=["nothing", "one class"])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        picture(tmp_path / name, number)
    with pytest.raises(DataError, match="at least two classes"):
        find(tmp_path)


def test_a_class_of_one_picture_is_refused() -> None:
    photos = [Photo(Path(str(i)), label, "") for i, label in enumerate([0, 0, 1])]
    check_enough(("cat",), photos)
    with pytest.raises(DataError, match="the class dog has 1 picture that can be read, expected at least 2"):
        check_enough(("cat", "dog"), photos)


@pytest.mark.parametrize(
    ("count", "share", "last"), [(10, 0.2, 2), (2, 0.5, 1), (2, 0.05, 1), (3, 0.5, 2), (40, 0.5, 20)]
)
def test_the_last_ones_of_each_class_are_held_out_but_never_all(count: int, share: float, last: int) -> None:
    photos = [Photo(Path(str(i)), label, "") for label in (0, 1) for i in range(count)]
    assert held_out(photos, share).tolist() == ([False] * (count - last) + [True] * last) * 2


def test_views_begin_with_the_picture_and_repeat_with_their_seed() -> None:
    given = np.random.default_rng(1).integers(0, 255, (40, 30, 3)).astype(np.uint8)
    one, other = (views(given, 5, True, np.random.default_rng(7)) for _ in range(2))
    assert one[0] is given
    assert len(one) == 5
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert all(view.dtype == np.uint8 and view.shape[0] >= 30 and view.shape[1] >= 22 for view in one)


def test_without_mirror_left_stays_left() -> None:
    ramp = np.broadcast_to(np.linspace(10, 180, 40).astype(np.uint8)[:, None], (40, 40, 3))
    rng = np.random.default_rng(1)
    rising = [np.diff(view[0, :, 0].astype(int)).mean() > 0 for view in views(ramp, 40, False, rng)]
    assert all(rising)
    mirrored = [np.diff(view[0, :, 0].astype(int)).mean() > 0 for view in views(ramp, 40, True, rng)]
    assert 0.25 < np.mean(mirrored) < 0.8
