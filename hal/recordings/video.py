"""Video files, through OpenCV."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hal.opencv import opencv
from hal.recordings.files import existing_file
from hal.recordings.pictures import RGB
from pipelines.core import Array, Signal
from pipelines.errors import DataError

EXPECTED = "a video or picture that OpenCV can read (MP4, AVI, MKV, WebM, PNG, JPEG)"


class Video:
    """A Recording of a video's pictures, RGB uint8 [height, width, 3], upright, at the file's own rate.

    Raises:
        DataError: OpenCV cannot read it, or it has no picture or no frame rate.
        MissingDependency: OpenCV is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._cv2, self._path = opencv("a video recording"), existing_file(path, EXPECTED)
        with self._open() as capture:
            fps = float(capture.get(self._cv2.CAP_PROP_FPS))
            there, first = capture.read()  # rotation may swap what the header says of width and height
        if not there:
            raise DataError(f"{path} holds no picture that can be decoded, expected {EXPECTED}")
        if not (math.isfinite(fps) and fps > 0):
            raise DataError(f"{path} has no frame rate (got {fps:g}), expected one; write it anew with ffmpeg -r")
        self.signal = Signal(first.shape, "uint8", fps, "image", RGB)

    def read(self) -> Generator[Array, None, None]:
        with self._open() as capture:
            while True:
                there, bgr = capture.read()
                if not there:
                    return
                yield np.asarray(self._cv2.cvtColor(bgr, self._cv2.COLOR_BGR2RGB))

    @contextmanager
    def _open(self) -> Iterator[Any]:
        # left to itself a BSP's OpenCV asks GStreamer next, which talks on standard error about what is no video
        backend = self._cv2.CAP_FFMPEG
        known = backend in self._cv2.videoio_registry.getBackends()
        capture = self._cv2.VideoCapture(str(self._path), backend if known else self._cv2.CAP_ANY)
        try:
            if not capture.isOpened():
                raise DataError(f"{self._path} is not {EXPECTED}")
            yield capture
        finally:
            capture.release()
