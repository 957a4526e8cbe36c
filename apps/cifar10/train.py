"""Train the CIFAR-10 model: ``python -m apps.cifar10.train --data DIR --out models/cifar10``.

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

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.cifar10 import nets
from apps.cifar10.data import Images, Labels, augment, hold_out, load
from apps.script import need_for_training
from apps.script import run as run_script

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
    train: Pictures, watch: Pictures, *, seed: int, work: Path, resume: bool,
) -> Any:  # fmt: skip
    """Train ``net`` by ``recipe`` and return the average of its weights; a checkpoint is kept after every epoch."""
    import torch

    net = net.to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    optimiser = torch.optim.SGD(
        net.parameters(), lr=recipe.rate, momentum=0.9, nesterov=True, weight_decay=recipe.decay
    )
    checkpoint = work / f"{recipe.name}.pt"
    first = 0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["epoch"]
    steps = len(train.y) // BATCH
    for epoch in range(first, recipe.epochs):
        started = time.monotonic()
        rng = torch.Generator().manual_seed(seed * 100_003 + epoch)
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
        torch.save({"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                    "epoch": epoch + 1}, checkpoint.with_suffix(".new"))  # fmt: skip
        checkpoint.with_suffix(".new").replace(checkpoint)
        score, seconds = accuracy(average, run, watch), time.monotonic() - started
        done = f"{recipe.name} epoch {epoch + 1}/{recipe.epochs}"
        print(f"{done}: loss {total / steps:.4f}, held out {score:.4f}, {seconds:.1f} s", flush=True)
    return average


def write(student: Any, images: Images, watch: tuple[Images, Labels], out: Path) -> None:
    """Export ``student`` to ``out/model.tflite``, calibrated with 1,000 of ``images``; print its size and scores."""
    import hashlib

    from apps.cifar10 import export
    from apps.cifar10.score import predictions

    weights = nets.folded(student)
    flat = export.quantised(export.keras_model(weights), images[:: max(1, len(images) // 1000)])
    out.mkdir(parents=True, exist_ok=True)
    path = out / "model.tflite"
    path.write_bytes(flat)
    print(f"{path}: {len(flat):,} bytes, sha256 {hashlib.sha256(flat).hexdigest()}")
    print(f"{export.parameters(weights):,} parameters, {export.macs(weights):,} MACs")
    print(f"float on the held-out pictures: {accuracy(student, nets.run_student, Pictures.of(*watch)):.4f}")
    print(f"int8 on the held-out pictures: {np.mean(predictions(path, watch[0]) == watch[1]):.4f}")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Train the CIFAR-10 model and write model.tflite.")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/<class>/*.png")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.tflite")
    parser.add_argument("--work", type=Path, default=Path("build/cifar10"), help="folder for checkpoints")
    parser.add_argument("--epochs", type=int, default=75, help="of the student")
    parser.add_argument("--teacher-epochs", type=int, default=20)
    parser.add_argument("--hold-out", type=int, default=2000, help="training pictures to watch, not to learn from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints in --work")
    parser.add_argument("--export-only", action="store_true", help="write what the checkpoint holds now")
    return parser.parse_args()


def main() -> None:
    """Train teacher and student, then export."""
    args = arguments()
    need_for_training("torch", "tensorflow")
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.work.mkdir(parents=True, exist_ok=True)
    images, labels = load(args.data, "train")
    rows, held = hold_out(len(labels), args.hold_out, args.seed)
    small = nets.student()
    if args.export_only:
        small.load_state_dict(torch.load(args.work / "student.pt")["average"])
    else:
        train, watch = Pictures.of(images[rows], labels[rows]), Pictures.of(images[held], labels[held])
        common: dict[str, Any] = {"seed": args.seed, "work": args.work, "resume": args.resume}
        large = fit(Recipe("teacher", args.teacher_epochs, rate=0.1, decay=5e-4, cutout=True),
                    nets.teacher(), nets.run_teacher, hard_loss, train, watch, **common).eval()  # fmt: skip
        small = fit(Recipe("student", args.epochs, rate=0.1, decay=2e-4, cutout=False),
                    small, nets.run_student, distilled_loss(large), train, watch, **common)  # fmt: skip
    write(small, images[rows], (images[held], labels[held]), args.out)


if __name__ == "__main__":
    run_script(main)
