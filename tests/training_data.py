"""A little data for the trainers, in the layouts that they read: real where ../shared has some, drawn where it has not.

The pictures of CIFAR-10 are test pictures: what is trained on them here is thrown away.
"""

from __future__ import annotations

import io
import lzma
from pathlib import Path

import numpy as np

from apps.cifar10.data import LABELS as CIFAR_LABELS
from apps.kws.pictures import SILENCE, UNKNOWN


def cifar_folder(shared: Path, folder: Path, per_class: int) -> None:
    """``folder/train/<class>/<n>.png``."""
    import cv2

    with np.load(shared / "cifar10" / "test_500.npz") as stored:
        images, labels = stored["images"], stored["labels"]
    for index, name in enumerate(CIFAR_LABELS):
        (folder / "train" / name).mkdir(parents=True)
        for number, picture in enumerate(images[labels == index][:per_class]):
            cv2.imwrite(str(folder / "train" / name / f"{number:03d}.png"), picture[..., ::-1])


def kws_folder(shared: Path, folder: Path) -> None:
    """``folder/train_spectrograms.npz.xz`` with 20 pictures a class to learn from (500 unknown words), 10 to watch."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.load(io.BytesIO(lzma.decompress((shared / "kws" / "train_spectrograms.npz.xz").read_bytes())))
    labels, split = stored["label"], stored["split"]
    rows = np.concatenate([
        np.flatnonzero((split == part) & (labels == label))[: count if label != UNKNOWN else most]
        for part, count, most in ((0, 20, 500), (1, 10, 10)) for label in range(12)
    ])  # fmt: skip
    file = io.BytesIO()
    np.savez(file, delta=stored["delta"][rows], label=labels[rows], split=split[rows])
    (folder / "train_spectrograms.npz.xz").write_bytes(lzma.compress(file.getvalue(), preset=0))


def synthetic_speech(path: Path) -> None:
    """What the trainer of kws keeps of espeak-ng's speech, drawn instead: the trainer then needs no espeak-ng."""
    rng = np.random.default_rng(1)
    banks = {"spoken": rng.integers(0, 12, 60), "unheard": np.arange(12), "noises": np.full(20, SILENCE),
             "babble": np.full(20, UNKNOWN)}  # fmt: skip
    arrays = {}
    for name, labels in banks.items():
        pixels = rng.integers(8, 40, (len(labels), 98, 40)).astype(np.uint8)
        pixels[labels != SILENCE, 30:70] += 120
        arrays |= {f"{name}_pixels": pixels, f"{name}_labels": labels}
    np.savez(path, **arrays)


def hand_signs(folder: Path, sittings: int = 60) -> None:
    """``folder/<digit>/IMG_<n>.JPG``: bars, as many as the digit says, one series of ten for each sitting."""
    import cv2

    rng = np.random.default_rng(1)
    for number in range(10 * sittings):
        picture = rng.integers(150, 250, (100, 100, 3)).astype(np.uint8)
        for bar in range(number % 10):
            picture[20:80, 5 + 9 * bar : 10 + 9 * bar] //= 4
        (folder / str(number % 10)).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / str(number % 10) / f"IMG_{1000 + number}.JPG"), picture)
