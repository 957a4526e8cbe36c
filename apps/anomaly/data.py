"""Vibration of fans, from disk: ``python -m apps.anomaly.data --data DIR --write-folders OUT``.

DIR holds ``fan_1_3.npz``: two fans in four states, three recordings of five minutes each, by an accelerometer at
200 Hz, 4096 counts to 1 g (nxp-appcodehub/ap-ml-state-monitor, BSD-3-Clause). OUT gets one folder per state with one
``.npy`` [samples, 3] in g per recording, as ``eiq-demo evaluate fan_state.yaml --data OUT`` reads them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.evaluate.datasets.arrays import npz
from apps.script import run as run_script
from pipelines.errors import DataError

ARCHIVE = "fan_1_3.npz"
SOURCE = "nxp-appcodehub/ap-ml-state-monitor ac23c74"
LICENCE = "BSD-3-Clause (NXP)"
STATES = ("on", "off", "clog", "friction")
CHANNELS = ("ax_g", "ay_g", "az_g")
RATE_HZ = 200.0
COUNTS_PER_G = 4096
NAME = re.compile(r"fan-(?P<fan>\d+)-vd(?P<index>\d+)-(?P<state>[a-z]+)")

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """One recording.

    Args:
        fan: which fan.
        state: one of STATES.
        index: of the recording among those of this fan in this state, from 1.
        samples: [n, 3] in g, gravity included.
        rate_hz: samples per second.
    """

    fan: int
    state: str
    index: int
    samples: Samples
    rate_hz: float = RATE_HZ

    @property
    def name(self) -> str:
        """Such as ``fan-1-vd2``; with the state it says which recording this is."""
        return f"fan-{self.fan}-vd{self.index}"


def load(folder: Path) -> tuple[Recording, ...]:
    """All recordings, by fan, state and number.

    Raises:
        DataError: the archive is not there, is none, or holds something else.
    """
    path = folder / ARCHIVE
    if not path.is_file():
        raise DataError(f"{path} is not there, expected the fans' recordings; see docs/anomaly.md")
    found = [_recording(name, array, path) for name, array in npz(path, "the fans' recordings").items()]
    return tuple(sorted(found, key=lambda one: (one.fan, STATES.index(one.state), one.index)))


def distinct(recordings: Iterable[Recording]) -> tuple[Recording, ...]:
    """Each once: two of the archive's six recordings ``off`` are copies of a third, one of them of the other fan."""
    kept: dict[bytes, Recording] = {}
    for one in recordings:
        kept.setdefault(one.samples.tobytes(), one)
    return tuple(kept.values())


def unseen(recordings: Iterable[Recording], fan: int, learned: int) -> list[Recording]:
    """The recordings of ``fan`` that are not copies of any of the fan that was learned from."""
    recordings = tuple(recordings)
    known = {one.samples.tobytes() for one in recordings if one.fan == learned}
    return [one for one in recordings if one.fan == fan and one.samples.tobytes() not in known]


def other_fan(recordings: tuple[Recording, ...], fan: int) -> int:
    """The fan to score on, where ``fan`` was learned from. Raises DataError where there are not two."""
    fans = {one.fan for one in recordings}
    if fan not in fans or len(fans) != 2:
        raise DataError(f"--fan {fan}: the data holds the fans {sorted(fans)}, expected two, one of them {fan}")
    return next(iter(fans - {fan}))


def _recording(name: str, counts: NDArray[np.generic], path: Path) -> Recording:
    match = NAME.fullmatch(name)
    if match is None or match["state"] not in STATES:
        raise DataError(f"{path} holds {name!r}, expected names such as fan-1-vd2-clog; take the original file")
    if counts.ndim != 2 or counts.shape[1] != len(CHANNELS) or counts.dtype.kind not in "iuf":
        got = f"{name} of {counts.dtype} {list(counts.shape)}"
        raise DataError(f"{path} holds {got}, expected numbers [samples, 3]; take the original file")
    samples = np.asarray(counts, np.float32) / np.float32(COUNTS_PER_G)
    return Recording(int(match["fan"]), match["state"], int(match["index"]), samples)


def write_folders(recordings: tuple[Recording, ...], out: Path) -> None:
    """``out/<state>/<recording>.npy``, float32 in g."""
    for one in recordings:
        (out / one.state).mkdir(parents=True, exist_ok=True)
        np.save(out / one.state / f"{one.name}.npy", one.samples)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.anomaly.data", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {ARCHIVE}")
    parser.add_argument("--write-folders", type=Path, required=True, metavar="OUT", help="folder for the recordings")
    parser.add_argument("--fan", type=int, help="only this fan's")
    options = parser.parse_args()
    chosen = tuple(one for one in load(options.data) if options.fan in (None, one.fan))
    if not chosen:
        raise DataError(f"--fan {options.fan}: {options.data / ARCHIVE} has no such fan")
    write_folders(chosen, options.write_folders)
    print(f"{len(chosen)} recordings in {options.write_folders}")


if __name__ == "__main__":
    run_script(main)
