"""TensorFlow Lite on the board: the SoC's own delegate where a config names none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pipelines import registry
from pipelines.config.schema import InputPath
from pipelines.core import Engine
from pipelines.errors import MissingDependency

if TYPE_CHECKING:
    from hal.imx8.soc import Board

CPU = "none"
Delegates = Literal["none", "vx", "ethosu", "neutron", "armnn"] | InputPath | None


def config_of(base: type[Any]) -> type[Any]:
    """The tflite engine's config with ``delegate: none`` for the CPU."""
    made = msgspec.defstruct("Config", [("delegate", Delegates, None)], bases=(base,), frozen=True, kw_only=True,
                             forbid_unknown_fields=True, module=__name__)  # fmt: skip
    made.__doc__ = base.__doc__
    return made


def build(config: Any, path: Path, board: Board) -> Engine:
    """The engine with the config's delegate, or the SoC's.

    Raises:
        MissingDependency: the delegate's library is not on this board.
    """
    engine = registry.load("engines", "tflite")
    default = board.soc.delegate if board.soc else None
    if config.delegate is not None or default is None:
        asked = None if config.delegate == CPU else config.delegate
        found: Engine = engine(msgspec.structs.replace(config, delegate=asked), path)
        return found
    try:
        filled: Engine = engine(msgspec.structs.replace(config, delegate=default), path)
    except MissingDependency as error:
        assert board.soc is not None
        # the default was not the user's words, so the CPU is not to be had by leaving it out
        first = str(error).partition("; name another with engine.delegate")[0]
        raise MissingDependency(f"{first}; it is the default on {board.soc.name}: install it, or run on the CPU with "
                                "--set engine.delegate=none") from error  # fmt: skip
    return filled
