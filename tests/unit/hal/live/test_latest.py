from __future__ import annotations

import threading

import pytest

from hal.live.latest import Latest


def test_the_newest_replaces_what_was_not_taken() -> None:
    latest: Latest[int] = Latest()
    latest.put(1)
    latest.put(2)
    assert latest.get() == 2


def test_a_failure_comes_after_what_is_there() -> None:
    latest: Latest[int] = Latest()
    latest.put(1)
    latest.fail(KeyError("gone"))
    assert latest.get() == 1
    with pytest.raises(KeyError, match="gone"):
        latest.get()


def test_close_ends_the_wait() -> None:
    latest: Latest[int] = Latest()
    got: list[int | None] = []
    reader = threading.Thread(target=lambda: got.append(latest.get()))
    reader.start()
    latest.close()
    reader.join(5)
    assert got == [None]
    assert latest.closed
