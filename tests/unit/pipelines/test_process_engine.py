"""An engine in a process of its own: its answers, its errors, and what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import fakes
import tiny_models
from deliveries import until
from pipelines.core import Engine
from pipelines.engines.tflite import Tflite
from pipelines.errors import DataError, EiqError, MissingDependency, SignalMismatch
from pipelines.process_engine import ProcessEngine
from pipelines.shared_engine import SharedEngine

A, B = np.array([[1, 2, 3, 4]], np.float32), np.array([[0.5, 0.5, -1, 30]], np.float32)


def chatty_there(here: Path, there: Path) -> ProcessEngine:
    config = fakes.ChattyEngine.Config()
    return ProcessEngine(fakes.ChattyEngine(config, here), "chatty", config, there)


@pytest.fixture
def chatty(tmp_path: Path) -> Iterator[ProcessEngine]:
    engine = chatty_there(tmp_path, tmp_path)
    yield engine
    engine.close()


def pid(engine: ProcessEngine) -> int:
    return engine._child.pid


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_it_gives_the_engines_own_answers(tmp_path: Path, dtype: str) -> None:
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_models.add_and_subtract(dtype, scale=0.5 if dtype == "int8" else 0.0))
    config = Tflite.Config(model=str(path))
    here, there = Tflite(config, path), ProcessEngine(Tflite(config, path), "tflite", config, path)
    assert isinstance(there, Engine)
    assert (there.inputs, there.outputs) == (here.inputs, here.outputs)
    assert there.description == f"{here.description}, in a process of its own"
    rng = np.random.default_rng(1)
    for _ in range(5):
        x = rng.normal(0, 20, (2, 1, 4)).astype(np.float32)
        for got, expected in zip(there.infer(*x), here.infer(*x), strict=True):
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, expected)
    there.close()
    here.close()


def test_it_runs_elsewhere_and_what_it_prints_is_no_answer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chatty = chatty_there(tmp_path, tmp_path)
    (y,) = chatty.infer(A)
    chatty.close()
    assert y[0, 1] == pid(chatty) % 1000 != os.getpid() % 1000
    assert capfd.readouterr() == ("", "computing\n")


def test_its_state_is_kept_and_can_be_forgotten(chatty: ProcessEngine) -> None:
    assert [chatty.infer(A)[0][0, 0] for _ in range(3)] == [10, 20, 30]
    chatty.reset()
    assert chatty.infer(A)[0][0, 0] == 10


def test_a_wrong_shape_does_not_reach_it(chatty: ProcessEngine) -> None:
    with pytest.raises(SignalMismatch):
        chatty.infer(A, B)
    with pytest.raises(SignalMismatch):
        chatty.infer(A[0])
    assert chatty.infer(A)[0][0, 0] == 10


def test_the_engines_error_is_this_processs_and_the_next_inference_goes_on(chatty: ProcessEngine) -> None:
    with pytest.raises(DataError, match=r'^got -1, expected none below 0; "lift" it$'):
        chatty.infer(-A)
    with pytest.raises(SignalMismatch, match=r"^got 7, expected no 7; take 8$"):
        chatty.infer(np.full_like(A, 7))
    assert chatty.infer(A)[0][0, 0] == 10


def test_an_engine_that_cannot_be_built_there_says_so_at_the_first_inference(tmp_path: Path) -> None:
    engine = chatty_there(tmp_path, tmp_path / "gone")
    with pytest.raises(MissingDependency, match=r"^gone is not there, install it$"):
        engine.infer(A)
    engine.close()


@pytest.mark.parametrize("before", [True, False], ids=["after an inference", "at the start"])
def test_a_process_that_was_killed_is_an_error_not_a_wait(chatty: ProcessEngine, before: bool) -> None:
    if before:
        chatty.infer(A)
    os.kill(pid(chatty), signal.SIGKILL)
    chatty._child.wait()
    for _ in range(2):
        with pytest.raises(EiqError, match=r"the process of the engine chatty ended \(signal 9\), expected scores"):
            chatty.infer(A)


def test_a_crash_in_the_middle_ends_the_process_alone(chatty: ProcessEngine) -> None:
    with pytest.raises(EiqError, match=r"ended \(signal 6\)"):
        chatty.infer(np.full_like(A, 99))


def test_closing_ends_the_process(chatty: ProcessEngine) -> None:
    chatty.infer(A)
    chatty.close()
    assert chatty._child.returncode == 0
    chatty.close()


def test_closing_at_once_does_not_wait_for_its_start(chatty: ProcessEngine) -> None:
    chatty.close()
    assert chatty._child.returncode is not None


@pytest.mark.parametrize("shared", [False, True])
def test_closing_under_an_inference_ends_that_with_an_error(
    shared: bool, chatty: ProcessEngine, tmp_path: Path
) -> None:
    engine = SharedEngine(chatty) if shared else chatty
    engine.infer(A)
    raised: list[BaseException] = []

    def infer() -> None:
        try:
            engine.infer(np.full_like(A, 55))  # sleeps for a minute
        except EiqError as error:
            raised.append(error)

    thread = threading.Thread(target=infer, daemon=True)
    thread.start()
    until((tmp_path / "busy").exists)
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    thread.join(5)
    assert len(raised) == 1


def test_a_process_that_stands_still_with_its_pipe_full_is_ended(tmp_path: Path) -> None:
    """No more fits into the pipe: a flush would wait for ever."""
    pytest.importorskip("ai_edge_litert")
    path, shape = tmp_path / "model.tflite", (1, 1 << 20)
    path.write_bytes(tiny_models.copy(shape=shape))
    config = Tflite.Config(model=str(path))
    engine = ProcessEngine(Tflite(config, path), "tflite", config, path)
    x = np.zeros(shape, np.float32)
    engine.infer(x)
    os.kill(pid(engine), signal.SIGSTOP)

    def ask() -> None:
        with suppress(EiqError):
            engine.infer(x)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(0.3)
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()


def test_it_does_not_outlive_a_program_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:2]\n"
        "import fakes, time, pathlib\n"
        "from pipelines.process_engine import ProcessEngine\n"
        "path, config = pathlib.Path(sys.argv[2]), fakes.ChattyEngine.Config()\n"
        "engine = ProcessEngine(fakes.ChattyEngine(config, path), 'chatty', config, path)\n"
        "import numpy; engine.infer(numpy.ones((1, 4), numpy.float32))\n"
        "print(engine._child.pid, flush=True); time.sleep(60)\n"
    )
    arguments = [sys.executable, "-c", program, str(Path(__file__).parents[2]), str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not _runs(child))


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except OSError:
        return False
