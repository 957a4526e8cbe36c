"""The real microphone path: our sensor, PortAudio, ALSA, a private pulseaudio; a null sink's monitor is the microphone.

Needs: apt-get install pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins
"""

from __future__ import annotations

import shutil
import subprocess
import time
import wave
from collections.abc import Iterator
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hal.live.microphone import LiveMicrophone
from pipelines.errors import DeviceError, DeviceLost

RATE = 16000
NEEDED = {
    "pulseaudio": shutil.which("pulseaudio"),
    "pulseaudio-utils": shutil.which("paplay"),
    "libportaudio2": find_library("portaudio"),
    "python3-sounddevice": find_spec("sounddevice"),
    "libasound2-plugins": next(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so"), None),
}
MISSING = [package for package, found in NEEDED.items() if not found]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs the packages {' '.join(MISSING)}")


class Server:
    """A pulseaudio of our own, with one null sink and nothing of this machine's hardware."""

    def __init__(self, folder: Path) -> None:
        self.socket, self.log = folder / "native", folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        modules = (f"module-native-protocol-unix socket={self.socket} auth-anonymous=1",
                   f"module-null-sink sink_name=room rate={RATE} channels=1")  # fmt: skip
        options = ("-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes")
        loads = [part for module in modules for part in ("-L", module)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(["pulseaudio", *options, *loads], stderr=log, stdout=log)
        wait_for(lambda: subprocess.run(["pactl", "info"], capture_output=True).returncode == 0, "pulseaudio to answer")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._process = None


def wait_for(condition: object, what: str, limit_s: float = 5.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            pytest.fail(f"waited {limit_s:g} s for {what}")
        time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(tmp_path)
    for name, value in {
        "HOME": tmp_path,
        "XDG_RUNTIME_DIR": tmp_path,
        "XDG_CONFIG_HOME": tmp_path,
        "PULSE_COOKIE": tmp_path / "cookie",
        "PULSE_SERVER": f"unix:{server.socket}",
        "PULSE_SOURCE": "room.monitor",
        "PULSE_SINK": "room",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def microphone(server: Server) -> Iterator[LiveMicrophone]:
    sensor = LiveMicrophone("pulse", RATE)
    yield sensor
    sensor.close()


def chirp(seconds: float) -> np.ndarray:
    """Sounds different at every moment, so that a correlation finds it at one place only."""
    t = np.arange(round(seconds * RATE)) / RATE
    return 0.5 * np.sin(2 * np.pi * (300 * t + (3000 - 300) / (2 * seconds) * t**2))


def write_wav(path: Path, sound: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


def correlation(heard: np.ndarray, played: np.ndarray) -> float:
    """The best normalised correlation of ``played`` with any part of ``heard``."""
    size = 1 << (len(heard) + len(played)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size)), size)
    start = int(np.argmax(product[: max(1, len(heard) - len(played))]))
    part = heard[start : start + len(played)]
    return float(part @ played / (np.linalg.norm(part) * np.linalg.norm(played) + 1e-9))


def test_hears_what_is_played(microphone: LiveMicrophone, tmp_path: Path) -> None:
    played = chirp(0.8)
    path = write_wav(tmp_path / "chirp.wav", played)
    chunks, player = [], None
    for frame in microphone.frames():
        if player is None:
            player = subprocess.Popen(["paplay", str(path)])
            began = frame.t
        chunks.append(frame)
        if player.poll() is not None and frame.t > began + 2.5:
            break
    assert player is not None
    assert player.wait(5) == 0
    assert all(frame.array.dtype == np.float32 and frame.array.shape == (320,) for frame in chunks)
    assert all(frame.arrived is not None and frame.arrived <= time.monotonic() for frame in chunks)
    ends = [frame.at + len(frame.array) for frame in chunks]
    assert all(frame.at >= end for frame, end in zip(chunks[1:], ends, strict=False))
    assert all(frame.t == pytest.approx(end / RATE) for frame, end in zip(chunks, ends, strict=True))
    assert correlation(np.concatenate([frame.array for frame in chunks]), played) > 0.98


@pytest.mark.slow
def test_survives_the_loss_of_the_server(server: Server, microphone: LiveMicrophone) -> None:
    frames = microphone.frames()
    before = [next(frames) for _ in range(3)][-1]
    server.kill()
    killed = time.monotonic()
    with pytest.raises(DeviceLost, match="went away"):
        for frame in frames:
            before = frame
    assert time.monotonic() - killed < 3

    with pytest.raises(DeviceLost):  # the server is still gone
        next(microphone.frames())

    server.start()
    frames = microphone.frames()
    after = next(frames)
    assert after.seq > before.seq
    missing_s = (after.at - before.at) / RATE
    assert missing_s == pytest.approx(after.t - before.t)
    assert 0 < missing_s < time.monotonic() - killed + 5
    frames.close()  # type: ignore[attr-defined]


def test_unknown_device_is_one_sentence(server: Server) -> None:
    sensor = LiveMicrophone("pulsee", RATE)
    with pytest.raises(DeviceError, match='did you mean "pulse"') as info:
        next(iter(sensor.frames()))
    assert "\n" not in str(info.value)


def test_close_ends_frames_while_waiting(microphone: LiveMicrophone) -> None:
    frames = microphone.frames()
    next(frames)
    microphone.close()
    began = time.monotonic()
    assert len(list(frames)) <= 1
    assert time.monotonic() - began < 0.5
    microphone.close()
