"""Score a CIFAR-10 ``.tflite``: ``python -m apps.cifar10.score --model models/cifar10/model.tflite --data DIR``.

``DIR`` holds ``test/<class>/*.png`` or ``<class>/*.png``; an ``.npz`` with ``images`` and ``labels`` will do too.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from apps.cifar10.data import LABELS, Images, Labels, load
from apps.script import run as run_script

KERNELS = {"default": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}


def interpreter(model: Path, kernels: str = "default") -> Any:
    """Open ``model`` with ai-edge-litert, or with tflite-runtime where that is what is installed.

    ``kernels``: default (XNNPACK, fast), builtin (TFLite's own), reference (slow; our compiler is compared with it).
    """
    try:
        from ai_edge_litert import interpreter as litert
    except ModuleNotFoundError:
        from tflite_runtime import interpreter as litert
    resolver = litert.OpResolverType[KERNELS[kernels]]
    opened = litert.Interpreter(model_path=str(model), num_threads=1, experimental_op_resolver_type=resolver)
    opened.allocate_tensors()
    return opened


def predictions(model: Path, images: Images, kernels: str = "default", *, pixels: bool = False) -> Labels:
    """Answer [N] of ``model`` for images [N, 32, 32, 3] uint8, quantised as its input says (real values are 0..1).

    ``pixels``: the int8 input is pixel - 128 whatever its scale says, as others' models have it.
    """
    network = interpreter(model, kernels)
    enters, leaves = network.get_input_details()[0], network.get_output_details()[0]
    answers = np.empty(len(images), np.int64)
    for row, image in enumerate(images):
        stored = (image[None].astype(np.int16) - 128).astype(np.int8) if pixels else quantised(image, enters)
        network.set_tensor(enters["index"], stored)
        network.invoke()
        answers[row] = network.get_tensor(leaves["index"])[0].argmax()
    return answers


def quantised(image: Images, tensor: Any) -> Any:
    """Bring a picture [32, 32, 3] uint8 to the type, scale and zero point of an input tensor [1, 32, 32, 3]."""
    real = image[None].astype(np.float32) / 255
    if tensor["dtype"] == np.float32:
        return real
    scale, zero = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(real / scale) + zero, limits.min, limits.max).astype(tensor["dtype"])


def main() -> None:
    """Print the accuracy, by class and in all."""
    parser = argparse.ArgumentParser(description="Score a CIFAR-10 .tflite on labelled pictures.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of <class>/*.png, or an .npz")
    parser.add_argument("--kernels", choices=list(KERNELS), default="default")
    parser.add_argument("--pixels", action="store_true", help="the int8 input is pixel - 128, whatever its scale says")
    args = parser.parse_args()
    images, labels = load(args.data, "test")
    right = predictions(args.model, images, args.kernels, pixels=args.pixels) == labels
    for index, name in enumerate(LABELS):
        mine = right[labels == index]
        if mine.size:
            print(f"{name:<12}{mine.sum():>6} of {mine.size:<6}{mine.mean():8.4f}")
    print(f"{'all':<12}{right.sum():>6} of {right.size:<6}{right.mean():8.4f}")


if __name__ == "__main__":
    run_script(main)
