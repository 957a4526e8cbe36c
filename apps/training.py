"""What the trainers of all use cases share: their options, what they need, and how they end."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, TypeVar, cast

import click

from apps.shipping import make_folder
from pipelines.errors import EiqError
from pipelines.optional import require
from pipelines.resources import bundled_config

TRAIN = "pip install 'eiq-demo[train]'"
F = TypeVar("F", bound=Callable[..., Any])


class Stopped(EiqError):
    """Ctrl-C in the middle of long work that can go on later."""

    exit_code = 130


@contextmanager
def stoppable(then: str = "with --resume goes on from the last checkpoint") -> Iterator[None]:
    """Ctrl-C ends the work as Stopped, also where a framework makes an error of its own of it.

    Args:
        then: what the same command does when it is given again.
    """
    asked = False

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN and current_thread() is main_thread():
                stack.callback(signal.signal, number, signal.signal(number, stop))
        try:
            yield
        except (KeyboardInterrupt, Exception) as error:
            if asked or isinstance(error, KeyboardInterrupt):
                raise Stopped(f"stopped; the same command {then}") from error
            raise


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
        asked: what else makes a training another one, in words; a checkpoint of another one is refused.
    """

    data: Path
    out: Path
    work: Path
    epochs: int
    seed: int = 1
    threads: int = 2
    resume: bool = False
    asked: str = ""


def training_options(
    name: str,
    epochs: int,
    config: str | None = None,
    needs: tuple[str, ...] = ("tensorflow", "keras"),
    free: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """The options of a trainer as click's; they arrive as the fields of Options.

    What it needs is looked for, its folders are made, and Ctrl-C and its end are told here, for every trainer alike.

    Args:
        name: of the model.
        epochs: as the bundled model was trained.
        config: the bundled demo that takes it, without ``.yaml``; that of its name where absent.
        needs: modules that must be installed.
        free: the trainer's own options that a resumed training may change, as they change nothing of it.
    """

    def add(function: F) -> F:
        told = _told(function, config or name, needs, free)
        for option in reversed(
            (
                click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
                             help="Folder that holds what to learn from."),
                out_option(name),
                click.option("--work", type=click.Path(path_type=Path, file_okay=False),
                             default=Path("build") / name, show_default=True, help="Folder for checkpoints."),
                click.option("--epochs", type=click.IntRange(min=1), default=epochs, show_default=True),
                click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True),
                click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True),
                click.option("--resume", is_flag=True, help="Go on from the checkpoints in --work."),
            )
        ):  # fmt: skip
            told = option(told)
        return told

    return add


def out_option(name: str) -> Callable[[F], F]:
    """Where a model goes; not to a folder of its bare name, which a config takes for the bundled model's."""
    return click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("trained") / name,
                        show_default=True, help="Folder for the model and its manifest.")  # fmt: skip


def _told(function: F, config: str, needs: tuple[str, ...], free: tuple[str, ...]) -> F:
    @functools.wraps(function)
    def trained(**options: Any) -> None:
        need_for_training(*needs)
        for folder in (options["out"], options["work"]):
            make_folder(folder)  # what cannot be written is better known before than after an hour
        with stoppable():
            function(**options, asked=_asked(options, free))
        manifest = options["out"] / "manifest.yaml"
        run = f"; eiq-demo run {config}.yaml --set engine.model={manifest} takes it" if bundled_config(config) else ""
        click.echo(f"{manifest} is written{run}", err=True)

    return cast(F, trained)


def _asked(options: dict[str, Any], free: tuple[str, ...]) -> str:
    """The seed and the trainer's own options, as on its command line: what decides about data, network and order."""
    common = {field.name for field in fields(Options)} - {"seed"}
    own = [one for one in click.get_current_context().command.params if one.name not in {*common, *free}]
    return ", ".join(filter(None, (_shown(one.opts[-1], options[str(one.name)]) for one in own)))


def _shown(option: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    return option if value is True else f"{option} {value.absolute() if isinstance(value, Path) else value}"


def set_up_keras(options: Options) -> None:
    """Fix seeds and threads. Call once, before the first model is built."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)


def need_for_training(*modules: str) -> None:
    """Raises MissingDependency where one of the frameworks is not installed."""
    for module in modules:
        require(module, purpose="training", install=TRAIN)
