"""A report for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from apps.evaluate.report import Answers, BoxClass, BoxScores, ClassScore, Left, Report, Reported

MOST_CLASSES = 50
"""More classes than these are not all printed: the worst are."""
WORST = 20
WIDTH = 120
HIGH = 0.05
"""A detector's threshold above this cuts its precision off at a recall that it could surpass."""
MOST_BOXES = 100
"""So many boxes of a picture COCO counts."""
MATRIX = 16
"""A confusion matrix of more classes is not printed: the most frequent confusions are."""


def lines(report: Report) -> Iterator[str]:
    """The report, line by line."""
    split = f", {report.split} split" if report.split else ""
    yield f"{report.title} on {report.data} ({report.layout}{split}), measured {report.measured}"
    for used in report.used:
        yield f"  model {used.model}: {used.engine}"
    yield f"  {_counts(report)}"
    if report.answers:
        yield ""
        yield from _answers(report, report.answers)
    if report.groups:
        groups = report.groups
        yield ""
        yield (f"AUC       {_number(groups.auc)}   {', '.join(groups.positive)} ({groups.positives:,}) "
               f"against {', '.join(groups.negative)} ({groups.negatives:,})")  # fmt: skip
    if report.boxes:
        yield ""
        yield from _boxes(report.boxes)
    if report.reported:
        yield ""
        yield from _reported(report.reported)
    if report.answers:
        yield ""
        yield from _classes(report.answers)
        yield ""
        yield from _confusion(report.labels, report.answers)


def warnings(report: Report) -> Iterator[str]:
    """What a reader of the numbers must know beside them."""
    if not report.complete:
        done = report.items + report.unreadable.count + report.no_frame.count
        yield f"stopped after {done:,} of {report.listed:,} items, drawn at random"
    if report.unreadable.count:
        yield f"could not be read: {report.unreadable.count:,} of {report.listed:,} items; they count nowhere"
        yield from _named(report.unreadable)
    if report.no_frame.count:
        yield (f"gave no frame: {report.no_frame.count:,} of {report.listed:,} items, shorter than one window or with "
               "nothing found in them; they do not count in the accuracy")  # fmt: skip
        yield from _named(report.no_frame)
    if report.boxes and report.boxes.threshold > HIGH:
        yield (f"boxes that score below {report.boxes.threshold:g} were not reported, as the config says; with "
               "threshold: 0.01 AP is what detectors are compared by")  # fmt: skip
    if report.boxes and report.boxes.most < MOST_BOXES:
        yield (f"at most {report.boxes.most} boxes of a picture were reported, as the config says; COCO counts "
               f"{MOST_BOXES}: most: {MOST_BOXES}")  # fmt: skip
    for label, count in report.told.items():
        yield f"a step reported {label!r} by itself in {count:,} items"


def _boxes(boxes: BoxScores) -> Iterator[str]:
    there = [one for one in boxes.classes if one.objects]
    yield f"AP        {_number(boxes.ap)}   mean over IoU 0.50 to 0.95 and {len(there)} classes, as COCO's"
    yield f"AP50      {_number(boxes.ap50)}"
    yield f"AP75      {_number(boxes.ap75)}"
    yield (f"AP        {_number(boxes.small)} small, {_number(boxes.medium)} medium, {_number(boxes.large)} large "
           "objects (32² px, 96² px)")  # fmt: skip
    yield f"AR        {_number(boxes.recall)}   at most {min(boxes.most, MOST_BOXES)} boxes a picture"
    yield f"{boxes.objects:,} objects, {boxes.reported:,} boxes reported with a score of {boxes.threshold:g} or more"
    yield ""
    rows: Sequence[BoxClass] = there
    if len(rows) > MOST_CLASSES:
        rows = sorted(rows, key=lambda one: (one.ap or 0.0, one.label))[:WORST]
        yield f"the {WORST} worst classes:"
    width = max(len("class"), *(len(one.label) for one in rows)) if rows else len("class")
    yield f"{'class':<{width}}  {'objects':>7}  {'reported':>8}  {'AP':>6}  {'AP50':>6}"
    for one in rows:
        yield (f"{one.label:<{width}}  {one.objects:>7,}  {one.reported:>8,}  {_number(one.ap):>6}  "
               f"{_number(one.ap50):>6}")  # fmt: skip


def _named(left: Left) -> Iterator[str]:
    yield from (f"  {name}" for name in left.first)
    if left.count > len(left.first):
        yield f"  and {left.count - len(left.first):,} more"


def _counts(report: Report) -> str:
    text = f"{report.items:,} items" + (f", {report.samples:,} frames" if report.per == "frame" else "")
    if report.labels and report.answers:
        there = sum(1 for one in report.answers.classes if one.samples)
        text += f" of {there} of the model's {len(report.labels)} classes"
    return text + (
        f"; {report.ignored:,}{' boxes' if report.boxes else ''} left out by their labels" if report.ignored else ""
    )


def _answers(report: Report, answers: Answers) -> Iterator[str]:
    low, high = answers.interval_95
    yield (f"accuracy  {answers.accuracy:.4f}   {answers.right:,} of {report.samples:,}, "
           f"95 % interval {low:.4f} to {high:.4f}")  # fmt: skip
    for k, share in answers.top_k.items():
        yield f"top-{k}     {share:.4f}"
    if answers.auc is not None:
        yield f"AUC       {answers.auc:.4f}   each class against the rest, their mean"


def _reported(reported: Reported) -> Iterator[str]:
    yield "what the config itself reports, with its thresholds and ignored labels:"
    asked = reported.right + reported.wrong + reported.nothing
    yield (f"  of {asked:,} items to report: {reported.right:,} right, {reported.wrong:,} wrong, "
           f"{reported.nothing:,} not reported")  # fmt: skip
    if reported.quiet or reported.false:
        yield (f"  of {reported.quiet + reported.false:,} others: {reported.quiet:,} rightly not reported, "
               f"{reported.false:,} falsely reported")  # fmt: skip


def _classes(answers: Answers) -> Iterator[str]:
    rows: Sequence[ClassScore] = [one for one in answers.classes if one.samples]
    if len(rows) > MOST_CLASSES:
        rows = sorted(rows, key=lambda one: (one.f1 or 0.0, one.label))[:WORST]
        yield f"the {WORST} worst classes:"
    width = max(len("class"), *(len(one.label) for one in rows))
    yield f"{'class':<{width}}  {'samples':>7}  {'precision':>9}  {'recall':>6}  {'F1':>6}  {'AUC':>6}"
    for one in rows:
        yield (f"{one.label:<{width}}  {one.samples:>7,}  {_number(one.precision):>9}  {_number(one.recall):>6}  "
               f"{_number(one.f1):>6}  {_number(one.auc):>6}")  # fmt: skip


def _confusion(labels: Sequence[str], answers: Answers) -> Iterator[str]:
    if len(labels) <= MATRIX:
        yield from _matrix(labels, answers.confusion)
        return
    wrong = [
        (count, labels[truth], labels[given])
        for truth, row in enumerate(answers.confusion)
        for given, count in enumerate(row)
        if count and truth != given
    ]
    yield "most frequent confusions:"
    for count, truth, given in sorted(wrong, key=lambda one: (-one[0], one[1], one[2]))[:WORST]:
        yield f"  {count:>5,}  {truth} taken for {given}"


def _matrix(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> Iterator[str]:
    yield "confusion: rows are what it is, columns what was answered"
    name = max(map(len, labels))
    cells = [[f"{count:,}" if count else "." for count in row] for row in confusion]
    room = WIDTH - name - 2 * len(labels)
    heads = [label if sum(map(len, labels)) <= room else label[: max(6, room // len(labels))] for label in labels]
    widths = [max(len(cell) for cell in (head, *(row[i] for row in cells))) for i, head in enumerate(heads)]
    yield f"{'':<{name}}  " + "  ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))
    for label, row in zip(labels, cells, strict=True):
        yield f"{label:<{name}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
