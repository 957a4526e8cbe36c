"""TensorFlow Lite on the board: the SoC's own delegate where a config names none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipelines import registry
from pipelines.config.schema import EngineConfig
from pipelines.core import Engine
from pipelines.errors import MissingDependency, ModelError

if TYPE_CHECKING:
    from hal.imx8.soc import Board

CPU = "none"


def config_of(base: type[Any]) -> type[Any]:
    """The tflite engine's config, in which options alone may go to the SoC's delegate."""
    made = msgspec.defstruct("Config", [], bases=(base,), frozen=True, kw_only=True,
                             forbid_unknown_fields=True, module=__name__,
                             namespace={"__post_init__": _check})  # fmt: skip
    made.__doc__ = base.__doc__
    return made


def _check(config: Any) -> None:
    # the engine's own check wants a delegate where options are given; here the SoC may have one: see build
    EngineConfig.__post_init__(config)
    if config.delegate_options and config.delegate == CPU:
        raise ValueError("got delegate_options with delegate none, which is the CPU; leave one of them out")


def build(config: Any, path: Path, board: Board) -> Engine:
    """The engine with the config's delegate, or the SoC's.

    Raises:
        ModelError: there are delegate_options, and no delegate for them.
        MissingDependency: the delegate's library is not on this board.
    """
    default = board.soc.delegate if board.soc else None
    if config.delegate is not None or default is None:
        if config.delegate_options and config.delegate is None:
            what = board.soc.name if board.soc else f"the SoC {board.said}"
            raise ModelError(f"got engine.delegate_options without a delegate, and {what} has no default one; name it "
                             "with engine.delegate, or leave the options out")  # fmt: skip
        return _with(config.delegate, config, path)
    try:
        return _with(default, config, path)
    except MissingDependency as error:
        assert board.soc is not None
        # the default was not the user's words, so the CPU is not to be had by leaving it out
        first = str(error).partition("; name another with engine.delegate")[0]
        raise MissingDependency(f"{first}; it is the default on {board.soc.name}: install it, or run on the CPU with "
                                "--set engine.delegate=none") from error  # fmt: skip


def _with(delegate: str | None, config: Any, path: Path) -> Engine:
    """The engine, with a config of its own class."""
    engine = registry.load("engines", "tflite")
    made: Engine = engine(engine.Config(**(msgspec.structs.asdict(config) | {"delegate": delegate})), path)
    return made
