"""The photographs of hand signs, and who stands in which part of them.

Source: Sign Language Digits Dataset by the students of the Ankara Ayrancı Anadolu High School (Z. Dikle, A. Mavi;
2017, Apache-2.0), github.com/ardamavi/Sign-Language-Digits-Dataset 4b09433: 2,062 photographs,
``Dataset/<digit>/IMG_<number>.JPG``.

Its numbers run on through all signs: a student showed 0 to 9 and the next one followed. So a *sitting*, the photographs
of one student, is a run of numbers, and parts are made of whole sittings.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

SIGNS = tuple("0123456789")
LABELS = (*SIGNS, "none")
NONE = LABELS.index("none")
SIDE = 100  # pixels, of nearly all photographs: training changes them in this size
BLOCK = 10  # sittings that stay together: they follow each other, in one light
FOLDS = 5
TEST_FOLD = 1

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
Pictures = NDArray[np.uint8]  # [N, SIDE, SIDE, 3], RGB
Labels = NDArray[np.int64]  # [N], an index into LABELS


@dataclass(frozen=True)
class Photograph:
    """One of them.

    Args:
        number: in the file's name; the order in which they were taken.
        sign: the digit that is shown.
        path: the file.
        sitting: whose hand it is.
    """

    number: int
    sign: int
    path: Path
    sitting: int


def photographs(folder: Path) -> list[Photograph]:
    """All of them, in the order in which they were taken.

    Raises:
        DataError: a sign has none there.
    """
    found: list[tuple[int, int, Path]] = []
    for sign in range(len(SIGNS)):
        numbered = [(re.fullmatch(r"IMG_(\d+)\.JPE?G", path.name, re.IGNORECASE), path)
                    for path in (folder / str(sign)).glob("*")]  # fmt: skip
        mine = [(int(match[1]), sign, path) for match, path in numbered if match]
        if not mine:
            raise DataError(f"{folder} has no photographs of the sign {sign}; expected {folder}/{sign}/IMG_*.JPG, "
                            "as in the folder Dataset of ardamavi/Sign-Language-Digits-Dataset")  # fmt: skip
        found += mine
    found.sort()
    whose = sittings([sign for _, sign, _ in found])
    return [Photograph(*facts, sitting) for facts, sitting in zip(found, whose, strict=True)]


def sittings(signs: Iterable[int]) -> list[int]:
    """For each photograph, in order, whose hand it is: a new student begins where the sign falls by five or more.

    Students changed neighbouring signs about or repeated one now and then, which is less. Where one broke off, the next
    one is taken for the same: that keeps more together, never less.
    """
    numbers: list[int] = []
    before: int | None = None
    for sign in signs:
        begins = before is not None and before - sign >= 5
        numbers.append(numbers[-1] + begins if numbers else 0)
        before = sign
    return numbers


def part_of(sitting: int, fold: int = TEST_FOLD) -> Part:
    """Blocks of ten sittings: every fifth is for testing, every tenth for validation, the others train."""
    block = sitting // BLOCK
    if block % FOLDS == fold:
        return "test"
    return "validation" if block % (2 * FOLDS) == (fold + 3) % FOLDS else "train"


def choose(photos: Iterable[Photograph], part: Part, fold: int = TEST_FOLD) -> list[Photograph]:
    """Those of one part."""
    return [photo for photo in photos if part_of(photo.sitting, fold) == part]


def load(paths: Sequence[Path], side: int = SIDE) -> tuple[Pictures, NDArray[np.bool_]]:
    """Pictures [N, side, side, 3] RGB, cut square and resized, and [len(paths)] which files were pictures.

    Those that do not open are named on standard error and left out.
    """
    import cv2

    from pipelines.core import Frame, Signal
    from pipelines.transforms.resize import Resize

    resize = Resize(Resize.Config(width_px=side, height_px=side))
    resize.resolve(Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b")))
    pictures, opened = np.empty((len(paths), side, side, 3), np.uint8), np.zeros(len(paths), np.bool_)
    for row, path in enumerate(paths):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            continue
        (frame,) = resize.process(Frame(np.asarray(picture[..., ::-1]).copy(), 0.0, 0))
        pictures[row], opened[row] = frame.array, True
    if not opened.all():
        lost = [str(path) for path, good in zip(paths, opened, strict=True) if not good]
        print(f"{len(lost)} of {len(paths)} pictures do not open and are left out: {', '.join(lost[:5])}"
              f"{', …' if len(lost) > 5 else ''}", file=sys.stderr)  # fmt: skip
    return pictures[opened], opened


def labelled(photos: Sequence[Photograph]) -> tuple[Pictures, Labels]:
    """Photographs as pictures [N, SIDE, SIDE, 3] with their signs [N]."""
    pictures, opened = load([photo.path for photo in photos])
    return pictures, np.array([photo.sign for photo in photos], np.int64)[opened]


def picture_files(folder: Path) -> list[Path]:
    """Every picture in a folder and the folders in it, by name.

    Raises:
        DataError: there is none.
    """
    from hal.recordings.pictures import is_picture

    found = sorted(path for path in folder.rglob("*") if is_picture(path) and path.is_file())
    if not found:
        raise DataError(f"{folder} holds no picture; expected a folder of pictures without hands")
    return found
