"""Calls over a wire, in virtual time: no test sleeps, but for those that need real threads."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

import pytest

from fake_board import FakeBoard, FakeClock, FakeWire
from hal.rt import protocol
from hal.rt.codec import Writer
from hal.rt.frames import Decoder, encode
from hal.rt.link import Link
from hal.rt.protocol import FAULT, INFER, MEMORY, SET_LED, TIME, WRITE_INPUT, Status
from hal.rt.wire import FdWire
from pipelines.errors import DeviceCorrupt, DeviceError, DeviceLost, DeviceMismatch, DeviceTimeout

ON = protocol.set_led(0, True)


def linked(**options: object) -> tuple[Link, FakeWire, FakeClock]:
    clock = FakeClock()
    wire = FakeWire(FakeBoard(clock=clock), clock, **options)  # type: ignore[arg-type]
    return Link(wire, clock=clock), wire, clock


def sequences(wire: FakeWire) -> list[int]:
    """Of the requests that were written."""
    found = Decoder(512).feed(b"".join(wire.written))
    return [struct.unpack_from("<I", message, 4)[0] for message in found]


def lose(count: int) -> Callable[[bytes], bytes]:
    """A cable that loses a byte of each of the first so many pieces."""
    left = [count]

    def spoil(data: bytes) -> bytes:
        left[0] -= 1
        return data[:-3] + data[-2:] if left[0] >= 0 else data

    return spoil


def test_a_call() -> None:
    link, wire, _ = linked()
    assert link.call(SET_LED, ON, 1.0) == (Status.OK,)
    assert wire.board.lit == {0: True}
    assert (link.counters.calls, link.counters.retries, len(wire.written)) == (1, 0, 1)


def test_the_first_sequence_is_random() -> None:
    first = set()
    for _ in range(5):
        link, wire, _ = linked()
        link.call(SET_LED, ON, 1.0)
        first |= set(sequences(wire))
    assert len(first) == 5


def test_no_sequence_is_0_which_means_unknown() -> None:
    clock = FakeClock()
    wire = FakeWire(FakeBoard(clock=clock), clock)
    link = Link(wire, clock=clock, first_sequence=0xFFFFFFFE)
    for _ in range(3):
        link.call(SET_LED, ON, 1.0)
    assert sequences(wire) == [0xFFFFFFFF, 1, 2]


def test_a_silent_link_ends_at_the_deadline() -> None:
    link, wire, clock = linked()
    wire.mute = True
    start = clock.now
    with pytest.raises(DeviceTimeout, match=r"^set_led got no answer within 0.5 s .* requests sent\); check that"):
        link.call(SET_LED, ON, 0.5)
    assert clock.now - start == pytest.approx(0.5, abs=0.01)
    assert 3 <= len(wire.written) <= 10


def test_a_pty_that_nobody_reads_ends_at_the_deadline() -> None:
    mine, theirs = os.openpty()
    tty.setraw(theirs)  # else the terminal echoes
    link = Link(FdWire(mine))
    start = time.monotonic()
    with pytest.raises(DeviceTimeout):
        link.call(SET_LED, ON, 0.1)
    assert 0.1 <= time.monotonic() - start < 2
    link.close()
    os.close(theirs)


def test_a_pty_that_is_full_ends_near_the_deadline_and_goes_on_when_somebody_reads() -> None:
    mine, theirs = os.openpty()
    tty.setraw(theirs)
    link = Link(FdWire(mine, stall_s=0.05))
    chunk = link.frame_of(WRITE_INPUT, protocol.write_input(1, 0, 0, 0, bytes(400)))
    start = time.monotonic()
    pending = link.begin(MEMORY, protocol.memory(), 0.4, after=[chunk] * 500)
    with pytest.raises(DeviceTimeout, match=r"memory got no answer within 0.4 s: the link did not take \d+ bytes"):
        pending.wait()
    assert time.monotonic() - start < 2

    def serve() -> None:
        board = FakeBoard()
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(theirs, 4096):
                for frame, _ in board.feed(data):
                    os.write(theirs, frame)

    server = threading.Thread(target=serve)
    server.start()
    assert link.call(MEMORY, protocol.memory(), 5.0)[1] == Status.OK
    link.close()
    server.join(5)
    assert not server.is_alive()
    os.close(theirs)


@pytest.mark.parametrize("way", ["spoil_out", "spoil_in"])
@pytest.mark.parametrize("baud", [None, 115_200])
def test_a_lost_byte_costs_tens_of_milliseconds(way: str, baud: int | None) -> None:
    link, wire, clock = linked(baud=baud)
    for _ in range(3):
        link.call(SET_LED, ON, 1.0)
    start = clock.now
    link.call(SET_LED, ON, 1.0)
    clean_s = clock.now - start
    setattr(wire, way, lose(1))
    start = clock.now
    assert link.call(SET_LED, ON, 1.0) == (Status.OK,)
    assert link.counters.retries == 1
    assert clock.now - start - 2 * clean_s < 0.03


def test_a_retry_has_the_sequence_of_its_request_so_that_either_reply_counts() -> None:
    link, wire, _ = linked(latency_s=0.06)
    link.call(SET_LED, ON, 1.0)
    assert len(set(sequences(wire))) == 1
    assert link.counters.retries == 1  # 0.12 s is more than was known of
    link.call(MEMORY, protocol.memory(), 1.0)
    assert link.counters.late >= 1  # the second reply to the first call


def test_a_late_reply_to_an_older_request_is_dropped() -> None:
    link, wire, clock = linked(latency_s=0.3)
    with pytest.raises(DeviceTimeout):
        link.call(TIME, protocol.time(), 0.5)
    wire.latency_s = 0.01
    before = clock.now
    ticks, _ = link.call(TIME, protocol.time(), 1.0)
    assert ticks >= before * 1e6
    assert link.counters.late >= 1


def test_a_long_call_is_learned_and_then_not_asked_again() -> None:
    link, wire, _ = linked()
    wire.board.models[0].seconds = 0.2
    wire.board.rx_buffer = 4096
    wire.board.session = 7
    link.agree(512, 4096)
    retries = []
    for n in range(12):
        blob = bytes([n]) * 16
        link.call(INFER, protocol.infer(7, 0, crc32(blob), blob), 5.0, key="long")
        retries.append(link.counters.retries)
    assert retries[0] > 0
    assert retries[-1] == retries[-4]
    assert link.expected_s("long") == pytest.approx(0.2, rel=0.1)


def test_damaged_answers_are_named() -> None:
    link, _, _ = linked(spoil_in=lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]))
    with pytest.raises(DeviceCorrupt, match=r"memory got no answer within 0.5 s, but .* check"):
        link.call(MEMORY, protocol.memory(), 0.5)


def test_the_wrong_baud_rate_is_named() -> None:
    link, _, _ = linked(spoil_in=lambda frame: bytes(byte & 0x55 for byte in frame[::2]))
    with pytest.raises(DeviceCorrupt, match="bytes that are no frames; check that both ends have the same baud rate"):
        link.call(MEMORY, protocol.memory(), 0.5)


def test_an_answer_that_cannot_be_decoded_is_asked_for_again_and_named() -> None:
    def cut(frame: bytes) -> bytes:
        return encode(frame[6:-4])  # a good frame, with its status missing

    link, wire, _ = linked(spoil_in=cut)
    with pytest.raises(DeviceCorrupt, match=r"memory got only damaged answers within 0.5 s \(got .* expected"):
        link.call(MEMORY, protocol.memory(), 0.5)
    wire.spoil_in = None
    assert link.call(MEMORY, protocol.memory(), 0.5)[1] == Status.OK


def test_a_reply_to_another_call_is_not_taken() -> None:
    def other(frame: bytes) -> bytes:
        message = bytearray(frame[6:])
        message[1] = TIME.method
        return encode(bytes(message))

    link, _, _ = linked(spoil_in=other)
    with pytest.raises(DeviceCorrupt, match="a reply to another call"):
        link.call(MEMORY, protocol.memory(), 0.3)


def test_our_own_bytes_coming_back_are_no_reply() -> None:
    ours, theirs = socket.socketpair()
    echo = threading.Thread(target=lambda: [theirs.send(data) for data in iter(lambda: theirs.recv(512), b"")])
    echo.start()
    link = Link(FdWire(ours.detach()))
    with pytest.raises(DeviceTimeout):
        link.call(MEMORY, protocol.memory(), 0.1)
    assert link.counters.corrupt > 0
    link.close()
    echo.join()
    theirs.close()


def test_a_board_that_does_not_know_a_call_says_so() -> None:
    link, wire, _ = linked()
    with pytest.raises(DeviceMismatch, match=r"does not know the call set_led \(UNKNOWN_METHOD\).*build and flash"):
        link.call(replace(SET_LED, method=99), ON, 5.0)
    assert link.counters.faults == len(wire.written) == 3  # noise may have changed the first ones
    assert link.call(SET_LED, ON, 1.0) == (Status.OK,)


def test_a_fault_without_a_sequence_is_a_hint_to_ask_again() -> None:
    def fault() -> bytes:
        writer = Writer()
        for number in (1 << 24 | FAULT.service << 16 | FAULT.method << 8 | 2, 0, 0, 0):
            writer.u32(number)
        writer.i32(Status.TOO_LARGE)
        return encode(writer.message())

    first = [True]

    def spoil(frame: bytes) -> bytes:
        return fault() if first and first.pop() else frame

    link, _, clock = linked(spoil_in=spoil)
    start = clock.now
    assert link.call(SET_LED, ON, 1.0) == (Status.OK,)
    assert clock.now - start < 0.001


def test_arguments_that_do_not_fit_are_a_bug_of_the_caller() -> None:
    link, _, _ = linked()
    with pytest.raises(ValueError, match="does not fit a message of 512"):
        link.post(WRITE_INPUT, protocol.write_input(1, 0, 0, 0, bytes(500)))


def test_while_a_call_is_out_no_more_is_sent_than_the_board_takes() -> None:
    link, wire, _ = linked()
    wire.board.models[0].seconds, wire.board.session, wire.board.rx_buffer = 0.03, 7, 1000
    link.agree(512, 1000)
    blob = bytes(16)
    pending = link.begin(INFER, protocol.infer(7, 0, crc32(blob), blob), 1.0)
    before = sum(map(len, wire.written))
    chunk = link.frame_of(WRITE_INPUT, protocol.write_input(7, 1, 1, 0, bytes(300)))
    link.post_all([chunk] * 5)
    assert sum(map(len, wire.written)) - before == 2 * len(chunk) <= 1000
    assert pending.wait()[1] == Status.OK
    assert sum(map(len, wire.written)) - before == 5 * len(chunk)  # the rest went out with the reply
    assert wire.lost == 0


def test_calls_that_are_out_together_and_one_whose_reply_is_lost() -> None:
    count = [0]

    def second(frame: bytes) -> bytes:
        count[0] += 1
        return b"" if count[0] == 2 else frame

    link, _, clock = linked(spoil_in=second)
    link.agree(512, 4096)
    start = clock.now
    calls = [link.begin(SET_LED, protocol.set_led(n % 2, n > 1), 1.0) for n in range(4)]
    assert [call.wait() for call in calls] == [(Status.OK,)] * 4
    assert link.counters.retries == 1
    assert clock.now - start < 0.001  # the third reply tells that the second was lost
    assert calls[0].wait() == (Status.OK,)  # as often as you like


def test_a_lost_wire_ends_all_calls() -> None:
    link, wire, _ = linked()
    link.agree(512, 4096)
    wire.mute = True
    calls = [link.begin(MEMORY, protocol.memory(), 1.0) for _ in range(2)]
    wire.dead = DeviceLost("the cable was pulled")
    for call in calls:
        with pytest.raises(DeviceLost, match="the cable was pulled"):
            call.wait()
    with pytest.raises(DeviceLost):
        link.call(MEMORY, protocol.memory(), 1.0)


def test_closing_ends_calls_in_other_threads() -> None:
    ours, theirs = socket.socketpair()
    link = Link(FdWire(ours.detach()))
    failures: list[DeviceError] = []

    def wait() -> None:
        try:
            link.call(MEMORY, protocol.memory(), 20.0)
        except DeviceError as error:
            failures.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert theirs.recv(4096)
    link.close()
    for thread in threads:
        thread.join(5)
    assert [type(error) for error in failures] == [DeviceLost] * 3
    theirs.close()


def test_many_threads_get_their_own_answers() -> None:
    ours, theirs = socket.socketpair()
    board = FakeBoard([])

    def serve() -> None:
        while data := theirs.recv(4096):
            for frame, _ in board.feed(data):
                theirs.sendall(frame)

    server = threading.Thread(target=serve)
    server.start()
    link = Link(FdWire(ours.detach()))
    link.agree(512, 256)
    wrong: list[object] = []

    def ask(led: int) -> None:
        for _ in range(200):
            expected = (Status.OK,) if led < board.leds else (Status.NO_SUCH_LED,)
            if link.call(SET_LED, protocol.set_led(led, True), 5.0) != expected:
                wrong.append(led)

    threads = [threading.Thread(target=ask, args=(led,)) for led in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not wrong
    assert link.counters.calls == 800
    link.close()
    server.join(5)
    theirs.close()
