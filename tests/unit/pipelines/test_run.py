from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fakes import AUDIO, IMAGE, FakeEngine, FakeSensor, ListAction, Recorder, graph, picture
from pipelines.core import Dropped, Ended, Frame, Preview, Result, Signal, Stage, StageTime
from pipelines.engine_stage import EngineStage
from pipelines.errors import DataError, DeviceError, EiqError, OutputError, SeveralErrors
from pipelines.run import Limits, run
from pipelines.transforms.window import Window


def stage(name: str, kind: str, process: Any, output: Signal = IMAGE, part: Any = None) -> Stage:
    return Stage(name, kind, process, output, part)


def engine_stage() -> Stage:
    built = EngineStage(FakeEngine((1, 4, 4, 3)), "m", IMAGE, ("a", "b"))
    return stage("tflite", "engines", built.process, built.output)


def test_results_reach_observers_and_actions_in_order() -> None:
    recorder, action = Recorder(), ListAction()
    run([graph(FakeSensor(map(picture, range(5))), engine_stage(), action=action)], [recorder])
    assert [r.label for r in action.results] == ["0", "48", "96", "144", "192"]
    assert recorder.of(Result) == action.results
    assert recorder.events[-1] == Ended("end of input", frames=5, results=5)
    assert len(recorder.of(Preview)) == 5
    assert {t.stage for t in recorder.of(StageTime)} == {"tflite", "decode", "total"}
    assert all(r.source is p.frame for r, p in zip(action.results, recorder.of(Preview), strict=True))


def test_a_gap_in_seq_is_counted_where_it_arises() -> None:
    recorder = Recorder()
    run([graph(FakeSensor(map(picture, (0, 1, 4, 5, 9))), engine_stage())], [recorder])
    assert recorder.of(Dropped) == [Dropped("camera", 2), Dropped("camera", 3)]


def test_windows_left_out_of_a_late_live_stream_are_counted() -> None:
    now = [0.0]
    window = Window(Window.Config(length_ms=4, hop_ms=2), clock=lambda: now[0])
    output = window.resolve(AUDIO)

    def chunks() -> Iterator[Frame]:
        for k in range(10):
            # from the fourth chunk on, the stream is met two seconds after it arrived; then it is on time again
            now[0] = k * 0.002 + (2.0 if 3 <= k < 6 else 0.0)
            yield Frame(np.zeros(2, np.float32), (k + 1) * 0.002, k, at=2 * k, arrived=k * 0.002)

    recorder = Recorder()
    cut = stage("window", "transforms", window.process, output, window)
    run([graph(FakeSensor(chunks(), AUDIO), cut)], [recorder])
    assert recorder.of(Dropped) == [Dropped("window", 3)]
    assert len(recorder.of(Result)) == 6


@pytest.mark.parametrize("limit", [1, 3])
def test_the_frame_limit_stops_after_that_frame(limit: int) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Frame]:
        for k in range(1000):
            taken.append(k)
            yield picture(k)

    recorder = Recorder()
    run([graph(FakeSensor(endless()), engine_stage())], [recorder], Limits(frames=limit))
    assert recorder.events[-1] == Ended("limit", limit, limit)
    assert taken == list(range(limit))


def test_the_time_limit_is_stream_time() -> None:
    recorder = Recorder()
    run([graph(FakeSensor(map(picture, range(100))), engine_stage())], [recorder], Limits(seconds=0.5))
    assert recorder.events[-1] == Ended("limit", 6, 6)


def test_a_failing_action_ends_the_run_with_its_own_error() -> None:
    class Full(ListAction):
        def handle(self, result: Result) -> None:
            raise OutputError("disk full")

    recorder, sensor = Recorder(), FakeSensor(map(picture, range(5)))
    with pytest.raises(OutputError, match="disk full"):
        run([graph(sensor, engine_stage(), action=Full())], [recorder])
    assert recorder.events[-1] == Ended("failed", 1, 1)
    assert sensor.closed.is_set()


def test_a_failing_background_action_ends_the_run_too() -> None:
    class Full(ListAction):
        background = True

        def handle(self, result: Result) -> None:
            raise OutputError("disk full")

    with pytest.raises(OutputError, match="disk full"):
        run([graph(FakeSensor(map(picture, range(5))), engine_stage(), action=Full())], [])


def test_a_background_action_gets_every_result_of_a_recording() -> None:
    class Slow(ListAction):
        background = True

    action = Slow()
    run([graph(FakeSensor(map(picture, range(2000))), engine_stage(), action=action)], [])
    assert len(action.results) == 2000


def test_ctrl_c_stops_with_everything_handed_on() -> None:
    def interrupted() -> Iterator[Frame]:
        yield picture(0)
        raise KeyboardInterrupt

    recorder, action = Recorder(), ListAction()
    with pytest.raises(KeyboardInterrupt):
        run([graph(FakeSensor(interrupted()), engine_stage(), action=action)], [recorder])
    assert recorder.events[-1] == Ended("stopped", 1, 1)
    assert len(action.results) == 1


def test_a_cascade_looks_again_into_what_was_captured() -> None:
    seen: list[Frame] = []

    def detect(frame: Frame) -> Iterator[Result]:
        if frame.seq % 2 == 0:
            yield Result(frame.t, "thing", 0.9, region=(0, 0, 2, 2), source=frame.captured)
            yield Result(frame.t, "thing", 0.8, region=(2, 2, 2, 2), source=frame.captured)

    def look(frame: Frame) -> Iterator[Frame]:
        seen.append(frame)
        yield frame.with_data(frame.array * 0)

    recorder = Recorder()
    chain = (engine_stage(), stage("detect", "decoders", detect), stage("look", "transforms", look))
    run([graph(FakeSensor(map(picture, range(3))), *chain)], [recorder])
    assert [(f.seq, f.cause.region[0]) for f in seen if f.cause and f.cause.region] == [(0, 0), (0, 2), (2, 0), (2, 2)]
    assert all(f.array.shape == (4, 4, 3) and f.array[0, 0, 0] == f.seq for f in seen)
    assert recorder.of(Dropped) == []
    assert recorder.of(Ended) == [Ended("end of input", 3, 4)]


def test_several_inputs_and_outputs() -> None:
    engine = FakeEngine((1, 4), (1, 2, 1), outputs=2)
    parts = (Signal((4,), "float32", None, "features"), Signal((2,), "float32", None, "features"))
    built = EngineStage(engine, "m", Signal((), "", None, "bundle", (), parts), ("a", "b"))
    split = stage("fork", "transforms", lambda f: [f.with_data((np.ones(4, np.float32), np.full(2, 3, np.float32)))])

    def both(frame: Frame) -> Iterator[Result]:
        assert isinstance(frame.data, tuple)
        yield Result(frame.t, "/".join(str(y.tolist()) for y in frame.data), 1.0)

    recorder = Recorder()
    run([graph(FakeSensor([picture(0)]), split, stage("e", "engines", built.process), decode=both)], [recorder])
    assert recorder.of(Result)[0].label == "[10.0, 0.0]/[10.0, 1.0]"
    assert built.output.channels == ("a", "b")


def test_pipelines_run_together_and_name_their_events() -> None:
    barrier = threading.Barrier(2, timeout=5)  # passes only if both run at the same time

    def together(frames: list[Frame]) -> Iterator[Frame]:
        for frame in frames:
            barrier.wait()
            yield frame

    graphs = [
        replace(graph(FakeSensor(together([picture(k) for k in range(4)])), engine_stage()), name=name)
        for name in ("left", "right")
    ]
    recorder = Recorder()
    run(graphs, [recorder])
    assert sorted(e.pipeline for e in recorder.of(Ended)) == ["left", "right"]
    assert [r.label for r in recorder.of(Result) if r.pipeline == "left"] == ["0", "48", "96", "144"]


def test_one_failing_pipeline_stops_the_others() -> None:
    def endless() -> Iterator[Frame]:
        k = 0
        while True:
            yield picture(k)
            k += 1

    good = replace(graph(FakeSensor(endless()), engine_stage()), name="good")
    bad = replace(graph(FakeSensor([DataError("broken picture")]), engine_stage()), name="bad")
    recorder = Recorder()
    with pytest.raises(DataError, match="broken picture"):
        run([good, bad], [recorder])
    assert {(e.pipeline, e.reason) for e in recorder.of(Ended)} == {("good", "stopped"), ("bad", "failed")}


@pytest.mark.parametrize("live", [True, False])
def test_of_pipelines_that_fail_together_each_is_told(live: bool) -> None:
    barrier = threading.Barrier(2, timeout=5)

    def failing(text: str) -> Iterator[Frame | EiqError]:
        barrier.wait()
        yield DeviceError(text)

    graphs = [replace(graph(FakeSensor(failing(f"no {name} camera"), live=live), engine_stage()), name=name)
              for name in ("left", "right")]  # fmt: skip
    with pytest.raises(SeveralErrors) as info:
        run(graphs, [])
    assert sorted(str(info.value).splitlines()) == ["no left camera", "no right camera"]
    assert info.value.exit_code == 1


def test_a_camera_that_is_slower_to_fail_is_told_too() -> None:
    failed = threading.Event()

    class Slower(FakeSensor):
        """One that is closed says nothing more, as live ones do."""

        def frames(self) -> Iterator[Frame]:
            assert failed.wait(5)
            if not self.closed.wait(0.05):
                raise DeviceError("no right camera")
            yield from ()

    class Failed(Recorder):
        def on(self, event: Any) -> None:
            if isinstance(event, Ended):
                failed.set()

    left = replace(graph(FakeSensor([DeviceError("no left camera")], live=True), engine_stage()), name="left")
    right = replace(graph(Slower([], live=True), engine_stage()), name="right")
    with pytest.raises(SeveralErrors) as info:
        run([left, right], [Failed()])
    assert str(info.value).splitlines() == ["no left camera", "no right camera"]


def test_a_bug_in_one_of_them_goes_before() -> None:
    barrier = threading.Barrier(2, timeout=5)

    def failing(error: Exception) -> Iterator[Frame]:
        yield picture(0)
        barrier.wait()
        raise error

    errors = {"left": DataError("broken picture"), "right": ZeroDivisionError("bug")}
    graphs = [replace(graph(FakeSensor(failing(errors[name])), engine_stage()), name=name) for name in errors]
    with pytest.raises(ZeroDivisionError):
        run(graphs, [])


def test_what_ended_the_run_is_told_beside_what_its_end_met() -> None:
    class Full(ListAction):
        background = True

        def handle(self, result: Result) -> None:
            raise OutputError("disk full")

    broken = FakeSensor([picture(0), DataError("broken picture")])
    with pytest.raises(SeveralErrors) as info:
        run([graph(broken, engine_stage(), action=Full())], [])
    assert str(info.value) == "broken picture\ndisk full"


def test_decoder_may_find_nothing() -> None:
    recorder = Recorder()
    run([graph(FakeSensor(map(picture, range(3))), engine_stage(), decode=lambda frame: [])], [recorder])
    assert recorder.of(Ended) == [Ended("end of input", 3, 0)]


def test_a_disk_that_is_full_at_the_very_end_is_a_failure_too() -> None:
    class FullAtLast(ListAction):
        background = True

        def handle(self, result: Result) -> None:
            if result.label == "48":
                raise OutputError("disk full")

    recorder = Recorder()
    with pytest.raises(OutputError, match="disk full"):
        run([graph(FakeSensor(map(picture, range(2))), engine_stage(), action=FullAtLast())], [recorder])
    assert recorder.events[-1] == Ended("failed", 2, 2)


def test_a_live_stream_that_ends_is_the_end_of_input() -> None:
    recorder = Recorder()
    run([graph(FakeSensor([picture(0)], live=True), engine_stage())], [recorder])
    assert recorder.events[-1] == Ended("end of input", 1, 1)


def test_a_live_pipeline_that_ends_leaves_the_others_running() -> None:
    over = threading.Event()

    def after_the_other() -> Iterator[Frame]:
        yield picture(0)
        assert over.wait(5)
        yield from map(picture, range(1, 50))

    class Over(Recorder):
        def on(self, event: Any) -> None:
            super().on(event)
            if isinstance(event, Ended) and event.pipeline == "short":
                over.set()

    short = replace(graph(FakeSensor([picture(0)], live=True), engine_stage()), name="short")
    long = replace(graph(FakeSensor(after_the_other(), AUDIO, live=True), engine_stage()), name="long")
    recorder = Over()
    run([short, long], [recorder])
    assert {(e.pipeline, e.reason, e.frames) for e in recorder.of(Ended)} == {
        ("short", "end of input", 1),
        ("long", "end of input", 50),
    }


def test_a_failing_pipeline_ends_the_wait_of_a_slow_recording() -> None:
    class Slow(FakeSensor):
        """Its next picture is due in an hour; close() ends the wait, as a recording's pace does."""

        def frames(self) -> Iterator[Frame]:
            yield picture(0)
            assert self.closed.wait(10)

    slow = replace(graph(Slow([]), engine_stage()), name="slow")
    bad = replace(graph(FakeSensor([DataError("broken picture")]), engine_stage()), name="bad")
    recorder = Recorder()
    with pytest.raises(DataError, match="broken picture"):
        run([slow, bad], [recorder])
    assert {(e.pipeline, e.reason) for e in recorder.of(Ended)} == {("slow", "stopped"), ("bad", "failed")}


def test_a_transform_s_own_result_goes_past_the_rest_of_the_chain() -> None:
    def process(frame: Frame) -> Iterator[Frame | Result]:
        if frame.seq == 1:
            yield Result(frame.t, "stuck", 1.0)
        else:
            yield frame

    recorder, action = Recorder(), ListAction()
    watch = stage("health", "transforms", process)
    run([graph(FakeSensor(map(picture, range(3))), watch, engine_stage(), action=action)], [recorder])
    assert [r.label for r in action.results] == ["0", "stuck", "96"]
    assert recorder.events[-1] == Ended("end of input", frames=2, results=3)
