from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.training import Options

pytestmark = pytest.mark.training


def trained(options: Options) -> list[Any]:
    import keras

    from apps.anomaly.fitting import fit
    from apps.fan_state.network import build

    keras.utils.set_random_seed(options.seed)
    model = build()
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy())
    fit(model, lambda rng: (rng.standard_normal((450, 6, 3)), rng.integers(0, 4, 450)), options, "net")
    return list(model.get_weights())


def test_a_training_that_went_on_is_the_same(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    options = Options(data=tmp_path, out=tmp_path, work=tmp_path / "whole", epochs=4, threads=1)
    whole = trained(options)
    parts = replace(options, work=tmp_path / "parts", epochs=2)
    trained(parts)
    for one, other in zip(whole, trained(replace(parts, epochs=4, resume=True)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (tmp_path / "parts/net.npz").exists()
