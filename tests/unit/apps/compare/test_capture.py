from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.compare.capture import Heard, against, link_before, links, listen
from fakes import IMAGE, FakeEngine, FakeSensor, ListAction, graph, picture
from pipelines.core import Frame, Signal, Stage
from pipelines.engine_stage import EngineStage
from pipelines.errors import CapabilityError
from pipelines.graph import Graph
from pipelines.models import Model
from pipelines.timing import Stats

SUMS = Signal((2,), "float32", None, "scores", ("sum", "place"))


def twice(frame: Frame) -> Iterable[Frame]:
    return (frame, frame)


def chain(frames: int, *, action: ListAction | None = None) -> Graph:
    """Pictures, each taken twice (two crops of one), through an engine that adds up."""
    engine = FakeEngine((1, 4, 4, 3))
    stage = EngineStage(engine, "adds", IMAGE, ("sum", "place"))
    parts = (
        Stage("twice", "transforms", twice, IMAGE, None),
        Stage("fake", "engines", stage.process, stage.output, engine, FakeEngine.Config(), None, stage.finish),
    )
    made = graph(FakeSensor([picture(seq) for seq in range(frames)]), *parts, action=action)
    return replace(made, engines=((Model("adds", "fake", Path("adds"), ()), engine),))


def heard(made: Graph, most: int = 100) -> tuple[Heard, Stats]:
    (link,) = links(made)
    one, stats = Heard(link, most), Stats()
    listen([made], [one], stats)
    return one, stats


def test_every_frame_is_kept_by_its_place() -> None:
    action = ListAction()
    one, stats = heard(chain(3, action=action))
    assert list(one.scores) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert [taken.values.tolist() for taken in one.scores.values()] == [[48.0 * n, 0.0] for n in (0, 0, 1, 1, 2, 2)]
    assert [round(taken.t, 6) for taken in one.scores.values()] == [0.0, 0.0, 0.1, 0.1, 0.2, 0.2]
    assert (stats.results, action.results) == (6, [])  # decoders run, actions do not


def test_what_is_more_than_asked_for_goes_no_further() -> None:
    one, stats = heard(chain(100), most=3)
    assert (one.frames, len(one.scores), stats.results) == (3, 3, 3)
    assert next(iter(one.link.stage.process(picture(0)))).data.tolist() == [0.0, 0.0]  # type: ignore[union-attr]


def test_a_variant_is_compared_as_it_comes_and_its_first_input_kept() -> None:
    reference, _ = heard(chain(4))
    reference.scores[1, 1].values[0] += 1  # as if that frame had been another
    made = chain(4)
    link = link_before(made, reference.link.behind)
    other = Heard(link, 100, against(reference.scores, reference.link, link))
    listen([made], [other], Stats())
    assert other.scores == {}  # only the reference's are kept
    assert other.tally is not None
    found = other.tally.difference()
    assert (found.differing_frames, found.frames, found.largest) == (1, 8, 1.0)
    assert found.first is not None
    assert (found.first.at, found.first.reference) == (1, "sum")
    assert other.differing is not None
    data, theirs, ours = other.differing
    assert np.array_equal(data, picture(1).array)
    assert (theirs.values[0], ours.values[0]) == (49.0, 48.0)


def test_labels_in_another_order_are_not_compared_place_by_place() -> None:
    reference, _ = heard(chain(2))
    link = reference.link
    turned = replace(link, signal=replace(link.signal, channels=link.signal.channels[::-1]))
    with pytest.raises(CapabilityError, match=f"{turned.signal.channels[0]} is number 1, where the reference has sum"):
        against(reference.scores, link, turned)
    other = replace(link, signal=replace(link.signal, channels=("Summe", "nichts")))  # another language's
    against(reference.scores, link, other)


def test_where_a_board_hands_on_scores_the_sensor_is_heard() -> None:
    reference, _ = heard(chain(2))
    scores = [Frame(np.array([48.0 * seq, 0], np.float32), seq / 10, seq, seq) for seq in range(2)]
    made = graph(FakeSensor(scores, SUMS))
    link = link_before(made, reference.link.behind)
    assert (link.name, link.stage, link.specs) == ("camera", None, ())
    other = Heard(link, 100, against(reference.scores, reference.link, link))
    listen([made], [other], Stats())
    assert other.tally is not None
    found = other.tally.difference()
    assert (found.frames, found.differing_frames, found.missing) == (2, 0, 2)  # each crop's second one is missing


def test_a_chain_without_an_engine_is_heard_before_its_decoder() -> None:
    made = graph(FakeSensor([picture(1)]), Stage("twice", "transforms", twice, IMAGE, None))
    (link,) = links(made)
    assert (link.behind, link.name, link.model) == (1, "twice", None)
    with pytest.raises(CapabilityError, match="hands on results only"):
        link_before(made, 3)


def test_two_engines_are_heard_each() -> None:
    made = chain(1)
    second = FakeEngine((1, 2))
    stage = EngineStage(second, "again", made.stages[1].output, ())
    stages = (*made.stages[:2], Stage("fake2", "engines", stage.process, stage.output, second), made.stages[2])
    made = replace(made, stages=stages, engines=(*made.engines, (Model("again", "fake", Path("again"), ()), second)))
    found = links(made)
    assert [(link.name, link.behind, link.model and link.model.name) for link in found] == [
        ("fake", 2, "adds"), ("fake2", 1, "again"),
    ]  # fmt: skip
    listened = [Heard(link, 100) for link in found]
    listen([made], listened, Stats())
    assert [len(one.scores) for one in listened] == [2, 2]


class LateEngine(FakeEngine):
    """Adds up, and hands on what it found when the next input is there already."""

    ahead = True

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        super().__init__(*shapes)
        self.out: list[tuple[np.ndarray, ...]] = []

    def submit(self, *x: np.ndarray) -> None:
        self.out.append(self.infer(*x))

    def collect(self) -> tuple[np.ndarray, ...]:
        return self.out.pop(0)


def test_the_input_of_an_engine_that_computes_ahead_is_that_of_its_scores() -> None:
    reference, _ = heard(chain(4))
    reference.scores = {key: taken for key, taken in reference.scores.items() if key[1] == 0}
    reference.scores[2, 0].values[0] += 1
    made = chain(4)
    engine, buffer = LateEngine((1, 4, 4, 3)), np.empty((4, 4, 3), np.uint8)

    def reused(frame: Frame) -> Iterable[Frame]:
        np.copyto(buffer, frame.array)  # a step may write to its output again
        return (frame.with_data(buffer),)

    stage = EngineStage(engine, "adds", IMAGE, ("sum", "place"))
    late = replace(made.stages[1], process=stage.process, part=engine, finish=stage.finish)
    made = replace(made, stages=(replace(made.stages[0], process=reused), late, made.stages[2]))
    link = link_before(made, reference.link.behind)
    other = Heard(link, 100, against(reference.scores, reference.link, link))
    listen([made], [other], Stats())
    assert other.tally is not None
    found = other.tally.difference()
    assert (found.frames, found.missing, found.extra, found.differing_frames) == (4, 0, 0, 1)
    assert other.differing is not None
    assert np.array_equal(other.differing[0], picture(2).array)
