"""What many tests need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.tflite import Tflite

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data and models made by others, which are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data in {SHARED}, which is not part of the project")
    return SHARED


@pytest.fixture
def tflite(tmp_path: Path) -> Callable[..., Tflite]:
    """An engine with a model of these bytes: ``tflite(tiny_models.copy("int8"), kernels="reference")``."""

    def build(model: bytes, **config: Any) -> Tflite:
        path = tmp_path / "model.tflite"
        path.write_bytes(model)
        return Tflite(Tflite.Config(model=str(path), **config), path)

    return build
