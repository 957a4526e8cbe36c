from __future__ import annotations

import threading

import pytest

from fakes import ListAction, Recorder
from pipelines.core import Dropped, Result
from pipelines.errors import OutputError
from pipelines.worker import WAITING, Worker

RESULT = Result(0.0, "yes", 1.0)


class Blocked(ListAction):
    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def handle(self, result: Result) -> None:
        self.gate.wait(5)
        super().handle(result)


def test_live_a_full_queue_loses_the_new_result_and_counts_it() -> None:
    action, recorder = Blocked(), Recorder()
    worker = Worker("jsonl", action, recorder.on, live=True)
    for _ in range(WAITING + 10):
        worker.handle(RESULT)
    lost = len(recorder.of(Dropped))
    assert 9 <= lost <= 10  # one may be in the action's hands
    action.gate.set()
    worker.close()
    assert len(action.results) + lost == WAITING + 10


def test_close_waits_until_everything_is_written() -> None:
    action = Blocked()
    worker = Worker("jsonl", action, Recorder().on, live=False)
    for _ in range(100):
        worker.handle(RESULT)
    action.gate.set()
    worker.close()
    assert len(action.results) == 100


def test_the_actions_error_comes_out_once_and_nobody_waits_on_it() -> None:
    class Failing(ListAction):
        def handle(self, result: Result) -> None:
            raise OutputError("full")

    worker = Worker("jsonl", Failing(), Recorder().on, live=False)
    with pytest.raises(OutputError, match="full"):
        for _ in range(10 * WAITING):
            worker.handle(RESULT)
    worker.close()
