from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from apps.convert import convert, main
from pipelines.errors import DataError, EiqError, MissingDependency


def test_samples_that_are_none(tmp_path: Path) -> None:
    samples = tmp_path / "samples.npy"
    with pytest.raises(DataError, match=r"samples.npy cannot be read \(.+\); expected samples as .npy"):
        convert(tmp_path / "m.keras", samples)
    samples.write_bytes(b"no array")
    with pytest.raises(DataError, match="cannot be read"):
        convert(tmp_path / "m.keras", samples)
    for shape in ((0, 4), (4,)):
        np.save(samples, np.zeros(shape, np.float32))
        with pytest.raises(DataError, match="holds no samples; expected an array"):
            convert(tmp_path / "m.keras", samples)


def test_without_tensorflow_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "samples.npy", np.zeros((2, 4), np.float32))
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingDependency, match=r"converting models needs .* pip install 'eiq-demo\[train\]'"):
        convert(tmp_path / "m.keras", tmp_path / "samples.npy")


def test_other_than_three_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["convert", "model.keras"])
    with pytest.raises(EiqError, match="got 1 arguments, expected three arguments: a .keras or .h5 file"):
        main()
