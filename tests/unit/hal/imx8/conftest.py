"""Trees of boards, one a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import sysroots
from hal.imx8.sysfs import Sysfs


@pytest.fixture
def board(tmp_path: Path) -> Callable[[str], Sysfs]:
    """A board's tree, to change."""
    return lambda name: sysroots.copied(name, tmp_path)
