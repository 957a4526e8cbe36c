"""The board's calls, in virtual time, over wires that lose, change and end: right answers or clear errors."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_board import FakeBoard, FakeClock, FakeModel, FakeWire, Spoil
from hal.rt.board import Board
from hal.rt.wire import FdWire
from pipelines.core import Event, LinkBack, LinkLost
from pipelines.errors import (
    CapabilityError,
    DeviceCorrupt,
    DeviceError,
    DeviceLost,
    DeviceMismatch,
    DeviceReset,
    DeviceTimeout,
)

SMALL, CIFAR = 0, 1


class Rig:
    """A FakeBoard, and a Board that talks to it; ``plugged``: whether there is a cable."""

    def __init__(self, board: FakeBoard | None = None, *, give_up_s: float = 60.0, **wire: object) -> None:
        self.clock = FakeClock()
        self.fake = board or FakeBoard()
        self.fake.clock = self.clock
        self.options, self.plugged = wire, True
        self.wires: list[FakeWire] = []
        self.events: list[Event] = []
        self.board = Board(
            self.connect, self.events.append, clock=self.clock, sleep=self.clock.sleep, give_up_s=give_up_s
        )

    def connect(self) -> FakeWire:
        if not self.plugged:
            raise DeviceError("/dev/ttyACM0 is not there")
        wire = FakeWire(self.fake, self.clock, **self.options)  # type: ignore[arg-type]
        self.wires.append(wire)
        return wire

    def pull(self) -> None:
        self.wires[-1].dead = DeviceLost("/dev/ttyACM0 went away")

    def spoil(self, **options: object) -> None:
        self.options.update(options)
        for name, value in options.items():
            setattr(self.wires[-1], name, value)

    def infer(self, seed: int, model: int = CIFAR) -> None:
        """An inference, which must be right."""
        blob = Random(seed).randbytes(self.fake.models[model].input_bytes)
        assert self.board.infer(model, blob).blob == self.fake.models[model].output(blob)

    def told(self) -> list[str]:
        return [event.reason if isinstance(event, LinkLost) else "back" for event in self.events]  # type: ignore[union-attr]


def opened(board: FakeBoard | None = None, **options: object) -> Rig:
    rig = Rig(board, **options)  # type: ignore[arg-type]
    rig.board.open()
    return rig


def flips(rate: float, seed: int) -> Spoil:
    """A cable with this bit error rate."""
    random = Random(seed)

    def spoil(data: bytes) -> bytes:
        changed, bit = bytearray(data), int(random.expovariate(rate))
        while bit < 8 * len(changed):
            changed[bit >> 3] ^= 1 << (bit & 7)
            bit += 1 + int(random.expovariate(rate))
        return bytes(changed)

    return spoil


# ---- opening ----


def test_it_knows_what_the_board_has() -> None:
    board = opened().board
    assert board.info.board == "fake"
    assert [model.info.name for model in board.models] == ["small", "cifar10"]
    assert (board.models[1].index, board.models[1].inputs[0].shape) == (1, (1, 3072))
    assert board.models[1].outputs[0].zero_point == -3
    assert board.sensors[0].rate_hz == 100
    assert len(list(board.heading())) == 2


def test_no_board_is_told_at_once() -> None:
    rig = Rig()
    rig.plugged = False
    with pytest.raises(DeviceError, match="/dev/ttyACM0 is not there"):
        rig.board.open()
    assert rig.clock.now == 1000.0
    assert not rig.events


def test_a_silent_board_is_told_within_the_deadline_and_the_wire_closed() -> None:
    rig = Rig()
    connect = rig.connect

    def mute() -> FakeWire:
        wire = connect()
        wire.mute = True
        return wire

    board = Board(mute, rig.events.append, clock=rig.clock, sleep=rig.clock.sleep)
    with pytest.raises(DeviceTimeout, match="hello got no answer within 5 s"):
        board.open()
    assert rig.clock.now == pytest.approx(1005, abs=0.5)
    assert rig.wires[0].closed


@pytest.mark.parametrize("speaks", [(2, 0x1234), (1, 0x1234)])
def test_another_version_is_told_with_both(speaks: tuple[int, int]) -> None:
    rig = Rig(FakeBoard(speaks=speaks))
    with pytest.raises(
        DeviceMismatch, match=rf"the board speaks protocol {speaks[0]} with interface 00001234, expected 1"
    ):
        rig.board.open()


def test_another_version_is_known_by_its_first_two_fields() -> None:
    class Older(FakeBoard):
        def on_hello(self, reader, writer):  # type: ignore[no-untyped-def]
            writer.u32(7)
            writer.u32(8)
            return 5

    rig = Rig(Older())
    with pytest.raises(DeviceMismatch, match="protocol 7 with interface 00000008"):
        rig.board.open()


def test_the_frame_is_the_smaller_one() -> None:
    rig = opened(FakeBoard(max_frame=300))
    rig.infer(1)
    assert max(map(len, rig.wires[0].written)) <= 4096 + 306
    assert rig.fake.decoder.bad == 0
    with pytest.raises(DeviceMismatch, match="the board wants messages of 100 bytes"):
        opened(FakeBoard(max_frame=100))


def test_tensors_that_cannot_be_are_refused() -> None:
    class Wrong(FakeBoard):
        def on_describe_tensor(self, reader, writer):  # type: ignore[no-untyped-def]
            from hal.rt.protocol import DType, TensorInfo

            TensorInfo("in", DType.FLOAT32, (1, 4), 0, 0, 8, 16).write(writer)
            return 0

    with pytest.raises(DeviceMismatch, match="the tensor in of small has 16 bytes at 8 of 16"):
        opened(Wrong())


def test_calls_before_open_and_after_close_say_so() -> None:
    rig = Rig()
    with pytest.raises(DeviceLost, match="not connected"):
        rig.board.memory()
    rig.board.open()
    rig.board.close()
    rig.board.close()
    with pytest.raises(DeviceLost, match="not connected"):
        rig.board.memory()
    assert rig.wires[0].closed


# ---- inference ----


@given(st.binary(min_size=16, max_size=16))
def test_an_input_that_fits_one_frame_takes_one_exchange(blob: bytes) -> None:
    rig = opened()
    calls = rig.board.link.counters.calls
    assert rig.board.infer(SMALL, blob).blob == rig.fake.models[SMALL].output(blob)
    assert rig.board.link.counters.calls == calls + 1
    assert "write_input" not in rig.fake.calls


@given(st.integers(1, 2000), st.integers(1, 1500), st.integers(256, 512))
def test_inputs_and_outputs_of_all_sizes(inputs: int, outputs: int, max_frame: int) -> None:
    rig = opened(FakeBoard([FakeModel("odd", inputs, outputs)], max_frame=max_frame))
    rig.infer(1, 0)
    rig.infer(2, 0)
    assert rig.fake.runs == 2
    assert rig.board.link.counters.retries == 0


def test_transport_at_115200_baud_is_within_115_percent_of_the_wires_own_time() -> None:
    rig = opened(baud=115_200)
    outcome = rig.board.infer(CIFAR, bytes(3072))
    assert outcome.device_s == pytest.approx(0.001)
    assert 3072 * 10 / 115_200 < outcome.transport_s < 1.15 * 3072 * 10 / 115_200


def test_the_next_input_goes_out_while_the_board_computes() -> None:
    def seconds(rx_buffer: int) -> float:
        rig = opened(FakeBoard(rx_buffer=rx_buffer), baud=115_200)
        rig.fake.models[CIFAR].seconds = 0.3
        blobs = [Random(n).randbytes(3072) for n in range(6)]
        start = rig.clock.now
        pending = rig.board.begin_infer(CIFAR, blobs[0])
        for n in range(1, 7):
            following = rig.board.begin_infer(CIFAR, blobs[n]) if n < 6 else None
            outcome = pending.wait()
            assert outcome.blob == rig.fake.models[CIFAR].output(blobs[n - 1])
            assert outcome is pending.wait()
            pending = following  # type: ignore[assignment]
        assert rig.fake.runs == 6
        return (rig.clock.now - start) / 6

    assert seconds(0) == pytest.approx(0.3 + 0.294, rel=0.02)  # one after the other: nothing is sent that it loses
    assert seconds(4096) < 0.3 + 0.294 / 4
    assert seconds(1024) < seconds(0) - 0.03  # one chunk of them


def test_an_output_of_several_frames_is_read_before_the_next_inference() -> None:
    rig = opened(FakeBoard([FakeModel("labels", 600, 1001)], rx_buffer=4096))
    blobs = [bytes([n]) * 600 for n in range(3)]
    pending = [rig.board.begin_infer(0, blob) for blob in blobs]
    assert [one.wait().blob for one in pending] == [rig.fake.models[0].output(blob) for blob in blobs]
    assert rig.fake.runs == 3


@pytest.mark.parametrize("baud", [None, 115_200])
@pytest.mark.parametrize("rate", [1e-5, 1e-4, 1e-3])
def test_a_bad_cable_costs_time_and_no_answer(rate: float, baud: int | None) -> None:
    rig = opened(FakeBoard(rx_buffer=1024), baud=baud)
    rig.spoil(spoil_out=flips(rate, 1), spoil_in=flips(rate, 2))
    for seed in range(40):
        rig.infer(seed)
    assert rig.fake.decoder.bad > 0


def test_a_bad_cable_while_inputs_are_sent_ahead() -> None:
    rig = opened(FakeBoard([FakeModel("long", 3072, 700, 0.01)], rx_buffer=4096), baud=1_000_000)
    rig.spoil(spoil_out=flips(1e-4, 3), spoil_in=flips(1e-4, 4))
    blobs = [Random(seed).randbytes(3072) for seed in range(40)]
    out = []
    for blob in blobs:
        out.append(rig.board.begin_infer(0, blob))
        if len(out) > 1:
            assert out[-2].wait().blob == rig.fake.models[0].output(blobs[len(out) - 2])
    assert out[-1].wait().blob == rig.fake.models[0].output(blobs[-1])


def test_an_answer_with_a_wrong_check_is_never_returned() -> None:
    wrong = [3]

    class Liar(FakeBoard):
        def on_infer(self, reader, writer):  # type: ignore[no-untyped-def]
            status = super().on_infer(reader, writer)
            if wrong[0]:
                wrong[0] -= 1
                writer._data[-1] ^= 1  # the output's last byte: the frame's own CRC is right
            return status

    rig = opened(Liar())
    rig.infer(1, SMALL)
    assert wrong == [0]
    wrong[0] = 1000
    start = rig.clock.now
    with pytest.raises(DeviceCorrupt, match="gave no right answer: its output never fitted its CRC-32"):
        rig.infer(2, SMALL)
    assert rig.clock.now - start < 1


def test_an_input_of_another_size_or_model_is_refused_here() -> None:
    board = opened().board
    with pytest.raises(ValueError, match="got 15 bytes for small, expected 16"):
        board.infer(SMALL, bytes(15))
    with pytest.raises(CapabilityError, match=r"no such model \(2\), it has 2"):
        board.infer(2, b"")


def test_a_model_that_fails_is_told() -> None:
    class Failing(FakeBoard):
        def on_infer(self, reader, writer):  # type: ignore[no-untyped-def]
            super().on_infer(reader, writer)
            return 13

    rig = opened(Failing())
    with pytest.raises(DeviceError, match="refused an inference of model 0: the model reported an error"):
        rig.infer(1, SMALL)
    assert not rig.events


# ---- a lost link, a reset ----


def test_a_pulled_cable_is_told_once_and_the_call_goes_on() -> None:
    rig = opened()
    opened_calls = len(rig.fake.calls)
    rig.infer(1)
    rig.pull()
    rig.plugged = False
    steps = []

    def sleep(seconds: float) -> None:
        rig.clock.sleep(seconds)
        steps.append(seconds)
        rig.plugged = len(steps) == 9

    rig.board._session._sleep = sleep
    rig.infer(2)
    assert rig.told() == ["/dev/ttyACM0 went away", "back"]
    assert steps[0] == 0.05
    assert max(steps) <= 0.5  # so that a cable that is back is found within a second
    assert isinstance(rig.events[1], LinkBack)
    assert rig.events[1].after_s == pytest.approx(sum(steps), abs=0.01)
    assert "hello" not in rig.fake.calls[opened_calls:]  # the board never noticed: its session is still there
    assert rig.wires[0].closed


def test_a_silent_cable_is_found_as_well() -> None:
    rig = opened()
    rig.infer(1)
    rig.wires[-1].mute = True
    start = rig.clock.now
    rig.infer(2)
    assert rig.told()[0].startswith("infer got no answer within 3 s")
    assert rig.told()[1:] == ["back"]
    assert rig.clock.now - start < 4


def test_a_board_that_answers_all_but_one_call_ends_as_well() -> None:
    class Stuck(FakeBoard):
        def on_infer(self, reader, writer):  # type: ignore[no-untyped-def]
            return None

    rig = opened(Stuck())
    with pytest.raises(DeviceTimeout, match="infer got no answer within 30 s"):
        rig.infer(1)
    assert rig.told().count("back") <= 4
    rig.board.memory()


def test_threads_that_lose_the_link_together_find_back_together() -> None:
    fake, links, failures = FakeBoard(), [], list[BaseException]()

    def connect() -> FdWire:
        ours, theirs = socket.socketpair()

        def serve() -> None:
            with theirs, contextlib.suppress(OSError):  # in the middle of a reply
                while data := theirs.recv(4096):
                    for frame, _ in fake.feed(data):
                        theirs.sendall(frame)

        thread = threading.Thread(target=serve)
        thread.start()
        links.append((theirs, thread))
        return FdWire(ours.detach())

    events: list[Event] = []
    board = Board(connect, events.append)
    board.open()

    def work() -> None:
        try:
            for n in range(300):
                board.set_led(0, n % 2 == 0)
                board.infer(SMALL, bytes([n % 256]) * 16)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.02)  # somewhere in the middle
        with contextlib.suppress(OSError):  # it is out already
            links[-1][0].shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not failures
    assert sum(isinstance(event, LinkLost) for event in events) == sum(isinstance(event, LinkBack) for event in events)
    assert 1 <= len(links) <= 4
    board.close()
    for _, thread in links:
        thread.join(5)
        assert not thread.is_alive()


def test_it_gives_up_with_one_clear_sentence() -> None:
    rig = opened(give_up_s=10.0)
    rig.pull()
    rig.plugged = False
    start = rig.clock.now
    with pytest.raises(DeviceLost, match=r"did not come back within 10 s \(/dev/ttyACM0 is not there\); connect it"):
        rig.infer(1)
    assert rig.clock.now - start == pytest.approx(10, abs=1)
    assert len(rig.events) == 1
    before = rig.clock.now
    with pytest.raises(DeviceLost, match="did not come back"):  # looks once
        rig.infer(1)
    assert rig.clock.now == before
    rig.plugged = True
    rig.infer(1)
    assert rig.told()[1:] == ["back"]


def test_a_reset_in_the_middle_of_a_call_is_told_and_the_call_done_again() -> None:
    rig = opened()
    rig.infer(1)
    session = rig.fake.session
    rig.fake.reset()
    rig.infer(2)
    assert rig.told()[0].startswith("the board was reset, or another program uses it")
    assert rig.told()[1:] == ["back"]
    assert rig.fake.session not in (0, session)


def test_a_reset_by_call() -> None:
    rig = opened()
    rig.board.reset()
    assert rig.told() == ["the board was reset as asked", "back"]
    rig.infer(1)
    assert len(rig.events) == 2


def test_a_board_that_comes_back_with_other_models_is_refused() -> None:
    rig = opened()
    rig.pull()
    rig.fake.reset()
    rig.fake.models = [FakeModel("other", 16, 4), rig.fake.models[1]]
    with pytest.raises(DeviceMismatch, match=r"came back with other \(.*\), cifar10 .* expected small"):
        rig.infer(1)


def test_inferences_that_were_begun_survive_a_reset() -> None:
    rig = opened(FakeBoard(rx_buffer=4096))
    blobs = [Random(n).randbytes(3072) for n in range(2)]
    out = [rig.board.begin_infer(CIFAR, blob) for blob in blobs]
    rig.wires[-1].coming.clear()
    rig.fake.reset()
    assert [one.wait().blob for one in out] == [rig.fake.models[CIFAR].output(blob) for blob in blobs]
    assert rig.told()[1:] == ["back"]


def test_closing_ends_the_search_for_a_lost_board() -> None:
    ours, theirs = socket.socketpair()
    fake, lost = FakeBoard(), threading.Event()

    def serve() -> None:
        with theirs:
            for _ in range(20):  # what describing takes, and no more
                for frame, _ in fake.feed(theirs.recv(4096)):
                    theirs.sendall(frame)
                if fake.calls.count("memory"):
                    return

    def connect() -> FdWire:
        if lost.is_set():
            raise DeviceLost("there is no cable")
        return FdWire(ours.detach())

    server = threading.Thread(target=serve)
    server.start()
    board = Board(connect, lambda event: lost.set())
    board.open()
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            while True:
                board.memory()
        except DeviceError as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert lost.wait(5)
    board.close()
    asking.join(2)
    assert not asking.is_alive()
    assert [type(error) for error in failures] == [DeviceLost]
    server.join(5)


# ---- sensors and streams ----


def test_samples_come_whole_though_they_need_several_frames() -> None:
    data = np.arange(1000, dtype="<i2")
    rig = opened(FakeBoard(samples=data.tobytes()))
    rig.board.start_sensor(0)
    reading = rig.board.read_sensor(0, 3, 450)
    assert (reading.at, reading.ready, reading.ended) == (3, 500, True)
    np.testing.assert_array_equal(reading.data, data.reshape(-1, 2)[3:453])
    assert len(rig.board.read_sensor(0, 400, 450).data) == 100
    assert len(rig.board.read_sensor(0, 500, 10).data) == 0
    with pytest.raises(CapabilityError, match=r"no such sensor \(sensor 3\)"):
        rig.board.start_sensor(3)


def test_a_sensor_over_a_bad_cable() -> None:
    data = np.random.default_rng(1).integers(-9, 9, 20000, dtype="<i2")
    rig = opened(FakeBoard(samples=data.tobytes(), rx_buffer=1024))
    rig.board.start_sensor(0)
    rig.spoil(spoil_out=flips(1e-4, 5), spoil_in=flips(1e-4, 6))
    parts = [rig.board.read_sensor(0, at, 1000).data for at in range(0, 10000, 1000)]
    np.testing.assert_array_equal(np.concatenate(parts), data.reshape(-1, 2))


@pytest.mark.parametrize("call", ["read_sensor", "read_stream"])
def test_what_was_started_is_gone_after_a_reset(call: str) -> None:
    rig = opened()

    def start() -> None:
        rig.board.start_sensor(0)
        rig.board.start_stream(0, 0, 10)

    def read() -> None:
        rig.board.read_sensor(0, 0, 5) if call == "read_sensor" else rig.board.read_stream(0)

    start()
    read()
    rig.fake.reset()
    for _ in range(2):
        with pytest.raises(DeviceReset, match="start it again"):
            read()
    assert rig.told()[1:] == ["back"]
    start()
    read()


def test_a_sensor_goes_on_where_only_the_cable_was_out() -> None:
    rig = opened()
    rig.board.start_sensor(0)
    rig.board.start_stream(0, 0, 10)
    rig.pull()
    assert len(rig.board.read_sensor(0, 0, 5).data) == 5
    assert rig.board.read_stream(0).blob == rig.fake.windows[0]
    assert rig.told()[1:] == ["back"]


def test_windows_of_a_stream() -> None:
    rig = opened()
    rig.board.start_stream(0, SMALL, 10)
    window = rig.board.read_stream(3)
    assert (window.window, window.blob, window.feature_ticks, window.inference_ticks) == (3, bytes([3]) * 700, 5, 6)
    none = rig.board.read_stream(5)
    assert (none.blob, none.ended, none.ready) == (None, True, 5)


def test_windows_with_a_wrong_check_are_asked_for_again() -> None:
    wrong = [2]

    class Liar(FakeBoard):
        def on_read_stream(self, reader, writer):  # type: ignore[no-untyped-def]
            status = super().on_read_stream(reader, writer)
            if wrong[0]:
                wrong[0] -= 1
                writer._data[-1] ^= 1
            return status

    rig = opened(Liar())
    rig.board.start_stream(0, SMALL, 10)
    assert rig.board.read_stream(3).blob == bytes([3]) * 700
    assert wrong == [0]


# ---- the rest ----


def test_leds_and_memory() -> None:
    rig = opened()
    rig.board.set_led(1, True)
    assert rig.fake.lit == {1: True}
    with pytest.raises(CapabilityError, match=r"no such LED \(2, it has 2\)"):
        rig.board.set_led(2, True)
    assert rig.board.memory().stack_used == 100


@pytest.mark.parametrize("gain", [0.0, 50e-6, -0.2])
def test_the_boards_clock_is_mapped_within_its_uncertainty(gain: float) -> None:
    rig = opened(FakeBoard(gain=gain), baud=115_200)
    for _ in range(2):
        clock = rig.board.time()
        assert abs(clock.host(rig.fake.ticks()) - rig.clock.now) < clock.uncertainty_s * 1.01 + 1e-3 * abs(gain) * 60
        assert clock.uncertainty_s < 0.005
        rig.clock.sleep(60)
    assert clock.drift == pytest.approx(gain, abs=1e-4)
    rig.board.time()
    rig.clock.sleep(9)  # measured a short while ago: no exchange is needed
    ticks, calls, now = rig.fake.ticks(), rig.board.link.counters.calls, rig.clock.now
    assert rig.board.host_time(ticks) == pytest.approx(now, abs=0.006 + abs(gain) / 100)
    assert rig.board.link.counters.calls == calls
    rig.clock.sleep(9)
    rig.board.host_time(ticks)
    assert rig.board.link.counters.calls > calls


def test_several_threads_on_one_board() -> None:
    fake = FakeBoard(rx_buffer=1024)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        while data := theirs.recv(4096):
            for frame, _ in fake.feed(data):
                theirs.sendall(frame)

    server = threading.Thread(target=serve)
    server.start()
    board = Board(lambda: FdWire(ours.detach()), print)
    board.open()
    board.start_sensor(0)
    failures: list[BaseException] = []

    def run(work: Callable[[int], None]) -> None:
        try:
            for n in range(60):
                work(n)
        except BaseException as error:
            failures.append(error)

    def infer(model: int) -> Callable[[int], None]:
        def work(n: int) -> None:
            blob = Random(n).randbytes(fake.models[model].input_bytes)
            assert board.infer(model, blob).blob == fake.models[model].output(blob)

        return work

    def sense(n: int) -> None:
        assert len(board.read_sensor(0, n, 200).data) == 200

    work = [infer(SMALL), infer(CIFAR), infer(CIFAR), sense, lambda n: board.set_led(0, n % 2 == 0)]
    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not failures
    board.close()
    server.join(5)
    theirs.close()
