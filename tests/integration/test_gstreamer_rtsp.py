"""A camera in the network that goes away and comes back: a real RTSP server, killed, started again, and stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hal.live.camera import LiveCamera
from hal.live.gstreamer import GStreamerCamera
from pipelines.core import Sensor
from pipelines.errors import DeviceLost

gi = pytest.importorskip("gi", reason="gi is the system Python's (make test-bsp)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:DynamicImporter:ImportWarning")]
try:
    gi.require_version("GstRtspServer", "1.0")
except ValueError:
    pytest.skip("needs a server: apt-get install gir1.2-gst-rtsp-server-1.0", allow_module_level=True)

SERVER = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_service(sys.argv[1])
server.set_address("127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch("( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=64,height=48,"
                   "framerate=30/1 ! jpegenc ! rtpjpegpay name=pay0 )")
factory.set_shared(True)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


class Server:
    """A camera in the network."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "-c", SERVER, str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.kill()


def through_gstreamer(port: int) -> Sensor:
    source = f"rtspsrc location=rtsp://127.0.0.1:{port}/camera latency=100 protocols=tcp"
    return GStreamerCamera(f"{source} ! rtpjpegdepay ! jpegdec ! videoconvert", stall_s=2.0)


def through_opencv(port: int) -> Sensor:
    return LiveCamera(f"rtsp://127.0.0.1:{port}/camera")


@pytest.mark.parametrize("open_", [through_gstreamer, through_opencv])
def test_killed_or_silent_it_is_lost_and_comes_back(open_: Callable[[int], Sensor], server: Server) -> None:
    if open_ is through_opencv:
        cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
        if cv2.CAP_FFMPEG not in cv2.videoio_registry.getBackends():
            pytest.skip("needs an OpenCV with FFmpeg")
    sensor = open_(server.port)
    watchdog = threading.Timer(40, sensor.close)
    watchdog.start()
    frames = iter(sensor.frames())
    last = [next(frames) for _ in range(20)][-1]

    def lose() -> float:
        nonlocal last
        began = time.monotonic()
        with pytest.raises(DeviceLost):
            for frame in frames:
                last = frame
        return time.monotonic() - began

    def back() -> None:
        nonlocal frames
        until = time.monotonic() + 12
        while True:
            frames = iter(sensor.frames())
            try:
                first = next(frames)
                break
            except DeviceLost:
                assert time.monotonic() < until
                time.sleep(0.2)
        assert first.seq > last.seq
        assert first.t > last.t

    server.kill()
    assert lose() < 6
    server.start()
    back()
    server.process.send_signal(signal.SIGSTOP)
    assert lose() < 6
    server.process.send_signal(signal.SIGCONT)
    back()
    watchdog.cancel()
    sensor.close()
