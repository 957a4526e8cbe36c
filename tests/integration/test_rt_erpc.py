"""Our wire format against NXP's own code: the package ``erpc`` serves our host, and drives our firmware.

The shim between the package and the interface is tests/erpc_shim.py; with ERPCGEN=PROGRAM (NXP's generator, which no
package brings) also the one that it makes of firmware/eiq.erpc.
"""

from __future__ import annotations

import importlib
import os
import struct
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from zlib import crc32

import erpc
import pytest
from erpc.basic_codec import BasicCodec
from erpc.client import ClientManager
from erpc.simple_server import SimpleServer
from erpc.transport import SerialTransport

import erpc_shim
from hal.rt.board import Board
from hal.rt.firmware import ModelSource, build, needed
from hal.rt.firmware.running import Running
from hal.rt.protocol import INTERFACE, PROTOCOL
from hal.rt.wire import FdWire
from pipelines.core import Event
from pipelines.errors import DeviceMismatch
from pipelines.resources import bundled
from rt_campaign import CIFAR10, Cifar10Answers


@pytest.fixture(scope="module", params=["by hand", "erpcgen"])
def shim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """erpcgen's modules: common, interface, client, server."""
    if request.param == "by hand":
        yield erpc_shim
        return
    tool = os.environ.get("ERPCGEN")
    if not tool:
        pytest.skip("needs NXP's erpcgen, which no package brings: ERPCGEN=PROGRAM")
    folder = tmp_path_factory.mktemp("erpcgen")
    idl = bundled() / "firmware" / "eiq.erpc"
    subprocess.run([tool, "-g", "py", "-o", str(folder / "generated_shim"), str(idl)], check=True, capture_output=True)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("generated_shim.eiq")
    sys.path.remove(str(folder))


# ---- NXP's server, our host ----


class Handler:
    """A board behind NXP's server: one model, whose output is its input backwards and twice."""

    def __init__(self, common: Any, interface_crc: int = INTERFACE) -> None:
        self.common, self.interface_crc = common, interface_crc
        self.session = 0
        self.inputs: dict[int, bytes] = {}
        self.result = b""

    def hello(self, protocol: int, interface_crc: int, session: int, max_frame: int, info: Any) -> int:
        self.session = session
        info.value = self.common.BoardInfo(
            protocol=PROTOCOL, interface_crc=self.interface_crc, max_frame=min(max_frame, 400), rx_buffer=0,
            tick_hz=1000, models=1, sensors=0, leds=0, board="nxp", clock="milliseconds", build="Python",
        )  # fmt: skip
        return 0 if interface_crc == self.interface_crc else 5

    def describe_model(self, model: int, info: Any) -> int:
        info.value = self.common.ModelInfo(
            name="backwards", sha256=bytes(range(32)), recipe=b"", inputs=1, outputs=1, input_bytes=1000,
            output_bytes=2000, constant_bytes=1, mutable_bytes=2, activation_bytes=3,
        )  # fmt: skip
        return 0

    def describe_tensor(self, model: int, tensor: int, info: Any) -> int:
        size = 2000 if tensor else 1000
        info.value = self.common.TensorInfo(
            name=f"tensor {tensor}", dtype=0, shape=[1, size], scale=0.5, zero_point=-7, place=0, bytes=size
        )
        return 0

    def write_input(self, session: int, model: int, check: int, offset: int, data: bytes) -> None:
        self.inputs[offset] = bytes(data)

    def infer(self, session: int, model: int, check: int, input: bytes, result: Any) -> int:
        have = 0
        while have in self.inputs:
            have += len(self.inputs[have])
        if session != self.session or have < 1000:
            status = 6 if session != self.session else 11
            result.value = self.common.Inference(ticks=0, check=0, missing=[have, 1000 - have], output=b"")
            return status
        blob = b"".join(self.inputs[at] for at in sorted(self.inputs))
        self.inputs.clear()
        assert crc32(blob) == check
        self.result = 2 * blob[::-1]
        right = crc32(self.result, crc32(struct.pack("<III", check, model, 5)))
        result.value = self.common.Inference(ticks=5, check=right, missing=[], output=self.result[:100])
        return 0

    def read_output(self, session: int, model: int, check: int, offset: int, length: int, data: Any) -> int:
        data.value = self.result[offset : offset + length]
        return 0

    def time(self, ticks: Any) -> int:
        ticks.value = int(time.monotonic() * 1000) + 2**40
        return 0


@contextmanager
def served(shim: Any, handler: Handler) -> Iterator[int]:
    """NXP's server on a pty, and the descriptor of its other end."""
    far, near = os.openpty()
    tty.setraw(near)
    transport = SerialTransport(os.ttyname(near), 115_200)
    server = SimpleServer(transport, BasicCodec)
    server.add_service(shim.server.EiqService(handler))
    ended: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except Exception as error:  # its read ends with whatever a closed port gives
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.dup(far)
    finally:
        served_until_now = thread.is_alive()
        server.stop()
        for _ in range(200):  # cancelling ends a read that has begun
            transport._serial.cancel_read()
            thread.join(0.05)
            if not thread.is_alive():
                break
        transport.close()
        os.close(far)
        os.close(near)
    assert served_until_now, ended
    assert not thread.is_alive()


def test_a_server_of_nxps_package_answers_our_host(shim: Any) -> None:
    handler, events = Handler(shim.common), list[Event]()
    with served(shim, handler) as fd:
        board = Board(lambda: FdWire(fd), events.append)
        board.open()
        assert (board.info.board, board.info.max_frame, board.info.tick_hz) == ("nxp", 400, 1000)
        (model,) = board.models
        assert (model.info.name, model.info.sha256) == ("backwards", bytes(range(32)))
        assert (model.inputs[0].shape, model.outputs[0].name, model.outputs[0].scale) == ((1, 1000), "tensor 1", 0.5)
        for seed in range(5):
            blob = Random(seed).randbytes(1000)
            outcome = board.infer(0, blob)
            assert outcome.blob == 2 * blob[::-1]
            assert outcome.device_s == 0.005
        clock = board.time()
        assert clock.host(clock.ticks) == pytest.approx((clock.ticks - 2**40) / 1000, abs=clock.uncertainty_s + 1e-3)
        counters = board.link.counters
        assert counters.corrupt == 0
        assert counters.late <= counters.retries  # on a busy machine Python's server may take longer than we wait
        board.close()
    assert not events


def test_nxps_server_of_another_version_is_refused(shim: Any) -> None:
    with served(shim, Handler(shim.common, interface_crc=0xBAD)) as fd:
        wire = FdWire(fd)
        with pytest.raises(DeviceMismatch, match="with interface 00000bad, expected 1 with"):
            Board(lambda: wire, print).open()


# ---- our firmware, NXP's client ----


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    if missing := needed("host"):
        pytest.skip(missing)
    with Running(build("host", [ModelSource("cifar10", CIFAR10)])) as board:
        yield board


@contextmanager
def driven(shim: Any, path: str) -> Iterator[Any]:
    """NXP's client on our firmware's pty."""
    transport = SerialTransport(path, 115_200, timeout=5)  # else a reply that does not come hangs the test
    yield shim.client.EiqClient(ClientManager(transport, BasicCodec))
    transport.close()


def hello(client: Any, session: int) -> Any:
    info = erpc.Reference()
    assert client.hello(PROTOCOL, INTERFACE, session, 512, info) == 0
    return info.value


def test_a_client_of_nxps_package_drives_our_firmware(shim: Any, running: Running) -> None:
    blob = Random(1).randbytes(3072)
    expected = Cifar10Answers([blob])[0]
    with driven(shim, running.path) as client:
        info = hello(client, 77)
        assert (info.protocol, info.interface_crc, info.max_frame, info.models) == (PROTOCOL, INTERFACE, 512, 1)
        assert info.board == "host"

        model, tensor = erpc.Reference(), erpc.Reference()
        assert client.describe_model(0, model) == 0
        assert (model.value.name, model.value.input_bytes, model.value.output_bytes) == ("cifar10", 3072, 10)
        assert client.describe_model(1, model) == shim.common.Status.STATUS_NO_SUCH_MODEL
        assert client.describe_tensor(0, 0, tensor) == 0
        assert list(tensor.value.shape) == [1, 32, 32, 3]

        check, result = crc32(blob), erpc.Reference()
        for offset in range(1024, 3072, 256):
            client.write_input(77, 0, check, offset, blob[offset : offset + 256])
        assert client.infer(77, 0, check, b"", result) == shim.common.Status.STATUS_INCOMPLETE
        assert list(result.value.missing) == [0, 1024]
        for offset in range(0, 1024, 256):
            client.write_input(77, 0, check, offset, blob[offset : offset + 256])
        assert client.infer(77, 0, check, b"", result) == 0
        assert bytes(result.value.output) == expected
        checked = struct.pack("<III", check, 0, result.value.ticks) + expected
        assert result.value.check == crc32(checked)

        data = erpc.Reference()
        assert client.read_output(77, 0, check, 4, 100, data) == 0
        assert bytes(data.value) == expected[4:]
        assert client.read_output(78, 0, check, 0, 10, data) == shim.common.Status.STATUS_NO_SESSION


def test_our_firmware_tells_nxps_client_of_another_version(shim: Any, running: Running) -> None:
    with driven(shim, running.path) as client:
        info = erpc.Reference()
        assert client.hello(PROTOCOL + 1, INTERFACE, 1, 512, info) == shim.common.Status.STATUS_VERSION
        assert (info.value.protocol, info.value.interface_crc) == (PROTOCOL, INTERFACE)
        hello(client, 2)


def test_our_firmware_counts_time_for_nxps_client(shim: Any, running: Running) -> None:
    with driven(shim, running.path) as client:
        rate, ticks = hello(client, 3).tick_hz, erpc.Reference()
        asked = time.monotonic()
        assert client.time(ticks) == 0
        first, start = ticks.value, time.monotonic()
        end = start
        while time.monotonic() - start < 0.1:
            end = time.monotonic()
            client.time(ticks)
        # its clock was read at some time between the question and the answer
        assert end - start - 1 / rate <= (ticks.value - first) / rate <= time.monotonic() - asked + 1 / rate
