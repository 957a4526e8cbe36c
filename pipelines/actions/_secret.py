"""Passwords and tokens: a config names the environment variable that holds one, and nothing ever prints it."""

from __future__ import annotations

import os
import re

from pipelines.errors import CapabilityError


def check_name(variable: str | None, key: str) -> None:
    """Raises ValueError where ``key`` names no variable; without showing it, since it may be the secret itself."""
    if variable is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ValueError(f"{key} should be the name of an environment variable, such as BROKER_PASSWORD")


def secret(variable: str | None, key: str, *, ascii_only: bool = False) -> str | None:
    """What the environment holds, without a newline at its end; None where the config names no variable.

    Raises:
        CapabilityError: the variable is not set, or holds what no header or packet can carry. Shows neither its name
            nor what it holds: who wrote the secret in the name's place shall not read it in a log.
    """
    if variable is None:
        return None
    found = os.environ.get(variable, "").rstrip("\r\n")
    if not found:
        raise CapabilityError(f"the environment variable that {key} names is not set; set it, or leave {key} out")
    if not found.isprintable() or (ascii_only and not found.isascii()):
        raise CapabilityError(f"the environment variable that {key} names holds what cannot be sent; set it anew")
    return found
