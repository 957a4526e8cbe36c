"""Which of a board's IIO devices measure what is wanted: one that does it all, or one for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hal.imx8.iio import DEVICES, IioDevice
from hal.imx8.sysfs import Sysfs
from pipelines.errors import DeviceError

KINDS = {"accel": "accelerometer", "anglvel": "gyroscope"}
Named = int | str
"""A device's name, ``iio:deviceN``, or N."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the kernel lists, and what it measures of ``KINDS``."""

    node: str
    name: str
    kinds: frozenset[str]

    def __str__(self) -> str:
        return f"{self.node} {self.name} ({' and '.join(KINDS[k] for k in KINDS if k in self.kinds) or 'neither'})"

    def is_named(self, name: Named | None) -> bool:
        """Whether ``name`` means it; None means any."""
        return name is None or str(name) in (self.name, self.node, self.node.removeprefix("iio:device"))


def find(sysfs: Sysfs, kinds: Sequence[str], wanted: Named | Sequence[Named] | None = None) -> tuple[IioDevice, ...]:
    """The first device that has all of ``kinds``, or, where none has, the first of each; in the order of the kinds.

    Args:
        kinds: of ``KINDS``.
        wanted: look at no others.

    Raises:
        DeviceError: a kind is missing, one that is named is not there or of no use, or a device's files lie.
    """
    kinds = tuple(dict.fromkeys(kinds))
    names = [wanted] if wanted is None or isinstance(wanted, Named) else list(wanted)
    known = [_candidate(sysfs, node) for node in sysfs.names(DEVICES, "iio:device")]
    absent = [name for name in names if name is not None and not any(one.is_named(name) for one in known)]
    if absent:
        raise DeviceError(f"this board has no IIO device {absent[0]}, expected one of: "
                          f"{', '.join(map(str, known)) or 'none'}; correct device, or load the driver")  # fmt: skip
    open_to = [one for name in names for one in known if one.is_named(name)]
    # who names two means each of them
    whole = next((one for one in open_to if one.kinds.issuperset(kinds)), None) if len(names) == 1 else None
    chosen: dict[Candidate, list[str]] = {}
    for kind in kinds:
        one = whole or next((one for one in open_to if kind in one.kinds), None)
        if one is None:
            raise _missing(kind, names, known)
        chosen.setdefault(one, []).append(kind)
    idle = [name for name in names if not any(one.is_named(name) for one in chosen)]
    if idle:
        raise DeviceError(f"device names {idle[0]}, of which nothing is needed beside "
                          f"{' and '.join(one.name for one in chosen)}; leave it out")  # fmt: skip
    return tuple(IioDevice(sysfs, one.node, one.name, kinds) for one, kinds in chosen.items())


def _candidate(sysfs: Sysfs, node: str) -> Candidate:
    kinds = frozenset(kind for kind in KINDS if sysfs.there(f"{DEVICES}/{node}/in_{kind}_x_raw"))
    return Candidate(node, sysfs.text(f"{DEVICES}/{node}/name"), kinds)


def _missing(kind: str, names: Sequence[Named | None], known: Sequence[Candidate]) -> DeviceError:
    named = " or ".join(str(name) for name in names if name is not None)
    return DeviceError(
        f"this board has no {KINDS[kind]}{named and f' in {named}'}, its IIO devices: "
        f"{', '.join(map(str, known)) or 'none'}; set channels or device, load the driver, or take a recording "
        "(file: …, --input)"
    )
