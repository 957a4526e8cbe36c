"""The errors a user can meet, as one tree.

    EiqError                 exit code 1: the run failed
    ├── ConfigError          exit code 2: the request was wrong (every Problem found, each with its place)
    ├── SignalMismatch       exit code 2: two steps do not fit
    ├── ModelError           exit code 2: a model file is not what it should be
    ├── CapabilityError      exit code 2: this target cannot do that; names those that can
    ├── MissingDependency    exit code 2: a package or library is not there; names what to install
    ├── DataError            exit code 1: a recording, picture or data set cannot be read
    ├── OutputError          exit code 1: a result cannot be written (full disk, no permission)
    ├── SeveralErrors        what failed independently of each other (two servers away), a line each
    ├── FetchError           exit code 1: a model's file is to be had from none of its addresses
    └── DeviceError          exit code 1: a device is not there or misbehaves
        ├── DeviceLost       it was there and went away: the run loop retries
        ├── TargetError      this machine is not what the target runs on, whichever step met it
        ├── DeviceTimeout    no answer within the deadline
        └── DeviceCorrupt    an answer arrived damaged

Each message is one sentence: what was got, what was expected, what to do. Anything that is not an EiqError is a bug
and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EiqError(Exception):
    """Base of all errors that are the user's or the world's, not ours."""

    exit_code = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file.

    Args:
        file: name of the file, as the user wrote it.
        line: 1-based; 0 where the problem is the file itself.
        column: 1-based.
        path: where in the tree, such as ``preprocess[1].mfcc.mels``; empty for the whole file.
        message: what was got, what was expected, what to do.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        # what a file holds must neither break the line nor send control sequences to the terminal
        return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class ConfigError(EiqError):
    """A configuration that cannot run; carries every problem found, in the order of the file."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SignalMismatch(EiqError):
    """A step got a signal that it cannot take.

    Args:
        got: the signal that arrives, in words.
        expected: what the step takes, in words.
        fix: what the user can do about it.
    """

    exit_code = 2

    def __init__(self, got: object, expected: object, fix: str = "") -> None:
        self.got, self.expected, self.fix = str(got), str(expected), fix
        super().__init__(f"got {got}, expected {expected}" + (f"; {fix}" if fix else ""))


class ModelError(EiqError):
    """A model file or its manifest is not what it should be."""

    exit_code = 2


class CapabilityError(EiqError):
    """A target cannot do what was asked; the message names the targets that can."""

    exit_code = 2


class MissingDependency(EiqError):
    """A Python package or system library is missing or broken; the message names what to install."""

    exit_code = 2


class DataError(EiqError):
    """A recording, picture or data set cannot be read."""


class OutputError(EiqError):
    """A result cannot be written."""


class SeveralErrors(EiqError):
    """Errors that are not each other's cause; the exit code is the highest of theirs."""

    def __init__(self, errors: Sequence[EiqError]) -> None:
        self.errors = tuple(errors)
        self.exit_code = max(error.exit_code for error in errors)
        super().__init__("\n".join(dict.fromkeys(line for error in errors for line in str(error).splitlines())))


def together(errors: Sequence[EiqError]) -> EiqError:
    """One or several errors as one to raise; of those that say the same, the first."""
    return SeveralErrors(errors) if len({str(error) for error in errors}) > 1 else errors[0]


class FetchError(EiqError):
    """A model's file cannot be had from where its manifest says."""


class DeviceError(EiqError):
    """A device is not there or misbehaves."""


class DeviceLost(DeviceError):
    """A device that worked went away; the run loop retries with back-off."""


class TargetError(DeviceError):
    """This machine is not what the target runs on: no step of a file is to blame."""


class DeviceTimeout(DeviceError):
    """A device did not answer within its deadline."""


class DeviceCorrupt(DeviceError):
    """A device's answer arrived damaged."""


class DeviceReset(DeviceError):
    """A device began anew in the middle of what was asked of it."""


class DeviceMismatch(DeviceError):
    """A device speaks another version, or holds another model than expected."""
