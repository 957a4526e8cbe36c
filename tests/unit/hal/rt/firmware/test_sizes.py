"""The linker's map, read; and the sums against arm-none-eabi-size, which we did not write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import tiny_models
from hal.rt.firmware import needed
from hal.rt.firmware.builder import Built, Image, build
from hal.rt.firmware.models import ModelSource
from hal.rt.firmware.sizes import BUDGETS, KB, as_object, as_text, contributions, sizes
from pipelines.errors import CapabilityError

MAP = """Discarded input sections

 .text.unused   0x00000000       0x10 core_eiq_crc.o

Memory Configuration

Linker script and memory map

LOAD a.o

.text           0x00000000      0x100
 *(.vectors)
 .vectors       0x00000000       0x80 port_0_start.o
                0x00000000                vectors
 .text.a_name_that_is_long
                0x00000080       0x20 core_eiq_rpc.o
                0x00000080                a_name_that_is_long
 *fill*         0x000000a0        0x4\x20
 .text          0x000000a4        0x0 empty.o
 .rodata.x      0x000000a4       0x1c /usr/lib/gcc/libc.a(memcpy.o)
.bss
 .bss.ring      0x20000000       0x40 port_1_main.o
"""


def test_what_each_file_adds_is_read_from_the_map() -> None:
    assert list(contributions(MAP)) == [
        (".text", ".vectors", "port_0_start.o", 0x80),
        (".text", ".text.a_name_that_is_long", "core_eiq_rpc.o", 0x20),
        (".text", ".rodata.x", "/usr/lib/gcc/libc.a(memcpy.o)", 0x1C),
        (".bss", ".bss.ring", "port_1_main.o", 0x40),
    ]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    if needed("mps2-an500", run=False):
        pytest.skip(needed("mps2-an500", run=False))
    (tmp_path / "copy.tflite").write_bytes(tiny_models.copy("int8", (1, 4), 0.5, -3))
    return build("mps2-an500", [ModelSource("cifar10", tmp_path / "copy.tflite")])


def test_the_parts_are_the_whole(image: Image) -> None:
    told = subprocess.run(["arm-none-eabi-size", image.program], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, told.splitlines()[1].split()[:3])
    found = sizes(image)
    assert found.flash == text + data
    assert found.ram == data + bss
    parts = {part.name: part for part in found.parts}
    assert parts["cifar10: weights"].flash == 1
    assert parts["inputs and outputs"].ram == image.models[0].mutable_bytes == 8
    assert parts["stack"].ram == found.stack_bytes == 2048
    assert parts["RPC"].flash > 2000
    assert parts["RPC"].ram > 1000
    assert parts["start-up and drivers"].flash > 500
    assert parts["padding"].flash + parts["padding"].ram < 256


def test_the_table_names_the_budget_and_the_stack(image: Image) -> None:
    found = sizes(image, 300)
    lines = as_text(found).splitlines()
    assert lines[0].split() == ["mps2-an500", "flash", "RAM"]
    assert f"total {found.flash:,} {found.ram:,}".split() in [line.split() for line in lines]
    assert "stack: at most 300 of 2,048 bytes used by an inference of each model, measured in QEMU" in lines
    (budget, _) = BUDGETS["cifar10"]
    assert budget == ("CMSIS-NN", 110 * KB, 50 * KB)
    assert (
        f"110 KB of flash and 50 KB of RAM for cifar10 with CMSIS-NN: this is {found.flash / 112640:.0%}" in lines[-2]
    )
    assert "600 KB of flash and 320 KB of RAM for cifar10 with TFLite" in lines[-1]
    told = as_object(found)
    assert told["flash"] == sum(part["flash"] for part in told["parts"])
    assert told["stack_used"] == 300


def test_this_computer_has_no_flash() -> None:
    built = Built("m", "model0_m", "", False, False, 1, 1, 1, 1, 1)
    with pytest.raises(CapabilityError, match="has no flash"):
        sizes(Image("host", Path("firmware"), (built,), "cc"))
