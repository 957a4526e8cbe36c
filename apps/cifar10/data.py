"""CIFAR-10 from disk, and the augmentation that training sees.

Source of the pictures: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009. As PNG, one folder
per class, they stand in the repository ``cyizhuo/CIFAR-10-dataset`` (a828d74).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

Images = npt.NDArray[np.uint8]  # [N, 32, 32, 3], RGB
Labels = npt.NDArray[np.int64]  # [N], an index into LABELS


def load(path: Path, split: str) -> tuple[Images, Labels]:
    """Read one split.

    ``path`` is a folder ``<split>/<class>/*.png`` or ``<class>/*.png``, or an ``.npz`` with ``images`` and ``labels``.
    Returns images [N, 32, 32, 3] uint8 RGB and labels [N].
    """
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return archive["images"].astype(np.uint8), archive["labels"].astype(np.int64)
    import cv2

    root = path / split if (path / split).is_dir() else path
    files = [(file, index) for index, name in enumerate(LABELS) for file in sorted((root / name).glob("*.png"))]
    if not files:
        raise DataError(f"no <class>/*.png under {root}; expected the folders {', '.join(LABELS)}")
    images = np.empty((len(files), 32, 32, 3), np.uint8)
    for row, (file, _) in enumerate(files):
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if picture is None or picture.shape != (32, 32, 3):
            raise DataError(f"{file} is not a picture of 32x32 pixels")
        images[row] = picture[..., ::-1]
    return images, np.array([index for _, index in files], np.int64)


def hold_out(count: int, size: int, seed: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Split ``count`` pictures: (rows to train on, ``size`` rows to tune on), the same for the same seed."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[size:]), np.sort(order[:size])


def augment(x: Any, rng: Any, cutout: bool = False) -> Any:
    """Change a batch the way a camera would: mirror, shift, zoom, light.

    x: float tensor [N, 3, 32, 32] in 0..1; rng: a ``torch.Generator``. Every picture is mirrored with probability 1/2
    and shifted by up to 4 whole pixels (both exact, no resampling); three of ten are zoomed by 0.8 to 1.2 (bilinear,
    so a little blurred too); half get another contrast and brightness. ``cutout`` blanks an 8x8 square in half of them
    (DeVries and Taylor, 2017). Returns a tensor of the same shape and range.
    """
    import torch
    import torch.nn.functional as functional

    n, _, side, _ = x.shape

    def uniform(low: float, high: float) -> Any:
        return torch.rand(n, generator=rng) * (high - low) + low

    def chosen(share: float) -> Any:
        return torch.rand(n, generator=rng) < share

    zoom = torch.where(chosen(0.3), uniform(0.8, 1.2), torch.ones(n))
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = torch.where(chosen(0.5), -zoom, zoom)
    theta[:, 1, 1] = zoom
    theta[:, :, 2] = torch.randint(-4, 5, (n, 2), generator=rng) * (2 / side)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)

    light = chosen(0.5)
    contrast = torch.where(light, uniform(0.8, 1.2), torch.ones(n)).view(n, 1, 1, 1)
    brightness = torch.where(light, uniform(-0.1, 0.1), torch.zeros(n)).view(n, 1, 1, 1)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = ((x - mean) * contrast + mean + brightness).clamp(0, 1)
    if cutout:
        corner = torch.randint(-7, side, (2, n, 1), generator=rng)
        pixels = torch.arange(side).view(1, side)
        rows, columns = ((pixels >= corner) & (pixels < corner + 8)).unbind(0)
        square = rows.view(n, 1, side, 1) & columns.view(n, 1, 1, side) & chosen(0.5).view(n, 1, 1, 1)
        x = x.masked_fill(square, 0.5)
    return x.contiguous(memory_format=torch.channels_last)
