"""Packages that not every demo needs: imported on first use, named when missing or broken."""

from __future__ import annotations

import importlib
from types import ModuleType

from pipelines.errors import MissingDependency


def require(module: str, *, purpose: str, install: str) -> ModuleType:
    """Import ``module``, or say in one sentence what to install.

    Args:
        purpose: what needs it, such as ``the camera``.
        install: the command that mends it, such as ``pip install 'eiq-demo[desktop]'``.

    Raises:
        MissingDependency: the package is not installed, or a system library that it loads is not there.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: sounddevice without the PortAudio library
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingDependency(f"{purpose} needs the module {module} ({detail}); {install}") from error
