from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hal.sim import sensors
from hal.sim.target import Sim
from pipelines import registry
from pipelines.core import Target
from pipelines.errors import CapabilityError


def test_the_registry_finds_it() -> None:
    target: Target = registry.load("targets", "sim")()
    assert target.name == "sim"
    assert target.config_of("microphone") is sensors.Microphone
    target.close()


def test_what_it_cannot_do_is_one_sentence() -> None:
    sim = Sim()
    with pytest.raises(CapabilityError, match='did you mean "camera"'):
        sim.config_of("camara")
    with pytest.raises(CapabilityError, match="unknown capability"):
        sim.sensor("thermometer", None)
    with pytest.raises(CapabilityError):
        sim.sensor("led", None)


def test_a_light_is_one_by_name() -> None:
    sim = Sim()
    assert sim.led("red") is sim.led("red")
    assert sim.led("red") is not sim.led("green")
    sim.led("red").on()
    assert [name for name, led in sim.leds.items() if led.is_lit] == ["red"]


def test_an_engine_comes_from_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda kind, name: lambda config, path: (kind, name, config, path))
    assert Sim().engine("tflite", "config", Path("m")) == ("engines", "tflite", "config", Path("m"))  # type: ignore[comparison-overlap]


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "cv2", "sounddevice", "soundfile", "soxr", "librosa"
    code = f"import sys, hal.sim.target; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
