"""The steps of ``eiq-demo optimize``: float, int8, pruned, pruned and int8; each with its file and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from apps.evaluate.datasets.items import Item, Request
from apps.evaluate.datasets.layouts import read
from apps.evaluate.score import Job, Scorer, opened
from apps.int8 import to_float
from apps.int8 import to_int8 as keras_to_int8
from apps.optimize import measure, prune, quantise
from apps.optimize.data import Examples, drawn, prepared, split
from apps.shipping import make_folder, write_model, write_whole
from apps.training import need_for_training
from pipelines.config.demo import Overrides, find_config
from pipelines.errors import CapabilityError, DataError, ModelError
from pipelines.models import Model

CALIBRATION = 500  # examples that span the activations' ranges


@dataclass(frozen=True)
class Asked:
    """What to do.

    Args:
        model: a .keras file, or a float .tflite.
        config: whose preprocessing, labels and sensor count: a path, or the name of a bundled one.
        data: labelled recordings to learn and calibrate on.
        test: others to score on; None scores on the last ``share`` of each label of ``data``.
        layout: of both, see apps.evaluate; None finds out.
        share: of each label held out, where there is no ``test``.
        limit: so many recordings of ``data``, drawn with ``seed``; None takes all.
        prune: share of zeros; None does not prune.
        epochs, rate: of the retraining.
        out, work: folders for the models, and for checkpoints.
        command: as the user gave it, for the manifests.
    """

    model: Path
    config: str
    data: Path
    test: Path | None
    layout: str | None
    share: float
    limit: int | None
    prune: float | None
    epochs: int
    rate: float
    out: Path
    work: Path
    seed: int
    resume: bool
    command: str


Variant = tuple[str, Path, Path]
"""Its name, its .tflite, and what engine.model is to name."""


def optimised(asked: Asked, tell: Callable[[str], None]) -> list[measure.Row]:
    """Make the variants, write them to ``out``, and measure each.

    Args:
        tell: gets what a user should know on the way.

    Raises:
        EiqError: the model, config or data are not what they should be, or something is not installed.
    """
    network = _keras(asked)
    for folder in (asked.out, asked.work):
        make_folder(folder)
    floating = to_float(network) if network is not None else asked.model.read_bytes()
    with opened(_job(asked)) as scorer:
        base: Model = scorer.graph.engines[0][0]
    variants = [_shipped(asked, base, "float", floating)]
    with opened(_job(asked, variants[0])) as scorer:
        learn, apart = _items(asked, scorer)
        examples, bad = prepared(scorer, learn)
    if bad:
        tell(f"{len(bad)} of {len(learn)} recordings left out, the first: {bad[0]}")
    variants.append(_shipped(asked, base, "int8", _int8(network, floating, examples, asked.seed)))
    if asked.prune is not None:
        assert network is not None  # _keras sees to it
        prune.retrained(network, examples, asked.prune, asked.epochs, asked.rate, asked.seed, asked.work,
                        resume=asked.resume)  # fmt: skip
        pruned = to_float(network)
        variants.append(_shipped(asked, base, "pruned", pruned))
        variants.append(_shipped(asked, base, "pruned_int8", _int8(network, pruned, examples, asked.seed)))
    return _measured(asked, base, variants, apart, examples)


def _keras(asked: Asked) -> Any:
    """The Keras model; None for a .tflite, which cannot be retrained."""
    if asked.model.suffix == ".tflite":
        if asked.prune is not None:
            raise ModelError(f"{asked.model} cannot be pruned: pruning retrains, and a .tflite cannot be trained; "
                             "name the .keras that it was made of")  # fmt: skip
        quantise.check(asked.model)
        return None
    if asked.model.suffix != ".keras":
        raise ModelError(f"got {asked.model}, expected a .keras file or a float .tflite; save it with model.save()")
    need_for_training("tensorflow", "keras", *(["torch"] if asked.prune is not None else []))
    import keras

    keras.utils.set_random_seed(asked.seed)
    try:
        return keras.models.load_model(asked.model, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        said = str(error).strip().splitlines()[0]
        raise ModelError(f"{asked.model} cannot be loaded by Keras ({said}); save it with model.save()") from error


def _job(asked: Asked, variant: Variant | None = None) -> Job:
    """The config, playing data, with its own model or a variant's."""
    playing = {"file": str(asked.data), "live": False, "synthetic": None, "pace": "fast", "loop": False}
    sets = () if variant is None else (f"engine.model={variant[2]}",)
    overrides = Overrides(sets=sets, sensors=((f"--data {asked.data}", playing),))
    return Job(str(find_config(asked.config).absolute()), overrides=overrides)


def _items(asked: Asked, scorer: Scorer) -> tuple[list[Item], list[Item]]:
    """Those to learn from and those to score on, which are never the same."""
    if not scorer.labels:
        raise CapabilityError(f"optimize takes classifiers, but {asked.config} gives {scorer.signal} without labels")
    found = read(Request(asked.data, None, scorer.sensor_name, scorer.labels), asked.layout)
    if found.split is not None:  # it comes in splits: what is there to test a model stays out of its making
        found = read(Request(asked.data, "train", scorer.sensor_name, scorer.labels), asked.layout)
    items = drawn(_known(found.items, scorer), asked.limit, asked.seed)
    if asked.test is None:
        return split(items, asked.share)
    others = read(Request(asked.test, None, scorer.sensor_name, scorer.labels), asked.layout)
    _check_apart(items, others.items)
    return items, _known(others.items, scorer)


def _check_apart(learn: Sequence[Item], test: Sequence[Item]) -> None:
    known = {_place(item) for item in learn}
    if both := [item for item in test if _place(item) in known]:
        raise DataError(f"{len(both)} recordings of --test are among those of --data too, such as {both[0].path}; "
                        "name others to score on, or leave --test out")  # fmt: skip


def _place(item: Item) -> tuple[Path, int | None, float]:
    return item.path.resolve(), item.row, item.start_s


def _known(items: Sequence[Item], scorer: Scorer) -> list[Item]:
    for item in items:
        if item.label not in scorer.labels:
            raise ModelError(f"{item.path} is labelled {item.label}, expected one of {', '.join(scorer.labels)}; "
                             "rename or remove its folder")  # fmt: skip
    return list(items)


def _int8(network: Any, floating: bytes, examples: Examples, seed: int) -> bytes:
    rows = np.random.default_rng(seed).permutation(len(examples.x))[:CALIBRATION]
    if network is None:
        return quantise.to_int8(floating, examples.x[rows])
    return keras_to_int8(network, lambda: (example[None] for example in examples.x[rows]))


def _shipped(asked: Asked, base: Model, name: str, flatbuffer: bytes, accuracy: tuple[Any, ...] = ()) -> Variant:
    """Write a variant; with a manifest where the config's own model has one, so that its recipe is still checked."""
    folder = asked.out / name
    manifest = base.manifest
    if manifest is None:
        make_folder(folder)
        write_whole(folder / "model.tflite", flatbuffer)
        return name, folder / "model.tflite", (folder / "model.tflite").absolute()
    told: dict[str, Any] = {
        "name": f"{manifest.name}_{name}",
        "title": f"{manifest.title} ({name.replace('_', ' and ')})",
        "labels": list(base.labels),
        "input": msgspec.to_builtins(manifest.input),
        **({"source": msgspec.to_builtins(manifest.source)} if manifest.source else {}),
        "preprocess": [{step.name: msgspec.to_builtins(step.config)} for step in manifest.preprocess],
        "training": {
            "data": f"{asked.model.name}, optimised on data of one's own",
            "licence": manifest.training.licence,
            "command": asked.command,
            "seed": asked.seed,
        },
        "accuracy": list(accuracy),
    }
    path = write_model(folder, flatbuffer, told)
    return name, folder / "model.tflite", path.absolute()


def _measured(
    asked: Asked, base: Model, variants: list[Variant], apart: list[Item], examples: Examples
) -> list[measure.Row]:
    medians = measure.medians([path for _, path, _ in variants], examples.x[:100])
    return [_row(asked, base, variant, apart, p50) for variant, p50 in zip(variants, medians, strict=True)]


def _row(asked: Asked, base: Model, variant: Variant, apart: list[Item], p50_ms: float) -> measure.Row:
    name, path, named = variant
    with opened(_job(asked, variant)) as scorer:
        right, of = measure.right_answers(scorer, apart, f"scoring {name}")
    if not of:
        raise ModelError(f"not one of {len(apart)} recordings could be scored; check the data")
    flatbuffer = path.read_bytes()
    where = asked.test.name if asked.test else f"the last {asked.share:.0%} of each label of the data, held out"
    score = {"metric": "top-1", "value": round(right / of, 4), "samples": of, "data": where, "measured": "here",
             "command": asked.command}  # fmt: skip
    _shipped(asked, base, name, flatbuffer, (score,))
    return measure.Row(name, len(flatbuffer), measure.packed_size(flatbuffer), measure.zeros(flatbuffer), right, of,
                       p50_ms, str(named))  # fmt: skip


def table(rows: Sequence[measure.Row]) -> Iterator[str]:
    """The variants side by side."""
    yield f"{'':<12} {'bytes':>10} {'gzip':>10} {'zeros':>6} {'accuracy':>9} {'right':>13} {'p50 ms':>8}"
    for row in rows:
        counted = f"{row.right} of {row.of}"
        yield (f"{row.name:<12} {row.size:>10,} {row.packed:>10,} {row.zeros:>6.0%} {row.accuracy:>9.1%} {counted:>13} "
               f"{row.p50_ms:>8.3f}")  # fmt: skip
