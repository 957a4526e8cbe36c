"""Options that several commands share, and the way from a config's name to a resolved demo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pipelines.config.demo import Demo, Overrides
    from pipelines.core import Target
    from pipelines.graph import Graph

F = TypeVar("F", bound=Callable[..., Any])


def config_options(function: F) -> F:
    """CONFIG and everything that changes what it means."""
    for option in reversed(
        (
            click.argument("config"),
            click.option("--target", default="sim", show_default=True, help="What to run on: eiq-demo list targets."),
            click.option("--live", is_flag=True, help="Take the real microphone or camera of this machine."),
            click.option("--input", "input_", type=click.Path(path_type=Path), metavar="FILE",
                         help="Take this recording, picture or folder of pictures."),
            click.option("--set", "sets", multiple=True, metavar="KEY=VALUE",
                         help="Change one key of the file, such as engine.threads=2; repeatable."),
            click.option("--engine", metavar="NAME", help="Run the models on this engine: eiq-demo list engines."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def hold_out_option(what: str) -> Callable[[F], F]:
    """How much of each label or class is kept for the score: ``share``."""
    return click.option("--hold-out", "share", type=click.FloatRange(0.05, 0.5), default=0.2, show_default=True,
                        help=what)  # fmt: skip


def overrides(
    sets: tuple[str, ...], live: bool, input_: Path | None, engine: str | None, **sensor: object
) -> Overrides:
    """The shared options as Overrides; ``sensor``: further options of every sensor, None where not asked for."""
    from pipelines.config.demo import Overrides
    from pipelines.resources import expanded

    if live and input_:
        raise click.UsageError("got both --live and --input, expected one of them")
    changes: list[tuple[str, dict[str, Any]]] = []
    if live:
        changes.append(("--live", {"live": True, "file": None, "synthetic": None}))
    if input_:
        file = str(expanded(str(input_)).absolute())
        changes.append((f"--input {input_}", {"live": False, "file": file, "synthetic": None}))
    changes += [(f"--{key} {value}", {key: value}) for key, value in sensor.items() if value is not None]
    return Overrides(tuple(sets), tuple(changes), engine)


@contextmanager
def opened(
    config: str, target: str, changes: Overrides, streams: int = 1
) -> Iterator[tuple[Demo, list[Graph], Target]]:
    """A demo, resolved on its target, its one pipeline ``streams`` times; everything is closed at the end.

    Raises:
        ConfigError: with every problem of the file.
        UsageError: several streams of a file that has several pipelines.
        CapabilityError: there is no such target.
    """
    from hal.targets import open_target
    from pipelines.config.demo import load_demo
    from pipelines.graph import resolve

    with ExitStack() as stack:
        built = open_target(target)
        stack.callback(built.close)
        demo = load_demo(config, built, changes)
        if streams > 1:
            demo = _several(demo, streams)
        yield demo, resolve(demo, built, stack), built


def _several(demo: Demo, streams: int) -> Demo:
    from dataclasses import replace

    if len(demo.pipelines) > 1:
        raise click.UsageError(f"got --streams and {len(demo.pipelines)} pipelines in the file, expected one of them")
    (pipeline,) = demo.pipelines
    return replace(demo, pipelines=tuple(replace(pipeline, name=f"stream{i + 1}") for i in range(streams)))
