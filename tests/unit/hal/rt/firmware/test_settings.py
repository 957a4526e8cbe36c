"""Settings of a board's C, as ``--define`` sets them."""

from __future__ import annotations

import click
import pytest

from apps.cli.firmware_options import built
from hal.rt.firmware import build
from hal.rt.firmware.link import flags_of
from hal.rt.firmware.ports import port, ports, with_defines
from pipelines.errors import CapabilityError


def test_a_setting_reaches_the_compiler() -> None:
    board = with_defines(port("evkmimxrt1060"), {"EIQ_BAUD": "921600", "EIQ_MAX_FRAME": "1024"})
    assert {"-DEIQ_BAUD=921600", "-DEIQ_MAX_FRAME=1024", "-DCPU_MIMXRT1062DVL6A=1"} <= set(flags_of(board))


def test_one_that_the_board_lacks_is_no_silent_mistake() -> None:
    with pytest.raises(CapabilityError, match="got the setting EIQ_BAUT for the board evkmimxrt1060, expected one of "
                       "EIQ_BAUD, EIQ_IDLE_MS, EIQ_MAX_FRAME, .*EIQ_MOTION_G, EIQ_MOTION_HZ"):  # fmt: skip
        build("evkmimxrt1060", [], defines={"EIQ_BAUT": "921600"})


@pytest.mark.parametrize("name", [board.name for board in ports()])
def test_a_guard_of_a_header_is_no_setting(name: str) -> None:
    with pytest.raises(CapabilityError, match="EIQ_PORT_H"):
        with_defines(port(name), {"EIQ_PORT_H": "1"})


@pytest.mark.parametrize("text", ["EIQ_BAUD", "=1", "EIQ_BAUD="])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match=f"got --define {text}, expected NAME=VALUE"):
        built("host", ("kws",), (), None, (text,))
