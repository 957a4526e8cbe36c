"""``eiq-demo``: the commands, and one line for every error a user can meet."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from apps.cli.bench import bench
from apps.cli.check import check
from apps.cli.compare import compare
from apps.cli.compile import compile_
from apps.cli.doctor import doctor
from apps.cli.evaluate import evaluate
from apps.cli.firmware import firmware
from apps.cli.list import list_
from apps.cli.models import models
from apps.cli.optimize import optimize
from apps.cli.run import run
from apps.cli.schema import schema
from apps.cli.train import train
from pipelines.errors import EiqError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""An error quotes names and texts from files, which must not send control sequences to the terminal."""


class Commands(click.Group):
    """Turns an EiqError into its one line and exit code. Anything else is a bug and shows its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EiqError as error:
            click.echo(CONTROLS.sub("?", str(error)), err=True)
            _write_no_more()  # the error may be that standard output's disk is full
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # whoever read our results has seen enough (| head)
            _write_no_more()
            ctx.exit(0)
        except OSError as error:
            # files name themselves or are told as OutputError: what is left is our own standard output
            if error.filename is not None or error.errno not in FULL:
                raise
            _write_no_more()
            click.echo(f"cannot write the results to standard output ({error.strerror}); make room there", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:  # in the middle of a command that has no summary of its own
            ctx.exit(130)


def _write_no_more() -> None:
    """What is left in the buffers goes nowhere, instead of failing once more at the end of the program."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="eiq-demo")
def main() -> None:
    """Edge-AI demos as YAML pipelines: sensor, preprocessing, inference engine, actions.

    \b
    eiq-demo run kws.yaml            a bundled demo, on a bundled recording
    eiq-demo run kws.yaml --live     the same with this machine's microphone
    eiq-demo check my.yaml           what a file of yours means, or what is wrong in it
    eiq-demo list                    what there is to build demos from
    eiq-demo doctor                  what works on this machine
    """
    with suppress(ValueError):  # not in the main thread: whoever runs us there has its own way to stop
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service is stopped as by Ctrl-C
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us (>&-): nobody wants it
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for good
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows ? for an arrow


for command in (
    run,
    check,
    compare,
    compile_,
    list_,
    bench,
    doctor,
    evaluate,
    firmware,
    models,
    optimize,
    schema,
    train,
):
    main.add_command(command)
