from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hal.live.microphone import LiveMicrophone
from pipelines.errors import DeviceError, DeviceLost, MissingDependency


class PortAudioError(Exception):
    def __str__(self) -> str:
        return str(self.args[0])


class FakeSounddevice(SimpleNamespace):
    """PortAudio with a list of devices, whose streams the test feeds."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        super().__init__(streams=[], listening=[], starts=0, rates=[16000], refuse=None)
        self.devices = [device("HDMI", 0), device("USB Mic", 2), device("pulse", 32)]
        self.default: int | None = 1

    def _initialize(self) -> None:
        self.starts += 1

    def _terminate(self) -> None:
        assert not any(stream.open for stream in self.streams)

    def query_devices(self, wanted: int | str | None = None, kind: str | None = None) -> Any:
        listed = [{**d, "index": index} for index, d in enumerate(self.devices)]
        if kind is None:
            return listed
        if wanted is None:
            wanted = self.default
        if isinstance(wanted, int) and wanted < len(listed):
            return listed[wanted]
        found = [d for d in listed if isinstance(wanted, str) and wanted.lower() in d["name"].lower()]
        if len(found) > 1:
            raise ValueError("Multiple input devices found")
        if not found:
            raise ValueError("No input device matching") if isinstance(wanted, str) else PortAudioError("querying")
        return found[0]

    def check_input_settings(self, *, samplerate: int, **_: object) -> None:
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate", -9997)

    def InputStream(self, **keys: Any) -> FakeStream:  # noqa: N802 - sounddevice's name
        if self.refuse:
            raise self.refuse
        if keys["samplerate"] not in self.rates:
            raise PortAudioError("Error opening InputStream: Invalid sample rate [PaErrorCode -9997]", -9997)
        self.streams.append(FakeStream(keys))
        return self.streams[-1]


def device(name: str, channels: int) -> dict[str, Any]:
    return {"name": name, "max_input_channels": channels}


class FakeStream:
    def __init__(self, keys: dict[str, Any]) -> None:
        self.keys, self.open, self.on_start = keys, True, None

    def start(self) -> None:
        pass

    def hear(self, *samples: float, overflow: bool = False) -> None:
        data = np.array([[sample] * self.keys["channels"] for sample in samples], np.float32)
        data[:, 1:] *= 0.5
        self.keys["callback"](data, len(data), None, SimpleNamespace(input_overflow=overflow))

    def go_away(self) -> None:
        self.keys["finished_callback"]()

    def abort(self, ignore_errors: bool = True) -> None:
        self.go_away()

    def close(self, ignore_errors: bool = True) -> None:
        self.open = False


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSounddevice]:
    fake = FakeSounddevice()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr("hal.live.microphone.POLL_S", 0.001)
    yield fake
    for listening in fake.listening:
        listening.sensor.close()


class Listening:
    """A sensor whose frames() has begun: the stream is there to be fed."""

    def __init__(self, portaudio: FakeSounddevice, **keys: Any) -> None:
        self.now = 10.0
        self.portaudio = portaudio
        self.sensor = LiveMicrophone(**{"device": None, "rate_hz": 16000, "clock": lambda: self.now, **keys})
        portaudio.listening.append(self)
        self.begin()

    def begin(self, *first: float) -> None:
        fed = self.portaudio.InputStream

        def open_and_feed(**keys: Any) -> FakeStream:
            stream = fed(**keys)
            stream.start = lambda: stream.hear(*(first or (0.0,)))
            return stream

        self.portaudio.InputStream = open_and_feed
        self.frames = self.sensor.frames()
        self.first = next(self.frames)
        del self.portaudio.InputStream
        self.stream = self.portaudio.streams[-1]


def test_constructing_opens_nothing(portaudio: FakeSounddevice) -> None:
    sensor = LiveMicrophone(None, 16000)
    assert sensor.live
    assert str(sensor.output) == "audio [any] float32 at 16000 Hz"
    sensor.close()
    sensor.close()
    assert list(sensor.frames()) == []
    assert portaudio.streams == []


def test_frames_follow_each_other(portaudio: FakeSounddevice) -> None:
    listening = Listening(portaudio)
    assert listening.stream.keys["blocksize"] == 320
    listening.stream.hear(0.5, 0.25)
    frame = next(listening.frames)
    assert (frame.seq, frame.at, frame.t, frame.arrived) == (1, 1, 3 / 16000, 10.0)


@pytest.mark.parametrize(("channel", "opened", "value"), [(None, 2, 0.75), (0, 1, 1.0), (1, 2, 0.5)])
def test_channels(portaudio: FakeSounddevice, channel: int | None, opened: int, value: float) -> None:
    listening = Listening(portaudio, channel=channel)
    listening.stream.hear(1.0)
    assert listening.stream.keys["channels"] == opened
    frame = next(listening.frames)
    assert frame.array.tolist() == [value]
    assert frame.array.flags.owndata


def test_what_the_device_lost_is_a_gap(portaudio: FakeSounddevice) -> None:
    listening = Listening(portaudio)
    listening.now += 0.1  # 1600 samples, of which 4 arrive
    listening.stream.hear(0, 0, 0, 0, overflow=True)
    frame = next(listening.frames)
    assert frame.at == 1 + 1596
    assert frame.seq == 1 + 5
    listening.stream.hear(0, overflow=True)  # by the clock nothing is missing; it says there is
    assert next(listening.frames).at == frame.at + 4 + 1


def test_what_the_pipeline_did_not_take_is_a_gap(portaudio: FakeSounddevice) -> None:
    listening = Listening(portaudio)
    for _ in range(150):  # of 320 samples: 3 s, and 2 s of it wait
        listening.stream.hear(*[0.0] * 320)
    waiting = [next(listening.frames) for _ in range(100)]
    assert [frame.seq for frame in waiting] == list(range(1, 101))
    listening.stream.hear(0.0)
    after = next(listening.frames)
    assert (after.seq, after.at) == (151, 1 + 150 * 320)


def test_loss_is_told_and_the_time_goes_on(portaudio: FakeSounddevice) -> None:
    listening = Listening(portaudio)
    listening.stream.go_away()
    with pytest.raises(DeviceLost, match="USB Mic went away"):
        next(listening.frames)
    assert not listening.stream.open
    listening.now += 2.0
    starts = portaudio.starts
    listening.begin()
    assert portaudio.starts == starts + 1  # lists the devices anew
    assert (listening.first.seq, listening.first.at) == (1, 32000)


def test_still_gone_is_lost(portaudio: FakeSounddevice) -> None:
    listening = Listening(portaudio)
    listening.stream.go_away()
    with pytest.raises(DeviceLost):
        next(listening.frames)
    portaudio.devices = []
    with pytest.raises(DeviceLost, match="no microphone"):
        next(listening.sensor.frames())


def test_silence_of_the_device_is_a_loss(portaudio: FakeSounddevice) -> None:
    listening = Listening(portaudio)
    ticks = iter(np.arange(10.0, 100.0, 1.0))
    listening.sensor._clock = lambda: float(next(ticks))
    with pytest.raises(DeviceLost, match="sent nothing for 5 s"):
        next(listening.frames)


def test_close_lets_go_of_the_device_even_if_nobody_iterates(portaudio: FakeSounddevice) -> None:
    listening = Listening(portaudio)
    listening.sensor.close()
    assert not listening.stream.open
    assert list(listening.frames) == []


def test_two_at_once_leave_each_other_alone(portaudio: FakeSounddevice) -> None:
    first = Listening(portaudio)
    second = Listening(portaudio, device="pulse")
    assert first.stream.open
    assert portaudio.starts == 1
    first.frames.close()
    second.frames.close()
    assert Listening(portaudio).stream.open
    assert portaudio.starts == 2


def refused(
    portaudio: FakeSounddevice, change: Callable[[FakeSounddevice], object] = lambda _: None, **keys: Any
) -> str:
    change(portaudio)
    sensor = LiveMicrophone(**{"device": None, "rate_hz": 16000, **keys})
    with pytest.raises(DeviceError) as info:
        next(sensor.frames())
    assert type(info.value) is DeviceError
    assert "\n" not in str(info.value)
    return str(info.value)


def test_why_it_cannot_open(portaudio: FakeSounddevice) -> None:
    assert 'no microphone "USB Mik"; did you mean "USB Mic"' in refused(portaudio, device="USB Mik")
    assert "no microphone 9; set device to one of: 1 USB Mic, 2 pulse" in refused(portaudio, device=9)
    assert 'several microphones are called "u"' in refused(portaudio, device="u")
    assert "has 2 channel(s), got channel 2, expected 0 to 1" in refused(portaudio, channel=2)
    assert "does not offer 8000 Hz, expected one of 16000 Hz" in refused(portaudio, rate_hz=8000)
    busy = PortAudioError("Error opening InputStream: Device unavailable [PaErrorCode -9985]", -9985)
    assert "cannot be opened (Error opening InputStream: Device unavailable); is another" in refused(
        portaudio, lambda fake: setattr(fake, "refuse", busy)
    )
    portaudio.refuse = None
    assert "no default microphone" in refused(portaudio, lambda fake: setattr(fake, "default", 99))
    assert "this machine has no microphone" in refused(portaudio, lambda fake: setattr(fake, "devices", []))


def test_no_portaudio_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(MissingDependency, match="PortAudio library not found.*apt-get install libportaudio2"):
        LiveMicrophone(None, 16000)
