"""The firmware, built and started for real: on this computer, and on the emulated Cortex-M7."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiled import tflite_micro
from compiler.emit import compile_graph
from compiler.measure import measure
from compiler.reader import read_graph
from hal.rt.board import Board
from hal.rt.firmware import Image, ModelSource, Recorded, Running, build, builder, needed, start
from hal.rt.firmware.ports import firmware as c_folder
from hal.rt.firmware.ports import port
from hal.rt.firmware.sizes import sizes
from hal.rt.wire import serial_wire
from pipelines.core import LinkBack
from pipelines.errors import DeviceError, DeviceLost, DeviceReset

MODELS = Path(__file__).parents[2] / "models"
BOARDS = ("host", "mps2-an500")
NAMES = ("kws", "cifar10")


def image_for(board: str, *sources: ModelSource) -> Image:
    if needed(board):
        pytest.skip(needed(board))
    pytest.importorskip("tflite")
    return build(board, sources or [ModelSource(name, MODELS / name / "model.tflite") for name in NAMES])


@pytest.fixture(scope="module", params=BOARDS)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    with start(image_for(request.param)) as found:
        yield found


@pytest.fixture
def board(running: Running) -> Iterator[Board]:
    found = Board(running.connect, lambda event: None)
    found.open()
    yield found
    found.close()


def test_two_models_in_one_image_give_tflite_micros_bits(board: Board) -> None:
    rng = np.random.default_rng(5)
    assert [model.info.name for model in board.models] == list(NAMES)
    for model in board.models:
        expected = tflite_micro(MODELS / model.info.name / "model.tflite")
        (x,), (y,) = model.inputs, model.outputs
        for level in (-60, 0, 60):
            stored = np.clip(rng.normal(level, 50, x.shape), -128, 127).astype(np.int8)
            outcome = board.infer(model.index, stored.tobytes())
            assert np.array_equal(np.frombuffer(outcome.blob, np.int8).reshape(y.shape), expected(stored))
            assert outcome.device_s > 0


def test_the_board_tells_what_it_is(board: Board, running: Running) -> None:
    info = board.info
    assert info.board == running.image.board
    assert info.build == running.image.compiler
    assert info.clock == {"host": "host time", "mps2-an500": "guest time"}[info.board]
    assert info.rx_buffer >= 3072 + 400  # cifar10's next input, in frames
    for model, built in zip(board.models, running.image.models, strict=True):
        assert model.info.sha256.hex() == built.sha256
        assert (model.info.constant_bytes, model.info.activation_bytes) == (
            built.constant_bytes,
            built.activation_bytes,
        )


def test_its_stack_has_room(board: Board, running: Running) -> None:
    for model in board.models:
        board.infer(model.index, bytes(model.info.input_bytes))
    memory = board.memory()
    assert 200 < memory.stack_used < memory.stack_bytes / 2
    if running.image.board == "mps2-an500":
        assert memory.stack_bytes == 2048
        assert memory.overruns == 0


def test_leds_and_time(board: Board, running: Running) -> None:
    for led in range(board.info.leds):
        board.set_led(led, True)
        board.set_led(led, False)
    first = board.time()
    time.sleep(0.05)
    assert board.time() is not first


def test_another_host_may_follow(running: Running) -> None:
    for _ in range(3):
        found = Board(running.connect, lambda event: None)
        found.open()
        assert found.infer(0, bytes(490)).blob
        found.close()


@pytest.mark.parametrize("name", BOARDS)
def test_a_pulled_plug_and_a_restart(name: str) -> None:
    with start(image_for(name)) as running:
        first = Board(running.connect, lambda event: None)
        first.open()
        running.kill()
        assert not running.alive
        with pytest.raises(DeviceLost, match="was ended by signal 9; start it again"):
            running.connect()
        running.restart()
        assert running.alive
        second = Board(running.connect, lambda event: None)
        second.open()
        assert len(second.infer(1, bytes(3072)).blob) == 10
        second.close()
        first.close()


def test_recordings_are_the_boards_sensors() -> None:
    motion = np.arange(30, dtype=np.float32).reshape(10, 3)
    sound = np.arange(100, dtype=np.int16)
    recordings = [
        Recorded("motion", 100.0, ("ax_g", "ay_g", "az_g"), motion),
        Recorded("microphone", 8000.0, (), sound),
    ]
    for name in BOARDS:
        with start(image_for(name), recordings) as running:
            board = Board(running.connect, lambda event: None)
            board.open()
            assert [(info.rate_hz, info.channels, info.samples) for info in board.sensors] == [
                (100.0, "ax_g ay_g az_g", 10), (8000.0, "", 100)]  # fmt: skip
            for sensor, data in enumerate((motion, sound)):
                board.start_sensor(sensor, True)
                reading = board.read_sensor(sensor, 0, len(data))
                assert np.array_equal(reading.data, data)
                assert reading.ended
            board.close()


def test_a_recording_is_still_there_after_a_reset() -> None:
    image = image_for("mps2-an500")
    with start(image, [Recorded("microphone", 8000.0, (), np.arange(50, dtype=np.int16))]) as running:
        board = Board(running.connect, lambda event: None)
        board.open()
        board.infer(0, bytes(490))
        board.reset()
        assert len(board.infer(0, bytes(490)).blob) == 12  # says hello anew by itself
        board.start_sensor(0, True)
        assert np.array_equal(board.read_sensor(0, 0, 50).data, np.arange(50))
        board.close()


@pytest.mark.slow
def test_a_fault_resets_the_board_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # a stack too small for cifar10: below it there is no memory
    image_for("mps2-an500")
    mps2 = port("mps2-an500")
    small = replace(mps2, link_flags=(*mps2.link_flags, "-Wl,--defsym=EIQ_STACK_BYTES=448"))
    monkeypatch.setattr(builder, "port", lambda name: small)
    events: list[object] = []
    with start(build("mps2-an500", [ModelSource("cifar10", MODELS / "cifar10" / "model.tflite")])) as running:
        board = Board(running.connect, events.append)
        board.open()
        begun = time.monotonic()
        with pytest.raises(DeviceReset):
            board.infer(0, bytes(3072))
        assert time.monotonic() - begun < 30
        assert running.alive
        assert board.memory().stack_used < 448  # it answers, and its stack was painted anew
        board.close()
    assert any(isinstance(event, LinkBack) for event in events)


def test_instructions_are_counted_exactly() -> None:
    with start(image_for("mps2-an500"), counted=True) as running:
        board = Board(running.connect, lambda event: None)
        board.open()
        rng = np.random.default_rng(3)
        times = []
        for _ in range(3):
            board.infer(1, bytes(3072))  # so that the next one is computed anew
            times.append(board.infer(0, rng.integers(-5, 5, 490, np.int8).tobytes()).device_s)
        board.close()
    # a tick is 40 ns of guest time, an instruction 64 ns
    expected = measure(compile_graph(read_graph(MODELS / "kws" / "model.tflite"))).instructions
    assert [seconds / 64e-9 for seconds in times] == pytest.approx([expected] * 3, rel=0.005)


def test_qemu_that_cannot_start_says_why(tmp_path: Path) -> None:
    image = image_for("mps2-an500")
    broken = Image(image.board, tmp_path / "gone.elf", image.models, image.compiler)
    for terminal in (False, True):
        with pytest.raises(DeviceError, match=r"^QEMU ended with exit code 1 \(.*gone.elf.*\); start it again$"):
            start(broken, terminal=terminal)


# ---- NXP's own bundle --------------------------------------------------------------------------------------------

FAN = "glow_model_fan_clsf_quant"


@pytest.fixture(scope="module")
def nxp() -> Path:
    folder = os.environ.get("NXP_GLOW")
    if not folder:
        pytest.skip(f"needs NXP's {FAN} (.h, .o, .weights.bin for Cortex-M7 and the .tflite, of nxp-appcodehub/"
                    "ap-ml-state-monitor), which is not part of the project: NXP_GLOW=FOLDER")  # fmt: skip
    return Path(folder)


ALONE = """#include <stdint.h>
#include "{name}.h"
#include "inputs.h"
#define UART ((volatile uint32_t *)0x40004000u)
static uint8_t constants[] __attribute__((aligned(64))) = {{
#include "{name}.weights.txt"
}};
static uint8_t memory[{upper}_MUTABLE_MEM_SIZE] __attribute__((aligned(64)));
static uint8_t activations[{upper}_ACTIVATIONS_MEM_SIZE] __attribute__((aligned(64)));
void eiq_systick(void) {{ }}
void eiq_uart_received(void) {{ }}
void __aeabi_unwind_cpp_pr0(void) {{ }}
int main(void)
{{
    UART[4] = 16;
    UART[2] = 1;
    for (int i = 0; i < COUNT; i++) {{
        for (int k = 0; k < 1536; k++) memory[k] = inputs[i][k];
        {name}(constants, memory, activations);
        for (int k = 1536; k < 1552; k++) UART[0] = memory[k];
    }}
    for (;;) continue;
}}
"""


def windows() -> np.ndarray:
    """As the fan's accelerometer gives them: around some level on each axis, little to much vibration."""
    rng = np.random.default_rng(7)
    levels, noise = rng.uniform(0, 0.3, (40, 1, 3)), rng.uniform(0.002, 0.05, (40, 1, 1))
    return (levels + noise * rng.standard_normal((40, 128, 3))).astype(np.float32)


def alone(nxp: Path, x: np.ndarray, folder: Path) -> np.ndarray:
    """What NXP's bundle gives by itself: linked as NXP links it, with nothing of our firmware but the start-up."""
    rows = ",\n".join("{" + ",".join(map(str, row.tobytes())) + "}" for row in x)
    (folder / "inputs.h").write_text(
        f"#define COUNT {len(x)}\nstatic const uint8_t inputs[COUNT][1536] = {{\n{rows}}};\n"
    )
    (folder / "main.c").write_text(ALONE.format(name=FAN, upper=FAN.upper()))
    home = c_folder() / "ports" / "mps2-an500"
    command = ["arm-none-eabi-gcc", *port("mps2-an500").flags, "-O1", "-nostartfiles", "--specs=nosys.specs",
               "-Wl,--no-wchar-size-warning", "-Wl,--no-enum-size-warning", f"-T{home / 'link.ld'}", f"-I{home}",
               f"-I{nxp}", "-o", "alone.elf", "main.c", str(home / "start.c"), str(nxp / f"{FAN}.o")]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True)
    qemu = subprocess.Popen(["qemu-system-arm", "-M", "mps2-an500", "-display", "none", "-monitor", "none", "-serial",
                             "stdio", "-kernel", folder / "alone.elf"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)  # fmt: skip
    assert qemu.stdout is not None
    told = qemu.stdout.read(16 * len(x))
    qemu.kill()
    qemu.communicate()
    return np.frombuffer(told, np.float32).reshape(len(x), 4)


def test_nxps_glow_bundle_runs_in_the_firmware(nxp: Path, tmp_path: Path) -> None:
    tflite = nxp / f"{FAN}.tflite"
    image = image_for("mps2-an500", ModelSource("glow", tflite, glow=nxp), ModelSource("ours", tflite))
    x = windows()
    with start(image) as running:
        board = Board(running.connect, lambda event: None)
        board.open()
        glow, ours = (
            np.stack([np.frombuffer(board.infer(model, row.tobytes()).blob, np.float32) for row in x])
            for model in (0, 1)
        )
        board.close()
    expected = np.stack([tflite_micro(tflite)(row.reshape(1, 128, 1, 3)).reshape(4) for row in x])
    assert len(np.unique(expected, axis=0)) > 10
    assert np.array_equal(glow, alone(nxp, x, tmp_path))  # the firmware adds nothing and takes nothing away
    assert np.array_equal(ours, expected)
    # NXP's Glow rounds otherwise than TFLite in some layers, and truncates in its softmax: measured, and no more
    assert np.array_equal(glow.argmax(axis=1), expected.argmax(axis=1))
    assert np.abs(glow - expected).max() <= 16 / 256
    assert np.median(np.abs(glow - expected).max(axis=1)) <= 1 / 256


# ---- the commands ------------------------------------------------------------------------------------------------


def eiq_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "apps.cli", "firmware", *arguments], capture_output=True, text=True,
                          check=False)  # fmt: skip


def test_build_prints_the_sizes() -> None:
    image_for("mps2-an500")
    done = eiq_demo("build", "--board", "mps2-an500", "--models", "cifar10")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    rows = dict(re.findall(r"^(\S.*?)  +([\d,]+ +[\d,]+)$", done.stdout, re.M))
    flash, ram = (int(text.replace(",", "")) for text in rows["total"].split())
    assert flash <= 110 * 1024
    assert ram <= 50 * 1024
    assert rows["cifar10: weights"].split() == ["85,876", "0"]
    assert "for cifar10 with CMSIS-NN" in done.stdout


def test_build_as_json_tells_the_same(tmp_path: Path) -> None:
    image = image_for("mps2-an500")
    done = eiq_demo("build", "--board", "mps2-an500", "--models", "kws,cifar10", "--no-features", "--json", "--out",
                    str(tmp_path / "out"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    expected = sizes(image)
    assert (told["flash"], told["ram"]) == (expected.flash, expected.ram)
    assert 200 < told["stack_used"] < 1024
    assert told["program"] == str(tmp_path / "out" / "firmware.elf")
    assert [model["name"] for model in told["models"]] == ["kws", "cifar10"]
    assert done.stderr == f"wrote {tmp_path / 'out' / 'firmware.elf'}\n"


@pytest.mark.parametrize(("arguments", "words"), [
    (("--board", "mps3", "--models", "kws"), "got the board 'mps3', expected one of"),
    (("--board", "host", "--models", "kws,kws"), "got the model kws twice, expected each name once"),
    (("--board", "host", "--models", "kvs"), "unknown model 'kvs'"),
    (("--board", "host", "--models", "kws", "--glow", "x=/tmp"), "got --glow for x, expected one of the models kws"),
    (("--board", "host", "--models", "kws", "--glow", "kws=/x"), "got the Glow bundle /x, which is no folder"),
])  # fmt: skip
def test_a_wrong_request_is_one_sentence(arguments: tuple[str, ...], words: str) -> None:
    image_for("host")
    done = eiq_demo("build", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_run_prints_the_port_and_ends_with_ctrl_c(name: str) -> None:
    pytest.importorskip("serial")
    image_for(name)
    command = [sys.executable, "-m", "apps.cli", "firmware", "run", "--board", name, "--models", "kws,cifar10"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        path = process.stdout.readline().strip()
        assert process.stderr.readline() == f"{name} runs; connect with --target rt:{path}, end with Ctrl-C\n"
        board = Board(lambda: serial_wire(path), lambda event: None)
        board.open()
        assert len(board.infer(1, bytes(3072)).blob) == 10
        board.close()
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "stopped\n")
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
