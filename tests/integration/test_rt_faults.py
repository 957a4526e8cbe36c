"""A board at the end of a bad cable: right answers or clear errors, never a wrong one, and nothing hangs.

The numbers of the issue's campaign, printed: python -m pytest tests/integration/test_rt_faults.py -m slow -s
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hal.rt import protocol
from hal.rt.firmware.recording import Recorded
from hal.rt.frames import Decoder, encode
from hal.rt.link import Link
from hal.rt.wire import Wire
from lying_wires import Escapes, ForeignReplies, UnseenErrors
from pipelines.errors import DeviceError, DeviceTimeout
from rt_campaign import Cifar10Answers, Told, cifar10_blobs, within
from rt_rig import BOARDS, Rig, image_of, rig

DEADLINE_S = 6.0  # no call of Board takes longer, whatever the cable does
ONE_BY_ONE: dict[str, dict[str, Any]] = {
    "bits flipped": {"flip": 1e-4},
    "bytes lost": {"drop": 3e-4},
    "bytes doubled": {"duplicate": 3e-4},
    "bytes inserted": {"insert": 3e-4},
    "noise bursts": {"burst": 2e-4, "burst_bytes": 64},
    "writes repeated": {"repeat": 0.2},
    "late": {"delay_s": 0.02, "jitter_s": 0.02},
    "stalled": {"stall": 2e-4, "stall_s": 0.15},
    "line dead for a while": {"cut": 3e-5, "cut_s": 0.15},
    "all at once": {
        "flip": 3e-5, "drop": 1e-4, "duplicate": 1e-4, "insert": 1e-4, "burst": 5e-5, "repeat": 0.05,
        "delay_s": 0.001, "jitter_s": 0.002, "stall": 2e-5, "cut": 1e-5,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def blobs(shared_data: Path) -> list[bytes]:
    with np.load(shared_data / "cifar10" / "test_500.npz") as data:
        return cifar10_blobs(data["images"])


@pytest.fixture(scope="module")
def answers(blobs: list[bytes]) -> Sequence[bytes]:
    return Cifar10Answers(blobs)


@pytest.fixture(params=["rt:host", pytest.param("rt:qemu", marks=pytest.mark.slow)])
def board(request: pytest.FixtureRequest, blobs: list[bytes], answers: Sequence[bytes]) -> Iterator[Rig]:
    with rig(image_of(BOARDS[request.param]), blobs, answers) as made:
        yield made


@pytest.fixture
def host(blobs: list[bytes], answers: Sequence[bytes]) -> Iterator[Rig]:
    with rig(image_of("host"), blobs, answers) as made:
        yield made


def infer(made: Rig, count: int) -> Told:
    told = Told()
    for k in range(count):
        made.task.infer(k, told)
    return told


def spoilt(made: Rig, count: int, **faults: Any) -> Told:
    """So many inferences over a cable with these faults, and one over a good one."""
    made.spoil(**faults)
    told = within(60 + count * DEADLINE_S, lambda: infer(made, count))
    made.spoil()
    recovery_s = made.task.until_right(time.monotonic(), 2.0, told)
    print(f"\n{faults}: {told}; right again after {recovery_s:.3f} s; {made.wire.done}; {made.counters()}")
    assert told.wrong == 0
    assert told.slowest_s < DEADLINE_S + 0.5
    return told


def test_bit_errors_give_right_answers_or_errors(board: Rig) -> None:
    count = 40 if board.running.image.board == "host" else 12
    assert spoilt(board, count, flip=1e-4).right > count  # and the one behind them


@pytest.mark.slow
@pytest.mark.parametrize(("place", "count"), [("host", 10_000), ("mps2-an500", 200)])
def test_ten_thousand_inferences_at_a_bit_error_rate_of_1e_4(
    place: str, count: int, blobs: list[bytes], answers: Sequence[bytes]
) -> None:
    with rig(image_of(place), blobs, answers, seed=5) as made:
        start = time.monotonic()
        told = spoilt(made, count, flip=1e-4)
        print(f"{place}: {count} in {time.monotonic() - start:.1f} s")
        assert told.right > 0.99 * count


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_each_fault(name: str, host: Rig) -> None:
    assert spoilt(host, 15, **ONE_BY_ONE[name]).right > 0


@pytest.mark.parametrize(
    ("board", "name"),
    [
        ("rt:host", "bits flipped"),
        ("rt:host", "writes repeated"),
        ("rt:host", "all at once"),
        pytest.param("rt:qemu", "all at once", marks=pytest.mark.slow),
    ],
    indirect=["board"],
)
def test_each_input_sent_while_the_board_computes(name: str, board: Rig) -> None:
    told = Told()
    board.spoil(**ONE_BY_ONE[name])
    within(120, lambda: board.task.infer_ahead(40 if board.running.image.board == "host" else 8, told))
    print(f"\n{name}, sent ahead: {told}; {board.counters()}")
    assert told.wrong == 0
    assert told.right == told.calls
    board.spoil()
    assert board.task.infer(0, told)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_each_fault_for_long(name: str, board: Rig) -> None:
    count = 300 if board.running.image.board == "host" else 40
    assert spoilt(board, count, **ONE_BY_ONE[name]).right > count / 2


@pytest.mark.slow
def test_errors_that_a_crc_16_does_not_find(blobs: list[bytes], answers: Sequence[bytes]) -> None:
    """One frame in twenty, and one reply in five, is another than was sent, with a good CRC-16: only the CRC-32 stands
    between these and wrong answers."""
    cables: list[UnseenErrors] = []
    good, bad = (0.0, 0.0), (0.05, 0.2)
    chances = good

    def outer(wire: Wire) -> Wire:
        cables.append(UnseenErrors(wire, seed=len(cables)))
        cables[-1].chances = chances
        return cables[-1]

    with rig(image_of("host"), blobs, answers, outer=outer) as made:
        chances = cables[-1].chances = bad
        told = within(120, lambda: infer(made, 150))
        spoilt_frames, in_tensors = ([sum(getattr(cable, name)[way] for cable in cables) for way in (0, 1)]
                                     for name in ("spoilt", "in_tensors"))  # fmt: skip
        refused = sum(cable.refused for cable in cables)
        print(f"\n{spoilt_frames} frames spoilt there and back, of which {in_tensors} nothing but a CRC-32 gives away; "
              f"{refused} inputs refused; {told}; {made.counters()}; {made.lost()}")  # fmt: skip
        assert told.wrong == 0
        assert min(in_tensors) > 0
        assert refused > 10
        assert told.right > 120


@pytest.mark.slow
def test_noise_that_a_crc_16_lets_through(blobs: list[bytes], answers: Sequence[bytes]) -> None:
    """Half of all frames broken by noise, for a while: one broken frame in 65,536 passes the CRC-16.

    EIQ_NOISE_S says for how many s; 60 where it does not.
    """
    escapes = Escapes()
    with rig(image_of("host"), blobs, answers, cable=escapes.cable) as made:
        made.spoil(burst=1 / 500, burst_bytes=12)
        told, end, k = Told(), time.monotonic() + float(os.environ.get("EIQ_NOISE_S", 60)), 0
        while time.monotonic() < end:
            made.task.infer(k, told)
            k += 1
        print(f"\n{escapes.frames} frames came with a good CRC-16, {escapes.found} of them never sent; {told}; "
              f"{sum(wire.done['burst'] for wire in made.wires)} bursts; {made.lost()}")  # fmt: skip
        assert told.wrong == 0
        assert told.right > 100


def test_late_replies_and_those_of_another_call_are_no_answers(blobs: list[bytes], answers: Sequence[bytes]) -> None:
    cables: list[ForeignReplies] = []

    def outer(wire: Wire) -> Wire:
        cables.append(ForeignReplies(wire))
        return cables[-1]

    with rig(image_of("host"), blobs, answers, outer=outer) as made:
        cables[0].active = True
        told = within(120, lambda: infer(made, 50))
        print(f"\n{sum(cable.brought for cable in cables)} foreign replies: {told}; {made.counters()}")
        assert told.wrong == 0
        assert told.right == 50
        assert sum(cable.brought for cable in cables) > 50


@pytest.mark.parametrize(
    ("place", "name"),
    [("rt:host", "bits flipped"), ("rt:host", "bytes lost"), ("rt:host", "all at once"),
     pytest.param("rt:qemu", "all at once", marks=pytest.mark.slow)],
)  # fmt: skip
def test_the_samples_of_a_sensor(place: str, name: str) -> None:
    data = np.random.default_rng(0).integers(-32768, 32768, (1500, 3)).astype(np.int16)
    clip = Recorded("motion", 100.0, ("ax_g", "ay_g", "az_g"), data, 0.001)
    with rig(image_of(BOARDS[place]), (), (), recordings=[clip]) as made:
        made.spoil(**ONE_BY_ONE[name])
        within(120, lambda: played(made, data))


def played(made: Rig, data: np.ndarray) -> None:
    """The whole recording comes, and as it is."""
    made.board.start_sensor(0, fast=True)
    at = 0
    while at < len(data):
        reading = made.board.read_sensor(0, at, 400)
        assert reading.at == at
        assert np.array_equal(reading.data, data[at : at + len(reading.data)])
        at += len(reading.data)
    assert reading.ended


# ---- the link works again within a second ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_after_a_fault_it_works_again_within_a_second(name: str, board: Rig) -> None:
    made, told, times = board, Told(), []
    shuffle = random.Random(name)

    def mend() -> None:
        time.sleep(shuffle.uniform(0.05, 0.6))
        made.spoil()

    for _ in range(12):
        made.spoil(**harder(ONE_BY_ONE[name]))
        times.append(within(60, lambda: made.recovery(mend, told)))
    print(f"\n{name}: right again after at most {max(times):.3f} s (median {np.median(times):.3f}); {told}")
    assert told.wrong == 0
    assert max(times) < 1.0


def harder(faults: dict[str, Any]) -> dict[str, Any]:
    """So much of it that hardly a call gets through."""
    chances = {"flip", "drop", "duplicate", "insert", "burst", "cut", "stall"}
    return {name: value * 30 if name in chances else value for name, value in faults.items()}


def test_a_dead_line(host: Rig) -> None:
    told = Told()
    host.wire.cut(0.4)
    start = time.monotonic()
    recovery_s = within(20, lambda: host.task.until_right(start + 0.4, 5, told))
    print(f"\ndead for 0.4 s: {told}, right again {recovery_s:.3f} s after it")
    assert recovery_s < 1.0
    assert told.wrong == 0


def test_a_board_that_hangs_for_a_while(board: Rig) -> None:
    told = Told()
    assert board.running._child
    pid = board.running._child.pid

    def hang() -> None:
        time.sleep(0.05)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1.0)
        os.kill(pid, signal.SIGCONT)

    recovery_s = within(60, lambda: board.recovery(hang, told))
    print(f"\nhung for 1 s: right again after {recovery_s:.3f} s; {told}; {board.lost()}")
    assert (told.wrong, told.errors.total()) == (0, 0)
    assert recovery_s < 1.0


def test_a_board_that_hangs_for_good(host: Rig) -> None:
    link = host.board.link
    assert host.running._child
    pid = host.running._child.pid
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    start = time.monotonic()
    with pytest.raises(DeviceTimeout):
        within(10, lambda: link.call(protocol.MEMORY, protocol.memory(), 0.5))
    assert time.monotonic() - start < 1.0


# ---- reset and cable ---------------------------------------------------------------------------------------------


def test_a_board_that_is_reset_in_the_middle_of_a_call(board: Rig) -> None:
    made, told, times = board, Told(), []
    shuffle = random.Random(4)

    def reset() -> None:
        time.sleep(shuffle.uniform(0.02, 0.3))
        made.running.restart()

    for _ in range(3):
        times.append(within(60, lambda: made.recovery(reset, told)))
    print(f"\n{made.running.image.board} reset: right again after at most {max(times):.3f} s; {told}; {made.lost()}")
    assert told.wrong == 0
    assert max(times) < 1.0
    assert len(made.lost()) == len(made.back()) == 3


def test_a_reset_that_was_asked_for_in_the_middle_of_a_call(board: Rig) -> None:
    told = Told()

    def reset() -> None:
        time.sleep(0.1)
        board.board.reset()

    recovery_s = within(60, lambda: board.recovery(reset, told))
    print(f"\nreset as asked: right again after {recovery_s:.3f} s; {told}; {board.lost()}")
    assert (told.wrong, told.errors.total()) == (0, 0)
    assert recovery_s < 1.0
    assert len(board.lost()) == len(board.back()) == 1


def test_a_board_that_stays_away_is_told_when_its_time_is_up(blobs: list[bytes], answers: Sequence[bytes]) -> None:
    with rig(image_of("host"), blobs, answers, give_up_s=1.0) as made:
        made.running.kill()
        start = time.monotonic()
        with pytest.raises(DeviceError) as told:
            within(30, lambda: made.board.infer(0, blobs[0]))
        print(f"\nkilled: after {time.monotonic() - start:.3f} s: {told.value}")
        assert time.monotonic() - start < 2.0
        assert len(made.lost()) == 1
        assert not made.back()


def test_a_cable_that_is_pulled_and_put_back(board: Rig) -> None:
    made, told = board, Told()

    def pull() -> None:
        time.sleep(0.1)
        made.plugged = False
        made.wire.pull()
        time.sleep(0.5)
        made.plugged = True

    recovery_s = within(60, lambda: made.recovery(pull, told))
    print(f"\npulled: right again {recovery_s:.3f} s after it was put back; {told}; {made.lost()} {made.back()}")
    assert told.wrong == 0
    assert recovery_s < 1.0
    assert len(made.lost()) == len(made.back()) == 1


# ---- requests that are none --------------------------------------------------------------------------------------


def exchange(wire: Wire, data: bytes, seconds: float = 1.0) -> list[bytes]:
    """What comes back within a second: whole messages."""
    decoder, end, found = Decoder(4096), time.monotonic() + seconds, []
    wire.write(data)
    while not found and time.monotonic() < end:
        found += decoder.feed(wire.read(0.05))
    return found


def alive(wire: Wire) -> bool:
    """A call is answered."""
    link = Link(wire)
    (_, status) = link.call(protocol.MEMORY, protocol.memory(), 1.0)
    return status == protocol.Status.OK


def message(service: int, method: int, kind: int, sequence: int, arguments: bytes = b"") -> bytes:
    word = 1 << 24 | service << 16 | method << 8 | kind
    return word.to_bytes(4, "little") + sequence.to_bytes(4, "little") + arguments


def claiming(size: int) -> bytes:
    """The header of a frame of so many bytes, with a right CRC, and few bytes behind it."""
    from binascii import crc_hqx

    body = b"\x00\x00"
    crc = crc_hqx(size.to_bytes(2, "little"), 0xEF4A) + crc_hqx(body, 0xEF4A)
    return (crc & 0xFFFF).to_bytes(2, "little") + size.to_bytes(2, "little") + body + bytes(16)


BAD_REQUESTS: dict[str, tuple[bytes, protocol.Status]] = {
    "a frame that claims 65,535 bytes": (claiming(65_535), protocol.Status.TOO_LARGE),
    "an unknown service": (encode(message(9, 1, 0, 77)), protocol.Status.UNKNOWN_SERVICE),
    "an unknown method": (encode(message(1, 99, 0, 77)), protocol.Status.UNKNOWN_METHOD),
    "no arguments": (encode(message(1, 5, 0, 77)), protocol.Status.BAD_REQUEST),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_request_that_is_none_is_answered_by_an_error(name: str, board: Rig) -> None:
    data, status = BAD_REQUESTS[name]
    board.board.close()
    wire = board.running.connect()
    found = exchange(wire, data)
    assert found
    (*_, told) = protocol.FAULT.decode(protocol.Reader(found[0], 8))
    assert told == status
    time.sleep(0.2)
    assert alive(wire)


def test_a_model_out_of_range(board: Rig) -> None:
    link, session = board.board.link, 4711
    hello = protocol.hello(protocol.PROTOCOL, protocol.INTERFACE, session, 512)
    link.call(protocol.HELLO, hello, 1.0)
    for sent, arguments in (
        (protocol.INFER, protocol.infer(session, 7, 0, b"")),
        (protocol.DESCRIBE_MODEL, protocol.describe_model(7)),
        (protocol.DESCRIBE_TENSOR, protocol.describe_tensor(7, 0)),
        (protocol.READ_OUTPUT, protocol.read_output(session, 7, 0, 0, 10)),
    ):
        (*_, status) = link.call(sent, arguments, 1.0)  # type: ignore[misc]
        assert status == protocol.Status.NO_SUCH_MODEL, sent.name
    link.post(protocol.WRITE_INPUT, protocol.write_input(session, 7, 1, 0, bytes(64)))
    assert board.task.infer(0, Told())
