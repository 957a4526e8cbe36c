"""``python -m hal.rt.idl [--check]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hal.rt.idl.c import header, source
from hal.rt.idl.parse import parse
from hal.rt.idl.python import module
from pipelines.errors import ConfigError
from pipelines.resources import bundled


def generated(idl: Path) -> dict[str, str]:
    """The generated files' texts by name. Raises ConfigError where the IDL is wrong."""
    interface = parse(idl.read_text(encoding="utf-8"), idl.name)
    return {"protocol.py": module(interface), "eiq_rpc.h": header(interface), "eiq_rpc.c": source(interface)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both sides of the interface that firmware/eiq.erpc describes; returns the exit code."""
    parser = argparse.ArgumentParser("hal.rt.idl", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a file is not current")
    parser.add_argument("--firmware", type=Path, default=bundled() / "firmware", help="folder of eiq.erpc and core/")
    parser.add_argument("--python", type=Path, default=Path(__file__).parents[1] / "protocol.py", help="its Python")
    options = parser.parse_args(arguments)
    try:
        texts = generated(options.firmware / "eiq.erpc")
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    core = options.firmware / "core"
    files = {options.python if name.endswith(".py") else core / name: text for name, text in texts.items()}
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if stale and options.check:
        names = " and ".join(path.name for path in stale)
        print(f"{names}: not what eiq.erpc says; run python -m hal.rt.idl", file=sys.stderr)
        return 1
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
