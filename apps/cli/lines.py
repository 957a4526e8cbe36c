"""Long lines for people."""

from __future__ import annotations

import re
import textwrap

WIDTH = 120
COMMAND = re.compile(r"\b(?:eiq-demo|pip|sudo) [^,;()]*")
"""What a person copies, so that it is not broken."""


def wrapped(line: str, hang: int = 4) -> list[str]:
    """A line as lines of at most 120 characters, broken between words; the others begin ``hang`` to the right.

    A command, or a word (it may be a path), that is longer than that stays whole.
    """
    if len(line) <= WIDTH:
        return [line]
    whole = COMMAND.sub(lambda found: found[0].replace(" ", "\0"), line)
    parts = textwrap.wrap(whole, WIDTH, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False)
    return [part.replace("\0", " ") for part in parts]
