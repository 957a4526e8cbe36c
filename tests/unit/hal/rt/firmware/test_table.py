"""The table that goes into the firmware, compiled with this computer's compiler and read back."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.rt.firmware.models import Linked, ModelSource, Placed, symbols
from hal.rt.firmware.ports import firmware
from hal.rt.firmware.table import header, source
from pipelines.errors import ModelError

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic")
PRINT = r"""
#include <stdio.h>
#include "eiq_model.h"
#include "models.h"
#define RUN(name) const uint8_t name##_constants[4] = {1}; \
    int name(uint8_t *c, uint8_t *m, uint8_t *a) { (void)c; (void)m; (void)a; return name##_constants[0] * 7; }
RUN(model0_a_b)
RUN(model1_a_b)
const struct eiq_window model0_a_b_features = {16000.0f, 3, 0};
int main(void)
{
    for (uint32_t i = 0; i < eiq_model_count; i++) {
        const struct eiq_model *m = &eiq_models[i];
        printf("%s|%d|%d|%d|%u %u %u %u %u|%d\n", m->name, m->sha256[31], m->recipe[7], m->run(0, 0, 0),
               m->constant_bytes, m->mutable_bytes, m->activation_bytes, m->input_bytes, m->output_bytes,
               m->features ? (int)m->features->length : -1);
        for (int t = 0; t < m->inputs + m->outputs; t++) {
            const struct eiq_tensor *x = &m->tensors[t];
            printf("  %s|%d|%d %u %u|%.9g %d|%u %u %u\n", x->name, x->dtype, x->dims, x->shape[0], x->shape[1],
                   (double)x->scale, x->zero_point, x->bytes, x->place, x->address);
        }
    }
    printf("%u %u %u %u|%u %u %u %u\n", EIQ_MUTABLE_BYTES, EIQ_ACTIVATION_BYTES, EIQ_INPUT_BYTES, EIQ_OUTPUT_BYTES,
           EIQ_FEATURE_VALUES, EIQ_FEATURE_SAMPLES, EIQ_FEATURE_POINTS, EIQ_RESULT_BYTES);
    return (int)((uintptr_t)eiq_mutable_memory % 64 + (uintptr_t)eiq_activations % 64);
}
"""


@dataclass(frozen=True)
class Tables:
    symbol: str = "model0_a_b_features"
    recipe: bytes = bytes(range(8))
    values: int = 490
    samples: int = 480
    points: int = 512


def linked(name: str, symbol: str, inputs: tuple[Placed, ...], outputs: tuple[Placed, ...], ram: int) -> Linked:
    return Linked(name, symbol, bytes(range(32)), {}, (), inputs, outputs, 4, ram, ram * 2)


def test_the_board_reads_what_was_written(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    x = Placed('naïve "x"\\?', "int8", (2, 5), 0.1, -128, 0, 64)
    y = Placed("y", "float32", (3,), 0.0, 0, 10, 128)
    models = [
        linked("a-b", "model0_a_b", (x, y), (Placed("z", "int32", (), 1e-12, 5, 0, 0),), 192),
        linked("ä b" + "c" * 70, "model1_a_b", (Placed("n" * 70, "uint8", (1, 1, 1, 1, 1, 7), 3.0, 0, 0, 0),), (), 64),
    ]
    tables = [Tables(), None]
    (tmp_path / "models.h").write_text(header(models, tables))
    (tmp_path / "models.c").write_text(source(models, tables), encoding="utf-8")
    (tmp_path / "print.c").write_text(PRINT)
    command = ["cc", *WARNINGS, f"-I{firmware() / 'core'}", "-o", "print", "models.c", "print.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = subprocess.run([tmp_path / "print"], capture_output=True, check=True).stdout.decode().splitlines()
    assert told == [
        "a-b|31|7|7|4 192 384 22 4|3",
        '  naïve "x"\\?|0|2 2 5|0.100000001 -128|10 0 64',
        "  y|4|1 3 0|0 0|12 10 128",
        "  z|3|0 0 0|9.99999996e-13 5|4 0 0",
        f"ä b{'c' * 59}|31|0|7|4 64 128 7 0|-1",
        f"  {'n' * 63}|1|6 1 1|3 0|7 0 0",
        "192 384 22 4|490 480 512 22",
    ]


def test_without_features_there_is_no_memory_for_them() -> None:
    text = header([linked("a", "model0_a", (), (), 0)], [None])
    assert "#define EIQ_FEATURE_VALUES 0u" in text
    assert "#define EIQ_RESULT_BYTES 0u" in text
    assert "#define EIQ_MUTABLE_BYTES 1u" in text  # an array of none is no C


def test_a_board_without_models_has_sensors_alone() -> None:
    assert "const uint32_t eiq_model_count = 0;" in source([], [])
    assert "#define EIQ_INPUT_BYTES 1u" in header([], [])
    assert symbols([]) == []


def sources(*names: str) -> list[ModelSource]:
    return [ModelSource(name, Path("m.tflite")) for name in names]


def test_every_model_has_a_symbol_of_its_own() -> None:
    # two that differ in a sign alone, one whose name is another one's with a suffix that the build adds, and C's own
    names = ("a-b", "a_b", "a_b_constants", "main", "memcpy", "0", "ä")
    found = symbols(sources(*names))
    assert len(set(found)) == len(names)
    made = {f"{symbol}{suffix}" for symbol in found for suffix in ("", "_constants", "_tensors", "_features")}
    assert len(made) == 4 * len(names)
    assert all(name.isidentifier() and name.isascii() for name in made)


@pytest.mark.parametrize(("names", "words"), [
    (("kws", "x", "kws"), "got the model kws twice"),
    (("ä" * 32,), "at most 63 bytes"),
])  # fmt: skip
def test_what_cannot_be_named_is_refused(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        symbols(sources(*names))
