"""Generated C without a warning and without undefined behaviour: gcc and clang, C99 to the letter, sanitizers.

The sanitizers run in a program of its own: its memory is exactly what the header names,
so that ASan sees a step beyond.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiled import WARNINGS
from compiler.emit import Bundle, compile_graph
from compiler.reader import read_graph
from random_graphs import Case, bundle_of, float_graphs, int8_graphs

MODELS = Path(__file__).parents[2] / "models"
EXAMPLES = max(2, int(os.environ.get("EIQ_FUZZ", "20")) // 10)
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g")
COMPILERS = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"needs {name}: apt-get install {name}"))
    for name in ("gcc", "clang")
]
hunt = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)

MAIN = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
{includes}
static uint32_t state = 1;
static void noise(uint8_t *data, size_t size)
{{
    for (; size > 0; size--) {{
        state = state * 1664525u + 1013904223u;
        *data++ = (uint8_t)(state >> 24);
    }}
}}
int main(void)
{{
    int round;
{calls}
    return 0;
}}
"""
CALL = """    for (round = 0; round < {rounds}; round++) {{
        uint8_t *constants = malloc({upper}_CONSTANT_MEM_SIZE + 1), *mutable = malloc({upper}_MUTABLE_MEM_SIZE);
        uint8_t *activations = malloc({upper}_ACTIVATIONS_MEM_SIZE + 1);
        memcpy(constants, {name}_constants, {upper}_CONSTANT_MEM_SIZE);
        if (round == 1) memset(mutable, 0x80, {upper}_MUTABLE_MEM_SIZE);
        else if (round == 2) memset(mutable, 0x7f, {upper}_MUTABLE_MEM_SIZE);
        else noise(mutable, {upper}_MUTABLE_MEM_SIZE);
        if ({name}(constants, mutable, activations) != 0) return 1;
        free(constants), free(mutable), free(activations);
    }}"""


def sanitized(bundles: list[Bundle], folder: Path, compiler: str = "gcc", rounds: int = 5) -> None:
    """Build the bundles into one program and run it."""
    for bundle in bundles:
        (folder / f"{bundle.name}.c").write_text(bundle.c)
        (folder / f"{bundle.name}.h").write_text(bundle.h)
    includes = "\n".join(f'#include "{bundle.name}.h"' for bundle in bundles)
    calls = "\n".join(CALL.format(name=b.name, upper=b.name.upper(), rounds=rounds) for b in bundles)
    (folder / "main.c").write_text(MAIN.format(includes=includes, calls=calls))
    sources = [folder / "main.c", *(folder / f"{bundle.name}.c" for bundle in bundles)]
    command = [compiler, "-std=c99", "-O1", *SANITIZERS, "-o", folder / "program", *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    done = subprocess.run([folder / "program"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]


def warned(bundles: list[Bundle], folder: Path, compiler: str) -> None:
    """Compile with every warning, C99 to the letter."""
    for bundle in bundles:
        (folder / f"{bundle.name}.c").write_text(bundle.c)
        (folder / f"{bundle.name}.h").write_text(bundle.h)
    sources = [folder / f"{bundle.name}.c" for bundle in bundles]
    command = [compiler, "-std=c99", "-pedantic", "-O2", *WARNINGS, "-c", *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr[:2000]


def bundles_of(cases: list[Case], folder: Path) -> list[Bundle]:
    made = (bundle_of(case, f"g{place}", folder) for place, case in enumerate(cases))
    return [bundle for bundle in made if bundle]


@pytest.mark.parametrize("compiler", COMPILERS)
@hunt
@given(cases=st.lists(st.one_of(int8_graphs(), float_graphs()), min_size=3, max_size=20))
def test_generated_graphs_compile_without_a_warning(compiler: str, cases: list[Case]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if bundles := bundles_of(cases, Path(folder)):
            warned(bundles, Path(folder), compiler)


@pytest.mark.parametrize("compiler", COMPILERS)
@hunt
@given(cases=st.lists(st.one_of(int8_graphs(), float_graphs()), min_size=3, max_size=20))
@pytest.mark.slow
def test_generated_graphs_are_clean_under_the_sanitizers(compiler: str, cases: list[Case]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if bundles := bundles_of(cases, Path(folder)):
            sanitized(bundles, Path(folder), compiler)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_ours_are_clean(compiler: str, tmp_path: Path) -> None:
    bundles = [compile_graph(read_graph(MODELS / name / "model.tflite").but(name=name)) for name in ("kws", "cifar10")]
    warned(bundles, tmp_path, compiler)
    sanitized(bundles, tmp_path, compiler, rounds=3)
