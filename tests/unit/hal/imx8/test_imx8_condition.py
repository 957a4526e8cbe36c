"""Temperature, clock and throttling, also while they change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sysroots
from hal.imx8.condition import CPUFREQ, THERMAL, Condition, Watch, look
from hal.imx8.sysfs import Sysfs
from sysroots import ALL, LIES, lie, put, sentence

TEMP = f"{THERMAL}/thermal_zone0/temp"
LINES = {
    "imx8mm-evk": ["temperature cpu-thermal 45.0 °C", "CPU 0-3 at 1800 MHz of 1800 MHz, governor ondemand"],
    "imx8mn-evk": ["temperature cpu-thermal 45.0 °C", "CPU 0-3 at 1500 MHz of 1500 MHz, governor ondemand"],
    "imx8mp-evk": [
        "temperature soc-thermal 45.0 °C, cpu-thermal 45.0 °C",
        "CPU 0-3 at 1800 MHz of 1800 MHz, governor ondemand",
    ],
    "imx8qm-mek": [
        "temperature pmic-thermal 45.0 °C, cpu0-thermal 45.0 °C, gpu0-thermal 45.0 °C, gpu1-thermal 45.0 °C, "
        "drc0-thermal 45.0 °C",
        "CPU 0-3 at 1200 MHz of 1200 MHz, governor ondemand",
        "CPU 4-5 at 1596 MHz of 1596 MHz, governor ondemand",
    ],
    "imx8qxp-mek": [
        "temperature cpu0-thermal 45.0 °C, pmic-thermal 45.0 °C",
        "CPU 0-3 at 1200 MHz of 1200 MHz, governor ondemand",
    ],
    "imx93-11x11-evk": ["temperature cpu-thermal 45.0 °C"],
    "imx95-19x19-evk": [
        "temperature ana-thermal 45.0 °C, a55-thermal 45.0 °C, pf09-thermal 45.0 °C, pf53soc-thermal 45.0 °C, "
        "pf53arm-thermal 45.0 °C",
        "CPU 0-5 at 1800 MHz of 1800 MHz, governor ondemand",
    ],
}


@pytest.mark.parametrize("tree", ALL)
def test_each_board_in_words(board: Callable[[str], Sysfs], tree: str) -> None:
    assert list(look(board(tree)).lines()) == LINES[tree]


def test_only_what_slows_counts(board: Callable[[str], Sysfs]) -> None:
    """The 95 EVK's fan is a cooling device too."""
    sysfs = board("imx95-19x19-evk")
    put(sysfs, f"{THERMAL}/cooling_device0/cur_state", "3\n")
    assert look(sysfs).cooling == {"cpufreq-cpu0": 0}
    assert look(sysfs).throttled == []
    everything = board("imx8mp-evk")
    assert list(look(everything).cooling) == [
        "idle-cpu0", "idle-cpu1", "idle-cpu2", "idle-cpu3", "cpufreq-cpu0", "38000000.gpu", "38008000.gpu",
        "38500000.npu",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["thermal-cpufreq-0", "thermal-devfreq-0", "devfreq-38500000.npu", "thermal-idle-0"])
def test_older_names(board: Callable[[str], Sysfs], kind: str) -> None:
    sysfs = board("imx8mm-evk")
    put(sysfs, f"{THERMAL}/cooling_device0/type", kind)
    put(sysfs, f"{THERMAL}/cooling_device0/cur_state", "1")
    assert look(sysfs).throttled == [kind]


def test_two_zones_of_one_type(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    put(sysfs, f"{THERMAL}/thermal_zone0/type", "cpu-thermal")
    put(sysfs, f"{THERMAL}/thermal_zone1/temp", "-5500")
    assert look(sysfs).zones == {"cpu-thermal": 45.0, "cpu-thermal 1": -5.5}


@pytest.mark.parametrize(
    ("cpus", "shown"),
    [("0", "0"), ("0 1", "0-1"), ("0 2 3", "0, 2, 3"), ("4 5 6 7", "4-7"), ("0 999999999", "0, 999999999")],
)
def test_clusters(board: Callable[[str], Sysfs], cpus: str, shown: str) -> None:
    sysfs = board("imx8mm-evk")
    put(sysfs, f"{CPUFREQ}/policy0/affected_cpus", cpus)
    assert next(iter(look(sysfs).policies)).cpus == shown


def test_a_clock_that_is_held_down(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8qm-mek")
    put(sysfs, f"{CPUFREQ}/policy4/scaling_max_freq", "1056000\n")
    put(sysfs, f"{CPUFREQ}/policy4/scaling_cur_freq", "600000\n")
    assert list(look(sysfs).lines())[-1] == "CPU 4-5 at 600 MHz of 1596 MHz, held to 1056 MHz, governor ondemand"


def test_a_sensor_that_is_not_ready_and_a_cluster_that_is_off(board: Callable[[str], Sysfs]) -> None:
    """imx8mm_thermal.c gives EAGAIN below 10 °C, cpufreq EBUSY where all CPUs of a policy are off: no reason to stop.

    A pipe that somebody holds open gives EAGAIN just so.
    """
    sysfs = board("imx8qm-mek")
    held = []
    for name in (TEMP, f"{CPUFREQ}/policy4/affected_cpus"):
        sysfs.path(name).unlink()
        os.mkfifo(sysfs.path(name))
        held.append(os.open(sysfs.path(name), os.O_RDWR))
    try:
        condition = look(sysfs)
        watch = Watch(sysfs, every_s=60)
        watch.close()
    finally:
        for descriptor in held:
            os.close(descriptor)
    assert (condition.silent, [policy.cpus for policy in condition.policies]) == (("pmic-thermal",), ["0-3"])
    assert "no temperature now from pmic-thermal" in condition.lines()
    assert "no temperature now from pmic-thermal" in watch.footing()


def test_throttling_between_begin_and_end_is_reported(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8qm-mek")
    watch = Watch(sysfs, every_s=60)
    assert "throttled: no, at none of 1 looks" in watch.footing()
    assert watch.numbers()["throttled"] is False
    put(sysfs, f"{THERMAL}/cooling_device1/cur_state", "1\n")
    put(sysfs, f"{THERMAL}/thermal_zone1/temp", "107300\n")
    watch.look()
    put(sysfs, f"{THERMAL}/cooling_device1/cur_state", "0\n")
    put(sysfs, f"{THERMAL}/thermal_zone1/temp", "90000\n")
    watch.look()
    watch.close()
    watch.close()
    assert list(watch.footing()) == [
        "highest temperature pmic-thermal 45.0 °C, cpu0-thermal 107.3 °C, gpu0-thermal 45.0 °C, gpu1-thermal 45.0 °C, "
        "drc0-thermal 45.0 °C",
        "CPU 0-3 at 1200 MHz of 1200 MHz, governor ondemand",
        "CPU 4-5 at 1596 MHz of 1596 MHz, governor ondemand",
        "throttled: yes (cpufreq-cpu4), at 1 of 3 looks; the times are not the board's best",
    ]
    others = {"gpu0-thermal": 45.0, "gpu1-thermal": 45.0, "drc0-thermal": 45.0}
    assert watch.numbers() == {
        "temperatures_c": {"pmic-thermal": 45.0, "cpu0-thermal": 90.0} | others,
        "highest_temperatures_c": {"pmic-thermal": 45.0, "cpu0-thermal": 107.3} | others,
        "clocks": [
            {"cpus": "0-3", "governor": "ondemand", "now_hz": 1.2e9, "allowed_hz": 1.2e9, "most_hz": 1.2e9},
            {"cpus": "4-5", "governor": "ondemand", "now_hz": 1.596e9, "allowed_hz": 1.596e9, "most_hz": 1.596e9},
        ],
        "throttled": True,
        "throttled_by": ["cpufreq-cpu4"],
        "throttled_looks": 1,
        "looks": 3,
    }


def test_it_looks_by_itself_while_a_run_lasts(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mp-evk")
    watch = Watch(sysfs, every_s=0.01)
    put(sysfs, f"{THERMAL}/cooling_device7/cur_state", "2\n")
    put(sysfs, TEMP, "86000\n")
    _until(lambda: watch.throttled > 0 and watch.hottest["soc-thermal"] == 86.0)
    put(sysfs, f"{THERMAL}/cooling_device7/cur_state", "0\n")
    put(sysfs, TEMP, "45000\n")
    seen = watch.looks
    _until(lambda: watch.looks > seen + 1)
    watch.close()
    footing = list(watch.footing())
    assert footing[0] == "highest temperature soc-thermal 86.0 °C, cpu-thermal 45.0 °C"
    assert footing[-1].startswith(f"throttled: yes (38500000.npu), at {watch.throttled} of {watch.looks} looks")
    assert 0 < watch.throttled < watch.looks


def test_files_that_go_away_in_the_middle_do_not_end_the_run(board: Callable[[str], Sysfs]) -> None:
    sysfs = board("imx8mm-evk")
    watch = Watch(sysfs, every_s=0.01)
    sysfs.path(TEMP).unlink()
    _until(lambda: watch.error is not None)
    watch.close()
    assert list(watch.footing()) == [
        f"temperature and clock were not watched to the end: {sysfs.path(TEMP)} cannot be read (No such file or "
        "directory); check that the device is there and its driver is loaded",
        "highest temperature cpu-thermal 45.0 °C",
        "CPU 0-3 at 1800 MHz of 1800 MHz, governor ondemand",
        f"throttled: no, at none of {watch.looks} looks",
    ]


def test_a_kernel_that_cannot_slow_down(board: Callable[[str], Sysfs]) -> None:
    watch = Watch(board("imx93-11x11-evk"), every_s=60)
    watch.close()
    assert list(watch.footing()) == [
        "highest temperature cpu-thermal 45.0 °C",
        "throttled: not known, this kernel has no cooling device for CPU, GPU or NPU",
    ]
    assert watch.numbers()["throttled"] is None


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


# ---- a tree that lies --------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data(), tree=st.sampled_from(ALL))
def test_any_lie_is_one_sentence_or_a_value_in_its_range(tmp_path: Path, data: st.DataObject, tree: str) -> None:
    sysfs = Sysfs(tmp_path / tree)
    if not sysfs.root.exists():
        sysroots.copied(tree, tmp_path)
    files = sorted(path for path in (sysroots.TREES / tree / "sys").rglob("*") if path.is_file())
    files = [path for path in files if "thermal" in path.parts or "cpufreq" in path.parts]
    file = data.draw(st.sampled_from(files)).relative_to(sysroots.TREES / tree)
    original = (sysroots.TREES / tree / file).read_bytes()
    lie(sysfs.root / file, data.draw(LIES))
    begun = time.monotonic()
    seen: list[Condition] = []
    said = sentence(lambda: seen.append(look(sysfs)))
    lie(sysfs.root / file, original)
    assert time.monotonic() - begun < 5
    if said:
        assert "\n" not in said
        assert str(sysfs.root / file) in said
    for condition in seen:
        assert all(-60 <= value <= 250 for value in condition.zones.values())
        assert all(1e3 <= policy.now_hz <= 1e11 for policy in condition.policies)
        assert all(line.isprintable() for line in condition.lines())
