"""A config, measured on labelled data: read, score, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from apps.evaluate import metrics
from apps.evaluate.average_precision import Picture, average_precision, cocoeval
from apps.evaluate.datasets.items import DataSet, Item, Request
from apps.evaluate.datasets.layouts import read
from apps.evaluate.report import BoxScores, Groups, Left, Report, Reported, Used
from apps.evaluate.score import Job, Outcome, Scorer, opened
from apps.evaluate.shards import check_scheduler, distributed
from apps.progress import track
from hal.recordings.files import kind_of
from pipelines.config.demo import Overrides, find_config
from pipelines.errors import CapabilityError, DataError
from pipelines.resources import bundled, expanded

Indexed = tuple[int, Item]
NAMED = 10
"""So many of the items that could not be measured are named."""


@dataclass(frozen=True)
class Asked:
    """What to measure, and on what.

    Args:
        layout: one of ``datasets.layouts.LAYOUTS``; None finds out.
        split: of a data set that has several.
        limit: so many items, drawn with ``seed``; all of them where None.
        per: item (the mean over its frames) or frame.
        positive: labels that are to be told apart from ``negative`` ones (from all others where empty).
        ignore: labels whose items, or boxes, are left out.
        scheduler: where shards are scored, see ``shards.py``; None scores here.
    """

    layout: str | None = None
    split: str | None = None
    limit: int | None = None
    seed: int = 0
    per: str = "item"
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    scheduler: str | None = None


class Stopped(KeyboardInterrupt):
    """Ctrl-C: ``report`` is what was measured until then, None where that was nothing."""

    def __init__(self, report: Report | None) -> None:
        super().__init__()
        self.report = report


def evaluate(
    config: str | Path,
    data: str | Path,
    asked: Asked | None = None,
    *,
    overrides: Overrides | None = None,
    target: str = "sim",
    pipeline: str | None = None,
) -> Report:
    """Run the config of ``eiq-demo run`` over labelled data, every item as if it were the only one.

    Args:
        config: a path, or the name of a bundled one.
        data: a folder or file, here or among the bundled data.
        asked: what to measure.
        overrides: changes of the config, such as ``Overrides(sets=("engine.model=my.tflite",))``.
        pipeline: which one, of a config that has several.

    Raises:
        EiqError: the config cannot run, the data cannot be read or has labels that the model has not.
        Stopped: Ctrl-C, with a report of what was measured.
    """
    asked = asked or Asked()
    if asked.scheduler is not None:
        check_scheduler(asked.scheduler)
    where = _found(data)
    job = Job(str(find_config(str(config)).absolute()), target, _playing(where, overrides or Overrides()), pipeline,
              asked.per == "frame")  # fmt: skip
    with opened(replace(job, config=str(config))) as scorer:  # problems name the file as it was named
        (cocoeval if scorer.detects else metrics.sklearn_metrics)()  # before an hour's work, not after
        found = read(Request(where, asked.split, scorer.sensor_name, scorer.labels), asked.layout)
        _check_kind(scorer, found, asked)
        items = _chosen(found, scorer, asked)
        used = scorer.used
        facts = _Facts(str(config), target, scorer, found, asked, items, used)
        outcomes: dict[int, Outcome] = {}
        try:
            with closing(_outcomes(job, scorer, items, asked, used)) as scored:
                for outcome in track(scored, f"{len(items):,} items", len(items)):
                    outcomes[outcome.index] = outcome  # a shard that came twice counts once
        except KeyboardInterrupt:
            raise Stopped(facts.report(outcomes, complete=False) if outcomes else None) from None
        return facts.report(outcomes, complete=True)


def _found(data: str | Path) -> Path:
    path = expanded(str(data))
    shipped = bundled() / path
    return shipped if kind_of(path) == "nothing" and kind_of(shipped) != "nothing" else path.absolute()


def _playing(where: Path, overrides: Overrides) -> Overrides:
    """A config that names no recording, or a live sensor, is one that could play an item's."""
    change = {"file": "item", "live": False, "synthetic": None, "pace": "fast", "loop": False}
    return replace(overrides, sensors=(*overrides.sensors, (f"--data {where}", change)))


def _chosen(found: DataSet, scorer: Scorer, asked: Asked) -> list[Indexed]:
    """The items to measure, in a drawn order, so that however many are done are a fair sample."""
    ignored = set(asked.ignore)
    present = found.labels
    _check_ignored(ignored, present, found)
    _check_labels([label for label in present if label not in ignored], scorer, asked, found)
    order = np.random.default_rng(asked.seed).permutation(len(found.items)).tolist()
    kept = [(index, found.items[index]) for index in order if found.items[index].label not in ignored]
    if not kept:
        raise DataError(f"{found.where} holds nothing but ignored labels; name fewer with --ignore-labels")
    return kept[: asked.limit]


def _check_kind(scorer: Scorer, found: DataSet, asked: Asked) -> None:
    if scorer.detects and not found.boxed:
        raise CapabilityError(
            f"the config finds boxes, and {found.where} ({found.layout}) has labels alone, expected pictures with "
            "boxes: COCO's .json, or YOLO's images and labels"
        )
    if found.boxed and not scorer.detects:
        raise CapabilityError(
            f"{found.where} ({found.layout}) is for a detector, and the config does not end in boxes; "
            "name one that does"
        )
    if scorer.detects and (asked.positive or asked.negative or asked.per == "frame"):
        raise CapabilityError("--positive, --negative and --per frame are not for boxes; leave them out")


def _check_ignored(ignored: set[str], present: Iterable[str], found: DataSet) -> None:
    unknown = ignored - set(present)
    if unknown:
        raise DataError(f"--ignore-labels names {_some(unknown)}, but {found.where} has {_some(present)}; correct it")


def _check_labels(present: list[str], scorer: Scorer, asked: Asked, found: DataSet) -> None:
    if not scorer.labels:
        _check_value(scorer, asked)
    else:
        other = [label for label in present if label not in scorer.labels]
        if other:
            raise DataError(
                f"{found.where} has labels that the model has not: {_some(other)}; the model's that it has not: "
                f"{_some(label for label in scorer.labels if label not in present)}; "
                "rename them, or leave their items out with --ignore-labels"
            )
    for label in (*asked.positive, *asked.negative):
        if label not in present:
            raise DataError(
                f"got {label!r} as positive or negative, expected labels of {found.where}: {_some(present)}"
            )
    if set(asked.positive) & set(asked.negative):
        raise DataError(f"{_some(set(asked.positive) & set(asked.negative))} cannot be positive and negative; choose")


def _check_value(scorer: Scorer, asked: Asked) -> None:
    if scorer.values != 1:
        raise CapabilityError(
            f"evaluate got {scorer.signal} without labels, expected scores of classes or one value; "
            "name the classes with engine.labels"
        )
    if not asked.positive:
        raise CapabilityError(
            "the config gives a value and no classes; say with --positive which labels a high one stands for"
        )


def _some(names: Iterable[str], most: int = 12) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f", … ({len(listed)} in all)" if len(listed) > most else "") or "(none)"


def _outcomes(
    job: Job, scorer: Scorer, items: list[Indexed], asked: Asked, used: tuple[Used, ...]
) -> Generator[Outcome, None, None]:
    if asked.scheduler is None:
        for index, item in items:
            yield scorer.outcome(index, item)
        return
    yield from distributed(job, items, used, asked.scheduler)


@dataclass(frozen=True)
class _Facts:
    """What a report needs beside the outcomes."""

    config: str
    target: str
    scorer: Scorer
    found: DataSet
    asked: Asked
    items: list[Indexed]
    used: tuple[Used, ...]

    def report(self, outcomes: dict[int, Outcome], *, complete: bool) -> Report:
        """Counts in the order of the data set, whatever the outcomes came in.

        Raises:
            DataError: not one item could be measured.
        """
        done = [outcomes[index] for index in sorted(outcomes)]
        measured = [outcome for outcome in done if outcome.frames]
        if not measured and complete:
            raise DataError(self._nothing(done))
        samples = self._samples([] if self.scorer.detects else measured)
        counted = len(samples.truth) > 0
        classes = bool(self.scorer.labels) and counted
        return Report(
            title=self.scorer.title,
            config=self.config,
            data=str(self.found.where),
            layout=self.found.layout,
            split=self.found.split,
            target=self.target,
            used=self.used,
            measured="here",
            complete=complete,
            per=self.asked.per,
            listed=len(self.items),
            ignored=self._ignored(),
            unreadable=_left(f"{self._name(o)}: {o.error}" for o in done if o.error),
            no_frame=_left(self._name(o) for o in done if not o.error and not o.frames),
            items=len(measured),
            samples=len(measured) if self.scorer.detects else len(samples.truth),
            labels=self.scorer.labels,
            answers=metrics.answers(samples, self.scorer.labels) if classes else None,
            groups=self._groups(samples) if self.asked.positive and counted else None,
            reported=self._reported([outcome for outcome in done if not outcome.error]),
            told=dict(sorted(Counter(label for o in done for label in o.told).items())),
            boxes=self._boxes(measured) if self.scorer.detects else None,
        )

    def _ignored(self) -> int:
        ignore = set(self.asked.ignore)
        if self.found.boxed:
            return sum(place.label in ignore for _, item in self.items for place in item.places)
        return sum(item.label in ignore for item in self.found.items)

    def _boxes(self, measured: list[Outcome]) -> BoxScores:
        pictures = [Picture(o.size, self.found.items[o.index].places, o.found) for o in measured]
        labels = [label for label in self.scorer.labels if label not in self.asked.ignore]
        return average_precision(pictures, labels, self.scorer.threshold, self.scorer.most)

    def _name(self, outcome: Outcome) -> str:
        return self.found.items[outcome.index].name

    def _truth(self, outcome: Outcome) -> str:
        return self.found.items[outcome.index].label

    def _nothing(self, done: list[Outcome]) -> str:
        broken = [outcome for outcome in done if outcome.error]
        if broken:
            return f"not one of the {len(done)} items of {self.found.where} could be measured; first {broken[0].error}"
        return (
            f"no frame reached the end of the chain in any of the {len(done)} items of {self.found.where}: "
            "they are shorter than one window, or nothing was found in them"
        )

    def _samples(self, measured: list[Outcome]) -> metrics.Samples:
        truth = [self._truth(outcome) for outcome in measured for _ in range(self._counts(outcome))]
        rows = [np.atleast_2d(outcome.scores) for outcome in measured if outcome.scores is not None]
        return metrics.Samples(truth, np.concatenate(rows) if rows else np.empty((0, 1)))

    def _counts(self, outcome: Outcome) -> int:
        return outcome.frames if self.asked.per == "frame" else 1

    def _negative(self) -> tuple[str, ...]:
        others = dict.fromkeys(item.label for _, item in self.items if item.label not in self.asked.positive)
        return self.asked.negative or tuple(sorted(others))

    def _groups(self, samples: metrics.Samples) -> Groups:
        return metrics.groups(
            samples, self.scorer.labels, self.asked.positive, self._negative(), rising=self.scorer.rising
        )

    def _reported(self, done: list[Outcome]) -> Reported | None:
        ours = set(self.scorer.reported) - set(self.scorer.cleared)
        if ours & {self._truth(outcome) for outcome in done}:
            verdicts = Counter(_by_label(self._truth(o), o, ours) for o in done)
        elif self.asked.positive:
            counted = {*self.asked.positive, *self._negative()}
            verdicts = Counter(
                _by_group(self._truth(o) in self.asked.positive, o, ours) for o in done if self._truth(o) in counted
            )
        else:
            return None
        return Reported(**{name: verdicts[name] for name in ("right", "wrong", "nothing", "quiet", "false")})


def _by_label(truth: str, outcome: Outcome, ours: set[str]) -> str:
    reports = [(label, score) for label, score in outcome.reports if label in ours]
    said = max(reports, key=lambda report: report[1])[0] if reports else None  # of equal ones the first
    if truth not in ours:
        return "quiet" if said is None else "false"
    return "nothing" if said is None else "right" if said == truth else "wrong"


def _by_group(positive: bool, outcome: Outcome, ours: set[str]) -> str:
    said = any(label in ours for label, _ in outcome.reports)
    if positive:
        return "right" if said else "nothing"
    return "false" if said else "quiet"


def _left(names: Iterable[str]) -> Left:
    listed = list(names)
    return Left(len(listed), tuple(listed[:NAMED]))
