"""Which model of a board is which file: by the sha256 of its file, and the hash of the feature recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hal.rt.features import tables
from hal.rt.firmware.models import ModelSource
from pipelines.errors import DeviceMismatch
from pipelines.tensors import bytes_of

if TYPE_CHECKING:
    from hal.rt.board import Board
    from hal.rt.descriptions import BoardModel
    from hal.rt.engine import BoardEngine
    from hal.rt.offload import Recipe


def sources(engines: Iterable[BoardEngine]) -> list[ModelSource]:
    """What a firmware for these engines is built from: one for each different file, bundle and recipe."""
    found: dict[tuple[Path, str | None, bytes], ModelSource] = {}
    for engine in engines:
        key = engine.path, engine.config.glow, hash_of(engine.recipe)
        if key not in found:
            name, glow = _name(engine.path), engine.config.glow
            same = sum(_name(path) == name for path, *_ in found)
            source = ModelSource(f"{name}_{same + 1}" if same else name, engine.path, glow=Path(glow) if glow else None)
            if recipe := engine.recipe:
                source = replace(source, window=recipe.window, mfcc=recipe.features, rate_hz=recipe.rate_hz)
            found[key] = source
    return list(found.values())


def hash_of(recipe: Recipe | None) -> bytes:
    """The recipe's hash; empty where there is none. Raises CapabilityError where no board can compute it."""
    return tables(recipe.window, recipe.features, recipe.rate_hz, "recipe").recipe if recipe else b""


def find(board: Board, engine: BoardEngine, place: object) -> BoardModel:
    """The engine's model on the board.

    Raises:
        DeviceMismatch: the board does not hold it, or built otherwise.
    """
    digest, recipe = hashlib.sha256(engine.path.read_bytes()).digest(), hash_of(engine.recipe)
    same = [model for model in board.models if model.info.sha256 == digest]
    right = [model for model in same if not recipe or model.info.recipe == recipe]
    if right:
        wrong = _difference(engine, right[0])
        if wrong:
            raise DeviceMismatch(f"the model {right[0].info.name} of {place} has {wrong}; build the firmware again")
        return right[0]
    if same:
        raise DeviceMismatch(f"the model {same[0].info.name} of {place} was built with another feature recipe; build "
                             "the firmware again with this config's")  # fmt: skip
    there = ", ".join(f"{model.info.name} ({model.info.sha256.hex()[:12]})" for model in board.models) or "none"
    raise DeviceMismatch(
        f"{place} does not hold the model {_name(engine.path)} with sha256 {digest.hex()[:12]}; its models: {there}; "
        "build the firmware with it (eiq-demo firmware build --models …) and flash it"
    )


def _name(path: Path) -> str:
    return path.parent.name if path.stem == "model" else path.stem


def _difference(engine: BoardEngine, model: BoardModel) -> str:
    """What of the board's tensors is not the file's, in words; empty where all is."""
    for what, specs, tensors in (("input", engine.inputs, model.inputs), ("output", engine.outputs, model.outputs)):
        if len(specs) != len(tensors):
            return f"{len(tensors)} {what}s, the file has {len(specs)}"
        for spec, tensor in zip(specs, tensors, strict=True):
            quantised = (np.float32(spec.scale), spec.zero_point) == (np.float32(tensor.scale), tensor.zero_point)
            if tuple(tensor.shape) != spec.shape or tensor.bytes != bytes_of(spec) or not quantised:
                return f"the {what} {tensor.name} {list(tensor.shape)}, the file has {spec}"
    return ""
