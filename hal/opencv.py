"""OpenCV, imported late and told to keep its own talk to itself: our one sentence says what is wrong."""

from __future__ import annotations

import os
from types import ModuleType

from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[desktop]', or your system's python3-opencv"
SILENT = 0
"""OpenCV's number for it."""
_QUIET = {
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "3",  # seconds until a camera that sends nothing counts as lost; 10 before
}


def opencv(purpose: str) -> ModuleType:
    """The module cv2, quiet unless the environment asks it to talk.

    Raises:
        MissingDependency: it is not installed, or a library that it loads is missing.
    """
    asked = "OPENCV_LOG_LEVEL" in os.environ and os.environ["OPENCV_LOG_LEVEL"] != "SILENT"
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    cv2 = require("cv2", purpose=purpose, install=INSTALL)
    if not asked:  # the environment counts at cv2's import only, which may have been earlier
        set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel  # 4.6, 4.14
        set_level(SILENT)
    return cv2
