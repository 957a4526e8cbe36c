from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.evaluate.datasets.items import Item
from apps.evaluate.score import Job, opened
from apps.optimize.data import drawn, prepared, split
from apps.optimize.prune import sparsity_at
from demos import colours
from pipelines.errors import DataError


def items(counts: list[int]) -> list[Item]:
    return [Item(f"{label}/{n}", str(label), Path("x")) for label, count in enumerate(counts) for n in range(count)]


@given(st.lists(st.integers(2, 30), min_size=1, max_size=6), st.floats(0.05, 0.5))
def test_a_split_keeps_each_item_on_one_side_and_each_label_on_both(counts: list[int], share: float) -> None:
    learn, apart = split(items(counts), share)
    assert sorted(item.name for item in [*learn, *apart]) == sorted(item.name for item in items(counts))
    assert Counter(item.label for item in apart) == {str(i): max(1, round(share * n)) for i, n in enumerate(counts)}
    assert {item.label for item in learn} <= {item.label for item in apart}


def test_one_recording_a_label_cannot_be_split() -> None:
    with pytest.raises(DataError, match="expected at least two of each"):
        split(items([1, 1]), 0.2)


def test_a_draw_repeats_with_its_seed_and_keeps_the_order() -> None:
    given_items = items([50])
    one, other = drawn(given_items, 10, 1), drawn(given_items, 10, 1)
    assert one == other != drawn(given_items, 10, 2)
    assert [given_items.index(item) for item in one] == sorted(given_items.index(item) for item in one)
    assert drawn(given_items, None, 1) == drawn(given_items, 99, 1) == given_items


def test_examples_are_what_arrives_at_the_engine(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    with opened(Job(str(colours(tmp_path)))) as scorer:
        files = [Item(name, name, tmp_path / f"pictures/{name}.png") for name in ("blue", "green", "red")]
        broken = Item("broken", "red", tmp_path / "same.tflite")
        examples, bad = prepared(scorer, [*files, broken])
    np.testing.assert_allclose(examples.x, np.eye(3)[::-1] * 200 / 255, atol=1e-6)
    assert examples.y.tolist() == [2, 1, 0]  # of red, green, blue
    assert len(bad) == 1
    assert "same.tflite" in bad[0]


def test_sparsity_rises_over_the_first_half_and_stays() -> None:
    # M. Zhu and S. Gupta, arXiv 1710.01878, equation 1, with no zeros at first
    shares = [sparsity_at(epoch, 8, 0.8) for epoch in range(8)]
    assert shares == pytest.approx([0.8 * (1 - (1 - t) ** 3) for t in (0.25, 0.5, 0.75, 1, 1, 1, 1, 1)])
    assert sparsity_at(0, 1, 0.5) == 0.5


def test_the_test_split_stays_out_of_the_making(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from apps.optimize.optimise import Asked, _items

    config = colours(tmp_path)
    for part, names in (("train", "abcde"), ("test", "xyz")):
        for label in ("red", "green"):
            (tmp_path / "data" / part / label).mkdir(parents=True)
            for name in names:
                picture = (tmp_path / f"pictures/{label}.png").read_bytes()
                (tmp_path / "data" / part / label / f"{name}.png").write_bytes(picture)
    asked = Asked(model=tmp_path / "m.keras", config=str(config), data=tmp_path / "data", test=None, layout=None,
                  share=0.2, limit=None, prune=None, epochs=1, rate=0.1, out=tmp_path, work=tmp_path, seed=1,
                  resume=False, command="")  # fmt: skip
    with opened(Job(str(config))) as scorer:
        learn, apart = _items(asked, scorer)
        others = _items(replace(asked, test=tmp_path / "data"), scorer)
    assert {item.path.stem for item in learn} == set("abcd")
    assert {item.path.stem for item in apart} == {"e"}
    assert {item.path.stem for item in others[0]} == set("abcde")
    assert {item.path.stem for item in others[1]} == set("xyz")


def test_what_is_learned_from_is_not_scored_on(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from apps.optimize.optimise import Asked, _items

    config = colours(tmp_path)
    for name in ("red", "green", "blue"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / f"pictures/{name}.png").rename(tmp_path / "data" / name / "a.png")
    (tmp_path / "again").symlink_to(tmp_path / "data")
    asked = Asked(model=tmp_path / "m.keras", config=str(config), data=tmp_path / "data", test=tmp_path / "again",
                  layout=None, share=0.2, limit=None, prune=None, epochs=1, rate=0.1, out=tmp_path, work=tmp_path,
                  seed=1, resume=False, command="")  # fmt: skip
    with opened(Job(str(config))) as scorer, pytest.raises(DataError, match="3 recordings of --test are among those"):
        _items(asked, scorer)
