"""A target with lights, for actions."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.errors import CapabilityError


class Light:
    def __init__(self) -> None:
        self.history: list[bool] = []
        self.error: Exception | None = None

    def on(self) -> None:
        self._set(True)

    def off(self) -> None:
        self._set(False)

    @property
    def is_lit(self) -> bool:
        return bool(self.history) and self.history[-1]

    def _set(self, lit: bool) -> None:
        if self.error:
            raise self.error
        self.history.append(lit)


class LightsOnly:
    name = "test"

    def __init__(self) -> None:
        self.lights = {"led": Light()}

    def led(self, name: str) -> Light:
        if name not in self.lights:
            raise CapabilityError(f"test has no led {name!r}")
        return self.lights[name]


@pytest.fixture
def target() -> Any:
    return LightsOnly()
