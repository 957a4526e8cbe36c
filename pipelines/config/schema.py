"""What a config class is made of. Its fields are the YAML keys; units are in the key (``_ms``, ``_hz``, ``_px``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pipelines.config.yaml12 import Node


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all config classes; each is declared ``class X(Config, frozen=True, kw_only=True)``.

    Cross-field checks go into ``__post_init__`` and raise ValueError: its text becomes the problem's message.
    """


class InputPath(str):
    """A file to read. A relative one is looked for beside the config, then among the bundled data; arrives absolute."""


class OutputPath(str):
    """A file to write. A relative one is relative to the working directory."""


Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0, le=1e12)]  # no quantity here is larger; keeps infinity out
NonNegative = Annotated[float, Meta(ge=0, le=1e12)]
Unit = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(min_length=1)]


class EngineConfig(Config, frozen=True, kw_only=True):
    """What every engine's config has; an engine adds its own keys.

    Args:
        model: the name of a model with a manifest, or the path of a model file or manifest.
        labels: the classes in the order of the outputs, or a text file of one per line; the manifest's where absent.
        shared: one instance for all pipelines of this file that ask for the same, behind a fair queue.
        residual: of an autoencoder, hand on how far its output is from its input instead of the output: ``mean``
            gives the mean of the squared differences, ``each`` the squared difference of every element.
    """

    model: Text
    labels: tuple[str, ...] | InputPath | None = None
    shared: bool = False
    residual: Literal["mean", "each"] | None = None

    def __post_init__(self) -> None:
        if self.residual and self.labels is not None:
            raise ValueError("got labels with residual, but a residual is no scores of classes; leave labels out")


@dataclass(frozen=True, slots=True)
class Step:
    """One named step of a demo or recipe, its config converted.

    Args:
        kind: the registry's table it is from: transforms | engines | decoders | actions.
        name: the plug-in's name.
        config: an instance of its class's Config.
        node: where its options stand.
        path: such as ``preprocess[1].mfcc``.
    """

    kind: str
    name: str
    config: Any
    node: Node
    path: str


Transforms = tuple[Step, ...]
"""A chain of transforms as a config field (a fork's branch, a manifest's recipe)."""
