from __future__ import annotations

from pathlib import Path

import pytest

from hal.rt.firmware import ports
from hal.rt.firmware.ports import port
from pipelines.errors import CapabilityError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ports, "firmware", lambda: tmp_path)
    for name, text in {
        "base": "title: all of them\nflags: [-mthumb]\ndefines: {A: 1, B: 2}\nsources: [uart.c]\nsdk: SDK\n",
        "one": "title: one\nextends: base\ntoolchain: arm-none-eabi\nflags: [-O1]\ndefines: {B: 3}\nsources: [main.c]\n"
        "linker_script: link.ld\n",
        "two": "title: two\nextends: one\nlinker_script: ../one/other.ld\nflash: {pyocd: chip}\n",
    }.items():
        (tmp_path / "ports" / name).mkdir(parents=True)
        (tmp_path / "ports" / name / "port.yaml").write_text(text)
    return tmp_path / "ports"


def test_a_board_is_what_it_says_over_what_it_extends(folder: Path) -> None:
    one = port("one")
    assert one.flags == ("-mthumb", "-O1")
    assert one.defines == {"A": 1, "B": 3}
    assert one.sources == (folder / "base" / "uart.c", folder / "one" / "main.c")
    assert one.linker_script == folder / "one" / "link.ld"
    assert (one.sdk, one.toolchain, one.title) == ("SDK", "arm-none-eabi", "one")


def test_what_is_extended_may_extend(folder: Path) -> None:
    two = port("two")
    assert two.sources == port("one").sources
    assert two.linker_script == folder / "one" / "other.ld"
    assert two.flash == {"pyocd": "chip"}


def test_a_base_is_no_board(folder: Path) -> None:
    assert [found.name for found in ports.ports()] == ["one", "two"]
    with pytest.raises(CapabilityError, match="got the board 'base', expected one of one, two"):
        port("base")


def test_the_boards_that_ship_are_whole() -> None:
    for found in ports.ports():
        assert all(path.is_file() for path in found.sources), found.name
        assert found.linker_script is None or found.linker_script.is_file()
    assert {"host", "mps2-an500"} <= {found.name for found in ports.ports()}
