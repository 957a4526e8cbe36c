"""firmware/ports/mcux/eiq_accelerometer.c against a simulated FXOS8700CQ, built with cc; no board runs it here."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.resources import bundled

TESTS = Path(__file__).parents[2]
HZ = 600_000_000
FINE, NAK, HANG, BREAK, BUSY = range(5)
"""What troubles the bus: tests/simulated_fxos8700.c."""


class Sensor(ctypes.Structure):
    """struct eiq_sensor."""

    _fields_ = (
        ("kind", ctypes.c_uint8), ("dtype", ctypes.c_uint8), ("channels", ctypes.c_uint8),
        ("rate_hz", ctypes.c_float), ("scale", ctypes.c_float), ("names", ctypes.c_char_p),
        ("samples", ctypes.c_uint32), ("user", ctypes.c_void_p),
        ("start", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)),
        ("ready", ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)),
        ("read", ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint32), ctypes.c_uint32,
                                  ctypes.c_void_p)),
    )  # fmt: skip


class Chip:
    """The C with its simulated chip, just powered on."""

    def __init__(self, library: Path, rate_hz: int) -> None:
        self.c: Any = ctypes.CDLL(str(library))
        self.c.sim_time.argtypes = (ctypes.c_uint64,)
        self.c.sim_register.restype = ctypes.c_uint8
        self.sensor = Sensor.in_dll(self.c, "eiq_accelerometer")
        self.period = HZ // rate_hz

    def wait(self, samples: int, *, polls: bool = True) -> None:
        """Let so many sample periods pass, one by one; each is long enough for a poll and both its transfers."""
        for _ in range(samples):
            self.c.sim_time(self.period)
            self.c.sim_samples(1)
            if polls:
                self.poll()

    def poll(self) -> None:
        self.c.eiq_accelerometer_poll()
        self.c.sim_interrupt()
        self.c.sim_interrupt()

    def read(self, at: int = 0, count: int = 4096) -> tuple[int, np.ndarray]:
        place, out = ctypes.c_uint32(at), np.zeros((count, 3), np.int16)
        found = self.sensor.read(None, ctypes.byref(place), count, out.ctypes.data)
        return place.value, out[:found]

    @property
    def ready(self) -> int:
        return int(self.sensor.ready(None))


def expected(first: int, last: int) -> np.ndarray:
    """What the simulated chip measures: 14 bits of a number that goes up."""
    words = np.arange(3 * first, 3 * last).reshape(-1, 3) & 0x3FFF
    return np.where(words < 0x2000, words, words - 0x4000).astype(np.int16)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Chip]:
    """A chip of its own: ``built(rate_hz=400)``."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    folder = tmp_path_factory.mktemp("chip")
    for name in ("board.h", "fsl_fxos.h", "fsl_lpi2c.h"):
        (folder / name).write_text('#include "simulated_mcux.h"\n')
    numbers, compiled = itertools.count(), dict[tuple[int, int], Path]()
    port, core = bundled() / "firmware" / "ports" / "mcux", bundled() / "firmware" / "core"

    def library(rate_hz: int, range_g: int) -> Path:
        made = folder / f"chip_{rate_hz}_{range_g}.so"
        done = subprocess.run(
            ["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-DEIQ_MOTION_HZ={rate_hz}",
             f"-DEIQ_MOTION_G={range_g}", "-I", folder, "-I", TESTS, "-I", port, "-I", core, "-o", made,
             port / "eiq_accelerometer.c", port / "eiq_motion.c", TESTS / "simulated_fxos8700.c"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[:3000]
        return made

    def make(rate_hz: int = 100, range_g: int = 4) -> Chip:
        kind = rate_hz, range_g
        compiled[kind] = compiled.get(kind) or library(*kind)
        own = shutil.copy(compiled[kind], folder / f"chip{next(numbers)}.so")  # static variables of its own
        chip = Chip(Path(own), rate_hz)
        chip.c.sim_power()
        return chip

    return make


@pytest.fixture
def chip(built: Callable[..., Chip]) -> Chip:
    """Found, and started."""
    chip = built()
    assert chip.c.eiq_accelerometer_find() == 1
    assert chip.sensor.start(None, 0) == 0
    return chip


@pytest.mark.parametrize("address", [0x1C, 0x1D, 0x1E, 0x1F])
def test_it_is_found_at_each_of_its_addresses(built: Callable[..., Chip], address: int) -> None:
    chip = built()
    chip.c.sim_address(address)
    assert chip.c.eiq_accelerometer_find() == 1
    assert chip.sensor.start(None, 0) == 0


@pytest.mark.parametrize("trouble", [NAK, HANG])
def test_a_board_without_one_is_told_so(built: Callable[..., Chip], trouble: int) -> None:
    chip = built()
    chip.c.sim_trouble(trouble)
    assert chip.c.eiq_accelerometer_find() == 0


@pytest.mark.parametrize(("rate_hz", "code"), [(100, 3), (200, 2), (400, 1)])
@pytest.mark.parametrize(("range_g", "scale"), [(2, 1 / 4096), (4, 1 / 2048), (8, 1 / 1024)])
def test_the_chip_measures_what_the_board_says(
    built: Callable[..., Chip], rate_hz: int, code: int, range_g: int, scale: float
) -> None:
    """Data sheet: CTRL_REG1 bits 3 to 5, XYZ_DATA_CFG, counts per g; with the magnetometer on, rates would be half."""
    chip = built(rate_hz, range_g)
    assert chip.c.eiq_accelerometer_find() == 1
    assert chip.sensor.start(None, 0) == 0
    assert chip.c.sim_register(0x2A) == code << 3 | 1
    assert chip.c.sim_register(0x0E) == {2: 0, 4: 1, 8: 2}[range_g]
    assert chip.c.sim_register(0x5B) & 3 == 0
    assert chip.c.sim_register(0x09) == 0x40
    assert (chip.sensor.rate_hz, chip.sensor.scale) == (rate_hz, scale)
    assert chip.sensor.names == b"ax_g ay_g az_g"


def test_every_sample_arrives_once_and_in_order(chip: Chip) -> None:
    chip.wait(500)
    at, found = chip.read()
    assert (at, chip.ready) == (0, 500)
    np.testing.assert_array_equal(found, expected(0, 500))
    assert chip.read(495, 3)[1].tolist() == expected(495, 498).tolist()


def test_samples_wait_in_the_fifo_between_polls(chip: Chip) -> None:
    for _ in range(20):
        chip.wait(31, polls=False)
        chip.poll()
    assert chip.ready == 620
    np.testing.assert_array_equal(chip.read()[1], expected(0, 620))


def test_a_host_that_comes_late_sees_what_it_missed(chip: Chip) -> None:
    chip.wait(3000)
    at, found = chip.read()
    assert (at, len(found)) == (3000 - 1024, 1024)
    np.testing.assert_array_equal(found, expected(at, 3000))


@pytest.mark.parametrize("late", [33, 100, 5000])
def test_a_fifo_that_ran_over_leaves_a_gap_of_its_size(chip: Chip, late: int) -> None:
    chip.wait(50)
    chip.wait(late, polls=False)
    chip.poll()
    assert chip.ready == 50 + late
    at, found = chip.read(40)
    assert at == 50 + late - 32
    np.testing.assert_array_equal(found, expected(at, 50 + late))


@pytest.mark.parametrize("trouble", [NAK, BUSY])
def test_a_bus_that_fails_for_a_while_loses_nothing_that_the_fifo_holds(chip: Chip, trouble: int) -> None:
    chip.wait(10)
    chip.c.sim_trouble(trouble)
    chip.wait(20)
    assert chip.ready == 10
    chip.c.sim_trouble(FINE)
    chip.wait(1)
    np.testing.assert_array_equal(chip.read()[1], expected(0, 31))


def test_a_transfer_that_broke_off_is_a_gap_and_no_shift(chip: Chip) -> None:
    """Half of the FIFO was read and is gone: what follows has its right number all the same."""
    chip.wait(10)
    chip.wait(19, polls=False)
    chip.c.sim_trouble(BREAK)
    chip.wait(1)
    chip.c.sim_trouble(FINE)
    chip.wait(5)
    assert chip.ready == 35
    at, found = chip.read()
    assert at == 20
    np.testing.assert_array_equal(found, expected(20, 35))


def test_a_hung_bus_is_begun_anew(chip: Chip) -> None:
    chip.wait(10)
    chip.c.sim_trouble(HANG)
    chip.wait(3)
    chip.c.sim_trouble(FINE)
    chip.wait(12)
    assert chip.ready == 25
    np.testing.assert_array_equal(chip.read()[1], expected(0, 25))


def test_a_bus_that_hangs_in_the_middle_of_the_samples_leaves_a_gap_and_no_shift(chip: Chip) -> None:
    chip.wait(10)
    chip.wait(20, polls=False)
    chip.c.eiq_accelerometer_poll()
    chip.c.sim_interrupt()
    chip.c.sim_trouble(HANG)
    chip.c.sim_interrupt()
    chip.c.sim_trouble(FINE)
    chip.wait(15)
    assert chip.ready == 45
    at, found = chip.read()
    assert at == 20
    np.testing.assert_array_equal(found, expected(20, 45))


def test_a_start_begins_anew(chip: Chip) -> None:
    chip.wait(100)
    assert chip.sensor.start(None, 0) == 0
    assert chip.ready == 0
    chip.wait(10)
    at, found = chip.read()
    assert at == 0
    np.testing.assert_array_equal(found, expected(100, 110))


def test_a_start_without_the_chip_is_an_error(chip: Chip) -> None:
    chip.c.sim_trouble(NAK)
    assert chip.sensor.start(None, 0) != 0
    chip.c.sim_trouble(FINE)
    chip.wait(10)
    assert chip.ready == 0
