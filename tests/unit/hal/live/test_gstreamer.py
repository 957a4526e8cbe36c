from __future__ import annotations

import ctypes
import gc
import hashlib
import resource
import shutil
import socket
import subprocess
import sys
import threading
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hal.live import gstreamer
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
        ("nosuch ! appsink", 'no element "nosuch".*gst-inspect-1.0 nosuch'),
        ("videotestsrc ! imxvideoconvert_g2d", "take videoconvert, which does it in software"),
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


def test_a_pipeline_that_converts_gets_a_pool_of_the_right_size() -> None:
    camera = GStreamerCamera(
        "videotestsrc pattern=red num-buffers=3 ! video/x-raw,format=YUY2,width=64,height=48 ! videoconvert"
    )
    frames = list(camera.frames())
    assert frames
    assert all(np.abs(frame.array.astype(int) - (255, 0, 0)).max() <= 5 for frame in frames)


def test_an_array_is_the_buffer_s_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As GStreamer says where it is mapped, and the bytes stay while others come."""
    memories: list[tuple[int, int]] = []
    picture = gstreamer._Memory.picture

    def note(self: Any) -> Any:
        assert self._map is not None
        memories.append((self._map.data, self._map.size))
        return picture(self)

    monkeypatch.setattr(gstreamer._Memory, "picture", note)
    # live: at its own pace, so that a busy machine does not miss nearly all of it
    source = "videotestsrc is-live=true pattern=snow ! video/x-raw,format=RGB,width=64,height=48,framerate=500/1"
    camera = GStreamerCamera(source)
    held: list[tuple[Any, str]] = []
    for frame in islice(camera.frames(), 200):
        assert frame.array.__array_interface__["data"] == (memories[-1][0], True)
        assert memories[-1][1] >= frame.array.nbytes
        held = [*held[-4:], (frame, hashlib.sha256(frame.array.tobytes()).hexdigest())]
        assert len({each.array.__array_interface__["data"][0] for each, _ in held}) == len(held)
        assert all(hashlib.sha256(each.array.tobytes()).hexdigest() == was for each, was in held)
    assert camera.copied == 0
    del frame
    assert len({address for address, _ in memories}) < len(memories)  # buffers come back to the pool and are used again


def test_every_mapping_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()  # what another test left is not counted
    counts = {"gst_buffer_map": 0, "gst_buffer_unmap": 0, "gst_mini_object_unref": 0}
    library = gstreamer._library()
    for name in counts:
        real = getattr(library.gst, name)

        def counted(*arguments: Any, name: str = name, real: Any = real) -> Any:
            counts[name] += 1
            return real(*arguments)

        monkeypatch.setattr(library.gst, name, counted)
    source = "videotestsrc num-buffers=3000 ! video/x-raw,format=RGB,width=64,height=48"
    delivered = sum(1 for _ in GStreamerCamera(source).frames())
    gc.collect()
    assert delivered > 0
    assert set(counts.values()) == {delivered}


def test_a_source_of_four_buffers_does_not_wait_for_those_that_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool has four and no more; what would leave it none is copied, and counted."""
    add = gstreamer._library().gst.gst_query_add_allocation_pool
    monkeypatch.setattr(
        gstreamer._library().gst,
        "gst_query_add_allocation_pool",
        lambda query, pool, size, _least, _most: add(query, pool, size, 4, 4),
    )
    camera = GStreamerCamera(
        "videotestsrc pattern=snow ! video/x-raw,format=RGB,width=64,height=48,framerate=500/1", stall_s=1.0
    )
    held = []
    for frame in camera.frames():
        held.append((frame, hashlib.sha256(frame.array.tobytes()).hexdigest()))
        if len(held) == 300:
            break
    camera.close()
    assert not any(frame.array.flags.writeable for frame, _ in held)
    assert all(hashlib.sha256(frame.array.tobytes()).hexdigest() == was for frame, was in held)
    assert 0 < camera.copied < len(held)
    assert camera.copied >= len(held) - 4


def test_a_camera_s_stream_that_ends_is_lost() -> None:
    """tcpclientsrc says end of stream when its server goes away."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(bytes(8 * 8 * 3 * 20))

    thread = threading.Thread(target=serve)
    thread.start()
    port = server.getsockname()[1]
    camera = GStreamerCamera(
        f"tcpclientsrc host=127.0.0.1 port={port} ! rawvideoparse format=rgb width=8 height=8 framerate=30/1"
    )
    seen = 0
    with pytest.raises(DeviceLost, match="ended its stream"):
        for _ in camera.frames():
            seen += 1
    thread.join(5)
    server.close()
    assert seen > 0


STRUCTURES = [
    ("GstMapInfo", gstreamer._MapInfo, {"memory": "memory", "data": "data", "size": "size", "maxsize": "maxsize"}),
    ("GstVideoInfo", gstreamer._VideoInfo,
     {"finfo": "finfo", "width": "width", "height": "height", "size": "size", "views": "views", "fps_n": "fps_n",
      "offset": "offset", "stride": "stride"}),
    ("GstVideoFormatInfo", gstreamer._FormatInfo, {"format": "format"}),
    ("GstVideoMeta", gstreamer._VideoMeta,
     {"buffer": "buffer", "format": "format", "width": "width", "n_planes": "n_planes", "offset": "offset",
      "stride": "stride"}),
    ("GstBuffer", gstreamer._Buffer, {"refcount": "mini_object.refcount", "pool": "pool", "pts": "pts", "dts": "dts",
                                      "duration": "duration", "offset": "offset"}),
    ("GstPadProbeInfo", gstreamer._ProbeInfo, {"type": "type", "id": "id", "data": "data"}),
    ("GstQuery", gstreamer._Query, {"kind": "type"}),
]  # fmt: skip


def test_structures_are_those_of_the_headers(tmp_path: Path) -> None:
    """Offsets as the C compiler of this machine sees them, 64-bit or 32-bit."""
    if shutil.which("cc") is None or shutil.which("pkg-config") is None:
        pytest.skip("needs a C compiler: apt-get install gcc pkg-config")
    found = subprocess.run(
        ["pkg-config", "--cflags", "gstreamer-video-1.0"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip("needs the headers: apt-get install libgstreamer-plugins-base1.0-dev")
    lines = [
        f'printf("%zu\\n", offsetof({name}, {theirs}));' for name, _, fields in STRUCTURES for theirs in fields.values()
    ]
    lines += [f'printf("%zu\\n", sizeof({name}));' for name in ("GstMapInfo", "GstVideoInfo")]
    source, program = tmp_path / "offsets.c", tmp_path / "offsets"
    includes = "#include <stdio.h>\n#include <stddef.h>\n#include <gst/gst.h>\n#include <gst/video/video.h>\n"
    source.write_text(includes + "int main(void) {\n" + "\n".join(lines) + "\nreturn 0; }\n")
    subprocess.run(["cc", "-o", program, source, *found.stdout.split()], check=True)
    told = [int(line) for line in subprocess.run([program], capture_output=True, check=True).stdout.split()]
    ours = [getattr(structure, field).offset for _, structure, fields in STRUCTURES for field in fields]
    assert told[:-2] == ours
    assert ctypes.sizeof(gstreamer._MapInfo) == told[-2]
    assert ctypes.sizeof(gstreamer._VideoInfo) >= told[-1]


def test_libraries_loaded_later_may_still_throw(tmp_path: Path) -> None:
    """As Arm NN does at a model that it refuses, with OpenCV and GStreamer in the same process."""
    if find_spec("pyarmnn") is None:
        pytest.skip("needs a library that throws: apt-get install python3-pyarmnn")
    model = tmp_path / "model.tflite"
    model.write_bytes(b"\0" * 64)
    lines = (
        "import sys, warnings, cv2",
        "warnings.simplefilter('ignore')",
        "from hal.live.gstreamer import gstreamer",
        "gstreamer()",
        "import pyarmnn",
        "try: pyarmnn.ITfLiteParser().CreateNetworkFromBinaryFile(sys.argv[1])",
        "except RuntimeError as error: print(error)",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines), model], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "flatbuffers format" in done.stdout
