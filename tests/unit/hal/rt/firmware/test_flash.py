"""``firmware flash``: what a user is told, by a pyocd that prints what pyOCD 0.46.0 prints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from apps.cli.firmware_flash import flash as command
from hal.rt.firmware import flash
from hal.rt.firmware.builder import Image
from pipelines.errors import CapabilityError, DeviceTimeout, EiqError, MissingDependency

EVK_1050 = {"unique_id": "0227000011", "info": "MIMXRT1050-EVKB", "board_vendor": None,
            "board_name": "MIMXRT1050-EVKB", "target": "mimxrt1050_hyperflash", "vendor_name": "NXP",
            "product_name": "LPC-LINK2 CMSIS-DAP"}  # fmt: skip
EVK_1060 = EVK_1050 | {"unique_id": "02290000aabb", "info": "MIMXRT1060-EVK", "board_name": "MIMXRT1060-EVK",
                       "target": "mimxrt1060"}  # fmt: skip
UNKNOWN = EVK_1050 | {"unique_id": "FFEE", "info": "NXP LPC-LINK2 CMSIS-DAP", "board_name": "Generic",
                      "target": "cortex_m"}  # fmt: skip
DENIED = "0000474 C Unable to open the probe: [Errno 13] Access denied (insufficient permissions) [__main__]\n"
NO_TARGET = ("0000279 C Target type mimxrt1064 not recognized. Use 'pyocd list --targets' to see currently available "
             "target types. See <https://pyocd.io/docs/target_support.html> for how to install additional target "
             "support. [__main__]\n")  # fmt: skip
PYTHON = os.path.realpath(sys.executable)
PROGRAM = """#!{python}
import json, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
out, err, code = {answers!r}[sys.argv[1]]
print(out, end="")
print(err, end="", file=sys.stderr)
sys.exit(code)
"""

Fake = Callable[..., Callable[[], list[list[str]]]]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No pyocd but one that the test puts here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere" / "python"))
    return folder


@pytest.fixture
def pyocd(alone: Path, tmp_path: Path) -> Fake:
    """A pyocd with these probes, that ends so when it writes; gives what it was called with."""

    def make(*boards: dict[str, Any], told: str = "", code: int = 0, listing: str | None = None,
             status: int = 0, error: str = "") -> Callable[[], list[list[str]]]:  # fmt: skip
        answer = {"pyocd_version": "0.46.0", "version": {"major": 1, "minor": 1}, "status": status, "boards": boards}
        answer |= {"error": error} if status else {}
        answers = {"json": (json.dumps(answer) if listing is None else listing, "", 0),
                   "flash": ("[==================================================] 100%\n", told, code)}  # fmt: skip
        log = tmp_path / "calls"
        program = alone / "pyocd"
        program.write_text(PROGRAM.format(python=PYTHON, log=str(log), answers=answers))
        program.chmod(0o755)
        return lambda: [json.loads(line) for line in log.read_text().splitlines()]

    return make


def image(board: str = "evkmimxrt1060") -> Image:
    return Image(board, Path("/somewhere/firmware.elf"), (), "arm-none-eabi-gcc")


def told(board: str = "evkmimxrt1060", probe: str | None = None) -> str:
    with pytest.raises(EiqError) as caught:
        flash.flash(image(board), probe)
    message = str(caught.value)
    assert "\n" not in message
    return f"{type(caught.value).__name__}: {message}"


@pytest.mark.parametrize(
    ("board", "target"),
    [("evkmimxrt1060", "mimxrt1060"), ("evkbimxrt1050", "mimxrt1050_hyperflash"), ("evkmimxrt1064", "mimxrt1064")],
)
def test_writes_the_program_to_the_boards_target(pyocd: Fake, board: str, target: str) -> None:
    calls = pyocd(EVK_1060 | {"target": target})
    assert flash.flash(image(board)).id == "02290000aabb"
    listing, writing = calls()
    assert listing == ["json", "--probes"]
    assert writing == ["flash", "--no-wait", "--probe", "02290000aabb", "--target", target, "--format", "elf",
                       "/somewhere/firmware.elf"]  # fmt: skip


def test_a_part_of_an_id_chooses_among_several(pyocd: Fake) -> None:
    calls = pyocd(EVK_1050, EVK_1060, UNKNOWN)
    assert flash.flash(image(), "AABB").words == "MIMXRT1060-EVK"
    assert calls()[1][2:4] == ["--probe", "02290000aabb"]


def test_a_probe_on_a_board_that_pyocd_does_not_know_is_taken(pyocd: Fake) -> None:
    pyocd(UNKNOWN)
    assert flash.flash(image()).id == "FFEE"


def test_the_progress_bar_goes_where_it_is_wanted(pyocd: Fake, tmp_path: Path) -> None:
    pyocd(EVK_1060)
    with (tmp_path / "bar").open("w") as bar:
        flash.flash(image(), progress=bar)
    assert "100%" in (tmp_path / "bar").read_text()


def test_without_pyocd_the_command_that_installs_it(alone: Path) -> None:
    with pytest.raises(MissingDependency, match=r"pip install 'eiq-demo\[flash\]'"):
        flash.flash(image())


def test_pyocd_beside_python_is_found_where_it_is_not_on_the_path(
    pyocd: Fake, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyocd(EVK_1060)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(alone / "python"))
    assert flash.flash(image()).id == "02290000aabb"


@pytest.mark.parametrize("board", ["host", "mps2-an500"])
def test_a_board_without_flash_is_refused_before_anything(alone: Path, board: str) -> None:
    with pytest.raises(CapabilityError, match="expected one of evkbimxrt1050, evkmimxrt1060, evkmimxrt1064; start"):
        flash.check(board)


def test_no_probe(pyocd: Fake) -> None:
    pyocd()
    assert told().startswith("DeviceError: found no debug probe; connect the board's debug USB port")


def test_several_probes(pyocd: Fake) -> None:
    pyocd(EVK_1060, UNKNOWN)
    assert told() == ("DeviceError: found 2 debug probes, 02290000aabb (MIMXRT1060-EVK), FFEE (NXP LPC-LINK2 "
                      "CMSIS-DAP); choose one with --probe")  # fmt: skip


def test_a_probe_that_is_not_there(pyocd: Fake) -> None:
    pyocd(EVK_1060)
    assert told(probe="zz") == "DeviceError: got --probe zz, expected one of 02290000aabb (MIMXRT1060-EVK)"


def test_an_id_that_several_have(pyocd: Fake) -> None:
    pyocd(EVK_1050, EVK_1060, UNKNOWN)
    assert "found 2 debug probes, 0227000011 (MIMXRT1050-EVKB), 02290000aabb" in told(probe="022")


def test_a_probe_on_another_board(pyocd: Fake) -> None:
    calls = pyocd(EVK_1050)
    message = told()
    found = "the probe 0227000011 is on a board with the chip mimxrt1050_hyperflash (MIMXRT1050-EVKB)"
    assert message.startswith(f"CapabilityError: {found}, expected mimxrt1060 for evkmimxrt1060")
    assert len(calls()) == 1, "it wrote all the same"


def test_the_same_chip_with_the_other_flash_is_the_same_board(pyocd: Fake) -> None:
    pyocd(EVK_1050 | {"target": "mimxrt1050_quadspi"})
    assert flash.flash(image("evkbimxrt1050")).id == "0227000011"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (DENIED, "(Unable to open the probe: [Errno 13] Access denied (insufficient permissions))"),
        (NO_TARGET, "(Target type mimxrt1064 not recognized)"),
        ("0000238 E No target device available [load_cmd]\n", "(No target device available)"),
        ("0000100 W a warning [x]\n0000238 E Flash programming failed [flash]\n", "(Flash programming failed)"),
        ("Segmentation fault\n", "(Segmentation fault)"),
    ],
)
def test_what_pyocd_says_is_passed_on(pyocd: Fake, log: str, words: str) -> None:
    pyocd(EVK_1060, told=log, code=1)
    message = told()
    assert message.startswith("DeviceError: pyOCD could not write the firmware through the probe 02290000aabb")
    assert words in message


@pytest.mark.parametrize("listing", ["", "no JSON", "[]", "{}", '{"status": 0}'])
def test_a_listing_that_is_none(pyocd: Fake, listing: str) -> None:
    pyocd(listing=listing)
    assert told().startswith("DeviceError: pyOCD cannot list the debug probes (")


def test_a_listing_that_failed(pyocd: Fake) -> None:
    pyocd(status=1, error="No USB backend found")
    assert told() == ("DeviceError: pyOCD cannot list the debug probes (No USB backend found); try pyocd list --probes")


def test_pyocd_that_does_not_end(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = alone / "pyocd"
    program.write_text("#!/bin/sh\nwhile :; do :; done\n")
    program.chmod(0o755)
    monkeypatch.setattr(flash, "LISTING_S", 0.05)
    with pytest.raises(DeviceTimeout, match=r"pyocd json did not end within 0\.05 s"):
        flash.probes()


def test_the_command_tells_what_is_missing_before_it_builds(alone: Path) -> None:
    done = CliRunner().invoke(command, ["--board", "evkmimxrt1060", "--models", "kws"])
    assert isinstance(done.exception, MissingDependency)
    assert "pyOCD" in str(done.exception)


def test_the_command_builds_and_writes(pyocd: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = pyocd(EVK_1060, EVK_1050)
    monkeypatch.setattr("apps.cli.firmware_flash.built", lambda board, *_: image(board))
    done = CliRunner().invoke(command, ["--board", "evkmimxrt1060", "--models", "kws", "--probe", "0229"])
    assert done.exit_code == 0, done.exception
    assert calls()[1][-1] == "/somewhere/firmware.elf"
    assert "into evkmimxrt1060 through the probe 02290000aabb (MIMXRT1060-EVK); it runs" in done.stderr
    assert done.stdout == ""
