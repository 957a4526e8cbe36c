"""``python -m hal.rt.idl [--check]``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hal.rt.idl.c import header, source
from hal.rt.idl.parse import parse
from hal.rt.idl.python import module
from pipelines.errors import ConfigError
from pipelines.resources import bundled


def generated(idl: Path) -> dict[str, str]:
    """The generated files' texts by name. Raises ConfigError where the IDL is wrong."""
    interface = parse(idl.read_text(encoding="utf-8"), idl.name)
    return {"protocol.py": module(interface), "eiq_rpc.h": header(interface), "eiq_rpc.c": source(interface)}


@click.command("hal.rt.idl")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a file is not what eiq.erpc says.")
@click.option("--firmware", type=click.Path(path_type=Path), help="Folder of eiq.erpc and core/; the bundled one.")
@click.option("--python", type=click.Path(path_type=Path), help="The Python side; hal/rt/protocol.py.")
def main(check: bool, firmware: Path | None, python: Path | None) -> None:
    """Write both sides of the interface that firmware/eiq.erpc describes."""
    firmware = firmware or bundled() / "firmware"
    python = python or Path(__file__).parents[1] / "protocol.py"
    try:
        texts = generated(firmware / "eiq.erpc")
    except (ConfigError, OSError) as error:
        raise click.ClickException(str(error)) from error
    files = {python if name.endswith(".py") else firmware / "core" / name: text for name, text in texts.items()}
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if check and stale:
        names = " and ".join(path.name for path in stale)
        click.echo(f"{names}: not what eiq.erpc says; run python -m hal.rt.idl", err=True)
        sys.exit(1)
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
        click.echo(f"wrote {path.name}", err=True)


if __name__ == "__main__":
    main()
