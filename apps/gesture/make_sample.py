"""Joins ``samples/gesture.csv``: ``python -m apps.gesture.make_sample --data DIR --seed N``.

DIR is ``data/test`` of nanguoyu/Magic_Wand_Data (MIT), which the model was not trained on. One recording of each of the
five gestures, drawn by the seed from those that hold one, stands between rests and other movements that the
script makes. The same seed gives the same file. ``--search M`` takes seeds from 1 on until the model, through
``gesture.yaml``, reports each gesture once, and nothing else.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from apps.gesture import stream
from apps.gesture.augment import Generator, in_rest, stirring, walking, waving
from apps.gesture.data import LABELS, NONE, RANGE_G, RATE, Floats, Recordings, holds_gesture, read
from apps.gesture.score import write_csv
from apps.gesture.stream import Said
from apps.reports import reports
from apps.script import run as run_script
from pipelines.errors import DataError

WALK_S, OTHERS = 4.0, 3


def compose(known: Recordings, seed: int) -> tuple[Floats, list[Said]]:
    """The recording [n, 6] at 119 Hz, and what is done in it when; label ``none``, where it is no gesture."""
    rng = np.random.default_rng(seed)
    pieces: list[tuple[str, Floats]] = [("none", in_rest(walking(WALK_S, rng), rng))]
    pieces += [("none", in_rest(_other(rng), rng)) for _ in range(OTHERS)]
    for label in range(NONE):
        held = [motion for motion in known.motion[known.labels == label] if holds_gesture(motion)]
        pieces.append((LABELS[label], in_rest(held[rng.integers(len(held))], rng)))
    down, at = np.array([0.0, 0.0, 1.0]), 0
    parts: list[Floats] = []
    done: list[Said] = []
    for place in rng.permutation(len(pieces)):
        label, movement = pieces[place]
        lead, down = stream.lead_in(down, movement, rng, rest_s=(0.4, 1.0))
        begin = (at + len(lead)) / RATE
        done.append(Said(begin, begin + len(movement) / RATE, label))
        parts += [lead, movement]
        at += len(lead) + len(movement)
    motion = np.concatenate(parts)
    motion += np.repeat([0.01, 0.8], 3) * rng.standard_normal(motion.shape)
    np.clip(motion[:, :3], -RANGE_G, RANGE_G, out=motion[:, :3])
    return motion, done


def _other(rng: Generator) -> Floats:
    source = waving if rng.random() < 0.5 else stirring
    return source(rng.uniform(0.8, 1.8), rng)


def complaints(found: list[tuple[float, str]], done: list[Said]) -> list[str]:
    """What is not as it should be: each gesture reported once, within a second, and nothing else."""
    left = list(found)
    told = []
    for one in (one for one in done if one.label != "none"):
        mine = next((r for r in left if r[1] == one.label and one.begin <= r[0] <= one.end + 1.0), None)
        if mine is None:
            told.append(f"missed {one.label} at {one.begin:.1f} s")
        else:
            left.remove(mine)
    return told + [f"false {label} at {t:.1f} s" for t, label in left]


def check(motion: Floats, done: list[Said]) -> list[str]:
    """The complaints of a recording through ``gesture.yaml``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gesture.csv"
        write_csv(path, motion)
        return complaints(reports("gesture.yaml", path), done)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.gesture.make_sample", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("samples/gesture.csv"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--search", type=int, default=0, help="try so many seeds from 1 on")
    options = parser.parse_args()
    known = read(options.data)
    for seed in range(1, options.search + 1) if options.search else [options.seed]:
        motion, done = compose(known, seed)
        wrong = check(motion, done)
        print(f"seed {seed}, {len(motion) / RATE:.1f} s: {'; '.join(wrong) or 'right'}")
        if not options.search or not wrong:
            break
    else:
        raise DataError(f"the model is right on none of {options.search} seeds; search further")
    write_csv(options.out, motion)
    for one in done:
        print(f"| {one.begin:.2f} | {one.end:.2f} | {one.label} |")


if __name__ == "__main__":
    run_script(main)
