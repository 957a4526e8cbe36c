"""Lights: the kernel's, and lines of a GPIO chip: the real gpiod, on the chip that tests/simulated_gpiochip.c makes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sysroots
from hal.imx8.leds import LEDS, SysfsLed, open_led
from hal.imx8.sysfs import Sysfs
from sysroots import LIES, NOBODY, ROOT, in_child, lie, open_to_all, put, sentence

# ---- sysfs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "name", "most"),
    [("imx8mm-evk", "status", "1"), ("imx8mn-evk", "yellow:status", "1"), ("imx8mp-evk", "yellow:status", "1"),
     ("imx95-19x19-evk", "backlight", "255")],
)  # fmt: skip
def test_a_light_is_taken_and_left_as_it_was(board: Callable[[str], Sysfs], tree: str, name: str, most: str) -> None:
    sysfs = board(tree)
    folder = sysfs.path(f"{LEDS}/{name}")
    put(sysfs, f"{LEDS}/{name}/trigger", "none timer [heartbeat]\n")
    before = (folder / "brightness").read_text().strip()
    light = SysfsLed(sysfs, name)
    assert ((folder / "brightness").read_text(), (folder / "trigger").read_text()) == ("0", "none")
    light.set(True)
    assert (folder / "brightness").read_text() == most
    light.set(False)
    assert (folder / "brightness").read_text() == "0"
    light.close()
    light.close()
    assert ((folder / "brightness").read_text(), (folder / "trigger").read_text()) == (before, "heartbeat")


@pytest.mark.parametrize(
    ("tree", "name", "says"),
    [
        ("imx8mp-evk", "green", 'this board has no light "green"; expected one of: yellow:status'),
        ("imx8mp-evk", "yellow:statsu", 'this board has no light "yellow:statsu"; did you mean "yellow:status"?'),
        ("imx8qm-mek", "status", 'this board has no light "status"; it has none; name a line with gpio:CHIP/LINE'),
        ("imx8mp-evk", "..", 'this board has no light ".."; expected one of: yellow:status'),
        ("imx8mp-evk", "gpio:2", 'got the light "gpio:2", expected gpio:CHIP/LINE or gpio:CHIP/LINE/low, such as '
         "gpio:gpiochip2/16"),
    ],
)  # fmt: skip
def test_a_light_that_is_not_there(board: Callable[[str], Sysfs], tree: str, name: str, says: str) -> None:
    assert sentence(lambda: open_led(board(tree), name)) == says


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("max_brightness", "0", "{}/max_brightness says 0, expected 1 to 1e+06; check the driver"),
        ("brightness", "on", '{}/brightness says "on", expected a number; check the driver'),
        ("trigger", "none timer", '{}/trigger says "none timer", expected one trigger in brackets; check the driver'),
        ("trigger", "[none] [timer]",
         '{}/trigger says "[none] [timer]", expected one trigger in brackets; check the driver'),
    ],
)  # fmt: skip
def test_a_light_that_lies(board: Callable[[str], Sysfs], file: str, text: str, says: str) -> None:
    sysfs = board("imx8mm-evk")
    put(sysfs, f"{LEDS}/status/{file}", text)
    assert sentence(lambda: open_led(sysfs, "status")) == says.format(sysfs.path(f"{LEDS}/status"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(["brightness", "max_brightness", "trigger"]), how=LIES)
def test_any_lie_of_a_light_is_one_sentence_or_a_light(tmp_path: Path, file: str, how: bytes | str) -> None:
    original = sysroots.TREES / "imx8mm-evk" / LEDS / "status"
    sysfs = Sysfs(tmp_path / "imx8mm-evk")
    if not sysfs.root.exists():
        sysroots.copied("imx8mm-evk", tmp_path)
    lie(sysfs.path(f"{LEDS}/status/{file}"), how)

    def ask() -> None:
        light = open_led(sysfs, "status")
        light.set(True)
        light.close()

    said = sentence(ask)
    for path in original.iterdir():
        lie(sysfs.path(f"{LEDS}/status/{path.name}"), path.read_bytes())
    assert "\n" not in said


# ---- GPIO --------------------------------------------------------------------------------------------------------

GPIOD = importlib.util.find_spec("gpiod") is not None
gpio = pytest.mark.skipif(
    not GPIOD or not shutil.which("cc"), reason="needs gpiod (the extra gpio) and cc (apt-get install gcc)"
)
TAKE = """
try:
    light = leds.open_led(sysfs.Sysfs(Path(sys.argv[1])), sys.argv[2])
    for step in sys.argv[3].split():
        if step == "fail": Path(os.environ["GPIO_FAIL"]).touch()
        elif step == "close": light.close()
        else: light.set(step == "on")
    print(json.dumps(""))
except EiqError as error:
    print(json.dumps(str(error)))
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("gpiochip") / "libgpiochip.so"
    library.parent.chmod(0o755)
    source = ROOT / "tests/simulated_gpiochip.c"
    subprocess.run(
        ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True
    )
    return library


@pytest.fixture
def chip(board: Callable[[str], Sysfs], shim: Path, tmp_path: Path) -> Callable[..., tuple[Any, list[str]]]:
    """What is said, and what the pins of gpiochip2 of an 8M Plus EVK see, of a light's steps."""
    sysfs = board("imx8mp-evk")
    put(sysfs, "dev/gpiochip2", "30220000.gpio 32 7 9\n")  # GPIO3; lines 7 and 9 are held by drivers
    put(sysfs, "dev/console", "none\n")
    log, fail = tmp_path / "log", tmp_path / "fail"
    log.touch()

    def run(name: str, steps: str = "", user: int | None = None) -> tuple[Any, list[str]]:
        (said,) = in_child(TAKE, sysfs.root, name, steps, user=user, LD_PRELOAD=str(shim), GPIO_LOG=str(log),
                           GPIO_FAIL=str(fail))  # fmt: skip
        return said, log.read_text().splitlines()

    run.sysfs = sysfs  # type: ignore[attr-defined]
    return run


@gpio
@pytest.mark.parametrize(
    ("name", "lit", "dark"), [("gpio:gpiochip2/16", "high", "low"), ("gpio:gpiochip2/16/low", "low", "high")]
)
def test_a_line_is_driven(chip: Callable[..., tuple[Any, list[str]]], name: str, lit: str, dark: str) -> None:
    """Asked for as an output that is dark from its first moment on, and never lit by asking."""
    said, pins = chip(name, "on off on close")
    assert said == ""
    assert pins == [
        "request for eiq-demo as output", f"line 16 {dark}",
        f"line 16 {lit}", f"line 16 {dark}", f"line 16 {lit}", "release",
    ]  # fmt: skip


@gpio
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gpio:gpiochip2/7", "[Errno 16] Device or resource busy"),
        ("gpio:gpiochip2/32", "line offset of out range"),
        ("gpio:gpiochip9/16", "[Errno 2] No such file or directory"),
        ("gpio:console/16", "[Errno 25] Inappropriate ioctl for device"),
        ("gpio:gpiochip2/99999999999999", "line offset of out range"),
    ],
)
def test_a_line_that_is_not_to_be_had(chip: Callable[..., tuple[Any, list[str]]], name: str, why: str) -> None:
    said, pins = chip(name)
    device, _, line = name.removeprefix("gpio:").partition("/")
    path = chip.sysfs.path(f"dev/{device}")  # type: ignore[attr-defined]
    assert said.startswith(f"line {line} of {path} cannot be used ({why}")
    assert said.endswith("); is it there and free, and may you use it (gpioinfo shows all)?")
    assert pins == []


@gpio
@pytest.mark.skipif(os.getuid() != 0, reason="only root may give its rights away")
def test_a_chip_that_may_not_be_used(chip: Callable[..., tuple[Any, list[str]]], tmp_path: Path) -> None:
    sysfs: Sysfs = chip.sysfs  # type: ignore[attr-defined]
    open_to_all(sysfs)
    sysfs.path("dev/gpiochip2").chmod(stat.S_IRUSR | stat.S_IWUSR)
    said, _ = chip("gpio:gpiochip2/16", user=NOBODY)
    assert said == (f"line 16 of {sysfs.path('dev/gpiochip2')} cannot be used ([Errno 13] Permission denied); is it "
                    "there and free, and may you use it (gpioinfo shows all)?")  # fmt: skip


@gpio
def test_a_chip_that_fails_later(chip: Callable[..., tuple[Any, list[str]]]) -> None:
    said, pins = chip("gpio:gpiochip2/16", "on fail off")
    assert said == "line 16 cannot be set ([Errno 121] Remote I/O error); check the chip"
    assert pins[:3] == ["request for eiq-demo as output", "line 16 low", "line 16 high"]
