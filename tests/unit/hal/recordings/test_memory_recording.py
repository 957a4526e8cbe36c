from __future__ import annotations

import numpy as np

from hal.recordings.memory import Memory
from hal.recordings.pace import Pace
from hal.recordings.replay import Replay
from pipelines.core import Sensor, Signal

MOTION = Signal((None, 2), "float32", 50.0, "motion", ("ax_g", "ay_g"))
IMAGE = Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b"))


def test_samples_come_in_one_chunk_that_ends_at_their_time() -> None:
    data = np.arange(20, dtype=np.float32).reshape(10, 2)
    sensor = Replay(Memory(data, MOTION), Pace(realtime=False))
    assert isinstance(sensor, Sensor)
    assert sensor.output == MOTION
    (frame,) = sensor.frames()
    assert (frame.t, frame.at, frame.seq) == (0.2, 0, 0)
    np.testing.assert_array_equal(frame.array, data)


def test_a_picture_is_one_frame() -> None:
    picture = np.full((2, 3, 3), 7, np.uint8)
    (frame,) = Replay(Memory(picture, IMAGE), Pace(realtime=False)).frames()
    np.testing.assert_array_equal(frame.array, picture)
