"""Results on standard output, one line each."""

from __future__ import annotations

import os
import sys
import time
from typing import ClassVar

from pipelines.config.schema import Config as Base
from pipelines.core import Result, Target
from pipelines.errors import OutputError

_BAR = 20


class Console:
    """A line for each result: on a terminal with a bar and the label in bold (not with NO_COLOR), in a pipe plain.

    Lines are only ever added and each is written at once, so nothing flickers and ``| head`` sees the first at once.
    A pipe whose reader has gone raises BrokenPipeError, which the command line takes as the end.
    """

    class Config(Base, frozen=True, kw_only=True):
        """Has no keys."""

    background: ClassVar[bool] = False

    def __init__(self, config: Config, target: Target) -> None:
        pass

    def start(self) -> None:
        """Nothing to do."""

    def handle(self, result: Result) -> None:
        """Print the result. Raises OutputError, where standard output is a file on a full disk, and BrokenPipeError."""
        out = sys.stdout
        line = live(result, bold=not os.environ.get("NO_COLOR")) if out.isatty() else plain(result)
        encoding = out.encoding or "utf-8"
        try:
            out.write(line.encode(encoding, "replace").decode(encoding) + "\n")
            out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write the results to standard output ({error.strerror})") from error

    def close(self) -> None:
        pass


def plain(result: Result) -> str:
    """``  1.230 s  yes  0.97``, of a measured quantity ``  1.230 s  vibration  12.4 mg``; then what else there is."""
    found = _quantity(result) or f"{result.score:.2f}"
    return "  ".join([f"{result.t:7.3f} s", printable(result.label), found, *_more(result)])


def live(result: Result, bold: bool) -> str:
    """``  1.230 s  yes           ███████████████████▍  97 %``, then what else there is."""
    label = f"{printable(result.label):16}"
    if bold:
        label = f"\x1b[1m{label}\x1b[0m"
    bar = "█" * round(result.score * _BAR)
    found = _quantity(result) or f"{bar:·<{_BAR}} {result.score:4.0%}"
    return "  ".join([f"{result.t:7.3f} s", label, found, *_more(result)])


def _quantity(result: Result) -> str:
    """A value that has a unit: it says more than a score."""
    return f"{result.value:.4g} {printable(result.unit)}" if result.value is not None and result.unit else ""


def printable(text: str) -> str:
    """A label as it is safe to print: a model's file must not send control sequences to the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _more(result: Result) -> list[str]:
    more = []
    if result.value is not None and not result.unit:
        more.append(f"value {result.value:.4g}")
    if result.region is not None:
        x, y, width, height = result.region
        more.append(f"at {x:.0f},{y:.0f} {width:.0f}x{height:.0f}")
    if result.pipeline:
        more.append(printable(result.pipeline))
    if result.source and result.source.arrived is not None:
        more.append(f"({(time.monotonic() - result.source.arrived) * 1000:.0f} ms old)")
    return more
