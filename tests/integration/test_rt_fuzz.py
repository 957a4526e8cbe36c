"""Mutated frames against the firmware's frame decoder and calls, under the sanitizers of the compiler."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from memory_board import HERE, compile_core

SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_core(tmp_path_factory.mktemp("fuzz") / "fuzz", *SANITIZERS, HERE / "fuzz.c")


def run(fuzz: Path, seed: int, count: int) -> tuple[int, int]:
    """Replies and inferences; fails where the board crashed or died."""
    done = subprocess.run([fuzz, str(seed), str(count)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.fullmatch(rf"{count} frames, (\d+) replies, (\d+) inferences\n", done.stdout)
    assert found, done.stdout
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("seed", range(4))
def test_mutated_frames(fuzz: Path, seed: int) -> None:
    """The board lives, and what arrives unharmed is answered: the fuzzer reaches what it is for."""
    replies, inferences = run(fuzz, seed, 5000)
    assert replies > 1000
    assert inferences > 1


def test_the_same_seed_does_the_same(fuzz: Path) -> None:
    assert run(fuzz, 9, 2000) == run(fuzz, 9, 2000)


@pytest.mark.slow
def test_a_million_mutated_frames(fuzz: Path) -> None:
    replies, inferences = run(fuzz, 2026, 1_000_000)
    assert replies > 300_000
    assert inferences > 1000


@pytest.mark.slow
def test_libfuzzer(tmp_path: Path) -> None:
    """Ten seconds of clang's own fuzzer, which looks at what the code does with its bytes."""
    flags = ("-DLIBFUZZER", "-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
    fuzzer = compile_core(tmp_path / "fuzzer", *flags, HERE / "fuzz.c", compiler="clang")
    done = subprocess.run([fuzzer, "-max_total_time=10", "-seed=1", "-max_len=2000", f"-artifact_prefix={tmp_path}/"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
