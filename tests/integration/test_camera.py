"""The real camera path: our sensor, OpenCV, FFmpeg, a real MJPEG stream over HTTP on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import numpy as np
import pytest

from hal.live.camera import LiveCamera
from hal.opencv import opencv
from pipelines.errors import DeviceError, DeviceLost

pytest.importorskip("cv2", reason="needs OpenCV (pip install 'eiq-demo[desktop]')")
cv2 = opencv("this test")
pytestmark = pytest.mark.skipif(
    cv2.CAP_FFMPEG not in cv2.videoio_registry.getBackends(), reason="needs an OpenCV with FFmpeg (opencv-python)"
)
COLOURS = [(r, g, b) for r in (30, 220) for g in (30, 220) for b in (30, 220)]
"""Picture n shows colour n % 8 (RGB): far enough apart to survive JPEG."""
PERIOD_S = 0.03


def jpeg(number: int) -> bytes:
    rgb = np.full((48, 64, 3), COLOURS[number % 8], np.uint8)
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def number_of(rgb: np.ndarray) -> int:
    """Which colour a picture shows."""
    distances = [np.abs(rgb.mean(axis=(0, 1)) - colour).sum() for colour in COLOURS]
    return int(np.argmin(distances))


class Network:
    """A camera in the network, whose cable can be pulled."""

    def __init__(self) -> None:
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    def plug(self, *, silent_after: int | None = None) -> None:
        pulled = threading.Event()
        pictures = [jpeg(number) for number in range(8)]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
                self.end_headers()
                number = 0
                try:
                    while not pulled.wait(PERIOD_S):
                        if silent_after is not None and number >= silent_after:
                            continue  # still connected, but nothing comes
                        body = pictures[number % 8]
                        head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
                        self.wfile.write(head.encode() + body + b"\r\n")
                        number += 1
                except ConnectionError:
                    return  # the reader has gone

            def log_message(self, *_args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._pulled = pulled
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def pull(self) -> None:
        if self._server is not None:
            self._pulled.set()
            self._server.shutdown()
            self._thread.join(5)
            self._server.server_close()  # waits for the connections' threads
            self._server = None


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.pull()


def test_reads_loses_and_finds_again(network: Network, capfd: pytest.CaptureFixture[str]) -> None:
    network.plug()
    sensor = LiveCamera(f"http://visitor:secret@127.0.0.1:{network.port}/video?token=secret")
    frames = iter(sensor.frames())
    seen = [next(frames) for _ in range(12)]
    numbers = [number_of(frame.array) for frame in seen]
    for (first, second), (a, b) in zip(pairwise(seen), pairwise(numbers), strict=True):
        assert second.t > first.t
        assert (b - a) % 8 == (second.seq - first.seq) % 8 == (second.at - first.at) % 8
    assert all(frame.array.shape == (48, 64, 3) and frame.array.flags.owndata for frame in seen)
    assert all(frame.arrived is not None for frame in seen)

    network.pull()
    began = time.monotonic()
    with pytest.raises(DeviceLost, match="stopped sending pictures") as info:
        for frame in frames:
            seen.append(frame)
    assert time.monotonic() - began < 5
    with pytest.raises(DeviceLost, match="cannot be opened") as again:  # still gone
        next(iter(sensor.frames()))
    for error in (info, again):
        assert "secret" not in str(error.value)
        assert "visitor" not in str(error.value)

    network.plug()
    frames = iter(sensor.frames())
    back = next(frames)
    assert back.seq > seen[-1].seq
    assert back.t > seen[-1].t
    assert back.at > seen[-1].at
    sensor.close()
    assert list(frames) == []
    assert capfd.readouterr().err == ""  # the error's one sentence is all there is


def test_close_does_not_wait_for_a_camera_that_hangs(network: Network) -> None:
    network.plug(silent_after=12)
    sensor = LiveCamera(f"http://127.0.0.1:{network.port}/video")
    frames = iter(sensor.frames())
    next(frames)
    closer = threading.Timer(0.6, sensor.close)
    closer.start()
    began = time.monotonic()
    for _ in frames:
        pass
    assert time.monotonic() - began < 2
    closer.join()


def test_no_such_camera_is_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    sensor = LiveCamera(99)
    with pytest.raises(DeviceError, match="the camera 99 cannot be opened") as info:
        next(iter(sensor.frames()))
    assert not isinstance(info.value, DeviceLost)
    assert "\n" not in str(info.value)
    assert capfd.readouterr().err == ""
