"""The program in docs/compile.md is one: it compiles with the bundle, and tells what the model says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from compiled import WARNINGS, function
from compiler.emit import compile_graph
from compiler.reader import read_graph
from demos import in_process
from pipelines.models import open_model

PAGE = Path(__file__).parents[2] / "docs/compile.md"


def test_the_program_of_the_page_tells_the_best_word(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    (code,) = re.findall(r"^```c\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (build,) = re.findall(r"^cc .*(?= && )", PAGE.read_text(), re.MULTILINE)
    (tmp_path / "main.c").write_text(code)
    assert in_process("compile", "kws", cwd=tmp_path).returncode == 0
    subprocess.run([*build.split(), *WARNINGS], cwd=tmp_path, check=True)
    run = function(compile_graph(read_graph(open_model("kws", tmp_path).path).but(name="kws")), tmp_path)
    rng, told = np.random.default_rng(1), set()
    for _ in range(20):
        features = np.clip(rng.normal(rng.uniform(-60, 60), 50, (1, 49, 10, 1)), -128, 127).astype(np.int8)
        done = subprocess.run(["./kws"], cwd=tmp_path, input=features.tobytes(), capture_output=True, check=True)
        scores = run(features).reshape(-1)
        assert done.stdout.split() == [str(scores.argmax()).encode(), str(scores.max()).encode()]
        told.add(done.stdout)
    assert len(told) > 3
    assert subprocess.run(["./kws"], cwd=tmp_path, input=b"short", check=False).returncode == 1
