"""What the trainers of all use cases share: their options, and what they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pipelines.optional import require

TRAIN = "pip install 'eiq-demo[train]'"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """What every trainer is told.

    Args:
        data: folder that holds what it learns from.
        out: folder for the model and its manifest.
        work: folder for checkpoints.
        epochs: how often it sees the data.
        seed: fixes the data, its order and the first weights.
        threads: of the framework.
        resume: go on from the checkpoints in ``work``.
    """

    data: Path
    out: Path
    work: Path
    epochs: int
    seed: int = 1
    threads: int = 2
    resume: bool = False


def training_options(name: str, epochs: int) -> Callable[[F], F]:
    """The options of a trainer as click's; they arrive as the fields of Options.

    Args:
        name: of the model.
        epochs: as the bundled model was trained.
    """

    def add(function: F) -> F:
        for option in reversed(
            (
                click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
                             help="Folder that holds what to learn from."),
                click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path(name),
                             show_default=True, help="Folder for the model and its manifest."),
                click.option("--work", type=click.Path(path_type=Path, file_okay=False),
                             default=Path("build") / name, show_default=True, help="Folder for checkpoints."),
                click.option("--epochs", type=click.IntRange(min=1), default=epochs, show_default=True),
                click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True),
                click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True),
                click.option("--resume", is_flag=True, help="Go on from the checkpoints in --work."),
            )
        ):  # fmt: skip
            function = option(function)
        return function

    return add


def need_for_training(*modules: str) -> None:
    """Raises MissingDependency where one of the frameworks is not installed."""
    for module in modules:
        require(module, purpose="training", install=TRAIN)
