from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from apps.evaluate.metrics import Samples, answers
from apps.evaluate.plot import draw
from apps.evaluate.report import Groups, Left, Report, Reported, Used
from apps.evaluate.text import lines, warnings
from apps.plots import check_plot
from pipelines.errors import CapabilityError, OutputError


def report(classes: int = 3, samples: int = 30) -> Report:
    rng = np.random.default_rng(classes)
    labels = tuple(f"class {n}" for n in range(classes))
    truth = [labels[n % classes] for n in range(samples)]
    found = answers(Samples(truth, rng.random((samples, classes))), labels)
    return Report(
        title="Things", config="things.yaml", data="pictures", layout="NPZ", split="test", target="sim",
        used=(Used("thing", "ab" * 32, "an engine"),), measured="here", complete=True, per="item", listed=samples,
        ignored=0, unreadable=Left(), no_frame=Left(), items=samples, samples=samples, labels=labels, answers=found,
        groups=None, reported=Reported(8, 1, 1, 20, 0), told={},
    )  # fmt: skip


def test_a_few_classes_are_all_shown() -> None:
    text = "\n".join(lines(report()))
    for part in ("Things on pictures (NPZ, test split), measured here", "model thing: an engine",
                 "30 items of 3 of the model's 3 classes", "95 % interval", "8 right, 1 wrong, 1 not reported",
                 "20 rightly not reported, 0 falsely", "confusion: rows are what it is"):  # fmt: skip
        assert part in text
    assert not list(warnings(report()))


def test_many_classes_are_summed_up() -> None:
    text = list(lines(report(200, 400)))
    assert "the 20 worst classes:" in text
    assert len([line for line in text if " taken for class " in line]) == 20
    assert len(text) < 70


@pytest.mark.parametrize("classes", [2, 12, 16])
def test_no_line_of_a_matrix_is_wider_than_a_page(classes: int) -> None:
    assert max(map(len, lines(report(classes, 1000 * classes)))) <= 140


def test_what_is_missing_is_warned_of() -> None:
    left = replace(
        report(), complete=False, listed=50, unreadable=Left(12, tuple(f"{n}.png: damaged" for n in range(10))),
        no_frame=Left(1, ("short.wav",)), told={"sensor stuck": 2},
    )  # fmt: skip
    text = "\n".join(warnings(left))
    for part in ("stopped after 43 of 50 items", "could not be read: 12 of 50 items", "0.png: damaged", "and 2 more",
                 "gave no frame: 1 of 50", "short.wav", "'sensor stuck' by itself in 2 items"):  # fmt: skip
        assert part in text


def test_a_value_has_an_auc_alone() -> None:
    value = replace(
        report(), labels=(), answers=None, groups=Groups(("bad",), ("good",), 10, 20, 0.98765), reported=None
    )
    text = "\n".join(lines(value))
    assert "AUC       0.9877   bad (10) against good (20)" in text
    assert "confusion" not in text
    assert (value.accuracy, value.auc) == (None, 0.98765)


@pytest.mark.parametrize("classes", [2, 12, 20, 130])
def test_a_picture_is_drawn(tmp_path: Path, classes: int) -> None:
    import cv2

    draw(report(classes, 4 * classes), tmp_path / "matrix.png")
    picture = cv2.imread(str(tmp_path / "matrix.png"))
    assert min(picture.shape[:2]) > 500
    assert (picture == 255).mean() < 0.95
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.png"]


def test_endings_are_formats(tmp_path: Path) -> None:
    for name, start in {"m.svg": b"<?xml", "m.PDF": b"%PDF", "m.png": b"\x89PNG"}.items():
        draw(report(), tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(CapabilityError, match=r"expected a file name that ends in .png, .pdf, .svg"):
        check_plot(tmp_path / "m.xyz")
    with pytest.raises(OutputError, match="there is no folder"):
        check_plot(tmp_path / "nix/m.png")


def test_a_plot_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.png"
    path.write_bytes(b"earlier")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        draw(report(), path)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("m.png", b"earlier")]


def test_a_value_has_no_confusion_to_draw(tmp_path: Path) -> None:
    with pytest.raises(CapabilityError, match="gives a value"):
        draw(replace(report(), answers=None), tmp_path / "m.png")
