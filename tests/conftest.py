"""What many tests need."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from pipelines.engines.tflite import Tflite

# `make test` is a gate: the same examples each time. To hunt for new ones: HYPOTHESIS_PROFILE=hunt .venv/bin/pytest,
# or, with so many mutations of YAML, EIQ_FUZZ=50000 .venv/bin/pytest tests/integration/test_check_fuzz.py
settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("hunt", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hunt" if "EIQ_FUZZ" in os.environ else "gate"))


def pytest_configure() -> None:
    """A script's background job ignores SIGINT, and so would all that the tests start and then stop with it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a handler, and no SIG_IGN, is not inherited


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A laptop may lack a compiler or a broker, and skips with the command that brings it; CI installs, and insists."""
    report = yield
    if os.environ.get("CI") and report.skipped and "apt-get install" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"CI has to install this: {report.longrepr}"
    return report


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
