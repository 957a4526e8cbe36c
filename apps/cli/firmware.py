"""``eiq-demo firmware``: the RT board's program, built with its models, and started where the board is emulated."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from apps.cli.firmware_flash import flash
from apps.cli.firmware_options import built, model_options

if TYPE_CHECKING:
    from hal.rt.firmware import Image
    from hal.rt.firmware.sizes import Sizes

POLL_S = 0.2


@click.group()
def firmware() -> None:
    """Build, start and flash the RT board's firmware.

    \b
    eiq-demo firmware build --board mps2-an500 --models kws,cifar10
    eiq-demo firmware run --board mps2-an500 --models kws
    eiq-demo firmware flash --board evkmimxrt1060 --models kws
    """


@firmware.command()
@model_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write the program, the linker's map and the generated C here.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The sizes as one JSON object.")
def build(board: str, names: tuple[str, ...], glow: tuple[str, ...], features: bool | None, defines: tuple[str, ...],
          out: Path | None, as_json: bool) -> None:  # fmt: skip
    """Build the firmware and print what it takes of flash and RAM, part by part.

    The stack is measured in QEMU, for the board that is emulated there.

    \b
    eiq-demo firmware build --board mps2-an500 --models cifar10
    eiq-demo firmware build --board mps2-an500 --models kws,cifar10 --out build --json
    eiq-demo firmware build --board mps2-an500 --models fan=fan.tflite --glow fan=DIR
    """
    from hal.rt.firmware.sizes import as_object, as_text

    image = built(board, names, glow, features, defines, out)
    found = None if image.board == "host" else _sizes(image)
    if as_json:
        click.echo(json.dumps((as_object(found) if found else {"board": board}) | _told(image)))
    elif found:
        click.echo(as_text(found), nl=False)
    else:
        click.echo(image.program)


@firmware.command()
@model_options
def run(board: str, names: tuple[str, ...], glow: tuple[str, ...], features: bool | None,
        defines: tuple[str, ...]) -> None:  # fmt: skip
    """Start an emulated board and print the port that leads to it, until Ctrl-C.

    The board host is a program of this computer, mps2-an500 a Cortex-M7 in QEMU.

    \b
    eiq-demo firmware run --board mps2-an500 --models kws
    eiq-demo run kws.yaml --target rt:/dev/pts/3
    """
    from hal.rt.firmware import start
    from pipelines.errors import DeviceLost

    image = built(board, names, glow, features, defines)
    with start(image, terminal=True) as running:
        click.echo(running.path)
        sys.stdout.flush()
        click.echo(f"{board} runs; connect with --target rt:{running.path}, end with Ctrl-C", err=True)
        try:
            while running.alive:
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            return
        raise DeviceLost(running.last_words())


firmware.add_command(flash)


def _sizes(image: Image) -> Sizes:
    """With the stack, where it can be measured here."""
    from hal.rt.firmware import needed
    from hal.rt.firmware.measure import stack_used
    from hal.rt.firmware.sizes import sizes

    if image.board != "mps2-an500":
        return sizes(image)
    missing = needed(image.board)
    if missing:
        click.echo(f"the stack was not measured: {missing}", err=True)
        return sizes(image)
    return sizes(image, stack_used(image))


def _told(image: Image) -> dict[str, Any]:
    from dataclasses import asdict

    return {"program": str(image.program), "compiler": image.compiler,
            "models": [asdict(model) for model in image.models]}  # fmt: skip
