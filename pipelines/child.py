"""A child process of this very Python, which runs a function of ours."""

from __future__ import annotations

import json
import os
import sys
from io import BufferedWriter


def command(function: str) -> list[str]:
    """The command line that runs a function ("module:name", without arguments) with the modules of this process."""
    module, _, name = function.partition(":")
    boot = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import {name}; {name}()"
    return [sys.executable, "-P", "-c", boot, json.dumps(sys.path)]


def answers() -> BufferedWriter:
    """In the child: its standard output, which from then on is its alone; what a library prints goes to stderr."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own
