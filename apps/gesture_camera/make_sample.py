"""Makes what the simulated camera sees: ``python -m apps.gesture_camera.make_sample --data DIR --out FILE``.

A video (AVI, Motion JPEG, 10 pictures a second) of ten photographs of the test part, one a sign and each by another
student, a second each. Every fourth student of that part is taken, whatever the model makes of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from apps.gesture_camera.data import SIDE, SIGNS, Photograph, choose, labelled, photographs
from apps.script import run as run_script
from pipelines.errors import DataError, OutputError

FPS = 10
HELD = 10  # pictures of one photograph
QUALITY = 75


def picked(photos: list[Photograph]) -> list[Photograph]:
    """One photograph a sign: sign n by the 4n-th student of the test part.

    Raises:
        DataError: there are not so many students, or one of them did not show that sign.
    """
    mine = choose(photos, "test")
    students = sorted({photo.sitting for photo in mine})[::4][: len(SIGNS)]
    shown = {(photo.sitting, photo.sign): photo for photo in reversed(mine)}
    try:
        return [shown[student, sign] for sign, student in zip(range(len(SIGNS)), students, strict=True)]
    except (KeyError, ValueError) as error:
        raise DataError("the test part lacks some of the ten students that are wanted, or their signs; "
                        "expected the whole folder Dataset") from error  # fmt: skip


def write_video(photos: list[Photograph], path: Path) -> None:
    """The video. Raises OutputError."""
    import cv2

    pictures, _ = labelled(photos)
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), FPS, (SIDE, SIDE))
    if not writer.isOpened():
        raise OutputError(f"cannot write {path}; name a file that ends in .avi, in a folder that is there")
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, QUALITY)
    for picture in pictures:
        for _ in range(HELD):
            writer.write(picture[..., ::-1].copy())
    writer.release()


def main() -> None:
    """The command; prints which photographs they are."""
    parser = argparse.ArgumentParser(prog="python -m apps.gesture_camera.make_sample", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder Dataset")
    parser.add_argument("--out", type=Path, default=Path("samples/gesture_camera/signs.avi"))
    options = parser.parse_args()
    photos = picked(photographs(options.data))
    write_video(photos, options.out)
    for photo in photos:
        print(f"{photo.sign}  Dataset/{photo.sign}/{photo.path.name}  student {photo.sitting}")


if __name__ == "__main__":
    run_script(main)
