"""Magnitude pruning: the smallest weights of every layer become zero and stay so while the others are trained on.

The masks are torch's (torch.nn.utils.prune, L1), kept by Keras' own weight constraints. tensorflow-model-optimization
would do both, but for models of Keras 2 alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps import checkpoint
from apps.optimize.data import Examples
from apps.progress import track
from pipelines.errors import ModelError

BATCH = 64


def sparsity_at(epoch: int, epochs: int, final: float) -> float:
    """The share of zeros during an epoch: rising over the first half of them, steeply at first.

    M. Zhu and S. Gupta, *To prune, or not to prune*, arXiv 1710.01878, equation 1.
    """
    rise = max(1, (epochs + 1) // 2)
    return final * (1 - (1 - min(1.0, (epoch + 1) / rise)) ** 3)


def retrained(
    model: Any, examples: Examples, final: float, epochs: int, rate: float, seed: int, work: Path, *, resume: bool
) -> None:
    """Prune a Keras model in place; a checkpoint after every epoch.

    Args:
        final: share of each layer's weights that become zero.
        rate: learning rate, which falls to zero by a cosine.

    Raises:
        ModelError: there is nothing in it to prune.
    """
    import keras

    layers = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Dense)
    kernels = [layer.kernel for layer in model.layers if isinstance(layer, layers)]
    if not kernels:
        raise ModelError("the model has neither dense layers nor convolutions of its own, expected some to prune")
    masks = [keras.Variable(np.ones(kernel.shape, np.float32), trainable=False) for kernel in kernels]
    for kernel, mask in zip(kernels, masks, strict=True):
        kernel.constraint = _held(mask)
    _compile(model, examples, rate, epochs)
    kept = work / "pruning.npz"
    if not resume:
        kept.unlink(missing_ok=True)  # of an earlier run
    first = checkpoint.load(kept, model) if resume and kept.exists() else 0
    for epoch in track(range(first, epochs), "pruning, epochs"):
        share = sparsity_at(epoch, epochs, final)
        for kernel, mask in zip(kernels, masks, strict=True):
            mask.assign(smallest_out(np.asarray(kernel), share))
            kernel.assign(kernel * mask)
        order = np.random.default_rng([seed, epoch]).permutation(len(examples.y))
        history = model.fit(examples.x[order], examples.y[order], batch_size=BATCH, verbose=0, shuffle=False)
        checkpoint.save(kept, model, epoch + 1)
        loss = history.history["loss"][0]
        print(f"pruning epoch {epoch + 1}/{epochs}: {share:.0%} zeros, loss {loss:.4f}", file=sys.stderr, flush=True)
    for kernel in kernels:
        kernel.constraint = None


def smallest_out(weights: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """A mask in the weights' shape: 0 for the ``share`` of them that is smallest in magnitude, 1 for the others."""
    import torch
    from torch.nn.utils.prune import L1Unstructured

    given = torch.from_numpy(np.array(weights))
    mask = L1Unstructured(amount=share).compute_mask(given, torch.ones_like(given))
    return np.asarray(mask.numpy(), dtype=np.float32)


def _held(mask: Any) -> Any:
    import keras

    class Held(keras.constraints.Constraint):  # type: ignore[misc]
        """What the mask leaves out stays zero after every step."""

        def __call__(self, w: Any) -> Any:
            return w * mask

    return Held()


def _compile(model: Any, examples: Examples, rate: float, epochs: int) -> None:
    import keras

    said = model.predict(examples.x[:BATCH], batch_size=1 if model.input_shape[0] == 1 else BATCH, verbose=0)
    logits = said.min() < 0 or not np.allclose(said.sum(axis=1), 1, atol=1e-3)
    steps = epochs * -(-len(examples.y) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=bool(logits)),
    )
