"""The firmware of NXP's boards, linked against NXP's SDK where MCUX_SDK names one; none of it has run on a board."""

from __future__ import annotations

import itertools
import os
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulated_imxrt import GPIO1, Board

from compiled import tflite_micro
from hal.rt import protocol
from hal.rt.firmware import Image, ModelSource, build
from hal.rt.firmware.ports import firmware, port
from hal.rt.firmware.sizes import sizes
from hal.rt.firmware.toolchain import needed
from hal.rt.frames import Decoder, encode
from hal.rt.protocol import Method
from pipelines.errors import MissingDependency, ModelError
from pipelines.models import open_model

BOARDS = {"evkmimxrt1060": 0x60000000, "evkbimxrt1050": 0x60000000, "evkmimxrt1064": 0x70000000}
"""Where the flash of each one begins."""
FLASH_BYTES = {"evkmimxrt1060": 8 << 20, "evkbimxrt1050": 64 << 20, "evkmimxrt1064": 4 << 20}
DTCM, DTCM_BYTES, STACK_BYTES = 0x20000000, 128 << 10, 8 << 10
TABLE, VECTORS = 0x1000, 0x2000
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic")
SETTINGS = ((), ("-DEIQ_MOTION_HZ=200", "-DEIQ_MOTION_G=2"), ("-DEIQ_MOTION_HZ=400", "-DEIQ_MOTION_G=8",
            "-DEIQ_BAUD=921600"))  # fmt: skip


@pytest.fixture
def sdk() -> Path:
    """The SDK's folder."""
    missing = needed("evkmimxrt1060")
    if missing:
        pytest.skip(missing)
    if not os.environ.get("MCUX_SDK"):
        pytest.skip("needs NXP's SDK: set MCUX_SDK, as docs/boards.md tells")
    return Path(os.environ["MCUX_SDK"])


def source(name: str) -> ModelSource:
    model = open_model(name, Path.cwd(), "tflite")
    return ModelSource(model.name, model.path)


@pytest.fixture(params=BOARDS)
def image(request: pytest.FixtureRequest, sdk: Path) -> Image:
    """A board's firmware."""
    return build(request.param, [source("kws"), source("cifar10")])


def test_the_boot_rom_finds_its_way_to_the_program(image: Image, tmp_path: Path) -> None:
    """i.MX RT1060 reference manual, "System Boot": flash configuration, image vector table, boot data, vectors."""
    flash = BOARDS[image.board]
    raw = tmp_path / "firmware.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", image.program, raw], check=True)
    data = raw.read_bytes()
    assert data[:4] == b"FCFB"
    tag, length, version, entry, _, _, boot_data, self_, _, _ = struct.unpack_from(">BHB", data, TABLE) + (
        struct.unpack_from("<7I", data, TABLE + 4)
    )
    assert (tag, length, version >> 4) == (0xD1, 0x20, 4)
    assert (entry, self_) == (flash + VECTORS, flash + TABLE)
    start, size, plugin = struct.unpack_from("<3I", data, boot_data - flash)
    assert (start, size, plugin) == (flash, FLASH_BYTES[image.board], 0)
    stack, reset = struct.unpack_from("<2I", data, VECTORS)
    assert stack == DTCM + STACK_BYTES, "the stack does not lie below everything else"
    assert reset % 2 == 1, "not Thumb"
    assert flash < reset < flash + len(data) <= flash + size


def test_faults_and_devices_reach_our_code(image: Image) -> None:
    """NXP's own handlers are endless loops: a board that hangs would tell nobody."""
    symbols = symbols_of(image.program)
    data = vectors_of(image.program)
    fault = symbols["HardFault_Handler"]
    assert [vector & ~1 for vector in data[3:7]] == [fault] * 4
    assert data[15] & ~1 == symbols["SysTick_Handler"]
    assert data[16 + 20] & ~1 == symbols["LPUART1_IRQHandler"]
    assert data[16 + 28] & ~1 == symbols["LPI2C1_IRQHandler"]
    assert "malloc" not in symbols
    assert "printf" not in symbols


def test_what_it_takes_fits_the_board(image: Image) -> None:
    symbols, found = symbols_of(image.program), sizes(image)
    assert symbols["__bss_end__"] <= DTCM + DTCM_BYTES
    assert symbols["eiq_mutable_memory"] >= 0x20200000
    assert symbols["eiq_activations"] >= 0x20200000
    assert found.stack_bytes == STACK_BYTES
    assert 100 << 10 < found.flash < 400 << 10
    names = {part.name for part in found.parts}
    assert {"vendor's drivers", "RPC", "kws: weights", "cifar10: kernels"} <= names


def test_the_program_starts_answers_infers_and_resets(image: Image) -> None:
    """Every instruction from the reset vector on, with registers that only hold what is written: no board."""
    board = Board(image.program, BOARDS[image.board], symbols_of(image.program))
    decoder, numbers = Decoder(512), itertools.count(100)

    def send(method: Method[Any], arguments: bytes, kind: int) -> int:
        head = 1 << 24 | method.service << 16 | method.method << 8 | kind
        number = next(numbers)
        board.receive(encode(struct.pack("<II", head, number) + arguments))
        return number

    def call(method: Method[Any], arguments: bytes) -> Any:
        number = send(method, arguments, 0)
        for _ in range(50):
            board.go(2)
            replies = decoder.feed(bytes(board.sent))
            board.sent.clear()
            for reply in replies:
                assert struct.unpack_from("<I", reply, 4) == (number,)
                return method.decode(protocol.Reader(reply[8:]))
        pytest.fail(f"{method.name} was not answered")

    board.go(3)
    assert not board.faulted
    info, status = call(protocol.HELLO, protocol.hello(protocol.PROTOCOL, protocol.INTERFACE, 77, 512))
    assert status is protocol.Status.OK
    assert (info.board, info.models, info.tick_hz, info.leds) == (image.board, 2, 600_000_000, 1)
    assert info.sensors == 0, "nobody answers on the accelerometer's bus"
    kws = open_model("kws", Path.cwd(), "tflite").path
    x = np.random.default_rng(5).integers(-128, 128, 490).astype(np.int8)
    check = zlib.crc32(x.tobytes())
    for at in range(0, x.size, 200):
        send(protocol.WRITE_INPUT, protocol.write_input(77, 0, check, at, x[at : at + 200].tobytes()), 1)
        board.go(4)
    result, status = call(protocol.INFER, protocol.infer(77, 0, check, b""))
    assert status is protocol.Status.OK
    wanted = tflite_micro(kws)(x.reshape(1, 49, 10, 1)).reshape(-1)
    assert np.frombuffer(result.output, np.int8).tolist() == wanted.tolist()
    for on in (True, False):
        assert call(protocol.SET_LED, protocol.set_led(0, on)) == (protocol.Status.OK,)
        assert board.registers[GPIO1] >> 9 & 1 == (not on), "the LED is on where its pin is low"
    memory, _ = call(protocol.MEMORY, protocol.memory())
    assert 0 < memory.stack_used < memory.stack_bytes == STACK_BYTES
    assert (memory.bad_frames, memory.overruns) == (0, 0)
    call(protocol.RESET, protocol.reset(77))
    assert board.was_reset


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_no_file_of_ours_has_a_warning(board: str, settings: tuple[str, ...], sdk: Path, tmp_path: Path) -> None:
    wanted = port(board)
    build(board, [source("kws"), source("cifar10")], out=tmp_path)  # for its models.h
    vendor = chain.from_iterable(("-isystem", str(sdk / path)) for path in wanted.sdk_include)
    flags = [*WARNINGS, "-Os", *wanted.flags, *(f"-D{name}={value}" for name, value in wanted.defines.items()),
             '-DEIQ_BOARD="board"', '-DEIQ_BUILD="build"', *settings, *(f"-I{path}" for path in wanted.include),
             f"-I{firmware() / 'core'}", f"-I{tmp_path}", *vendor]  # fmt: skip
    done = subprocess.run(["arm-none-eabi-gcc", *flags, "-fsyntax-only", *wanted.sources],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[:3000]


@pytest.mark.parametrize(
    ("setting", "words"),
    [("EIQ_MOTION_HZ=119", "rates that the chip has"), ("EIQ_MOTION_G=16", "expected 2, 4 or 8"),
     ("EIQ_BAUD=5000000", "expected 9600 to 2000000")],
)  # fmt: skip
def test_a_setting_that_the_board_lacks_is_no_program(setting: str, words: str, sdk: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=words):
        test_no_file_of_ours_has_a_warning("evkmimxrt1060", (f"-D{setting}",), sdk, tmp_path)


def test_models_too_large_for_the_board(sdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the name of the memory that is too small."""
    small = port("evkmimxrt1060")
    small = replace(small, link_flags=(*small.link_flags, "-Wl,--defsym=EIQ_OCRAM_BYTES=4K"))
    monkeypatch.setattr("hal.rt.firmware.builder.port", lambda _: small)
    with pytest.raises(ModelError, match=r"kws does not fit the board evkmimxrt1060: it exceeds OCRAM by [\d,]+ bytes"):
        build("evkmimxrt1060", [source("kws")])


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "MCUX_SDK is not set"), ("/nowhere", "MCUX_SDK=/nowhere, which is no folder"), ("here", "lacks it")],
)
def test_without_an_sdk_the_command_that_gets_one(
    value: str | None, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip(needed("evkmimxrt1060"))
    monkeypatch.delenv("MCUX_SDK", raising=False)
    if value:
        monkeypatch.setenv("MCUX_SDK", str(tmp_path) if value == "here" else value)
    with pytest.raises(MissingDependency) as caught:
        build("evkmimxrt1060", [source("kws")])
    message = str(caught.value)
    assert words in message
    assert "git clone --depth 1 https://github.com/nxp-mcuxpresso/mcux-sdk" in message
    assert "set MCUX_SDK" in message
    assert "\n" not in message


def symbols_of(program: Path) -> dict[str, int]:
    listed = subprocess.run(["arm-none-eabi-nm", program], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3}


def vectors_of(program: Path) -> tuple[int, ...]:
    table = program.with_name("vectors.bin")
    copied = table.parent / table.name
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-j", ".vectors", program, copied], check=True)
    data = copied.read_bytes()
    copied.unlink()
    return struct.unpack(f"<{len(data) // 4}I", data)
