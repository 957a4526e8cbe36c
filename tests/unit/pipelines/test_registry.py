from __future__ import annotations

import subprocess
import sys

import pytest

from pipelines import registry
from pipelines.errors import CapabilityError, MissingDependency
from pipelines.optional import require

KINDS = ("targets", "transforms", "engines", "decoders", "actions")


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_a_class_with_a_config(kind: str) -> None:
    assert registry.names(kind)
    for name in registry.names(kind):
        plug_in = registry.load(kind, name)
        assert plug_in.__doc__, f"{name} says nothing"
        assert kind == "targets" or isinstance(plug_in.Config, type)


def test_steps_of_one_demo_have_one_name_each() -> None:
    names = [name for kind in ("transforms", "decoders") for name in registry.names(kind)]
    assert len(names) == len(set(names))
    assert "engine" not in names


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pipelines import registry\n"
        f"for kind in {KINDS}: registry.names(kind)\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'cv2', 'msgspec', 'yaml', 'ai_edge_litert')"
        " or m.startswith(('pipelines.transforms.', 'hal.sim.'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(CapabilityError, match="unknown transform 'mffc'; did you mean \"mfcc\""):
        registry.load("transforms", "mffc")
    with pytest.raises(CapabilityError, match="unknown decoder 'zzz'; expected one of: boxes, threshold, top"):
        registry.load("decoders", "zzz")


def test_a_missing_package_is_one_sentence_with_the_cure() -> None:
    with pytest.raises(MissingDependency, match=r"the camera needs the module nowhere_cv2 \(.*\); pip install x"):
        require("nowhere_cv2", purpose="the camera", install="pip install x")
