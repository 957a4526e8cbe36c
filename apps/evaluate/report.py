"""What an evaluation found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Used:
    """A model that ran: its name, its file's sha256, and what ran it."""

    model: str
    sha256: str
    engine: str


@dataclass(frozen=True)
class Left:
    """Items that could not be measured, and the first few of them, with the reason where there is one."""

    count: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassScore:
    """One class. None where a number has no meaning: no such samples, or no such answers."""

    label: str
    samples: int
    answers: int
    precision: float | None
    recall: float | None
    f1: float | None
    auc: float | None


@dataclass(frozen=True)
class Answers:
    """What the scores alone say: an item's answer is the class with the highest mean score over its frames.

    Args:
        right: so many samples.
        accuracy: right / samples.
        interval_95: Wilson's 95 % interval of the accuracy.
        top_k: share of the samples whose label is among the k best, by k.
        auc: area under the ROC curve, each class against the rest, their mean; None where a class stands alone.
        classes: in the order of the model's labels.
        confusion: [truth][answer], counts.
    """

    right: int
    accuracy: float
    interval_95: tuple[float, float]
    top_k: dict[str, float]
    auc: float | None
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class BoxClass:
    """One class of a detector: objects that are there, boxes reported, AP and AP50; None where none is there."""

    label: str
    objects: int
    reported: int
    ap: float | None
    ap50: float | None


@dataclass(frozen=True)
class BoxScores:
    """What COCO counts of boxes (cocodataset.org, "Detection evaluation"); None where there are no such objects.

    Args:
        ap: average precision, the mean over IoU 0.50 to 0.95 and over the classes that are there.
        ap50, ap75: at one IoU; small, medium, large: of objects below 32² px, below 96² px, and above.
        recall: AR, the mean over the same IoUs, of at most 100 boxes a picture.
        objects: that are there; reported: boxes.
        threshold: the config's: boxes with a lower score were not reported.
        most: the config's: at most so many boxes of a picture were.
        classes: in the order of the model's labels.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    small: float | None
    medium: float | None
    large: float | None
    recall: float | None
    objects: int
    reported: int
    threshold: float
    most: int
    classes: tuple[BoxClass, ...]


@dataclass(frozen=True)
class Groups:
    """One group of labels against another: the AUC of the positive labels' summed score, or of a config's value."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    positives: int
    negatives: int
    auc: float | None


@dataclass(frozen=True)
class Reported:
    """What the config itself reported, with its thresholds, smoothing and ignored labels; in items.

    Of the items that it should report: right, another label, or nothing. Of those that it should not (labels that it
    ignores, or the negative group): rightly nothing, or a false report.
    """

    right: int
    wrong: int
    nothing: int
    quiet: int
    false: int


@dataclass(frozen=True)
class Report:
    """One evaluation.

    Args:
        config: as it was named; title is its own.
        data: where it lay; layout and split what it was taken for.
        used: the models that ran.
        measured: where the numbers come from.
        complete: False where it was stopped; the measured items are then a random sample of all.
        per: item or frame: what a sample is.
        listed: items of the data set (after ``limit``); ignored: of these left out by their label.
        unreadable: items that do not open; no_frame: items too short for one window, or that nothing was found in.
        items: measured.
        samples: items, or frames of items.
        labels: of the scores; empty where the config gives a value.
        answers: None where the config gives a value or boxes.
        boxes: where the config ends in boxes.
        groups: where positive labels were named.
        reported: None where the config's own labels are not those of the data, and no positive ones were named.
        told: what transforms reported by themselves, in items.
    """

    title: str
    config: str
    data: str
    layout: str
    split: str | None
    target: str
    used: tuple[Used, ...]
    measured: str
    complete: bool
    per: str
    listed: int
    ignored: int
    unreadable: Left
    no_frame: Left
    items: int
    samples: int
    labels: tuple[str, ...]
    answers: Answers | None
    groups: Groups | None
    reported: Reported | None
    told: dict[str, int]
    boxes: BoxScores | None = None

    @property
    def accuracy(self) -> float | None:
        """Right answers per sample; None where the config gives a value."""
        return self.answers.accuracy if self.answers else None

    @property
    def auc(self) -> float | None:
        """That of the groups where there are some, else the mean of the classes'."""
        return self.groups.auc if self.groups else self.answers.auc if self.answers else None

    def to_dict(self) -> dict[str, Any]:
        """Numbers, texts, lists and mappings only, as JSON has them."""
        return asdict(self)
