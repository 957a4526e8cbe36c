"""An i.MX RT10xx for a linked firmware: its real instructions (Unicorn's Cortex-M7), and registers that hold what is
written to them, save those that a program waits for. No timing, no caches, no accelerometer on the bus."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

PERIPHERALS = ((0x40000000, 0x2000000), (0x42000000, 0x100000), (0xE0000000, 0x100000))
ITCM, DTCM, OCRAM = (0x0, 128 << 10), (0x20000000, 128 << 10), (0x20200000, 768 << 10)
VECTORS, FLASH_BYTES = 0x2000, 8 << 20
LPUART, LPI2C, DCDC, ANALOG, GPIO1 = 0x40184000, 0x403F0000, 0x40080000, 0x400D8000, 0x401B8000
READS = {
    DCDC: 1 << 31,                # its voltage is there
    ANALOG + 0x150: 1 << 15,      # the crystal is stable
    ANALOG + 0x270: 1 << 16,      # and has power
    LPUART + 0x14: 0x00C00000,    # STAT: all is sent
    LPUART + 0x04: 0x202,         # PARAM: FIFOs of four
    LPUART + 0x2C: 0x00C00000,    # FIFO: both empty
    LPI2C + 0x04: 0x202,
    LPI2C + 0x14: 0x401,          # MSR: room to send; nobody acknowledges
}  # fmt: skip
PLL_LOCKED, RECEIVED = 1 << 31, 1 << 21
CYCLES, RESET, RESET_KEY = 0xE0001004, 0xE000ED0C, 0x05FA0004
CYCLES_A_READ = 97


class Board:
    """A board with a firmware, switched on.

    Args:
        program: the ELF file.
        flash: where its flash begins.
        symbols: its functions, by name.
    """

    def __init__(self, program: Path, flash: int, symbols: dict[str, int]) -> None:
        unicorn = pytest.importorskip("unicorn", reason="needs a Cortex-M7: pip install unicorn")
        self._arm = pytest.importorskip("unicorn.arm_const")
        self._symbols, self._end = symbols, flash + FLASH_BYTES - 16
        self.sent, self._received, self._cycles, self._polls = bytearray(), bytearray(), 0, 0
        self.registers: dict[int, int] = {}
        self.was_reset = self.faulted = False
        self._core = core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        core.ctl_set_cpu_model(self._arm.UC_CPU_ARM_CORTEX_M7)
        for start, size in (ITCM, DTCM, OCRAM, (flash, FLASH_BYTES)):
            core.mem_map(start, size)
            core.mem_write(start, b"\xee" * size)  # memory is not zero when a board is switched on
        for start, size in PERIPHERALS:
            core.mmio_map(start, size, self._read, start, self._write, start)
        raw = program.with_name("flash.bin")
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", program, raw], check=True)
        core.mem_write(flash, raw.read_bytes())
        for name, hook in (("HardFault_Handler", self._fault), ("eiq_server_poll", self._poll)):
            core.hook_add(unicorn.UC_HOOK_CODE, hook, begin=symbols[name] & ~1, end=symbols[name] & ~1)
        stack, self._at = struct.unpack("<2I", core.mem_read(flash + VECTORS, 8))
        core.reg_write(self._arm.UC_ARM_REG_SP, stack)

    def go(self, polls: int) -> None:
        """Run until the main loop has polled so often."""
        self._polls = polls
        self._core.emu_start(self._at | 1, self._end, timeout=20_000_000)
        self._at = self._core.reg_read(self._arm.UC_ARM_REG_PC)

    def receive(self, data: Sequence[int]) -> None:
        """Bytes arrive at the UART, as many at a time as its FIFO holds."""
        for at in range(0, len(data), 4):
            self._received += bytes(data[at : at + 4])
            self.interrupt("LPUART1_IRQHandler")

    def interrupt(self, handler: str) -> None:
        """Between two instructions of the main loop."""
        core, arm = self._core, self._arm
        before = core.context_save()
        core.reg_write(arm.UC_ARM_REG_SP, core.reg_read(arm.UC_ARM_REG_SP) - 64)
        core.reg_write(arm.UC_ARM_REG_LR, self._end | 1)
        core.emu_start(self._symbols[handler] | 1, self._end, timeout=20_000_000)
        core.context_restore(before)

    def _fault(self, core: Any, *_: Any) -> None:
        self.faulted = True
        core.emu_stop()

    def _poll(self, core: Any, *_: Any) -> None:
        self._polls -= 1
        if self._polls < 0:
            core.emu_stop()

    def _read(self, core: Any, offset: int, size: int, base: int) -> int:
        place = base + offset & ~3
        value = READS.get(place, self.registers.get(place, 0))
        if place & ~0xFFF == ANALOG:
            value |= PLL_LOCKED
        elif place == LPUART + 0x14 and self._received:
            value |= RECEIVED
        elif place == LPUART + 0x1C:
            value = self._received.pop(0) if self._received else 0
        elif place == CYCLES:
            self._cycles += CYCLES_A_READ
            value = self._cycles
        return value >> 8 * (offset & 3) & ((1 << 8 * size) - 1)

    def _write(self, core: Any, offset: int, size: int, value: int, base: int) -> None:
        place, shift = base + offset & ~3, 8 * (offset & 3)
        if place == LPUART + 0x1C:
            self.sent.append(value & 0xFF)
        elif place == RESET and value == RESET_KEY:
            self.was_reset = True
            core.emu_stop()
        elif place in (GPIO1 + 0x84, GPIO1 + 0x88):  # set, clear
            pins = self.registers.get(GPIO1, 0)
            self.registers[GPIO1] = pins | value if place == GPIO1 + 0x84 else pins & ~value
        else:
            mask = ((1 << 8 * size) - 1) << shift
            self.registers[place] = self.registers.get(place, 0) & ~mask | value << shift & mask
