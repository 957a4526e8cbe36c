"""Frame to result against the bare interpreter, and what starting costs. Reported, never asserted as times."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fakes import Recorder
from hal.sim.target import Sim
from pipelines.config.demo import load_demo
from pipelines.core import Frame, Signal, StageTime
from pipelines.graph import resolve
from pipelines.run import run

FRAMES, WARM_UP = 600, 50


class Interleaved:
    """A camera that shows pictures from memory, and times a bare invoke of the same model before each."""

    live = False

    def __init__(self, pictures: list[Frame], invoke: Any, signal: Signal) -> None:
        self.pictures, self.invoke, self.output = pictures, invoke, signal
        self.bare_s: list[float] = []

    def frames(self) -> Iterator[Frame]:
        for k in range(FRAMES + WARM_UP):
            start = time.perf_counter()
            self.invoke()
            self.bare_s.append(time.perf_counter() - start)
            yield replace(self.pictures[k % len(self.pictures)], seq=k)

    def close(self) -> None: ...


@pytest.mark.parametrize("size_px", [32, None], ids=["at CIFAR-10's 32 x 32", "photographs as shipped"])
def test_frame_to_result_against_bare_invoke(benchmark: Any, size_px: int | None) -> None:
    """cifar10.yaml, its sample pictures in memory: from a frame's arrival to its results, actions apart.

    A photograph of 320 x 240 must be brought to 32 x 32 first; what that costs is OpenCV's area filter, told apart.
    """
    import cv2
    from ai_edge_litert.interpreter import Interpreter

    with ExitStack() as stack:
        target = Sim()
        (graph,) = resolve(load_demo("cifar10.yaml", target), target, stack)
        pictures = list(graph.sensor.frames())
        if size_px:
            size = (size_px, size_px)
            pictures = [replace(p, data=cv2.resize(p.array, size, interpolation=cv2.INTER_AREA)) for p in pictures]
        bare = Interpreter(model_path=str(graph.engines[0][0].path), num_threads=1)
        bare.allocate_tensors()
        details = bare.get_input_details()[0]
        bare.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
        sensor = Interleaved(pictures, bare.invoke, graph.sensor.output)
        recorder = Recorder()
        graphs = [replace(graph, sensor=sensor, actions=())]
        benchmark.pedantic(run, args=(graphs, [recorder]), rounds=1)
    stage_ms = {name: _median_ms(recorder, name) for name in ("total", "resize", "scale", "tflite", "top")}
    invoke_ms = 1e3 * statistics.median(sensor.bare_s[WARM_UP:])
    benchmark.extra_info |= {"stages_ms": stage_ms, "invoke_ms": invoke_ms, "ratio": stage_ms["total"] / invoke_ms}
    told = ", ".join(f"{name} {ms:.3f}" for name, ms in stage_ms.items())
    print(f"\nframe to result, ms: {told}; bare invoke {invoke_ms:.3f}: x {stage_ms['total'] / invoke_ms:.2f}")


def _median_ms(recorder: Recorder, stage: str) -> float:
    times = [event.seconds for event in recorder.of(StageTime) if event.stage == stage]
    return 1e3 * statistics.median(times[WARM_UP:])


def _seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "apps.cli", *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def test_list(benchmark: Any) -> None:
    """``eiq-demo list``, a whole process."""
    times = [_seconds("list") for _ in range(7)]
    benchmark.pedantic(_seconds, args=("list",), rounds=3)
    print(f"\neiq-demo list {statistics.median(times):.3f} s")


_PHASES = """
import time
start = time.perf_counter()
from contextlib import ExitStack
from hal.sim.target import Sim
from pipelines.config.demo import Overrides, load_demo
from pipelines.graph import resolve
from pipelines.run import Limits, run
print("imports", time.perf_counter() - start)
with ExitStack() as stack:
    target = Sim()
    demo = load_demo("kws.yaml", target, Overrides(sensors=(("fast", {"pace": "fast"}),)))
    print("config", time.perf_counter() - start)
    graphs = resolve(demo, target, stack)
    print("model, engine and recording", time.perf_counter() - start)
    run(graphs, [], Limits(frames=1))
    print("first window to first inference", time.perf_counter() - start)
"""


def test_run_to_first_inference(benchmark: Any) -> None:
    """``eiq-demo run kws.yaml --fast --frames 1``, a whole process, and what its time is made of."""
    command = ("run", "kws.yaml", "--fast", "--frames", "1")
    times = [_seconds(*command) for _ in range(7)]
    benchmark.pedantic(_seconds, args=command, rounds=3)
    phases = subprocess.run([sys.executable, "-c", _PHASES], check=True, capture_output=True, text=True).stdout
    print(f"\neiq-demo run kws.yaml to its first inference {statistics.median(times):.3f} s, of which, cumulated:")
    print(phases)


def test_one_pipeline_step_costs_little(benchmark: Any) -> None:
    """The run loop's own cost for a frame through a decoder that finds nothing."""
    from fakes import FakeSensor, graph, picture

    frame = picture(0)

    def frames() -> Iterator[Frame]:
        for k in range(20_000):
            yield replace(frame, seq=k)

    benchmark.pedantic(lambda: run([graph(FakeSensor(frames()), decode=lambda _: ())], []), rounds=3)
    benchmark.extra_info["us_per_frame"] = benchmark.stats.stats.median / 20_000 * 1e6
    print(f"\nrun loop {benchmark.extra_info['us_per_frame']:.1f} µs a frame")
