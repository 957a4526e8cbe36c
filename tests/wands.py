"""Movements like a wand's, of five kinds, and files of them; for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apps.gesture.data import NONE, Recordings

FILES = ("AlohomoraCharm", "aresto_momentum_charm", "AvadaKedavra", "LocomotorCharm", "Revelio")


def recording(label: int, seed: int = 0, count: int = 119) -> np.ndarray:
    """A turn and a push about axes of its own, as strong as a gesture's, between ends at rest."""
    phase = np.linspace(0, 1, count)
    made = np.zeros((count, 6), np.float32)
    made[:, 2] = 1
    made[:, label % 3] += 0.8 * np.sin(2 * np.pi * phase * (1 + label % 2))
    made[:, 3 + (label + 1) % 3] += 220 * np.sin(2 * np.pi * phase * (1 + label // 2)) * np.sin(np.pi * phase)
    return made + np.random.default_rng(seed).normal(0, 0.01, made.shape).astype(np.float32)


def recordings(each: int = 2) -> Recordings:
    motion = np.stack([recording(label, i) for label in range(NONE) for i in range(each)])
    return Recordings(motion, np.repeat(np.arange(NONE), each))


def written(folder: Path, each: int = 2, columns: str = "aX,aY,aZ,gX,gY,gZ") -> Path:
    for label, name in enumerate(FILES):
        lines = [columns]
        for i in range(each):
            lines += [",".join(f"{v:.6g}" for v in row) for row in recording(label, i)]
            lines.append("")
        (folder / f"{name}.csv").write_text("\n".join(lines))
    return folder
