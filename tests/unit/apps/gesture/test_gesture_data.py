"""Recordings, and that manifest, config and training name one recipe."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from apps.gesture import data
from apps.gesture.augment import PLAIN, Hands, bank, both, gesture, in_rest, no_gesture, rotation, varied
from apps.gesture.data import LABELS, NONE, Inputs, holds_gesture, longest, movements, read
from apps.gesture.train import PREPROCESS
from pipelines.config.convert import value
from pipelines.config.schema import Transforms
from pipelines.config.yaml12 import parse
from pipelines.errors import DataError
from pipelines.models import read_manifest
from wands import recording, recordings, written

ROOT = Path(__file__).parents[4]


def test_recordings_are_read_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    known = read(written(tmp_path))
    np.testing.assert_array_equal(known.labels, np.repeat(np.arange(5), 2))
    np.testing.assert_allclose(known.motion, recordings().motion, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Revelio.csv", None, "0 files for revelio, expected one CSV"),
        ("Revelio.csv", "a,b\n1,2\n", "1 lines of 2 columns, expected 119 a recording"),
        ("Revelio.csv", "a\nx,y\n", "not a table of numbers"),
        ("revelio2.csv", "a\n", "2 files for revelio"),
    ],
)
def test_other_folders_are_refused(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    path = written(tmp_path) / name
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_jerk_and_then_rest_holds_no_gesture() -> None:
    jerk = np.zeros((119, 6))
    jerk[:12, :] = 3
    assert holds_gesture(recording(1))
    assert not holds_gesture(jerk)


def test_manifest_config_and_training_name_one_recipe() -> None:
    wanted = [
        ("segment", data.SEGMENT), ("level", data.LEVEL), ("stretch", data.STRETCH), ("normalize", data.NORMALIZE),
        ("unit_rms", data.UNIT_RMS),
    ]  # fmt: skip
    node = parse(msgspec.json.encode(PREPROCESS).decode(), "recipe", Path("/x"), problems := [])
    assert node is not None
    steps = value(node, Transforms, "preprocess", problems)
    assert not problems
    assert [(step.name, step.config) for step in steps] == wanted
    manifest = read_manifest(ROOT / "models/gesture/manifest.yaml")
    assert [(step.name, step.config) for step in manifest.preprocess] == wanted
    assert manifest.labels == LABELS


def test_inputs_are_those_of_the_chain() -> None:
    (movement,) = movements(in_rest(recording(0), np.random.default_rng(0)))
    (x,) = Inputs().of([movement])
    assert x.shape == (64, 6)
    np.testing.assert_allclose(np.sqrt(np.square(x[:, 3:]).sum(axis=1).mean()), 1, rtol=1e-4)


# ---- augmentation ----------------------------------------------------------------------------------------------------


def test_plain_hands_change_nothing() -> None:
    np.testing.assert_allclose(varied(recording(2), PLAIN, np.random.default_rng(0)), recording(2), atol=1e-4)


def test_a_turn_is_scipys() -> None:
    from scipy.spatial.transform import Rotation

    vector = np.array([20.0, -50.0, 130.0])
    np.testing.assert_allclose(rotation(vector), Rotation.from_rotvec(np.radians(vector)).as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(both(np.eye(3)), np.eye(6))


def test_half_the_speed_is_half_the_rate_and_a_quarter_of_the_force() -> None:
    from apps.gesture.augment import played

    slow = played(recording(0).astype(float), 0.5, 0.0, np.random.default_rng(0))
    assert len(slow) == 238
    before, after = (np.ptp(motion, axis=0) for motion in (recording(0), slow))
    assert after[4] / before[4] == pytest.approx(0.5, abs=0.02)
    assert after[0] / before[0] == pytest.approx(0.25, abs=0.02)


def test_the_same_seed_gives_the_same_hands_and_other_seeds_others() -> None:
    one, same, other = (varied(recording(1), Hands(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape != other.shape or not np.allclose(one, other)


def test_a_bank_has_what_was_asked_for_and_movements_only() -> None:
    found, labels = bank(recordings(), Hands(), 6, 20, np.random.default_rng(3))
    counts = np.bincount(labels, minlength=6)
    assert (counts[:NONE] >= 4).all()
    assert counts[NONE] >= 15
    assert all(48 <= len(one) <= 320 and one.shape[1] == 6 for one in found)  # 400 to 2500 ms, and what is around


def test_what_is_found_in_rest_is_the_recording() -> None:
    found = gesture(recording(0), PLAIN, np.random.default_rng(0))
    assert found is not None
    assert 100 < len(found) < 180
    assert longest([]) is None


def test_no_gesture_is_within_the_sensors_range() -> None:
    rng = np.random.default_rng(4)
    made = [one for one in (no_gesture(recordings(), Hands(), rng) for _ in range(40)) if one is not None]
    assert made
    assert max(np.abs(one[:, :3]).max() for one in made) < 4.2
