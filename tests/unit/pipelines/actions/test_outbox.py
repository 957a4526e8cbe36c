from __future__ import annotations

import threading
from typing import Any

import pytest

from deliveries import until
from pipelines.actions._outbox import Message, Outbox, delays
from pipelines.core import Dropped, Event, LinkBack, LinkLost
from pipelines.errors import OutputError


def new(n: int) -> Message:
    return Message(str(n).encode(), "yes", "")


class Told:
    def __init__(self, limit: int = 3, live: bool = True) -> None:
        self.events: list[Event] = []
        self.outbox = Outbox("post", limit)
        self.outbox.watch(self.events.append, live=live)

    def bodies(self) -> list[bytes]:
        return [taken.body for taken in iter(lambda: self.outbox.take(wait=False), None)]


def test_it_loses_the_oldest_first_and_counts() -> None:
    told = Told()
    for n in range(5):
        told.outbox.put(new(n))
    assert told.bodies() == [b"2", b"3", b"4"]
    assert told.events == [Dropped("post", 1)] * 2


def test_what_is_under_way_takes_no_place() -> None:
    told = Told(limit=1)
    told.outbox.put(new(0))
    assert told.outbox.take(wait=False)
    told.outbox.put(new(1))
    assert told.events == []


def test_a_recording_waits_for_room() -> None:
    told = Told(limit=1, live=False)
    told.outbox.put(new(0))
    putting = threading.Thread(target=told.outbox.put, args=(new(1),))
    putting.start()
    putting.join(0.05)
    assert putting.is_alive()
    assert told.outbox.take(wait=True) == new(0)
    putting.join(5)
    assert told.bodies() == [b"1"]
    assert told.events == []


def test_but_not_for_a_server_that_is_away() -> None:
    told = Told(limit=1, live=False)
    told.outbox.put(new(0))
    putting = threading.Thread(target=told.outbox.put, args=(new(1),))
    putting.start()
    told.outbox.away("gone")
    putting.join(5)
    assert not putting.is_alive()
    assert told.bodies() == [b"1"]
    assert Dropped("post", 1) in told.events


def test_away_is_told_once_until_it_is_back() -> None:
    told = Told()
    for _ in range(3):
        told.outbox.away("gone")
    told.outbox.back()
    told.outbox.back()
    told.outbox.away("gone again")
    assert [type(event) for event in told.events] == [LinkLost, LinkBack, LinkLost]


def test_the_end_waits_for_what_is_under_way() -> None:
    told = Told()
    told.outbox.put(new(0))
    told.outbox.take(wait=False)
    draining = threading.Thread(target=told.outbox.drain, args=(5.0,))
    draining.start()
    until(told.outbox.closing.is_set)
    assert draining.is_alive()
    told.outbox.delivered()
    draining.join(5)
    assert told.outbox.stopped.is_set()
    assert told.outbox.take(wait=True) is None


def test_the_end_tells_what_is_left() -> None:
    told = Told()
    told.outbox.put(new(0))
    told.outbox.put(new(1))
    told.outbox.take(wait=False)
    told.outbox.delivered()
    with pytest.raises(OutputError, match=r"post: 1 results were not delivered within 0.01 s .* are lost; 1 were"):
        told.outbox.drain(0.01)
    assert told.events == [Dropped("post", 1)]


@pytest.mark.parametrize("where", ["put", "drain"])
def test_a_failure_is_raised_once(where: str) -> None:
    told = Told()
    told.outbox.put(new(0))
    told.outbox.fail(OutputError("no use"))
    call: dict[str, Any] = {"put": lambda: told.outbox.put(new(1)), "drain": lambda: told.outbox.drain(5)}
    with pytest.raises(OutputError, match="no use"):
        call[where]()
    told.outbox.drain(5)  # at once: nobody sends any more


def test_a_failure_wakes_a_recording_that_waits() -> None:
    told = Told(limit=1, live=False)
    told.outbox.put(new(0))
    failed: list[Exception] = []

    def put() -> None:
        try:
            told.outbox.put(new(1))
        except OutputError as error:
            failed.append(error)

    putting = threading.Thread(target=put)
    putting.start()
    told.outbox.fail(OutputError("no use"))
    putting.join(5)
    assert len(failed) == 1


def test_pauses_grow_and_have_a_limit() -> None:
    waits = [wait for wait, _ in zip(delays(1.0, 8.0), range(6), strict=False)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, (1, 2, 4, 8, 8, 8), strict=True))
