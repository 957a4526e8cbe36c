"""Generated graphs, compiled, give what tflite-micro gives: int8 to the bit, float32 within a stated bound.

To hunt for more: EIQ_FUZZ=20000 .venv/bin/pytest tests/integration/test_compiled_graphs.py
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiled import functions
from random_graphs import Case, bundle_of, float_graphs, int8_graphs

AT_ONCE = 10  # graphs in one shared library: starting the C compiler takes the longest
EXAMPLES = max(1, int(os.environ.get("EIQ_FUZZ", "120")) // AT_ONCE)
NEAR = 1e-5  # of the greatest number that goes into an output
hunt = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)


def oracle(model: bytes) -> Callable[..., list[np.ndarray]]:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)

    def run(*inputs: np.ndarray, outputs: int) -> list[np.ndarray]:
        for place, stored in enumerate(inputs):
            interpreter.set_input(stored, place)
        interpreter.invoke()
        return [np.array(interpreter.get_output(place)) for place in range(outputs)]

    return run


def inputs_of(case: Case, seed: int) -> Iterator[list[np.ndarray]]:
    """Even noise, weak and strong noise around a level, and the ends of the range."""
    rng = np.random.default_rng(seed)
    for spread in (None, 3.0, 60.0, 400.0):
        found = []
        for shape, dtype in case.inputs:
            stored = (
                rng.uniform(-128, 128, shape) if spread is None else rng.normal(rng.uniform(-90, 90), spread, shape)
            )
            if dtype == "float32":
                found.append((stored / 16).astype(np.float32))
            else:
                found.append(np.clip(np.floor(stored), -128, 127).astype(np.int8))
        yield found


def compiled(cases: list[Case], folder: Path) -> Iterator[tuple[Case, Callable[..., list[np.ndarray]]]]:
    bundles = [bundle_of(case, f"g{place}", folder) for place, case in enumerate(cases)]
    kept = [(case, bundle) for case, bundle in zip(cases, bundles, strict=True) if bundle]
    if kept:
        made = functions([bundle for _, bundle in kept], folder)
        yield from ((case, run) for (case, _), run in zip(kept, made, strict=True))


@hunt
@given(st.lists(int8_graphs(), min_size=1, max_size=2 * AT_ONCE))
def test_int8_graphs_are_equal_to_the_bit(cases: list[Case]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for case, run in compiled(cases, Path(folder)):
            expected = oracle(case.model)
            for seed, inputs in enumerate(inputs_of(case, 5)):
                mine = run(*inputs)
                theirs = expected(*inputs, outputs=len(mine))
                for place, (a, b) in enumerate(zip(mine, theirs, strict=True)):
                    assert np.array_equal(a.reshape(-1), b.reshape(-1)), (case, seed, place, a, b)


def litert(model: bytes) -> Callable[..., list[np.ndarray]]:
    runtime = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = runtime.Interpreter(
        model_content=model, experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details(), interpreter.get_output_details()

    def run(*inputs: np.ndarray) -> list[np.ndarray]:
        for told, stored in zip(given, inputs, strict=True):
            interpreter.set_tensor(told["index"], stored)
        interpreter.invoke()
        return [interpreter.get_tensor(told["index"]) for told in made]

    return run


@hunt
@given(st.lists(float_graphs(), min_size=1, max_size=2 * AT_ONCE))
def test_float_graphs_are_near(cases: list[Case]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for case, run in compiled(cases, Path(folder)):
            expected = litert(case.model)
            for inputs in inputs_of(case, 5):
                for a, b in zip(run(*inputs), expected(*inputs), strict=True):
                    assert np.allclose(a.reshape(-1), b.reshape(-1), rtol=NEAR, atol=NEAR * np.abs(b).max()), (
                        case,
                        a,
                        b,
                    )
