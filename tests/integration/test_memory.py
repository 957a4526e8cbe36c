from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os, sys
sys.path.insert(0, "tests")
from dataclasses import replace
from fakes import FakeSensor, graph, picture
from pipelines.run import run
from pipelines.timing import Stats

def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

first = picture(0)
def frames(count):
    for k in range(count):
        yield replace(first, t=k / 10, seq=k, at=k)

stats = Stats()
run([graph(FakeSensor(frames(20_000)))], [stats])
before = rss()
run([graph(FakeSensor(frames(1_000_000)))], [stats])
print(stats.results, rss() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")
def test_a_million_frames_do_not_grow_the_process() -> None:
    out = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout.split()
    results, grown = map(int, out)
    assert results == 1_020_000
    assert grown < 5_000_000
