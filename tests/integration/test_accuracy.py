"""How often the shipped models are right, through the shipped chains, on test pictures of others."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.cifar10.data import LABELS, Images, load
from fakes import FakeSensor, Recorder
from hal.sim.target import Sim
from pipelines.config.demo import load_demo
from pipelines.core import Frame, Result
from pipelines.graph import resolve
from pipelines.resources import bundled
from pipelines.run import run

pytest.importorskip("ai_edge_litert")


def named(pictures: Images) -> list[str]:
    """What ``eiq-demo run cifar10.yaml`` says of each picture."""
    frames = [Frame(picture, t=float(seq), seq=seq) for seq, picture in enumerate(pictures)]
    recorder = Recorder()
    with ExitStack() as stack:
        target = Sim()
        stack.callback(target.close)
        demo = load_demo(str(bundled() / "configs/cifar10.yaml"), target)
        (graph,) = resolve(demo, target, stack)
        run([replace(graph, sensor=FakeSensor(frames, graph.sensor.output), actions=())], [recorder])
    results = recorder.of(Result)
    assert [result.t for result in results] == [frame.t for frame in frames]  # one each, none lost
    return [result.label for result in results]


def test_cifar10_names_official_test_pictures(shared_data: Path) -> None:
    pictures, truth = load(shared_data / "cifar10/test_500.npz", "test")
    assert np.bincount(truth).tolist() == [50] * len(LABELS)
    right = [said == LABELS[label] for said, label in zip(named(pictures), truth, strict=True)]
    assert np.mean(right) >= 0.86
