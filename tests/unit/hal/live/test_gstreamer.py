from __future__ import annotations

import gc
import resource

import numpy as np
import pytest

from hal.live.gstreamer import GStreamerCamera
from pipelines.core import Sensor
from pipelines.errors import DeviceError, DeviceLost

pytest.importorskip("gi", reason="gi is the system Python's (make test-bsp)")
pytestmark = pytest.mark.filterwarnings("ignore:DynamicImporter:ImportWarning")  # gi's own


@pytest.mark.parametrize("form", ["RGB", "BGR", "GRAY8", "NV12"])
def test_red_is_red_in_every_format(form: str) -> None:
    camera = GStreamerCamera(f"videotestsrc pattern=red num-buffers=1 ! video/x-raw,format={form},width=33,height=17")
    assert isinstance(camera, Sensor)
    (frame,) = camera.frames()
    assert frame.array.shape == (17, 33, 3)
    assert not frame.array.flags.writeable
    wanted = (81, 81, 81) if form == "GRAY8" else (255, 0, 0)
    assert np.abs(frame.array.astype(int) - wanted).max() <= 5


def test_frames_outlive_the_pipeline_and_are_no_copies() -> None:
    camera = GStreamerCamera("videotestsrc pattern=ball num-buffers=3 ! video/x-raw,format=RGB,width=64,height=48")
    frames = list(camera.frames())
    gc.collect()
    assert all(frame.array.base is not None and not frame.array.flags.owndata for frame in frames)
    assert frames[0].array.sum() > 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nosuch ! appsink", 'no element "nosuch"'),
        ("videotestsrc ! video/x-raw,format=YUY2", "its format does not fit"),
        ("v4l2src device=/dev/video99 ! videoconvert", "Cannot identify device"),
        ("videotestsrc ! fakesink appsink", "appsinks|syntax|no pipeline"),
    ],
)
def test_a_pipeline_that_cannot_run_is_one_sentence(text: str, why: str) -> None:
    with pytest.raises(DeviceError, match=why) as info:
        next(GStreamerCamera(text).frames())
    assert "\n" not in str(info.value)


def test_a_silent_source_is_lost() -> None:
    camera = GStreamerCamera("udpsrc port=0 caps=video/x-raw,format=RGB,width=8,height=8,framerate=1/1", stall_s=0.2)
    with pytest.raises(DeviceLost, match="sent no picture for 0.2 s"):
        next(camera.frames())


def test_memory_does_not_grow_over_10_000_pictures() -> None:
    source = "videotestsrc ! video/x-raw,format=RGB,width=160,height=120,framerate=2000/1"
    camera, before = GStreamerCamera(source), 0
    for count, _ in enumerate(camera.frames()):
        if count == 1000:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if count == 10_000:
            break
    camera.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000  # KiB
