"""Train the CIFAR-10 model: ``eiq-demo train cifar10 --data DIR``.

1. A teacher of 612,000 parameters learns the training pictures.
2. A student of 79,000 learns from it on the very same augmented pictures (G. Hinton et al., *Distilling the Knowledge
   in a Neural Network*, 2015; L. Beyer et al., *A good teacher is patient and consistent*, 2021).
3. The average of the student's weights is folded, moved to Keras and quantised to int8 after training.

Training runs in torch with bfloat16 (on a CPU with AVX512-BF16 twice as fast as Keras), the export in TensorFlow.
A part of the training pictures, drawn with the seed, is held out to watch; test pictures are never read here.

The shipped model's run was stopped and resumed on a busy machine: epochs 1 to 2 of the student followed the schedule of
``--epochs 130``, 3 to 13 that of 90, the rest that of 75. bfloat16 sums depend on the number of threads, so another run
gives a model alike, not the same bits.
"""

from __future__ import annotations

import copy
import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from apps.checkpoint import check_asked
from apps.cifar10 import nets
from apps.cifar10.data import LABELS, Images, Labels, augment, hold_out, load
from apps.progress import track
from apps.shipping import write_model, write_whole
from apps.training import Options, training_options
from pipelines.errors import DataError

BATCH = 128
TEMPERATURE = 4.0
HARD = 0.1  # share of the true label in the student's loss; the rest is the teacher's
EMA = 0.999
Run = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Recipe:
    """One network's training: SGD with Nesterov momentum, warm-up, cosine to zero."""

    name: str
    epochs: int
    rate: float
    decay: float
    cutout: bool
    warm_up: float = 2.0  # epochs

    def rate_at(self, epoch: float) -> float:
        """Learning rate after ``epoch`` epochs (fractions count)."""
        if epoch < self.warm_up:
            return self.rate * epoch / self.warm_up
        return self.rate * 0.5 * (1 + math.cos(math.pi * (epoch - self.warm_up) / (self.epochs - self.warm_up)))


@dataclass(frozen=True)
class Pictures:
    """Pictures [N, 3, 32, 32] uint8 and labels [N] as tensors."""

    x: Any
    y: Any

    @staticmethod
    def of(images: Images, labels: Labels) -> Pictures:
        import torch

        return Pictures(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels))

    def batch(self, rows: Any) -> tuple[Any, Any]:
        return self.x[rows].float() / 255, self.y[rows]


def hard_loss(logits: Any, x: Any, y: Any) -> Any:
    """Cross-entropy with the true labels."""
    import torch.nn.functional as functional

    return functional.cross_entropy(logits, y)


def distilled_loss(teacher: Any) -> Callable[[Any, Any, Any], Any]:
    """Loss against what ``teacher`` says about the same augmented pictures, at TEMPERATURE."""
    import torch
    import torch.nn.functional as functional

    def loss(logits: Any, x: Any, y: Any) -> Any:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            said = nets.run_teacher(teacher, x).float()
        soft = functional.kl_div(functional.log_softmax(logits / TEMPERATURE, 1),
                                 functional.log_softmax(said / TEMPERATURE, 1),
                                 reduction="batchmean", log_target=True)  # fmt: skip
        return HARD * functional.cross_entropy(logits, y) + (1 - HARD) * TEMPERATURE**2 * soft

    return loss


def accuracy(net: Any, run: Run, pictures: Pictures) -> float:
    """Share of right answers, in float32 with running statistics."""
    import torch

    net.eval()
    right = 0
    with torch.no_grad():
        for rows in torch.arange(len(pictures.y)).split(500):
            x, y = pictures.batch(rows)
            right += int((run(net, x.contiguous(memory_format=torch.channels_last)).argmax(1) == y).sum())
    return right / max(1, len(pictures.y))


def follow(average: Any, net: Any, step: int) -> None:
    """Move the averaged network towards ``net``; quickly at first, by 1 - EMA later."""
    import torch

    keep = min(EMA, (1 + step) / (10 + step))
    with torch.no_grad():
        mine, yours = average.state_dict(), net.state_dict()
        floats = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[name] for name in floats], [yours[name] for name in floats], 1 - keep)


def fit(
    recipe: Recipe, net: Any, run: Run, loss: Callable[[Any, Any, Any], Any],
    train: Pictures, watch: Pictures, options: Options,
) -> Any:  # fmt: skip
    """Train ``net`` by ``recipe`` and return the average of its weights; a checkpoint is kept after every epoch.

    An epoch draws its random numbers from its own generator, so that a training that was stopped and resumed is the
    same as one that was not.
    """
    import torch

    net = net.to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    optimiser = torch.optim.SGD(
        net.parameters(), lr=recipe.rate, momentum=0.9, nesterov=True, weight_decay=recipe.decay
    )
    checkpoint = options.work / f"{recipe.name}.pt"
    first = 0
    if options.resume and checkpoint.exists():
        state = torch.load(checkpoint)
        check_asked(checkpoint, state.get("asked", ""), options.asked)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["epoch"]
    steps = len(train.y) // BATCH
    for epoch in track(range(first, recipe.epochs), f"{recipe.name}, epochs"):
        started = time.monotonic()
        rng = torch.Generator().manual_seed(options.seed * 100_003 + epoch)
        order = torch.randperm(len(train.y), generator=rng)
        net.train()
        total = 0.0
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = recipe.rate_at(epoch + step / steps)
            x, y = train.batch(order[step * BATCH : (step + 1) * BATCH])
            x = augment(x, rng, recipe.cutout)
            with torch.autocast("cpu", torch.bfloat16):
                logits = run(net, x)
            value = loss(logits.float(), x, y)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            follow(average, net, epoch * steps + step)
            total += value.item()
        file = io.BytesIO()
        torch.save({"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                    "epoch": epoch + 1, "asked": options.asked}, file)  # fmt: skip
        write_whole(checkpoint, file.getvalue())
        score, seconds = accuracy(average, run, watch), time.monotonic() - started
        done = f"{recipe.name} epoch {epoch + 1}/{recipe.epochs}"
        print(f"{done}: loss {total / steps:.4f}, held out {score:.4f}, {seconds:.1f} s", flush=True)
    return average


def ship(student: Any, images: Images, watch: tuple[Images, Labels], options: Options, command: str) -> None:
    """Export ``student``, calibrated with 1,000 of ``images``; the float model stays in ``work``."""
    from apps.cifar10 import export
    from apps.cifar10.score import predictions
    from apps.int8 import to_float_onnx

    weights = nets.folded(student)
    network = export.keras_model(weights)
    network.save(options.work / "model.keras")
    flat = export.quantised(network, images[:: max(1, len(images) // 1000)])
    write_whole(options.work / "model.tflite", flat)
    right = float(np.mean(predictions(options.work / "model.tflite", watch[0]) == watch[1]))
    print(f"{len(flat):,} bytes, {export.parameters(weights):,} parameters, {export.macs(weights):,} MACs")
    print(f"float on the held-out pictures: {accuracy(student, nets.run_student, Pictures.of(*watch)):.4f}")
    print(f"int8 on the held-out pictures: {right:.4f}")
    manifest = {
        "name": "cifar10",
        "title": "CIFAR-10 photographs in ten classes",
        "labels": list(LABELS),
        "input": {"kind": "image", "shape": [32, 32, 3], "dtype": "float32", "channels": ["r", "g", "b"]},
        "source": {"kind": "image", "channels": ["r", "g", "b"]},
        "preprocess": [
            {"resize": {"width_px": 32, "height_px": 32, "fit": "crop", "filter": "area"}},
            {"scale": {"from": [0, 255], "to": [0, 1]}},
        ],
        "training": {
            "data": f"CIFAR-10 training images (A. Krizhevsky, 2009); {len(images):,} to learn from, "
                    f"{len(watch[1]):,} to watch",
            "licence": "CIFAR-10 states none; its authors ask to be cited (Learning Multiple Layers of Features from "
                       "Tiny Images, 2009)",
            "command": command,
            "seed": options.seed,
            "parameters": export.parameters(weights),
            "macs": export.macs(weights),
        },
        "accuracy": [{
            "metric": "top-1",
            "value": round(right, 4),
            "samples": len(watch[1]),
            "data": "held-out training pictures: watched, not learned from",
            "measured": "here",
            "command": command,
        }],
    }  # fmt: skip
    write_model(options.out, flat, manifest, onnx=to_float_onnx(network))


@click.command("cifar10")
@training_options("cifar10", epochs=75, needs=("torch", "tensorflow"))
@click.option("--teacher-epochs", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--hold-out", "held_out", type=click.IntRange(min=1), default=2000, show_default=True,
              help="Training pictures to watch, not to learn from.")  # fmt: skip
def command(teacher_epochs: int, held_out: int, **options: Any) -> None:
    """Train the classifier of pictures on CIFAR-10.

    DIR holds train/<class>/*.png. --epochs are those of the small network that ships, after a larger one has learned.
    """
    told = Options(**options)
    import torch

    torch.set_num_threads(told.threads)
    torch.manual_seed(told.seed)
    images, labels = load(told.data, "train")
    if len(labels) < held_out + BATCH:
        raise DataError(f"{told.data} has {len(labels):,} training pictures, expected at least {held_out + BATCH:,}: "
                        f"one batch of {BATCH} and the {held_out:,} of --hold-out")  # fmt: skip
    if not told.resume:
        for name in ("teacher", "student"):
            (told.work / f"{name}.pt").unlink(missing_ok=True)
    rows, held = hold_out(len(labels), held_out, told.seed)
    small = nets.student()
    train, watch = Pictures.of(images[rows], labels[rows]), Pictures.of(images[held], labels[held])
    large = fit(Recipe("teacher", teacher_epochs, rate=0.1, decay=5e-4, cutout=True),
                nets.teacher(), nets.run_teacher, hard_loss, train, watch, told).eval()  # fmt: skip
    small = fit(Recipe("student", told.epochs, rate=0.1, decay=2e-4, cutout=False),
                small, nets.run_student, distilled_loss(large), train, watch, told)  # fmt: skip
    again = f"--epochs {told.epochs} --teacher-epochs {teacher_epochs} --hold-out {held_out} --seed {told.seed}"
    ship(small, images[rows], (images[held], labels[held]), told, f"eiq-demo train cifar10 --data DIR {again}")
