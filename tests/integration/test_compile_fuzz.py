"""Damaged and nonsensical models: C or one ModelError, within a moment, whatever the bytes are.

To hunt for more: EIQ_FUZZ=100000 .venv/bin/pytest tests/integration/test_compile_fuzz.py
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.emit import compile_graph
from compiler.reader import read_graph
from mutations import altered, mutated
from pipelines.errors import ModelError
from random_graphs import Case, float_graphs, int8_graphs

MODELS = Path(__file__).parents[2] / "models"
COUNT = int(os.environ.get("EIQ_FUZZ", "1500"))
OF_EACH = 50
SLOWEST_S = 5.0
MEMORY = 3 << 30
hunt = settings(max_examples=max(1, COUNT // OF_EACH), suppress_health_check=list(HealthCheck), deadline=None)


def compiles_or_is_told(path: Path) -> None:
    start = time.monotonic()
    try:
        compile_graph(read_graph(path))
        told = ""
    except ModelError as refused:
        told = str(refused)
    assert "\n" not in told
    assert time.monotonic() - start < SLOWEST_S


@hunt
@given(case=st.one_of(int8_graphs(), float_graphs()), seed=st.integers(0, 1 << 30))
def test_any_damage_is_told(tmp_path_factory: pytest.TempPathFactory, case: Case, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path_factory.getbasetemp() / "damaged.tflite"
    for _ in range(OF_EACH):
        path.write_bytes(mutated(case.model, rng) if rng.random() < 0.5 else altered(*case.source, rng))
        compiles_or_is_told(path)


def test_damage_to_ours_is_told(tmp_path: Path) -> None:
    rng, path = random.Random(1), tmp_path / "damaged.tflite"
    whole = (MODELS / "kws/model.tflite").read_bytes()
    for _ in range(COUNT // 20):
        path.write_bytes(mutated(whole, rng))
        compiles_or_is_told(path)


def test_no_damage_takes_much_memory(tmp_path: Path) -> None:
    # in a process of its own, whose memory is limited
    path = tmp_path / "damaged.tflite"
    path.write_bytes((MODELS / "kws/model.tflite").read_bytes())
    program = (
        f"import random, resource, sys; resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from mutations import mutated\n"
        "from compiler.emit import compile_graph\n"
        "from compiler.reader import read_graph\n"
        "from pipelines.errors import ModelError\n"
        f"path = Path({str(path)!r}); whole = path.read_bytes()\n"
        "for seed in range(60):\n"
        "    path.write_bytes(mutated(whole, random.Random(seed)))\n"
        "    try: compile_graph(read_graph(path))\n"
        "    except ModelError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
