"""The two networks: the small one that ships, and the larger one that teaches it.

Both are residual networks (He et al., 2015) in torch, written as a ``ModuleDict`` and a function, in layouts that
TensorFlow Lite can hold without padding operators: a stride-2 convolution pads only right and bottom, as its SAME does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

STEM = 16
BLOCKS = ((16, 1), (16, 1), (32, 2), (32, 1), (48, 2))  # channels, stride of each residual block of the small network
MEAN = (0.4914, 0.4822, 0.4465)  # of the training pictures, in 0..1
STD = (0.2470, 0.2435, 0.2616)

Weights = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]  # layer -> (kernel HWIO or IO, bias)


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> Any:
    from torch import nn

    return nn.ModuleDict(
        {
            "conv": nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
            "norm": nn.BatchNorm2d(outputs),
        }
    )


def _apply(unit: Any, x: Any) -> Any:
    return unit["norm"](unit["conv"](x))


def _normalised(x: Any) -> Any:
    """Pad [N, 3, 32, 32] in 0..1 by one black pixel, then normalise: the exported model pads black too."""
    import torch
    import torch.nn.functional as functional

    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (functional.pad(x, (1, 1, 1, 1)) - mean) / std


def student() -> Any:
    """Build the network that ships: 13 convolutions and a dense layer, 79,386 parameters once norms are folded."""
    from torch import nn

    net = nn.ModuleDict({"stem": _unit(3, STEM, 3)})
    inputs = STEM
    for index, (outputs, stride) in enumerate(BLOCKS):
        net[f"block{index}_a"] = _unit(inputs, outputs, 3, stride, padding=2 - stride)
        net[f"block{index}_b"] = _unit(outputs, outputs, 3, padding=1)
        if stride == 2:
            net[f"block{index}_skip"] = _unit(inputs, outputs, 1)
        inputs = outputs
    net["dense"] = nn.Linear(inputs, 10)
    return net


def run_student(net: Any, x: Any) -> Any:
    """Logits [N, 10] of pictures [N, 3, 32, 32] in 0..1."""
    import torch.nn.functional as functional

    x = functional.relu(_apply(net["stem"], _normalised(x)))
    for index, (_, stride) in enumerate(BLOCKS):
        y = functional.pad(x, (0, 1, 0, 1)) if stride == 2 else x
        y = functional.relu(_apply(net[f"block{index}_a"], y))
        y = _apply(net[f"block{index}_b"], y)
        skip = _apply(net[f"block{index}_skip"], functional.avg_pool2d(x, 2)) if stride == 2 else x
        x = functional.relu(y + skip)
    return net["dense"](x.mean(dim=(2, 3)))


def teacher() -> Any:
    """Build a ResNet-9 after D. Page (*How to train your ResNet*, 2018) at half his width: 612,000 parameters."""
    from torch import nn

    units = {"stem": (3, 32), "up1": (32, 64), "res1_a": (64, 64), "res1_b": (64, 64), "up2": (64, 128),
             "up3": (128, 128), "res2_a": (128, 128), "res2_b": (128, 128)}  # fmt: skip
    net = nn.ModuleDict({name: _unit(i, o, 3, padding=0 if name == "stem" else 1) for name, (i, o) in units.items()})
    net["dense"] = nn.Linear(128, 10)
    return net


def run_teacher(net: Any, x: Any) -> Any:
    """Logits [N, 10] of pictures [N, 3, 32, 32] in 0..1."""
    import torch.nn.functional as functional

    def layer(name: str, x: Any) -> Any:
        return functional.relu(_apply(net[name], x))

    x = layer("stem", _normalised(x))
    x = functional.max_pool2d(layer("up1", x), 2)
    x = x + layer("res1_b", layer("res1_a", x))
    x = functional.max_pool2d(layer("up2", x), 2)
    x = functional.max_pool2d(layer("up3", x), 2)
    x = x + layer("res2_b", layer("res2_a", x))
    return net["dense"](x.amax(dim=(2, 3)))


def folded(net: Any) -> Weights:
    """Fold every batch norm into its convolution, and the input's normalisation into the first one."""
    return dict(_folded_layers(net))


def _folded_layers(net: Any) -> Iterator[tuple[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]]:
    for name, unit in net.items():
        if name == "dense":
            kernel, bias = unit.weight.detach().double().numpy().T, unit.bias.detach().double().numpy()
        else:
            norm = unit["norm"]
            gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().double().numpy()
            kernel = unit["conv"].weight.detach().double().numpy().transpose(2, 3, 1, 0) * gain
            bias = (norm.bias.detach().double().numpy()) - norm.running_mean.double().numpy() * gain
            if name == "stem":
                kernel = kernel / np.array(STD)[:, None]
                bias = bias - (kernel * np.array(MEAN)[:, None]).sum(axis=(0, 1, 2))
        yield name, (kernel.astype(np.float32), bias.astype(np.float32))
