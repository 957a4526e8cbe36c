from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.closing import Closing
from pipelines.errors import DeviceLost, EiqError, ModelError, OutputError, SeveralErrors, together


def failing(error: Exception) -> Callable[[], None]:
    def close() -> None:
        raise error

    return close


def test_last_first() -> None:
    closed: list[int] = []
    with Closing() as closing:
        for number in range(3):
            closing.add(lambda number=number: closed.append(number))  # type: ignore[misc]
    assert closed == [2, 1, 0]


def test_one_failure_is_itself_and_the_rest_is_closed() -> None:
    closed: list[int] = []
    error = OutputError("disk full")
    with pytest.raises(OutputError) as info, Closing() as closing:
        closing.add(lambda: closed.append(1))
        closing.add(failing(error))
    assert info.value is error
    assert closed == [1]


def test_every_failure_is_told_beginning_with_the_block_s() -> None:
    with pytest.raises(SeveralErrors) as info, Closing() as closing:
        closing.add(failing(OutputError("no broker")))
        closing.add(failing(OutputError("no server")))
        raise DeviceLost("no camera")
    assert str(info.value) == "no camera\nno server\nno broker"


def test_the_block_s_own_error_alone_is_itself() -> None:
    error = DeviceLost("no camera")
    with pytest.raises(DeviceLost) as info, Closing() as closing:
        closing.add(lambda: None)
        raise error
    assert info.value is error


def test_a_bug_is_let_through_when_all_is_closed() -> None:
    closed: list[int] = []
    with pytest.raises(ZeroDivisionError), Closing() as closing:
        closing.add(lambda: closed.append(1))
        closing.add(failing(ZeroDivisionError()))
    assert closed == [1]


def test_a_bug_in_the_block_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError) as info, Closing() as closing:
        closing.add(failing(OutputError("disk full")))
        _ = 1 // 0
    assert info.value.__notes__ == ["disk full"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError()], ids=["Ctrl-C", "no reader"])
def test_who_stops_a_run_hears_what_was_not_written(error: BaseException) -> None:
    with pytest.raises(OutputError), Closing() as closing:
        closing.add(failing(OutputError("disk full")))
        raise error


def test_several_as_one() -> None:
    lost, again, model = DeviceLost("gone"), DeviceLost("gone"), ModelError("damaged")
    assert together([lost, again]) is lost
    both = together([lost, model, again])
    assert (str(both), both.exit_code) == ("gone\ndamaged", 2)
    assert str(together([both, EiqError("full")])) == "gone\ndamaged\nfull"
