"""Samples from a buffer: a pipe stands in for /dev/iio:deviceN, with the records of the kernel."""

from __future__ import annotations

import os
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, pairwise

import numpy as np
import pytest

from hal.imx8.iio import DEVICES
from hal.imx8.motion import IioMotion
from hal.imx8.sysfs import Sysfs
from pipelines.core import Frame, Sensor
from pipelines.errors import DeviceError, DeviceLost
from sysroots import NOBODY, in_child, open_to_all, put, sentence

IIO, NODE = f"{DEVICES}/iio:device0", "dev/iio:device0"
STEP_NS = 10_000_000  # at 100 Hz
LSM303AGR = "<hhh2xq"


@pytest.fixture
def mek(board: Callable[[str], Sysfs]) -> Sysfs:
    """A 8QuadMax MEK whose accelerometer's interrupt is wired."""
    sysfs = board("imx8qm-mek")
    put(sysfs, f"{DEVICES}/trigger0/name", "lsm303agr_accel-trigger\n")
    sysfs.path("dev").mkdir()
    os.mkfifo(sysfs.path(NODE))
    return sysfs


def record(stamp_ns: int, x: int = 0, y: int = 0, z: int = 1000) -> bytes:
    """Twelve bits at the top of sixteen, and the time."""
    return struct.pack(LSM303AGR, x << 4, y << 4, z << 4, stamp_ns)


@contextmanager
def driver(sysfs: Sysfs, device: int = 0) -> Iterator[int]:
    """The kernel's end of the buffer; when it is closed the device is gone."""
    end = os.open(sysfs.path(f"dev/iio:device{device}"), os.O_RDWR)  # without a reader too
    try:
        yield end
    finally:
        os.close(end)


def taken(sensor: IioMotion, number: int) -> list[Frame]:
    frames = sensor.frames()
    got = [next(frames) for _ in range(number)]
    sensor.close()
    frames.close()
    return got


def test_samples_come_in_units_with_their_places(mek: Sysfs) -> None:
    put(mek, f"{IIO}/mount_matrix", "0, 1, 0; -1, 0, 0; 0, 0, 1")
    sensor = IioMotion(mek, ("ax_g", "ay_mg", "az_mps2"), 100.0, chunk_ms=20)
    assert isinstance(sensor, Sensor)
    with driver(mek) as end:
        os.write(end, b"".join(record(STEP_NS * i, x=i, y=100 + i) for i in range(4)))
        got = taken(sensor, 2)
    assert [(frame.seq, frame.at, round(frame.t, 9)) for frame in got] == [(0, 0, 0.02), (1, 2, 0.04)]
    g = 0.009806 / 9.80665
    np.testing.assert_allclose(
        np.concatenate([frame.array for frame in got]),
        [[(100 + i) * g, -i * 1000 * g, 9.806] for i in range(4)], rtol=1e-5, atol=1e-6,
    )  # fmt: skip
    assert mek.path(f"{IIO}/buffer/enable").read_text() == "0"
    assert mek.path(f"{IIO}/scan_elements/in_accel_x_en").read_text() == "1"


def test_lost_samples_are_a_gap(mek: Sysfs) -> None:
    with driver(mek) as end:
        for step in (0, 1, 2, 6, 7, 8, 9, 10):  # three lost before the fourth
            os.write(end, record(STEP_NS * step))
        got = taken(IioMotion(mek, ("ax_g",), 100.0, chunk_ms=20), 3)
    assert [len(frame.array) for frame in got] == [2, 1, 2]
    assert [frame.at for frame in got] == [0, 2, 6]
    assert [frame.seq for frame in got] == [0, 1, 4]


def test_records_may_come_in_pieces(mek: Sysfs) -> None:
    sensor = IioMotion(mek, ("az_g",), 100.0, chunk_ms=20)
    blob = b"".join(record(STEP_NS * i, z=i) for i in range(6))
    with driver(mek) as end:

        def write() -> None:
            for at in range(0, len(blob), 7):
                os.write(end, blob[at : at + 7])
                time.sleep(0.002)

        writer = threading.Thread(target=write)
        writer.start()
        got = taken(sensor, 3)
        writer.join(5)
    values = np.concatenate([frame.array[:, 0] for frame in got])
    np.testing.assert_allclose(values, np.arange(6) * 0.009806 / 9.80665, rtol=1e-5)


@pytest.mark.parametrize("sysfs_too", [True, False], ids=["unplugged", "buffer closed"])
def test_a_device_that_goes_away_in_the_middle_and_comes_back(mek: Sysfs, sysfs_too: bool) -> None:
    now = [0.0]
    sensor = IioMotion(mek, ("az_g",), 100.0, chunk_ms=20, clock=lambda: now[0])
    writer = os.open(mek.path(NODE), os.O_RDWR)
    os.write(writer, b"".join(record(STEP_NS * i) for i in range(2)))
    frames = sensor.frames()
    first = next(frames)
    away = mek.path("sys/away")
    if sysfs_too:
        mek.path(IIO).rename(away)
    # half a record, and then no more: the pipe's end of file is the buffer's
    only_write = os.open(mek.path(NODE), os.O_WRONLY)
    os.close(writer)
    os.write(only_write, record(STEP_NS * 2)[:9])
    os.close(only_write)
    with pytest.raises(DeviceLost) as info:
        next(frames)
    assert str(info.value) == (
        "the motion sensor lsm303agr_accel (iio:device0) closed its buffer; check its wiring and driver"
    )
    now[0] = 3.0
    if sysfs_too:
        with pytest.raises(DeviceLost, match="this board has no accelerometer"):
            next(sensor.frames())
        away.rename(mek.path(IIO))
    with driver(mek) as end:
        os.write(end, b"".join(record(STEP_NS * i) for i in range(300, 302)))
        (second,) = taken(sensor, 1)
    assert (first.at, second.at) == (0, 302)  # the first's two, and 3 s
    assert second.seq == 151  # nothing was seen of 150 chunks
    assert second.t == pytest.approx(3.04)


@pytest.mark.parametrize("rate_hz", [97.0, 103.0])
def test_an_absence_is_told_however_the_devices_clock_runs(mek: Sysfs, rate_hz: float) -> None:
    """It calls them 100 Hz; after 2 s it was away for 0.5 s by our clock."""
    now = [0.0]
    sensor = IioMotion(mek, ("az_g",), 100.0, chunk_ms=20, clock=lambda: now[0])
    count = round(2 * rate_hz)
    with driver(mek) as end:
        os.write(end, b"".join(record(round(1e9 * i / rate_hz)) for i in range(count)))
        frames = sensor.frames()
        last = [next(frames) for _ in range(count // 2)][-1]
        frames.close()
        now[0] = 0.5
        os.write(end, b"".join(record(round(1e9 * (3 + i / rate_hz))) for i in range(8)))
        frames = sensor.frames()
        first = next(frames)
        frames.close()
    assert first.at == last.at + 2 + 50
    assert first.seq == last.seq + 1 + 25


def test_a_driver_that_ends_with_an_error(mek: Sysfs) -> None:
    """A process's memory at address 0 gives a real EIO."""
    mek.path(NODE).unlink()
    mek.path(NODE).symlink_to("/proc/self/mem")
    with pytest.raises(DeviceLost) as info:
        next(IioMotion(mek, ("az_g",), 100.0).frames())
    assert str(info.value) == (
        "the motion sensor lsm303agr_accel (iio:device0) went away (Input/output error); check its wiring and driver"
    )


def test_a_device_that_is_gone_is_noticed_by_reading(mek: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's poll() says nothing of a device that was unplugged (iio_buffer_poll)."""
    monkeypatch.setattr("hal.imx8.motion.select.select", lambda *_: ([], [], []))
    mek.path(NODE).unlink()
    mek.path(NODE).symlink_to("/proc/self/mem")  # its address 0 gives a real EIO
    with pytest.raises(DeviceLost, match="went away"):
        next(IioMotion(mek, ("az_g",), 100.0).frames())


def test_leaving_a_device_that_refuses_hides_no_reason(mek: Sysfs, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Sysfs, name: str, value: str, write: Callable[..., None] = Sysfs.write) -> None:
        if name.endswith("buffer/enable") and value == "0" and self.path(name).read_text() == "1":
            raise DeviceError("the chip is off its bus")
        write(self, name, value)

    monkeypatch.setattr(Sysfs, "write", refuses)
    with driver(mek) as end:
        os.write(end, b"".join(record(STEP_NS * i) for i in range(8)))
        frames = IioMotion(mek, ("az_g",), 100.0, chunk_ms=20).frames()
        next(frames)
        frames.close()
        put(mek, f"{IIO}/buffer/enable", "0")
        with pytest.raises(DeviceLost, match="sent nothing"):
            list(IioMotion(mek, ("az_g",), 100.0, stall_s=0.05).frames())


def test_a_device_that_falls_silent(mek: Sysfs) -> None:
    with driver(mek), pytest.raises(DeviceLost) as info:
        next(IioMotion(mek, ("az_g",), 100.0, stall_s=0.05).frames())
    assert str(info.value) == (
        "the motion sensor lsm303agr_accel (iio:device0) sent nothing for 0.05 s; check its interrupt and trigger"
    )
    assert mek.path(f"{IIO}/buffer/enable").read_text() == "0"


def test_no_device_node(mek: Sysfs) -> None:
    mek.path(NODE).unlink()
    put(mek, f"{IIO}/buffer/enable", "1")  # another program's: it is left alone
    assert sentence(lambda: next(IioMotion(mek, ("az_g",), 100.0).frames())) == (
        f"the motion sensor lsm303agr_accel (iio:device0) cannot be opened at {mek.path(NODE)} (No such file or "
        "directory); is it in use, or may you not (a udev rule, or sudo)?"
    )
    assert mek.path(f"{IIO}/buffer/enable").read_text() == "1"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give its rights away")
def test_a_device_that_may_not_be_opened(mek: Sysfs) -> None:
    open_to_all(mek)
    for path in mek.path("sys").rglob("*"):
        path.chmod(path.stat().st_mode | 0o066)
    mek.path(NODE).chmod(stat.S_IRUSR | stat.S_IWUSR)
    said = in_child(
        "try: next(motion.IioMotion(sysfs.Sysfs(Path(sys.argv[1])), ('ax_g',), 100.0).frames())\n"
        "except EiqError as error: print(json.dumps([str(error), error.exit_code]))",
        mek.root, user=NOBODY,
    )  # fmt: skip
    assert said == [[f"the motion sensor lsm303agr_accel (iio:device0) cannot be opened at {mek.path(NODE)} "
                     "(Permission denied); is it in use, or may you not (a udev rule, or sudo)?", 1]]  # fmt: skip
    assert mek.path(f"{IIO}/buffer/enable").read_text() == "0\n"


def test_closing_ends_the_wait(mek: Sysfs) -> None:
    sensor = IioMotion(mek, ("az_g",), 100.0)
    timer = threading.Timer(0.05, sensor.close)
    with driver(mek):
        timer.start()
        begun = time.monotonic()
        assert list(sensor.frames()) == []
    assert time.monotonic() - begun < 1
    assert list(sensor.frames()) == []


# ---- two devices -------------------------------------------------------------------------------------------------

SIX = ("gx_dps", "ax_g", "ay_g", "az_g", "gy_dps", "gz_dps")
LSM6DSO = "<hhh2xq"
DPS = 0.000153 * 180 / np.pi


@pytest.fixture
def evk(board: Callable[[str], Sysfs]) -> Sysfs:
    """A 93 EVK with a timer; its LSM6DSO is one device for the accelerometer and one for the gyroscope."""
    sysfs = board("imx93-11x11-evk")
    put(sysfs, f"{DEVICES}/trigger0/name", "eiq\n")
    put(sysfs, f"{DEVICES}/trigger0/sampling_frequency", "50\n")
    sysfs.path("dev").mkdir()
    for place in range(2):
        os.mkfifo(sysfs.path(f"dev/iio:device{place}"))
    return sysfs


def write(end: int, *samples: tuple[float, int]) -> None:
    """Times in periods, and what x says."""
    os.write(end, b"".join(struct.pack(LSM6DSO, x, 2, 3, round(at * STEP_NS)) for at, x in samples))


def enabled(sysfs: Sysfs) -> list[str]:
    return [sysfs.path(f"{DEVICES}/iio:device{place}/buffer/enable").read_text().strip() for place in range(2)]


def test_accelerometer_and_gyroscope_as_two_devices(evk: Sysfs) -> None:
    sensor = IioMotion(evk, SIX, 100.0, chunk_ms=20)
    with driver(evk) as accelerometer, driver(evk, 1) as gyroscope:
        write(accelerometer, (0.5, 0), (1.5, 10), (2.5, 20), (3.5, 30), (4.5, 40))
        write(gyroscope, (1, 100), (2, 200), (3, 300), (4, 400))
        frames = sensor.frames()
        got = [next(frames), next(frames)]
        assert enabled(evk) == ["1", "1"]
        frames.close()
    assert sensor.mode == "lsm6dso_gyro up to 287 dps and lsm6dso_accel up to 2 g"
    assert [(frame.seq, frame.at) for frame in got] == [(0, 0), (1, 2)]
    rows = np.concatenate([frame.array for frame in got])
    # the gyroscope is named first: its values as they are, the accelerometer's at its times
    np.testing.assert_allclose(rows[:, 0], np.array([100, 200, 300, 400]) * DPS, rtol=1e-5)
    scale = rows[0, 1] / 5
    np.testing.assert_allclose(rows[:, 1], np.array([5, 15, 25, 35]) * scale, rtol=1e-4)
    np.testing.assert_allclose(rows[:, [2, 3]], np.tile([2 * scale, 3 * scale], (4, 1)), rtol=1e-4)
    np.testing.assert_allclose(rows[:, [4, 5]], np.tile([2 * DPS, 3 * DPS], (4, 1)), rtol=1e-5)
    assert enabled(evk) == ["0", "0"]
    assert evk.path(f"{DEVICES}/trigger0/sampling_frequency").read_text() == "100"


def test_what_one_of_two_lost_is_a_gap(evk: Sysfs) -> None:
    with driver(evk) as accelerometer, driver(evk, 1) as gyroscope:
        write(accelerometer, *((i, i) for i in range(12)))
        write(gyroscope, *((i + 0.01, i) for i in range(12) if i not in (3, 4)))
        got = taken(IioMotion(evk, ("ax_g", "gx_dps"), 100.0, chunk_ms=20), 4)
    assert [(frame.at, len(frame.array)) for frame in got] == [(0, 2), (2, 1), (5, 2), (7, 2)]
    assert [frame.seq for frame in got] == [0, 1, 3, 4]


@pytest.mark.parametrize("channels", [("ax_g",), ("ax_g", "gx_dps")], ids=["one device", "two"])
def test_a_late_time_is_no_lost_sample(evk: Sysfs, channels: tuple[str, ...]) -> None:
    """Without an interrupt the LSM6DSO's driver takes the time in a thread, after the transfer."""
    with driver(evk) as accelerometer, driver(evk, 1) as gyroscope:
        for place, end in enumerate((accelerometer, gyroscope)):
            write(end, *((i + 0.6 * (i % 40 == 7 + place), i) for i in range(400)))
        got = taken(IioMotion(evk, channels, 100.0, chunk_ms=20), 199)
    assert [frame.at for frame in got] == list(range(0, 398, 2))
    assert [frame.seq for frame in got] == list(range(199))


@pytest.mark.parametrize("silent", [0, 1])
def test_one_of_two_that_falls_silent_is_named(evk: Sysfs, silent: int) -> None:
    now = count(0, 0.01)
    with driver(evk) as accelerometer, driver(evk, 1) as gyroscope:
        ends = [accelerometer, gyroscope]
        write(ends[silent], (0, 0))
        write(ends[1 - silent], *((i, 0) for i in range(200)))
        frames = IioMotion(evk, SIX, 100.0, chunk_ms=20, stall_s=0.05, clock=lambda: next(now)).frames()
        with pytest.raises(DeviceLost) as info:
            list(frames)
    name = ["lsm6dso_accel (iio:device0)", "lsm6dso_gyro (iio:device1)"][silent]
    assert str(info.value) == (f"the motion sensor {name} sent nothing for 0.05 s; check its interrupt and trigger")
    assert enabled(evk) == ["0", "0"]


def test_two_that_cannot_both_be_opened(evk: Sysfs) -> None:
    evk.path("dev/iio:device1").unlink()
    put(evk, f"{DEVICES}/iio:device1/buffer/enable", "1")  # another program's: it is left alone
    assert "lsm6dso_gyro (iio:device1) cannot be opened" in sentence(lambda: next(IioMotion(evk, SIX, 100.0).frames()))
    assert enabled(evk) == ["0", "1"]


def test_two_without_times_are_not_joined(evk: Sysfs) -> None:
    for path in evk.path(f"{DEVICES}/iio:device1").glob("*timestamp*"):
        path.unlink()
    with driver(evk) as accelerometer, driver(evk, 1) as gyroscope:
        for end in (accelerometer, gyroscope):
            write(end, (0, 0), (1, 1))
        with pytest.raises(DeviceError) as info:
            next(IioMotion(evk, SIX, 100.0).frames())
    assert type(info.value) is DeviceError  # no waiting makes it come back
    assert str(info.value) == (
        "the motion sensor lsm6dso_gyro (iio:device1) says no time of its samples, by which they are joined with "
        "the other device's; read both with poll: true"
    )


def test_two_whose_times_go_back(evk: Sysfs) -> None:
    with driver(evk) as accelerometer, driver(evk, 1) as gyroscope:
        write(accelerometer, (0, 0), (1, 1))
        for _ in range(12):
            write(gyroscope, (1, 0), (0, 1))
        said = sentence(lambda: next(IioMotion(evk, SIX, 100.0).frames()))
    assert said == (
        "the times of the motion sensor lsm6dso_gyro (iio:device1) go back; check the drivers, or read both with "
        "poll: true"
    )


# ---- polled ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tree", ["imx8qm-mek", "imx8qxp-mek", "imx93-11x11-evk"])
def test_polling_reads_the_raw_files(board: Callable[[str], Sysfs], tree: str) -> None:
    """What the three boards that have an accelerometer can do as they are."""
    ticks = count()  # a machine that is never late
    sensor = IioMotion(board(tree), ("ax_g", "az_g"), 1000.0, chunk_ms=5, poll=True, clock=lambda: next(ticks) * 1e-6)
    (frame,) = taken(sensor, 1)
    assert frame.array.shape == (5, 2)
    assert sensor.mode == {"imx8qm-mek": "lsm303agr_accel up to 2.05 g", "imx8qxp-mek": "fxos8700",
                           "imx93-11x11-evk": "lsm6dso_accel up to 2 g"}[tree]  # fmt: skip
    np.testing.assert_allclose(frame.array, [[0, 1]] * 5, atol=1e-3)


def test_polling_reads_two_devices_as_one(board: Callable[[str], Sysfs]) -> None:
    sysfs, ticks = board("imx93-11x11-evk"), count()
    put(sysfs, f"{DEVICES}/iio:device1/in_anglvel_y_raw", "1000")
    sensor = IioMotion(sysfs, SIX, 1000.0, chunk_ms=5, poll=True, clock=lambda: next(ticks) * 1e-6)
    (frame,) = taken(sensor, 1)
    np.testing.assert_allclose(frame.array, [[0, 0, 0, 1, 1000 * DPS, 0]] * 5, atol=1e-3)


def test_files_that_go_away_while_polling(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8qxp-mek")
    frames = IioMotion(sysfs, ("az_g",), 1000.0, chunk_ms=1, poll=True).frames()
    next(frames)
    sysfs.path(f"{IIO}/in_accel_y_raw").unlink()
    with pytest.raises(DeviceLost, match=r"in_accel_y_raw cannot be read \(No such file or directory\)"):
        for _ in range(10):
            next(frames)


def test_polling_that_is_too_slow_leaves_gaps(board: Callable[[str], Sysfs]) -> None:
    """Three reads of the LSM6DSO take longer than its period, says its driver: nothing is made up."""
    now = [0.0]

    def clock() -> float:
        now[0] += 0.004  # every look at the clock: a slow board
        return now[0]

    got = taken(IioMotion(board("imx93-11x11-evk"), ("az_g",), 1000.0, chunk_ms=2, poll=True, clock=clock), 4)
    ends = [frame.at + len(frame.array) for frame in got]
    assert all(after.at > end for after, end in zip(got[1:], ends, strict=False))
    assert all(after.seq > before.seq + 1 for before, after in pairwise(got))


def test_what_is_asked_of_no_sensor(board: Callable[[str], Sysfs]) -> None:
    with pytest.raises(DeviceError, match="this board has no accelerometer, its IIO devices: none"):
        next(IioMotion(board("imx8mp-evk"), ("ax_g",), 100.0).frames())
