"""``eiq-demo train``: each use case's own trainer, ``apps/<name>/train.py``, as a command."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

import apps

FILES = [path for folder in apps.__path__ for path in Path(folder).glob("*/train.py") if path != Path(__file__)]
TRAINERS = tuple(sorted(path.parent.name for path in FILES))


class Trainers(click.Group):
    """A command for every use case with a trainer; imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(TRAINERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TRAINERS:
            return None
        command: click.Command = import_module(f"apps.{cmd_name}.train").command
        return command


@click.command(cls=Trainers)
def train() -> None:
    """Train the model NAME again, or one of your own classes.

    Needs pip install 'eiq-demo[train]'; label_image alone 'eiq-demo[desktop,classical]'. Ctrl-C keeps the last
    checkpoint; --resume goes on from it.

    \b
    eiq-demo train kws --data DIR
    eiq-demo train kws --help
    """
