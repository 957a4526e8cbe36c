"""The picture, sound or movement that caused a result, as a file."""

from __future__ import annotations

import io
import itertools
import re
import wave
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from pipelines.actions._file import check_folder
from pipelines.config.schema import Config as Base
from pipelines.config.schema import OutputPath, Positive
from pipelines.core import Array, Frame, Result, Signal, Target
from pipelines.errors import CapabilityError, OutputError
from pipelines.optional import require


class Snapshot:
    """Writes each captured frame that caused a result, as it was captured: nothing is drawn on it.

    Pictures become PNG or JPEG, sound becomes a 16-bit WAV, everything else an NPY. One frame with several results is
    written once, under the name of the first: ``0012.300-yes.wav``. A file is there whole or not at all. Of those that
    this run wrote, the newest ``limit`` stay; a file that was there before is neither overwritten nor deleted.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            folder: where the files go; it is made where it is missing, if the folder that it lies in is there.
            limit: how many files of this run are kept.
            labels: which results are kept; all where empty.
            picture: png (exact) or jpg (a tenth of the size).
        """

        folder: OutputPath
        limit: Positive = 100
        labels: tuple[str, ...] = ()
        picture: Literal["png", "jpg"] = "png"

    background: ClassVar[bool] = True

    def __init__(self, config: Config, target: Target) -> None:
        self._config, self._folder = config, Path(config.folder)
        check_folder(self._folder if self._folder.exists() else self._folder.parent, "snapshot.folder")
        self._written: deque[Path] = deque()
        self._count = 0
        self._last: Frame | None = None

    def resolve(self, signal: Signal) -> None:
        """Takes the captured signal: its kind says how to write it. Called once, before handle."""
        self._suffix, self._encode = _format(signal, self._config.picture)

    def start(self) -> None:
        """Nothing to do."""

    def handle(self, result: Result) -> None:
        """Write the result's frame. Raises OutputError, with the files written before whole."""
        frame = result.source
        if frame is None or frame is self._last or (self._config.labels and result.label not in self._config.labels):
            return
        self._last = frame
        try:
            self._folder.mkdir(exist_ok=True)
            path = _free(self._folder, f"{frame.t:08.3f}-{_file_name(result.label)}", self._suffix)
            _write(path, self._encode(frame.array))
            self._written.append(path)
            self._count += 1
            if len(self._written) > self._config.limit:
                self._written.popleft().unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot write to {self._folder} ({error.strerror}); the {self._count} snapshots before are written, "
                "make room or change snapshot.folder"
            ) from error

    def close(self) -> None:
        pass


def _format(signal: Signal, picture: str) -> tuple[str, Callable[[Array], bytes]]:
    if signal.kind == "image":
        return picture, _picture(picture, "".join(signal.channels))
    if signal.kind == "audio" and signal.rate_hz:
        rate_hz = round(signal.rate_hz)
        return "wav", lambda x: _wav(x, rate_hz)
    return "npy", _npy


def _picture(form: str, channels: str) -> Callable[[Array], bytes]:
    cv2 = require("cv2", purpose="the action snapshot", install="pip install 'eiq-demo[desktop]'")
    turn = {"rgb": cv2.COLOR_RGB2BGR, "": cv2.COLOR_RGB2BGR, "bgr": None, "gray": None}  # OpenCV writes b, g, r
    if channels not in turn:
        raise CapabilityError(f"snapshot got a picture of {channels}, expected r g b, b g r or gray; take it out here")

    def encode(x: Array) -> bytes:
        code = turn[channels] if x.shape[-1] == 3 else None
        done, data = cv2.imencode(f".{form}", x if code is None else cv2.cvtColor(x, code))
        if not done:
            raise OutputError(f"OpenCV cannot write a picture {list(x.shape)} {x.dtype} as {form}; try another format")
        return bytes(data)

    return encode


def _wav(x: Array, rate_hz: int) -> bytes:
    """Audio float32 [samples] or [samples, channels] in [-1, 1) as a 16-bit WAV."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if x.ndim == 1 else x.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.clip(np.rint(x * 32768), -32768, 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def _npy(x: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, x, allow_pickle=False)
    return buffer.getvalue()


def _file_name(label: str) -> str:
    """A label as part of a file's name: it comes from a model's file, so it may hold ``../`` or worse."""
    return re.sub(r"[^\w-]+", "_", label)[:40].strip("_") or "unnamed"


def _free(folder: Path, stem: str, suffix: str) -> Path:
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := folder / f"{name}.{suffix}").exists())


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        with suppress(OSError):  # the first error is the one to tell
            part.unlink(missing_ok=True)
        raise
