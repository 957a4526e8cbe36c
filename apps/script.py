"""What the scripts beside the command line share: a user's mistake is one sentence here too."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pipelines.errors import EiqError


def run(main: Callable[[], None]) -> None:
    """Run a script's main; an EiqError becomes its sentence and exit code."""
    try:
        main()
    except EiqError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
