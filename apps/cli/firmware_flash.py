"""``eiq-demo firmware flash``: build a firmware and write it into a real board."""

from __future__ import annotations

import sys

import click

from apps.cli.firmware_options import built, model_options


@click.command()
@model_options
@click.option("--probe", metavar="ID", help="The debug probe's id, or a part of it, where there are several.")
def flash(board: str, names: tuple[str, ...], glow: tuple[str, ...], features: bool | None, defines: tuple[str, ...],
          probe: str | None) -> None:  # fmt: skip
    """Build the firmware and write it into a board's flash, through the board's own debug probe.

    It takes pyOCD, and the SDK that the board is built with; docs/boards.md tells how to get both.

    \b
    eiq-demo firmware flash --board evkmimxrt1060 --models kws,cifar10
    eiq-demo run kws.yaml --target rt:/dev/ttyACM0
    """
    from hal.rt.firmware.flash import check
    from hal.rt.firmware.flash import flash as write

    check(board)  # what is missing for writing is told before a minute of building
    image = built(board, names, glow, features, defines)
    used = write(image, probe, sys.stderr if sys.stderr.isatty() else None)
    click.echo(f"wrote {image.program} into {board} through the probe {used.id} ({used.words}); it runs", err=True)
