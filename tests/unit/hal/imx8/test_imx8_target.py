"""The target on the trees of the boards, as a user runs it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demos import eiq_demo, started
from hal.imx8.condition import THERMAL
from hal.imx8.leds import LEDS
from hal.imx8.sysfs import Sysfs
from hal.imx8.target import Imx8
from pipelines.errors import CapabilityError, DeviceError
from sysroots import ALL, ROOT, put

KWS = ROOT / "samples/kws.wav"


def run(sysfs: Sysfs, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``eiq-demo run`` on that board."""
    return eiq_demo("run", *arguments, "--target", "imx8", EIQ_SYSROOT=str(sysfs.root))


def test_a_light_follows_while_it_runs(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> None:
    sysfs = board("imx8mp-evk")
    monkeypatch.setenv("EIQ_SYSROOT", str(sysfs.root))
    target = Imx8()
    led = target.led("yellow:status")
    led.on()  # before the start it is only remembered
    assert sysfs.path(f"{LEDS}/yellow:status/brightness").read_text() == "1\n"
    target.start()
    led.off()
    assert sysfs.path(f"{LEDS}/yellow:status/brightness").read_text() == "0"
    led.on()
    assert sysfs.path(f"{LEDS}/yellow:status/brightness").read_text() == "1"
    led.off()
    target.close()
    assert sysfs.path(f"{LEDS}/yellow:status/brightness").read_text() == "1"


def test_a_start_that_fails_leaves_lights_alone(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> None:
    sysfs = board("imx8mp-evk")
    put(sysfs, f"{LEDS}/yellow:status/trigger", "none [heartbeat]\n")
    put(sysfs, f"{THERMAL}/thermal_zone0/temp", "warm\n")
    monkeypatch.setenv("EIQ_SYSROOT", str(sysfs.root))
    target = Imx8()
    target.led("yellow:status")
    with pytest.raises(DeviceError, match='says "warm", expected a number'):
        target.start()
    assert sysfs.path(f"{LEDS}/yellow:status/trigger").read_text() == "heartbeat"
    assert list(target.footing()) == []
    assert target.numbers() == {}


def test_what_it_has_not(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIQ_SYSROOT", str(board("imx8mp-evk").root))
    with pytest.raises(CapabilityError, match="unknown capability 'smell'; expected one of: camera, led, microphone"):
        Imx8().config_of("smell")


@pytest.mark.parametrize("tree", ALL)
def test_a_run_tells_how_the_board_fared(board: Callable[[str], Sysfs], tree: str) -> None:
    """Temperature, governor and throttling stand before and behind the run, and once throttling began it is said."""
    sysfs = board(tree)
    done = run(sysfs, "kws.yaml", "--set", f"sensor.microphone.file={KWS}", "--fast", "--seconds", "3",
               "--set", "engine.delegate=none")  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    ended = next(number for number, line in enumerate(lines) if line.startswith("limit: "))
    before, after = lines[:ended], lines[ended:]
    assert sum("temperature" in line for line in before) == 1
    assert sum("highest temperature" in line for line in after) == 1
    clocks = 0 if tree == "imx93-11x11-evk" else 2 if tree == "imx8qm-mek" else 1
    assert [sum("governor ondemand" in line for line in part) for part in (before, after)] == [clocks, clocks]
    known = "not known" if tree == "imx93-11x11-evk" else "no, at none of"
    assert after[-1].startswith(f"throttled: {known}")


def test_programs_get_the_board_in_numbers(board: Callable[[str], Sysfs]) -> None:
    done = run(board("imx8mp-evk"), "kws.yaml", "--set", f"sensor.microphone.file={KWS}", "--fast", "--seconds", "2",
               "--set", "engine.delegate=none", "--json")  # fmt: skip
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["board"][0] == "highest temperature soc-thermal 45.0 °C, cpu-thermal 45.0 °C"
    assert summary["temperatures_c"] == summary["highest_temperatures_c"] == {"soc-thermal": 45.0, "cpu-thermal": 45.0}
    (clock,) = summary["clocks"]
    assert (clock["cpus"], clock["governor"], clock["now_hz"], clock["most_hz"]) == ("0-3", "ondemand", 1.8e9, 1.8e9)
    assert (summary["throttled"], summary["throttled_by"], summary["throttled_looks"]) == (False, [], 0)
    assert summary["board"][-1] == f"throttled: no, at none of {summary['looks']} looks"


@pytest.mark.slow
def test_throttling_in_the_middle_of_a_run(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> None:
    """The board gets warm after the first look, and is cool again before the last."""
    sysfs = board("imx8mp-evk")
    monkeypatch.setenv("EIQ_SYSROOT", str(sysfs.root))
    with started("run", "kws.yaml", "--set", f"sensor.microphone.file={KWS}", "--set", "engine.delegate=none",
                       "--realtime", "--seconds", "4", "--target", "imx8") as running:  # fmt: skip
        assert running.stderr is not None
        while "governor" not in running.stderr.readline():
            pass
        for state, temperature, lasts_s in ((1, 86000, 1.5), (0, 60000, 0)):
            put(sysfs, f"{THERMAL}/cooling_device4/cur_state", f"{state}\n")
            put(sysfs, f"{THERMAL}/thermal_zone1/temp", f"{temperature}\n")
            time.sleep(lasts_s)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "highest temperature soc-thermal 45.0 °C, cpu-thermal 86.0 °C" in said
    assert re.search(r"throttled: yes \(cpufreq-cpu0\), at [12] of \d looks; the times are not the board's best", said)


@pytest.mark.parametrize("command", ["run", "check", "compare"])
def test_a_machine_that_is_no_board_is_the_target_s_matter(tmp_path: Path, command: str) -> None:
    """Not the line of the engine, which only asks first."""
    (tmp_path / "sys").mkdir()
    also = ["--engines", "tflite,bundle"] if command == "compare" else []
    done = eiq_demo(command, "kws.yaml", *also, "--target", "imx8", "--set", f"sensor.microphone.file={KWS}",
                    EIQ_SYSROOT=str(tmp_path))  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        f"imx8: no device tree and no {tmp_path}/sys/devices/soc0 here, so this is no i.MX board; run it on the board, "
        "take --target sim, or let EIQ_SYSROOT name a copy of a board's files\n",
    )


def test_two_motion_devices_named_in_a_config(board: Callable[[str], Sysfs]) -> None:
    asked = ("gesture.yaml", "--set", "engine.delegate=none", "--set", "sensor.motion.poll=true", "--seconds", "0.2")
    done = run(board("imx93-11x11-evk"), *asked, "--set", "sensor.motion.device=[lsm6dso_accel, lsm6dso_gyro]")
    assert done.returncode == 0, done.stderr
    assert "motion delivers lsm6dso_accel up to 4 g and lsm6dso_gyro up to 2290 dps" in done.stderr


def test_an_empty_list_of_devices_is_refused(board: Callable[[str], Sysfs]) -> None:
    done = run(board("imx93-11x11-evk"), "gesture.yaml", "--set", "sensor.motion.device=[]")
    assert done.returncode == 2
    assert "got an empty list for device, expected one or two" in done.stderr


def test_an_eight_m_plus_without_its_library(board: Callable[[str], Sysfs]) -> None:
    done = run(board("imx8mp-evk"), "kws.yaml", "--set", f"sensor.microphone.file={KWS}")
    assert done.returncode == 2
    assert "it is the default on i.MX 8M Plus: install it, or run on the CPU with --set engine.delegate=none" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr


def test_the_page_prints_what_a_run_says(board: Callable[[str], Sysfs]) -> None:
    page = (ROOT / "docs/imx8.md").read_text()
    (block,) = re.findall(r"On the tree of the 8QuadMax MEK:\n\n((?:    .*\n)+)", page)
    done = run(board("imx8qm-mek"), "kws.yaml", "--set", f"sensor.microphone.file={KWS}", "--fast", "--seconds", "2")
    said = [re.sub(r"of \d+ looks", "of 2 looks", line.strip()) for line in done.stderr.splitlines()]
    printed = [line.strip() for line in block.splitlines()]
    assert [line for line in printed if line != "…" and line not in said] == []
