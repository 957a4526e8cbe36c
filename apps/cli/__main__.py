"""``python -m apps.cli`` is ``eiq-demo``."""

from __future__ import annotations

import os
import sys
import threading


def main() -> None:
    """The command; Ctrl-C while it is still being imported ends it as quietly as later."""
    try:
        from apps.cli.main import main as eiq_demo
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    try:
        eiq_demo(prog_name="eiq-demo")
    except SystemExit as end:
        if any(thread.daemon for thread in threading.enumerate()):
            _leave(end.code)
        raise


def _leave(code: str | int | None) -> None:
    """At once: a camera's thread that hangs in its driver may come back while Python takes itself apart, which ends the
    program by abort() instead."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # then Python itself says so
        return
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
