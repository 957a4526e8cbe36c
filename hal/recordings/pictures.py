"""Pictures: one, a folder of them, or a glob."""

from __future__ import annotations

from collections.abc import Generator
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from hal.opencv import opencv
from hal.recordings.files import existing_file, kind_of
from hal.recordings.jpeg import is_cut_short
from pipelines.core import Array, Signal
from pipelines.errors import DataError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"})
EXPECTED = "a picture (PNG, JPEG, BMP, WebP, TIFF, PNM)"
RGB = ("r", "g", "b")


class Pictures:
    """A Recording of RGB uint8 [height, width, 3] pictures, in the order of their names.

    Gray becomes three equal channels, 16 bits become 8, transparency is left out (the stored colours count, as in
    training pipelines), and a camera's EXIF rotation is applied. In a folder, other files are passed over.

    Args:
        where: a file, a folder, or a glob such as ``photos/*.png``.
        interval_ms: time from one to the next; 0 has none, and t counts pictures.

    Raises:
        DataError: none there, or one of them does not begin as a picture does.
        MissingDependency: OpenCV is not installed.
    """

    def __init__(self, where: Path, *, interval_ms: float = 0.0) -> None:
        self._cv2 = opencv("a recording of pictures")
        self._paths = find_pictures(where)
        for path in self._paths:
            if not self._cv2.haveImageReader(str(existing_file(path, EXPECTED))):
                raise DataError(f"{path} is not {EXPECTED}; mend or remove it")
        rate = 1000 / interval_ms if interval_ms else None
        self.signal = Signal((None, None, 3), "uint8", rate, "image", RGB)

    def read(self) -> Generator[Array, None, None]:
        for path in self._paths:
            yield self._picture(path)

    def _picture(self, path: Path) -> Array:
        data = existing_file(path, EXPECTED).read_bytes()
        bgr = self._cv2.imdecode(np.frombuffer(data, np.uint8), self._cv2.IMREAD_COLOR)
        if bgr is None or is_cut_short(data):
            raise DataError(f"{path} is damaged, expected {EXPECTED}; mend or remove it")
        return np.asarray(self._cv2.cvtColor(bgr, self._cv2.COLOR_BGR2RGB))


def is_picture(path: Path) -> bool:
    """By its ending; what is in it shows when it is read."""
    return path.suffix.lower() in ENDINGS


def is_glob(path: Path) -> bool:
    """By its name; a file that is there may have such a one, too."""
    return any(mark in path.name for mark in "*?[")


def find_pictures(where: Path) -> list[Path]:
    """The picture files that ``where`` names, sorted.

    Raises:
        DataError: there is none.
    """
    kind = kind_of(where)
    if kind == "folder":
        return _some(where, "*", f"the folder {where}")
    if kind == "nothing" and is_glob(where):
        return _some(where.parent, where.name, f"the glob {where}")
    return [where]


def _some(folder: Path, pattern: str, place: str) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot look into {folder} ({error.strerror}), expected {EXPECTED}; check the path") from error
    shown = [path for path in paths if fnmatchcase(path.name, pattern) and not path.name.startswith(".")]
    found = [path for path in shown if is_picture(path) and kind_of(path) == "file"]
    if not found:
        raise DataError(f"{place} holds no picture, expected at least one file of {' '.join(sorted(ENDINGS))}")
    return found
