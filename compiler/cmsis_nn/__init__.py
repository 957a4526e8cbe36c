"""What CMSIS-NN runs: a file for each of TFLite's operators, with ``lower(graph, node)``; None where it has no kernel.

Its sources are not part of this package: the environment variable CMSIS_NN names the folder where they lie.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.errors import MissingDependency

FLOAT = ("_f16", "_f32", "_flt")


def home() -> Path | None:
    """The folder, where one is named; whether it is one is not looked at."""
    named = os.environ.get("CMSIS_NN")
    return Path(named).expanduser() if named else None


def sources() -> tuple[Path, tuple[Path, ...]]:
    """The folder of its headers, and the sources of all that is no floating point.

    Raises:
        MissingDependency: CMSIS_NN names no folder, or one without CMSIS-NN.
    """
    folder = home()
    if folder is None:
        raise MissingDependency(
            "calls of CMSIS-NN can only be built with its sources; name their folder with the environment variable "
            "CMSIS_NN (NXP's SDK has them, or github.com/ARM-software/CMSIS-NN)"
        )
    files = tuple(path for path in sorted(folder.glob("Source/*/*.c")) if not path.stem.endswith(FLOAT))
    if not (folder / "Include/arm_nnfunctions.h").is_file() or not files:
        raise MissingDependency(f"CMSIS_NN names {folder}, expected a folder with CMSIS-NN's Include and Source")
    return folder / "Include", files
