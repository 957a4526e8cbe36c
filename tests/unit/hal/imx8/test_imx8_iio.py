"""A motion sensor's scale, its mounting, its rate and its trigger."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sysroots
from hal.imx8.iio import DEVICES, IioDevice, channels_of
from hal.imx8.iio_devices import find
from hal.imx8.sysfs import Sysfs
from pipelines.core import Array
from pipelines.errors import DeviceError
from sysroots import LIES, lie, put, sentence

QM, QXP, I93 = "imx8qm-mek", "imx8qxp-mek", "imx93-11x11-evk"
IIO, TRIGGER = f"{DEVICES}/iio:device0", f"{DEVICES}/trigger0"


def accelerometer(sysfs: Sysfs) -> IioDevice:
    (device,) = find(sysfs, ["accel"])
    return device


def polled(device: IioDevice, *names: str) -> Array:
    return device.convert(device.poll(), channels_of(names))[0]


@pytest.mark.parametrize("tree", [QM, QXP, I93])
def test_every_boards_sensor_lies_flat(board: Callable[[str], Sysfs], tree: str) -> None:
    """1 g, also from the fxos8700 driver, which gives its scale in g."""
    device = accelerometer(board(tree))
    np.testing.assert_allclose(polled(device, "ax_g", "ay_g", "az_g"), [0, 0, 1], atol=1e-3)
    np.testing.assert_allclose(polled(device, "az_mg", "az_mps2"), [1000, 9.80665], rtol=1e-3)


@pytest.mark.parametrize("scale", ["0.000244", "0.000488", "0.000976"])
def test_a_driver_that_counts_in_g(board: Callable[[str], Sysfs], scale: str) -> None:
    sysfs = board(QXP)
    put(sysfs, f"{IIO}/in_accel_scale", scale)
    put(sysfs, f"{IIO}/in_accel_x_raw", "1000")
    assert polled(accelerometer(sysfs), "ax_g")[0] == pytest.approx(1000 * float(scale), rel=1e-6)
    put(sysfs, f"{IIO}/in_accel_scale", str(float(scale) * 9.80665))  # a kernel in which that is mended
    assert polled(accelerometer(sysfs), "ax_g")[0] == pytest.approx(1000 * float(scale), rel=1e-6)


@pytest.mark.parametrize("name", ["ax", "bx_g", "ax_dps", "gx_g", "aw_g", ""])
def test_a_channel_that_no_sensor_has(name: str) -> None:
    with pytest.raises(DeviceError) as info:
        channels_of([name])
    assert str(info.value) == (
        f'got the channel "{name}", expected one such as ax_g, ax_mg, ax_mps2, gx_dps or gx_radps'
    )


# ---- range -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "scale"), [(1, "0.000598"), (2, "0.000598"), (2.1, "0.001196"), (16, "0.004785")])
def test_the_finest_scale_that_has_the_range(board: Callable[[str], Sysfs], most: float, scale: str) -> None:
    """ST's LSM6DSO: 2, 4, 8 and 16 g in 16 bits; the file is written as the driver prints it."""
    sysfs = board(I93)
    device = accelerometer(sysfs)
    device.set_ranges({"accel": most, "anglvel": 7})
    assert read(sysfs, f"{IIO}/in_accel_scale") == scale
    put(sysfs, f"{IIO}/in_accel_x_raw", "16384")
    assert polled(device, "ax_mps2")[0] == pytest.approx(16384 * float(scale))


def test_a_range_in_degrees_per_second(board: Callable[[str], Sysfs]) -> None:
    """250, 500, 1000 and 2000 degrees per second, says its data sheet; a little more, says its scale."""
    sysfs = board(I93)
    (device,) = find(sysfs, ["anglvel"])
    device.set_ranges({"anglvel": 500})
    assert read(sysfs, f"{DEVICES}/iio:device1/in_anglvel_scale") == "0.000305"
    assert sentence(lambda: device.set_ranges({"anglvel": 4000})) == (
        "the motion sensor lsm6dso_gyro (iio:device1) measures up to 2294 dps, got range_dps 4000; set range_dps"
    )


def test_a_range_that_is_not_known(board: Callable[[str], Sysfs]) -> None:
    assert sentence(lambda: accelerometer(board(QXP)).set_ranges({"accel": 4})) == (
        "the motion sensor fxos8700 (iio:device0) does not say which ranges it has; leave range_g out"
    )


def test_a_range_that_the_driver_does_not_take(board: Callable[[str], Sysfs]) -> None:
    class Stubborn(Sysfs):
        def write(self, name: str, value: str) -> None:
            pass

    sysfs = board(I93)
    assert sentence(lambda: accelerometer(Stubborn(sysfs.root)).set_ranges({"accel": 4})) == (
        f"{sysfs.path(IIO)}/in_accel_scale was set to 0.001196 and says 0.000598; leave range_g out"
    )


# ---- scale and mounting ------------------------------------------------------------------------------------------


def test_offsets_are_added_before_the_scale(board: Callable[[str], Sysfs]) -> None:
    sysfs = board(QM)
    put(sysfs, f"{IIO}/in_accel_offset", "5\n")
    put(sysfs, f"{IIO}/in_accel_z_offset", "-1000\n")
    put(sysfs, f"{IIO}/in_accel_y_scale", "2\n")
    assert polled(accelerometer(sysfs), "ax_mps2", "ay_mps2", "az_mps2").tolist() == pytest.approx(
        [5 * 0.009806, 10, 0]
    )


@pytest.mark.parametrize("name", ["in_accel_mount_matrix", "in_mount_matrix", "accel_mount_matrix", "mount_matrix"])
def test_the_mounting_of_a_real_device_tree(board: Callable[[str], Sysfs], name: str) -> None:
    """imx8mq-librem5-r3.dtsi (an LSM9DS1): the chip hangs on the other side of the board."""
    sysfs = board(QM)
    sysfs.path(f"{IIO}/mount_matrix").unlink()
    put(sysfs, f"{IIO}/{name}", "1, 0, 0; 0, 1, 0; 0, 0, -1\n")
    assert polled(accelerometer(sysfs), "az_g")[0] == pytest.approx(-1, abs=1e-3)


@given(matrix=st.lists(st.lists(st.floats(-2, 2).map(lambda x: round(x, 4)), min_size=3, max_size=3), min_size=3,
                       max_size=3), raw=st.lists(st.integers(-2000, 2000), min_size=3, max_size=3))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mounting_is_the_abis_product(tmp_path: Path, matrix: list[list[float]], raw: list[int]) -> None:
    """The ABI: the corrected vector is the matrix times the vector of the chip."""
    sysfs = Sysfs(tmp_path / QM)
    if not sysfs.root.exists():
        sysroots.copied(QM, tmp_path)
    text = "; ".join(", ".join(f"{value:.4f}" for value in row) for row in matrix)
    put(sysfs, f"{IIO}/mount_matrix", text + "\n")
    for axis, value in zip("xyz", raw, strict=True):
        put(sysfs, f"{IIO}/in_accel_{axis}_raw", f"{value}\n")
    got: list[Array] = []
    said = sentence(lambda: got.append(polled(accelerometer(sysfs), "ax_mps2", "ay_mps2", "az_mps2")))
    if said:
        assert abs(np.linalg.det(matrix)) < 1e-5
        assert said == (f'{sysfs.path(IIO)}/mount_matrix says "{text[:60]}", expected three rows of three numbers, '
                        "without flattening space; correct mount-matrix in the device tree")  # fmt: skip
    else:
        wanted = [sum(row[i] * raw[i] * 0.009806 for i in range(3)) for row in matrix]
        np.testing.assert_allclose(got[0], wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("in_accel_scale", "0\n", "{}/in_accel_scale says 0, expected 1e-09 to 1000; check the driver"),
        ("in_accel_scale", "-1\n", "{}/in_accel_scale says -1, expected 1e-09 to 1000; check the driver"),
        ("mount_matrix", "1, 0; 0, 1",
         '{}/mount_matrix says "1, 0; 0, 1", expected three rows of three numbers, without flattening space; correct '
         "mount-matrix in the device tree"),
        ("mount_matrix", "1, 0, 0; 1, 0, 0; 0, 0, 1",
         '{}/mount_matrix says "1, 0, 0; 1, 0, 0; 0, 0, 1", expected three rows of three numbers, without flattening '
         "space; correct mount-matrix in the device tree"),
        ("mount_matrix", "1, 0, 0; 0, nan, 0; 0, 0, 1",
         '{}/mount_matrix says "1, 0, 0; 0, nan, 0; 0, 0, 1", expected three rows of three numbers, without flattening '
         "space; correct mount-matrix in the device tree"),
        ("scan_elements/in_accel_x_type", "le:s99/16",
         '{}/scan_elements/in_accel_x_type says "le:s99/16", whose 99 bits shifted by 0 do not fit into 16; check the '
         "driver"),
        ("scan_elements/in_accel_x_index", "1",
         "the buffer of the motion sensor lsm303agr_accel (iio:device0) says no element, or two of one index; check "
         "the driver"),
        ("sampling_frequency_available", "1 10",
         "the motion sensor lsm303agr_accel (iio:device0) does not offer 100 Hz, expected one of 1, 10 Hz; set "
         "rate_hz"),
        ("sampling_frequency_available", "fast",
         '{}/sampling_frequency_available says "fast", expected numbers above 0; check the driver'),
        ("sampling_frequency_available", "0 100",
         '{}/sampling_frequency_available says "0 100", expected numbers above 0; check the driver'),
    ],
)  # fmt: skip
def test_a_sensor_that_lies(board: Callable[[str], Sysfs], name: str, text: str, says: str) -> None:
    sysfs = with_own_trigger(board(QM))
    put(sysfs, f"{IIO}/{name}", text)
    assert sentence(lambda: accelerometer(sysfs).enable(100, 64)) == says.format(sysfs.path(IIO))


# ---- rate and trigger --------------------------------------------------------------------------------------------


def with_own_trigger(sysfs: Sysfs) -> Sysfs:
    """As where the interrupt is wired: st_sensors makes "<name>-trigger"."""
    put(sysfs, f"{TRIGGER}/name", "lsm303agr_accel-trigger\n")
    return sysfs


def read(sysfs: Sysfs, name: str) -> str:
    return sysfs.path(name).read_text().strip()


class Kernel(Sysfs):
    """Refuses as the kernel does what is set while the buffer is on."""

    def write(self, name: str, value: str) -> None:
        if name != f"{IIO}/buffer/enable" and read(self, f"{IIO}/buffer/enable") == "1":
            raise DeviceError(f'"{value}" cannot be written to {self.path(name)} (Device or resource busy)')
        Sysfs.write(self, name, value)


def test_a_sensor_with_its_own_trigger(board: Callable[[str], Sysfs]) -> None:
    sysfs = with_own_trigger(board(QM))
    put(sysfs, f"{IIO}/buffer/enable", "1")  # left on by a program that was killed
    device = accelerometer(Kernel(sysfs.root))
    layout = device.enable(100, 64, {"accel": 4})
    assert layout.size == 16
    assert read(sysfs, f"{IIO}/in_accel_scale") == "0.019613"
    assert [element.name for element in layout.elements] == ["accel_x", "accel_y", "accel_z", "timestamp"]
    assert read(sysfs, f"{IIO}/trigger/current_trigger") == "lsm303agr_accel-trigger"
    assert read(sysfs, f"{IIO}/sampling_frequency") == "100"
    assert read(sysfs, f"{IIO}/buffer/length") == "64"
    assert read(sysfs, f"{IIO}/buffer/enable") == "1"
    assert read(sysfs, f"{IIO}/current_timestamp_clock") == "monotonic"
    device.disable()
    assert read(sysfs, f"{IIO}/buffer/enable") == "0"


@pytest.mark.parametrize("chosen", [True, False], ids=["named by the user", "found"])
def test_a_timer_where_no_interrupt_is_wired(board: Callable[[str], Sysfs], chosen: bool) -> None:
    """The 93 EVK: the LSM6DSO has no 100 Hz, so it runs at 104 Hz, and the timer takes a sample every 10 ms."""
    sysfs = board(I93)
    put(sysfs, f"{TRIGGER}/name", "eiq\n")
    put(sysfs, f"{TRIGGER}/sampling_frequency", "50\n")
    if chosen:
        put(sysfs, f"{IIO}/trigger/current_trigger", "eiq\n")
    accelerometer(sysfs).enable(100, 64)
    assert read(sysfs, f"{IIO}/trigger/current_trigger") == "eiq"
    assert read(sysfs, f"{TRIGGER}/sampling_frequency") == "100"
    assert read(sysfs, f"{IIO}/sampling_frequency") == "104"
    assert sentence(lambda: accelerometer(sysfs).enable(500, 64)) == (
        "the motion sensor lsm6dso_accel (iio:device0) runs at most at 416 Hz, got rate_hz 500; set rate_hz"
    )


def test_a_timer_that_paces_another_is_not_set_anew(board: Callable[[str], Sysfs]) -> None:
    """The kernel would let it be, and the other's samples came at another rate without a word."""
    sysfs = board(I93)
    put(sysfs, f"{TRIGGER}/name", "eiq\n")
    put(sysfs, f"{TRIGGER}/sampling_frequency", "50\n")
    put(sysfs, f"{DEVICES}/iio:device1/trigger/current_trigger", "eiq\n")
    put(sysfs, f"{DEVICES}/iio:device1/buffer/enable", "1\n")
    assert sentence(lambda: accelerometer(sysfs).enable(100, 64)) == (
        "the trigger eiq paces iio:device1 at 50 Hz for another program, got rate_hz 100; set rate_hz to that, or "
        "write another timer to the device's trigger/current_trigger"
    )
    assert read(sysfs, f"{TRIGGER}/sampling_frequency") == "50"
    assert accelerometer(sysfs).enable(50, 64).size == 16


@pytest.mark.parametrize(
    ("names", "chosen", "paced"),
    [
        (["lsm303agr_accel-dev1", "lsm303agr_accel-dev0"], "lsm303agr_accel-dev0", None),  # another of the same chip
        (["lsm303agr_accel-timer"], "lsm303agr_accel-timer", "100"),
    ],
)
def test_whose_trigger_it_is(board: Callable[[str], Sysfs], names: list[str], chosen: str, paced: str | None) -> None:
    sysfs = board(QM)
    for place, name in enumerate(names):
        put(sysfs, f"{DEVICES}/trigger{place}/name", f"{name}\n")
        if name.endswith("timer"):
            put(sysfs, f"{DEVICES}/trigger{place}/sampling_frequency", "50\n")
    accelerometer(sysfs).enable(100, 64)
    assert read(sysfs, f"{IIO}/trigger/current_trigger") == chosen
    assert paced is None or read(sysfs, f"{TRIGGER}/sampling_frequency") == paced


def test_both_kinds_of_one_device_run_at_the_rate(board: Callable[[str], Sysfs]) -> None:
    """bmi160's driver has a file for each."""
    sysfs = with_own_trigger(board(QM))
    sysfs.path(f"{IIO}/sampling_frequency").unlink()
    for kind in ("accel", "anglvel"):
        put(sysfs, f"{IIO}/in_{kind}_sampling_frequency", "25\n")
        put(sysfs, f"{IIO}/in_{kind}_scale", "0.001\n")
        for index, axis in enumerate("xyz", 3 * (kind == "anglvel")):
            put(sysfs, f"{IIO}/in_{kind}_{axis}_raw", "0\n")
            put(sysfs, f"{IIO}/scan_elements/in_{kind}_{axis}_en", "0\n")
            put(sysfs, f"{IIO}/scan_elements/in_{kind}_{axis}_index", f"{index}\n")
            put(sysfs, f"{IIO}/scan_elements/in_{kind}_{axis}_type", "le:s16/16>>0\n")
    put(sysfs, f"{IIO}/scan_elements/in_timestamp_index", "6\n")
    (device,) = find(sysfs, ["accel", "anglvel"])
    assert device.enable(100, 64).size == 24
    assert [read(sysfs, f"{IIO}/in_{kind}_sampling_frequency") for kind in ("accel", "anglvel")] == ["100", "100"]


def test_what_another_left_as_watermark_is_undone(board: Callable[[str], Sysfs]) -> None:
    """libiio writes the whole buffer's size there: everything would come when it is full."""
    sysfs = with_own_trigger(board(QM))
    put(sysfs, f"{IIO}/buffer/watermark", "256\n")
    accelerometer(sysfs).enable(100, 64)
    assert read(sysfs, f"{IIO}/buffer/watermark") == "1"


def test_single_reads_are_as_quick_as_the_chip(board: Callable[[str], Sysfs]) -> None:
    """st_lsm6dsx_read_oneshot waits some periods of the chip's rate for each file."""
    sysfs = board(I93)
    device = accelerometer(sysfs)
    device.prepare_polls({})
    assert read(sysfs, f"{IIO}/sampling_frequency") == "416.000"
    put(sysfs, f"{IIO}/buffer/enable", "1\n")
    assert sentence(lambda: device.prepare_polls({})) == (
        "the buffer of the motion sensor lsm6dso_accel (iio:device0) is on, and its files cannot be read then; end the "
        f"program that uses it, or write 0 to {sysfs.path(IIO)}/buffer/enable"
    )


def test_no_trigger_at_all(board: Callable[[str], Sysfs]) -> None:
    assert sentence(lambda: accelerometer(board(QM)).enable(100, 64)) == (
        "the motion sensor lsm303agr_accel (iio:device0) has no trigger of its own (no interrupt is wired); make a "
        "timer with mkdir /sys/kernel/config/iio/triggers/hrtimer/eiq, or read it with poll: true"
    )
    assert sentence(lambda: accelerometer(board(QXP)).enable(100, 64)) == (
        "the motion sensor fxos8700 (iio:device0) has no buffer (its driver has no interrupt); read it with poll: true"
    )


def test_a_chip_with_a_queue_needs_no_trigger(board: Callable[[str], Sysfs]) -> None:
    sysfs = board(QM)
    shutil.rmtree(sysfs.path(f"{IIO}/trigger"))
    assert accelerometer(sysfs).enable(100, 64).size == 16


def test_a_driver_that_does_not_say_its_rate(board: Callable[[str], Sysfs]) -> None:
    sysfs = with_own_trigger(board(QM))
    sysfs.path(f"{IIO}/sampling_frequency").unlink()
    assert sentence(lambda: accelerometer(sysfs).enable(100, 64)) == (
        "the motion sensor lsm303agr_accel (iio:device0) does not say its sampling frequency; read it with poll: true"
    )


TREE = sysroots.TREES / QM


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(data=st.data())
def test_any_lie_of_a_sensor_is_one_sentence_or_a_finite_value(tmp_path: Path, data: st.DataObject) -> None:
    sysfs = Sysfs(tmp_path / QM)
    if not sysfs.root.exists():
        with_own_trigger(sysroots.copied(QM, tmp_path))
    originals = {path.relative_to(TREE): path.read_bytes() for path in (TREE / IIO).rglob("*") if path.is_file()}
    file = data.draw(st.sampled_from(sorted(originals)))
    lie(sysfs.root / file, data.draw(LIES | st.sampled_from([b"le:s64/64>>64", b"le:s16/16X9", b"1, 1e308, 1"])))
    got: list[Array] = []

    def ask() -> None:
        device = accelerometer(sysfs)
        got.append(polled(device, "ax_g", "ay_g", "az_mps2"))
        layout = device.enable(100, 64)
        got.append(device.convert(layout.decode(bytes(layout.size)), channels_of(["ax_g"])))
        device.disable()

    said = sentence(ask)
    for name, original in originals.items():
        lie(sysfs.root / name, original)
    assert "\n" not in said
    assert all(np.isfinite(values).all() for values in got)
