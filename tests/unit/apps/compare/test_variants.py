from __future__ import annotations

import pytest

from apps.compare.variants import Variant, variants
from pipelines.errors import CapabilityError


def test_engines_on_the_simulator() -> None:
    assert variants(engines="tflite, bundle") == (
        Variant("tflite", "sim", "tflite"), Variant("bundle", "sim", "bundle"),
    )  # fmt: skip


def test_every_combination_is_told() -> None:
    found = variants("sim", "tflite,tflite:kernels=reference:threads=2")
    assert [(one.name, one.engine, one.options) for one in found] == [
        ("sim tflite", "tflite", ()),
        ("sim tflite:kernels=reference:threads=2", "tflite", ("kernels=reference", "threads=2")),
    ]


@pytest.mark.parametrize(
    ("targets", "engines", "said"),
    [
        (None, None, "got nothing to compare, expected at least two"),
        ("sim", None, "got sim to compare, expected at least two"),
        (None, "tflite", "got tflite to compare, expected at least two"),
        ("sim", "tflite", "got sim tflite to compare, expected at least two"),
        ("sim,sim", None, "--targets names sim twice"),
        (None, "tflite,tflite", "--engines names tflite twice"),
        ("sim,", None, "expected names with commas"),
        ("", None, "expected names with commas"),
        ("sim,simm", None, "unknown target 'simm'; did you mean \"sim\"?"),
        ("sim,sim:host", None, "sim has no places"),
        (None, "tflite,bundel", "unknown engine 'bundel'; did you mean \"bundle\"?"),
        (None, "tflite,tflite:threads", "expected an option, such as tflite:threads=2"),
        (None, "tflite,tflite:type=bundle", "got 'type=bundle' in tflite:type=bundle, which names the engine already"),
    ],
)
def test_what_cannot_be_compared_is_told_before_anything_runs(
    targets: str | None, engines: str | None, said: str
) -> None:
    with pytest.raises(CapabilityError) as told:
        variants(targets, engines)
    assert said in str(told.value)
