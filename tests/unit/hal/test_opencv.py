from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import pytest

from hal.opencv import SILENT, opencv
from pipelines.errors import MissingDependency


def logging_of(cv2: ModuleType) -> Any:
    """Where setLogLevel and getLogLevel are: OpenCV 4.6 or later."""
    return cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging


def test_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENCV_LOG_LEVEL", raising=False)
    assert logging_of(opencv("this test")).getLogLevel() == SILENT
    assert os.environ["OPENCV_FFMPEG_LOGLEVEL"] == "-8"


def test_it_talks_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    logging = logging_of(opencv("this test"))
    monkeypatch.setenv("OPENCV_LOG_LEVEL", "ERROR")
    logging.setLogLevel(2)
    opencv("this test")
    assert logging.getLogLevel() == 2
    monkeypatch.delenv("OPENCV_LOG_LEVEL")
    opencv("this test")
    assert logging.getLogLevel() == SILENT


def test_missing_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingDependency, match=r"the camera needs the module cv2 .*pip install"):
        opencv("the camera")
