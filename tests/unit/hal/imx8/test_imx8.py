from __future__ import annotations

import contextlib
import os
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.imx8.condition import Watch, look
from hal.imx8.leds import GpioLed, SysfsLed, open_led
from hal.imx8.motion import IioMotion
from hal.imx8.scan import Element, Layout, parse
from hal.imx8.soc import identify
from hal.imx8.sysfs import Sysfs
from hal.imx8.target import Imx8
from pipelines.core import Sensor
from pipelines.errors import DeviceError, MissingDependency

TREES = Path(__file__).parents[3] / "data" / "sysroots"
TEMP = "sys/class/thermal/thermal_zone0/temp"
IIO = "sys/bus/iio/devices/iio:device0"


@pytest.fixture
def board(tmp_path: Path) -> Callable[[str], Sysfs]:
    def copy(name: str) -> Sysfs:
        return Sysfs(Path(shutil.copytree(TREES / name, tmp_path / name)))

    return copy


@pytest.mark.parametrize(
    ("tree", "name", "delegate"),
    [
        ("imx8mm-evk", "i.MX 8M Mini", None),
        ("imx8mn-evk", "i.MX 8M Nano", None),
        ("imx8mp-evk", "i.MX 8M Plus", "vx"),
        ("imx8qm-mek", "i.MX 8QuadMax", None),
        ("imx8qxp-mek", "i.MX 8X", None),
        ("imx93-11x11-evk", "i.MX 93", "ethosu"),
        ("imx95-19x19-evk", "i.MX 95", "neutron"),
    ],
)
@pytest.mark.parametrize("has_tree", [True, False])
def test_each_board_is_known_by_its_tree_and_by_soc0(
    board: Callable[[str], Sysfs], tree: str, name: str, delegate: str | None, has_tree: bool
) -> None:
    sysfs = board(tree)
    if not has_tree:
        shutil.rmtree(sysfs.path("proc"))
    found = identify(sysfs)
    assert found.soc is not None
    assert (found.soc.name, found.soc.delegate) == (name, delegate)
    assert name in found.heading()
    assert list(look(sysfs).lines())


def test_a_soc_that_is_not_known_is_said(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    sysfs.path("proc/device-tree/compatible").write_text("acme,x\0acme,soc\0")
    assert "acme,soc is not known here; inference runs on the CPU" in identify(sysfs).heading()


def test_no_board_at_all(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="this is no i.MX board"):
        identify(Sysfs(tmp_path))


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"", "is empty"), (b"\xff\x00\x81", "expected text"), (b"9" * 5000, "more than 4096"),
     (b"1e300", "expected -60000"),
     (b"nan", "expected -60000"), (b"warm", "expected a number")],
)  # fmt: skip
def test_a_file_that_lies_gives_one_sentence(board: Callable[[str], Sysfs], data: bytes, why: str) -> None:
    sysfs = board("imx8mp-evk")
    sysfs.path(TEMP).write_bytes(data)
    with pytest.raises(DeviceError, match=why) as info:
        look(sysfs)
    assert "\n" not in str(info.value)


def test_a_missing_file_and_a_loop_of_links(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    sysfs.path(TEMP).unlink()
    with pytest.raises(DeviceError, match="No such file"):
        look(sysfs)
    sysfs.path(TEMP).symlink_to("temp")
    with pytest.raises(DeviceError, match="symbolic links"):
        look(sysfs)


def test_throttling_between_begin_and_end_is_reported(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    watch = Watch(sysfs, every_s=60)
    assert "throttled: no, at none of 1 looks" in watch.footing()
    sysfs.path("sys/class/thermal/cooling_device0/cur_state").write_text("1\n")
    sysfs.path(TEMP).write_text("86000\n")
    watch.look()
    sysfs.path("sys/class/thermal/cooling_device0/cur_state").write_text("0\n")
    watch.look()
    watch.close()
    text = "\n".join(watch.footing())
    assert "throttled: yes, at 1 of 3 looks" in text
    assert "cpu-thermal 86.0 °C" in text


# ---- buffers -----------------------------------------------------------------------------------------------------


@st.composite
def elements(draw: st.DrawFn) -> list[Element]:
    made = []
    for index in range(draw(st.integers(1, 5))):
        storage = draw(st.sampled_from([8, 16, 32, 64]))
        bits = draw(st.integers(1, storage))
        shift = draw(st.integers(0, storage - bits))
        end, sign = draw(st.sampled_from(["le", "be"])), draw(st.sampled_from("su"))
        made.append(parse(f"e{index}", index, f"{end}:{sign}{bits}/{storage}>>{shift}"))
    return made


@given(elements(), st.data())
def test_records_decode_as_struct_says(made: list[Element], data: st.DataObject) -> None:
    layout = Layout(made)
    blob = data.draw(st.binary(min_size=2 * layout.size, max_size=2 * layout.size))
    decoded = layout.decode(blob)
    for record in range(2):
        at = record * layout.size
        for element in made:
            size = element.storage // 8
            at += -(at - record * layout.size) % size
            code = ("<>"[element.big_endian]) + {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
            value = struct.unpack_from(code, blob, at)[0] >> element.shift & (1 << element.bits) - 1
            if element.signed and value >> element.bits - 1:
                value -= 1 << element.bits
            at += size
            assert int(decoded[element.name][record]) % 2**64 == value % 2**64


@given(st.text(max_size=20))
def test_any_text_is_a_type_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse("x", 0, text), Element)


def test_samples_come_through_a_pipe_mounted_and_in_g(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8qm-mek")
    sysfs.path("dev").mkdir()
    os.mkfifo(sysfs.path("dev/iio:device0"))
    sensor = IioMotion(sysfs, ("ax_g", "az_mps2"), 100.0, chunk_ms=20)
    assert isinstance(sensor, Sensor)
    stamps = [0, 10_000_000, 20_000_000, 60_000_000]  # three lost before the last

    def write() -> None:
        with sysfs.path("dev/iio:device0").open("wb") as pipe:
            pipe.write(b"".join(struct.pack("<hhh2xq", 0, 100 << 6, -100 << 6, t) for t in stamps))
            pipe.write(struct.pack("<hhh2xq", 0, 100 << 6, -100 << 6, 70_000_000))
            pipe.flush()
            done.wait(5)

    done = threading.Event()
    writer = threading.Thread(target=write)
    frames = sensor.frames()
    writer.start()
    got = [next(frames) for _ in range(3)]
    sensor.close()
    done.set()
    writer.join(5)
    frames.close()
    assert [len(frame.array) for frame in got] == [2, 1, 2]
    assert [frame.at for frame in got] == [0, 2, 6]
    assert [frame.seq for frame in got] == [0, 1, 4]
    np.testing.assert_allclose(got[0].array, [[0.1, -0.980665]] * 2, rtol=1e-5)
    assert sysfs.path(f"{IIO}/buffer/enable").read_text() == "0"
    assert sysfs.path(f"{IIO}/scan_elements/in_accel_x_en").read_text() == "1"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("in_accel_scale", "0\n", "expected 1e-09 to 1000"),
        ("in_mount_matrix", "1, 0; 0, 1", "three rows"),
        ("in_mount_matrix", "1, 0, 0; 1, 0, 0; 0, 0, 1", "without flattening"),
        ("scan_elements/in_accel_x_type", "le:s99/16", "do not fit"),
        ("sampling_frequency_available", "1 10", "does not offer 200 Hz"),
    ],
)
def test_a_sensor_that_lies(board: Callable[[str], Sysfs], name: str, text: str, why: str) -> None:
    sysfs = board("imx8qm-mek")
    sysfs.path(f"{IIO}/{name}").write_text(text)
    rate = 200.0 if name.startswith("sampling") else 100.0
    with pytest.raises(DeviceError, match=why):
        next(IioMotion(sysfs, ("ax_g",), rate).frames())


def test_polling_reads_the_raw_files(board: Callable[[str], Sysfs]) -> None:
    sensor = IioMotion(board("imx8qm-mek"), ("az_g",), 100.0, poll=True)
    frame = next(sensor.frames())
    sensor.close()
    np.testing.assert_allclose(frame.array[:, 0], 0.1, rtol=1e-5)


# ---- lights ------------------------------------------------------------------------------------------------------


def test_a_light_is_taken_and_left_as_it_was(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    folder = sysfs.path("sys/class/leds/yellow:status")
    (folder / "trigger").write_text("none timer [heartbeat]\n")
    light = SysfsLed(sysfs, "yellow:status")
    light.set(True)
    assert ((folder / "brightness").read_text(), (folder / "trigger").read_text()) == ("1", "none")
    light.set(False)
    assert (folder / "brightness").read_text() == "0"
    light.close()
    assert ((folder / "brightness").read_text(), (folder / "trigger").read_text()) == ("1", "heartbeat")


def test_a_light_that_is_not_there(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    with pytest.raises(DeviceError, match="yellow:status"):
        open_led(sysfs, "green")
    with pytest.raises(DeviceError, match="gpio:CHIP/LINE"):
        open_led(sysfs, "gpio:2")


def test_a_gpio_line(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    request = SimpleNamespace(set_value=lambda *a: calls.append(a), release=lambda: calls.append("released"))
    line = SimpleNamespace(Direction=SimpleNamespace(OUTPUT="out"), Value=SimpleNamespace(ACTIVE=1, INACTIVE=0))
    fake = SimpleNamespace(line=line, LineSettings=lambda **keys: keys)
    fake.request_lines = lambda path, **keys: calls.append((path, keys["config"])) or request
    monkeypatch.setitem(__import__("sys").modules, "gpiod", fake)
    sysfs = board("imx8mp-evk")
    light = open_led(sysfs, "gpio:gpiochip2/16/low")
    assert isinstance(light, GpioLed)
    light.set(True)
    light.close()
    settings = {"direction": "out", "active_low": True, "output_value": 0}
    assert calls == [(str(sysfs.path("dev/gpiochip2")), {16: settings}), (16, 1), "released"]


# ---- target ------------------------------------------------------------------------------------------------------


def test_the_target_runs_on_a_tree(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> None:
    sysfs = board("imx8mp-evk")
    monkeypatch.setenv("EIQ_SYSROOT", str(sysfs.root))
    target = Imx8()
    led = target.led("yellow:status")
    target.start()
    led.on()
    assert sysfs.path("sys/class/leds/yellow:status/brightness").read_text() == "1"
    assert "i.MX 8M Plus" in next(target.heading())
    assert any("throttled: no" in line for line in target.footing())
    target.close()


def test_no_silent_cpu(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIQ_SYSROOT", str(board("imx8mp-evk").root))
    target, model = Imx8(), Path(__file__).parents[4] / "models" / "kws" / "model.tflite"
    config = target.engine_config("tflite")
    with pytest.raises(MissingDependency, match="libvx_delegate.so.*delegate=none"):
        target.engine("tflite", config(model="kws"), model)
    target.engine("tflite", config(model="kws", delegate="none"), model).close()
