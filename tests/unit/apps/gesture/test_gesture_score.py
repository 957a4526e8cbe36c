"""The stream that false alarms are counted on, the verdict over it, and the sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.gesture import make_sample, score, stream
from apps.gesture.data import LABELS, NONE, movements
from apps.gesture.make_sample import complaints
from apps.gesture.score import summary
from apps.gesture.stream import Said, Stream
from wands import recordings, written

DONE = [Said(1.0, 2.0, "revelio"), Said(3.0, 4.0, "none"), Said(5.0, 6.0, "locomotor")]


def test_the_same_seed_makes_the_same_stream_and_its_gestures_are_where_it_says() -> None:
    one, two = (stream.made(recordings(), 1.0, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.motion, two.motion)
    assert one.gestures
    for said in one.gestures:
        part = one.motion[round(said.begin * 119) : round(said.end * 119)]
        assert movements(part), said


def test_a_turning_hand_turns_gravity_as_its_gyroscope_says() -> None:
    begin, end = np.array([0.0, 0.0, 1.0]), np.array([0.6, 0.0, 0.8])
    turned = stream._turning(begin, end, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(turned[:, :3], axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(turned[0, :3], begin)
    down = begin
    for rates in turned[:, 3:]:
        down = down - np.cross(np.radians(rates) / 119, down)  # gravity in a frame that turns
    np.testing.assert_allclose(down, end, atol=0.01)


def test_hits_misses_wrong_ones_and_false_alarms() -> None:
    whole = Stream(np.zeros((119 * 3600, 6)), (DONE[0], DONE[2], Said(8, 9, "revelio")), 4)
    found = [(2.5, "revelio"), (5.5, "revelio"), (20.0, "locomotor"), (30.0, "revelio")]
    verdict = stream.judge(whole, found)
    assert (verdict["right"], verdict["wrong_share"], verdict["missed_share"]) == (1, 0.3333, 0.3333)
    assert verdict["false_alarms_per_hour"] == 2


def test_a_gesture_counts_once_and_does_not_make_up_for_one_that_was_missed() -> None:
    whole = Stream(np.zeros((119 * 3600, 6)), (DONE[0], DONE[2]), 0)
    verdict = stream.judge(whole, [(1.5, "revelio"), (2.5, "revelio")])
    assert (verdict["right"], verdict["missed_share"], verdict["false_alarms_per_hour"]) == (1, 0.5, 1)


def test_what_no_movement_is_found_in_is_wrong() -> None:
    known = recordings(1)
    told = summary(known, np.array([0, 1, NONE, -1, 0]), np.array([0, 1, 2, -1, 0]))
    assert (told["right"], told["top-1"], told["top-1 of the five gestures"], told["no movement found"]) == (
        2,
        0.4,
        0.6,
        1,
    )
    assert told["confusion_rows_are_truth"][LABELS[3]] == [0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([(2.5, "revelio"), (6.2, "locomotor")], []),
        ([(2.5, "revelio")], ["missed locomotor at 5.0 s"]),
        ([(2.5, "revelio"), (6.2, "locomotor"), (3.5, "revelio")], ["false revelio at 3.5 s"]),
    ],
)
def test_each_gesture_once_and_nothing_else_is_right(found: list[tuple[float, str]], told: list[str]) -> None:
    assert complaints(found, DONE) == told


def test_a_sample_is_the_same_for_the_same_seed_and_has_every_gesture_once() -> None:
    (one, done), (two, _) = (make_sample.compose(recordings(), 3) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert sorted(said.label for said in done) == sorted([*LABELS[:NONE], "none", "none", "none", "none"])
    assert len(one) / 119 < 60


def test_the_command_prints_json_of_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["score", "recordings", "--data", str(written(tmp_path))])
    score.main()
    assert '"recordings": 10' in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["score", "stream", "--data", str(tmp_path), "--minutes", "0.5"])
    score.main()
    assert "false_alarms_per_hour" in capsys.readouterr().out


def test_folders_hold_what_recordings_scores(tmp_path: Path) -> None:
    from apps.gesture.augment import in_rest

    score.write_folders(recordings(1), tmp_path, seed=7)
    paths = sorted(tmp_path.glob("*/*.csv"), key=lambda path: path.name)
    assert [path.parent.name for path in paths] == list(LABELS[:NONE])
    first = np.loadtxt(paths[0], delimiter=",", skiprows=1)
    np.testing.assert_allclose(first, in_rest(recordings(1).motion[0], np.random.default_rng(7)), rtol=1e-3, atol=1e-4)
