"""Which devices measure what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from hal.imx8.iio import DEVICES, channels_of
from hal.imx8.iio_devices import Named, find
from hal.imx8.sysfs import Sysfs
from sysroots import put, sentence

QM, I93, NONE = "imx8qm-mek", "imx93-11x11-evk", "imx8mp-evk"
BOTH = ("accel", "anglvel")
Wanted = Named | Sequence[Named] | None


def found(sysfs: Sysfs, kinds: Sequence[str], wanted: Wanted = None) -> list[tuple[str, tuple[str, ...]]]:
    return [(device.name, device.kinds) for device in find(sysfs, kinds, wanted)]


def with_whole(sysfs: Sysfs) -> Sysfs:
    """A third device, which has both: an MPU-6050's driver gives one (inv_mpu6050)."""
    put(sysfs, f"{DEVICES}/iio:device2/name", "mpu6050\n")
    for kind in BOTH:
        put(sysfs, f"{DEVICES}/iio:device2/in_{kind}_scale", "0.001\n")
        for axis in "xyz":
            put(sysfs, f"{DEVICES}/iio:device2/in_{kind}_{axis}_raw", "0\n")
    return sysfs


def test_two_devices_of_one_chip(board: Callable[[str], Sysfs]) -> None:
    sysfs = board(I93)
    assert found(sysfs, BOTH) == [("lsm6dso_accel", ("accel",)), ("lsm6dso_gyro", ("anglvel",))]
    assert found(sysfs, ["anglvel", "accel", "anglvel"]) == [("lsm6dso_gyro", ("anglvel",)),
                                                             ("lsm6dso_accel", ("accel",))]  # fmt: skip
    assert found(sysfs, ["anglvel"]) == [("lsm6dso_gyro", ("anglvel",))]


def test_one_that_has_both_is_taken_first(board: Callable[[str], Sysfs]) -> None:
    sysfs = with_whole(board(I93))
    assert found(sysfs, BOTH) == [("mpu6050", BOTH)]
    assert found(sysfs, ["accel"]) == [("lsm6dso_accel", ("accel",))]
    assert found(sysfs, BOTH, [1, "lsm6dso_accel"]) == [("lsm6dso_accel", ("accel",)), ("lsm6dso_gyro", ("anglvel",))]
    assert found(sysfs, BOTH, [0, "mpu6050"]) == [("lsm6dso_accel", ("accel",)), ("mpu6050", ("anglvel",))]
    assert sentence(lambda: found(sysfs, BOTH, ["mpu6050", 0])) == (
        "device names 0, of which nothing is needed beside mpu6050; leave it out"
    )


@pytest.mark.parametrize("wanted", ["lsm6dso_gyro", "iio:device1", 1, "1", ["lsm6dso_gyro"]])
def test_one_is_named(board: Callable[[str], Sysfs], wanted: Wanted) -> None:
    sysfs = board(I93)
    put(sysfs, f"{DEVICES}/iio:device1/in_anglvel_y_raw", "1000")
    (device,) = find(sysfs, ["anglvel"], wanted)
    assert str(device) == "the motion sensor lsm6dso_gyro (iio:device1)"
    values = device.convert(device.poll(), channels_of(["gy_radps", "gy_dps"]))[0]
    np.testing.assert_allclose(values, [0.153, 0.153 * 180 / np.pi], rtol=1e-6)


@pytest.mark.parametrize(
    ("tree", "kinds", "wanted", "says"),
    [
        (QM, BOTH, None, "no gyroscope, its IIO devices: iio:device0 lsm303agr_accel (accelerometer)"),
        (NONE, BOTH, None, "no accelerometer, its IIO devices: none"),
        (I93, BOTH, 0, "no gyroscope in 0, its IIO devices: iio:device0 lsm6dso_accel (accelerometer), iio:device1 "
                       "lsm6dso_gyro (gyroscope)"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(
    board: Callable[[str], Sysfs], tree: str, kinds: Sequence[str], wanted: Wanted, says: str
) -> None:
    assert sentence(lambda: found(board(tree), kinds, wanted)) == (
        f"this board has {says}; set channels or device, load the driver, or take a recording (file: …, --input)"
    )


@pytest.mark.parametrize("wanted", ["bmi160", ["lsm6dso_accel", "bmi160"]])
def test_one_that_is_not_there(board: Callable[[str], Sysfs], wanted: Wanted) -> None:
    assert sentence(lambda: found(board(I93), ["accel"], wanted)) == (
        "this board has no IIO device bmi160, expected one of: iio:device0 lsm6dso_accel (accelerometer), iio:device1 "
        "lsm6dso_gyro (gyroscope); correct device, or load the driver"
    )


def test_what_measures_nothing_of_it_is_listed_and_may_not_be_named(board: Callable[[str], Sysfs]) -> None:
    sysfs = board(I93)
    put(sysfs, f"{DEVICES}/iio:device2/name", "imx93-adc\n")
    assert "iio:device2 imx93-adc (neither)" in sentence(lambda: found(sysfs, ["accel"], "imx93-adc"))
    assert sentence(lambda: found(sysfs, ["accel"], [0, "imx93-adc"])) == (
        "device names imx93-adc, of which nothing is needed beside lsm6dso_accel; leave it out"
    )
