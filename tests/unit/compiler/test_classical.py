"""scikit-learn's models as C, against scikit-learn."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("skops")

from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skops.io import dump

from compiler.classical import _floors
from compiler.emit import compile_graph
from compiler.reader import read_graph
from pipelines.engines.bundle import Bundle
from pipelines.engines.sklearn import Sklearn
from pipelines.errors import DataError, ModelError
from tests.compiled import function, whole

Floats = np.ndarray[Any, Any]
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic")


def learned(estimator: Any, classes: int, seed: int = 1, features: int = 5, samples: int = 120) -> tuple[Any, Floats]:
    """A trained estimator, and 40 rows that it never saw."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2, (classes, features))
    states = np.arange(samples) % classes
    x = (centres[states] + rng.normal(0, 1.3, (samples, features))) * rng.uniform(0.1, 30, features) + 7
    more = centres[rng.integers(0, classes, 40)] + rng.normal(0, 2, (40, features))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(x, states)
    return estimator, (more * x.std(axis=0) + x.mean(axis=0)).astype(np.float32)


def both(estimator: Any, folder: Path, x: Floats) -> tuple[Floats, Floats]:
    """What the C gives for each row, and what the engine sklearn gives."""
    folder = Path(tempfile.mkdtemp(dir=folder))  # a library of the same path would be the one that is loaded already
    path = folder / "m.skops"
    dump(estimator, path)
    compiled, engine = function(compile_graph(read_graph(path)), folder), Sklearn(Sklearn.Config(model="m"), path)
    rows = x[:, None]
    return np.concatenate([compiled(row) for row in rows]), np.concatenate(
        [engine.infer(row)[0].copy() for row in rows]
    )


def calibrated(machine: Any) -> Any:
    return make_pipeline(StandardScaler(), CalibratedClassifierCV(machine, ensemble=False, cv=2))


MACHINES: list[Callable[[], Any]] = [
    lambda: SVC(),
    lambda: SVC(kernel="linear"),
    lambda: SVC(kernel="poly", degree=2, coef0=0.5),
    lambda: SVC(kernel="sigmoid", gamma=0.05, coef0=-0.1),
    lambda: NuSVC(nu=0.2),
    lambda: LinearSVC(),
    lambda: SGDClassifier(random_state=1),
    lambda: RidgeClassifier(),
]


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("maker", MACHINES, ids=lambda maker: str(maker()))
def test_machines_give_scikit_learns_probabilities(maker: Callable[[], Any], classes: int, tmp_path: Path) -> None:
    trained, x = learned(calibrated(maker()), classes)
    got, expected = both(trained, tmp_path, x)
    assert got.shape == expected.shape == (40, classes)
    assert np.abs(got - expected).max() < 1e-5
    assert np.ptp(expected) > 0.3  # that they differ is seen


def test_a_scaler_within_the_calibration_and_limits_of_a_scaler(tmp_path: Path) -> None:
    inner = CalibratedClassifierCV(make_pipeline(MinMaxScaler(clip=True), SVC()), ensemble=False, cv=2)
    trained, x = learned(make_pipeline(StandardScaler(with_std=False), "passthrough", inner), 3)
    got, expected = both(trained, tmp_path, x * 3)  # far out, where it is clipped
    assert np.abs(got - expected).max() < 1e-5


@pytest.mark.parametrize("one", [OneClassSVM(nu=0.2), SVR(), SVR(kernel="poly", degree=2)], ids=str)
def test_decisions_without_classes(one: Any, tmp_path: Path) -> None:
    trained, x = learned(make_pipeline(StandardScaler(), one), 2)
    got, expected = both(trained, tmp_path, x)
    assert np.abs(got - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def far(offset: float, classes: int = 3) -> tuple[Floats, Floats, Floats]:
    """Rows and states to learn from, and more rows: features of a spread of 1, far from 0, in float32."""
    rng = np.random.default_rng(2)
    centres, states = rng.normal(0, 2, (classes, 6)), rng.integers(0, classes, 300)
    x, more = (offset + centres[s] + rng.normal(size=(300, 6)) for s in (states, rng.integers(0, classes, 300)))
    return x.astype(np.float32), states, more.astype(np.float32)


@pytest.mark.parametrize("classes", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("offset", [1000, *(pytest.param(far, marks=pytest.mark.slow) for far in (100, 3000, 1e6))])
def test_linear_models_of_features_far_from_0(offset: float, classes: int, tmp_path: Path) -> None:
    x, states, more = far(offset, classes)
    machines: list[Any] = [kind(kernel="linear", max_iter=2000) for kind in (SVC, NuSVC)]
    for one in (*machines, LinearSVC(), RidgeClassifier()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not all of them converge
            trained = CalibratedClassifierCV(one, ensemble=False, cv=3).fit(x, states)
        got, expected = both(trained, tmp_path, more)
        assert np.abs(got - expected).max() < 1e-6, one
        assert np.array_equal(got.argmax(axis=1), expected.argmax(axis=1))
    machines = [SVR(kernel="linear", max_iter=2000), OneClassSVM(kernel="linear", nu=0.2, max_iter=2000)]
    for one in machines:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained = one.fit(x, x[:, 0])
        got, expected = both(trained, tmp_path, more)
        assert np.abs(got - expected).max() < 2e-7 * np.abs(expected).max()


@pytest.mark.parametrize("clip", [False, True])
def test_a_linear_machine_takes_its_scalers_in_where_they_do_not_clip(clip: bool, tmp_path: Path) -> None:
    x, states, more = far(1000)
    scalers = StandardScaler(), MinMaxScaler((-1, 1), clip=clip)
    trained = make_pipeline(*scalers, CalibratedClassifierCV(SVC(kernel="linear", max_iter=5000), ensemble=False, cv=3))
    dump(trained.fit(x, states), tmp_path / "m.skops")
    ops = [node.op for node in read_graph(tmp_path / "m.skops").nodes]
    assert ops == ["standard_scaler"] * 2 * clip + ["linear", "one_vs_one", "calibrated"]
    got, expected = both(trained, tmp_path, 1000 + 2 * (more - 1000))
    assert np.abs(got - expected).max() < 1e-6
    more[3, 2] = np.nan
    engine = Bundle(Bundle.Config(model="m"), tmp_path / "m.skops")
    with pytest.raises(DataError, match="a feature is not a finite number"):
        engine.infer(more[3:4])


@pytest.mark.parametrize("scaler", [MinMaxScaler(), StandardScaler()], ids=str)
@pytest.mark.parametrize("offset", [100, 1e5])
def test_a_scaler_that_learned_from_float32(offset: float, scaler: Any, tmp_path: Path) -> None:
    x, _, more = far(offset)
    trained = make_pipeline(scaler, SVR(C=10, max_iter=5000)).fit(x, 10 * np.sin(x[:, 0] - offset))
    got, expected = both(trained, tmp_path, more)
    assert np.abs(got - expected).max() < 3e-5


@pytest.mark.parametrize(
    "one",
    [
        SVR(kernel="poly", max_iter=9000),
        CalibratedClassifierCV(SVC(kernel="poly", degree=2, max_iter=9000), ensemble=False, cv=2),
    ],
    ids=str,
)
def test_what_drowns_in_rounding_is_refused(one: Any, tmp_path: Path) -> None:
    x, states, more = far(1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dump(one.fit(x, states), tmp_path / "m.skops")
    with pytest.raises(ModelError, match=r"whose decisions float32 shifts by .* put StandardScaler before it") as error:
        read_graph(tmp_path / "m.skops")
    assert "\n" not in str(error.value)
    got, expected = both(make_pipeline(StandardScaler(), one).fit(x, states), tmp_path, more)  # as it says
    assert np.abs(got - expected).max() < 1e-4


def test_a_machine_without_vectors(tmp_path: Path) -> None:
    x, _, more = far(10)
    for kernel in ("linear", "rbf"):
        got, expected = both(SVR(kernel=kernel).fit(x, np.full(len(x), 3.5)), tmp_path, more)
        assert np.array_equal(got, expected)


TREES: list[Any] = [
    DecisionTreeClassifier(), ExtraTreesClassifier(7), RandomForestClassifier(9, max_depth=3),
    RandomForestClassifier(5, max_leaf_nodes=6), DecisionTreeRegressor(), RandomForestRegressor(6),
    ExtraTreesRegressor(6), IsolationForest(n_estimators=20), IsolationForest(n_estimators=20, max_features=0.5),
    IsolationForest(n_estimators=4, max_samples=1),
]  # fmt: skip


@pytest.mark.parametrize("one", TREES, ids=str)
@pytest.mark.parametrize("scaler", [None, MinMaxScaler((-1, 2), clip=True)], ids=str)
def test_trees_give_scikit_learns_answers(one: Any, scaler: Any, tmp_path: Path) -> None:
    trained, x = learned(make_pipeline(scaler, one) if scaler else one, 3)
    got, expected = both(trained, tmp_path, x)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-6


@pytest.mark.slow
@given(
    trees=st.integers(1, 12), classes=st.integers(2, 6), features=st.integers(1, 9), depth=st.integers(1, 9),
    scaled=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_forest(
    trees: int, classes: int, features: int, depth: int, scaled: bool, seed: int, tmp_path: Path
) -> None:
    forest: Any = RandomForestClassifier(trees, max_depth=depth, random_state=seed)
    trained, x = learned(make_pipeline(StandardScaler(), forest) if scaled else forest, classes, seed, features)
    got, expected = both(trained, tmp_path, x)
    assert np.abs(got - expected).max() < 1e-6


@pytest.mark.slow
@given(
    classes=st.integers(2, 6), features=st.integers(1, 9), gamma=st.floats(0.01, 5), c=st.floats(0.1, 100),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_machine(classes: int, features: int, gamma: float, c: float, seed: int, tmp_path: Path) -> None:
    trained, x = learned(calibrated(SVC(gamma=gamma, C=c)), classes, seed, features)
    got, expected = both(trained, tmp_path, x)
    assert np.abs(got - expected).max() < 1e-4


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=8), st.booleans(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_threshold_parts_all_float32_where_scikit_learn_does(limits: list[float], scaled: bool, seed: int) -> None:
    scalers: list[Any] = []
    if scaled:
        scalers = [StandardScaler().fit(np.random.default_rng(seed).normal(3, 40, (20, 1)))]
    thresholds = np.array(limits)
    found = _floors(thresholds, np.zeros(len(limits), int), scalers, 1)
    assert found.dtype == np.float32
    for x in (found, np.nextafter(found, np.float32(-np.inf)), np.nextafter(found, np.float32(np.inf))):
        seen = x.astype(np.float64)[:, None]
        for scaler in scalers:
            seen = scaler.transform(seen)
        assert np.array_equal(seen[:, 0].astype(np.float32) <= thresholds, x <= found)


def test_every_row_ends_in_the_leaf_of_apply(tmp_path: Path) -> None:
    """Rows on the thresholds themselves and beside them; each leaf is known by its number."""
    tree, _ = learned(DecisionTreeRegressor(random_state=1), 5)
    tree.tree_.value[:, 0, 0] = np.arange(tree.tree_.node_count)
    rows = []
    for feature, threshold in zip(tree.tree_.feature, tree.tree_.threshold, strict=True):
        for way in (-np.inf, np.inf):
            rows.append(np.full(5, 7, np.float32))
            rows[-1][max(feature, 0)] = np.nextafter(np.float32(threshold), np.float32(way))
        rows += [np.full(5, np.float32(threshold))]
    x = np.array(rows)
    got, _ = both(tree, tmp_path, x)
    assert np.array_equal(got[:, 0], tree.apply(x))
    assert len(set(got[:, 0])) > 5


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (GaussianNB(), "m.skops holds GaussianNB, which cannot be compiled; expected StandardScaler, MinMax"),
        (GradientBoostingClassifier(n_estimators=2), "holds GradientBoostingClassifier, which cannot be compiled"),
        (make_pipeline(RobustScaler(), DecisionTreeClassifier()), "holds RobustScaler, which cannot be compiled"),
        (SVC(), "holds SVC without probabilities; put it into CalibratedClassifierCV"),
        (CalibratedClassifierCV(SVC(), cv=2, ensemble=True), "CalibratedClassifierCV with several machines or another"),
        (CalibratedClassifierCV(SVC(), cv=2, ensemble=False, method="isotonic"), "or another method than the sigmoid"),
        (CalibratedClassifierCV(GaussianNB(), cv=2, ensemble=False), "holds GaussianNB in CalibratedClassifierCV"),
        (CalibratedClassifierCV(SVC(decision_function_shape="ovo"), cv=2, ensemble=False), "function_shape 'ovo'"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_taken_is_named(estimator: Any, says: str, tmp_path: Path) -> None:
    trained, _ = learned(estimator, 3)
    dump(trained, tmp_path / "m.skops")
    with pytest.raises(ModelError, match=says) as error:
        read_graph(tmp_path / "m.skops")
    assert "\n" not in str(error.value)


def test_a_forest_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, _ = learned(RandomForestClassifier(9), 3)
    dump(trained, tmp_path / "m.skops")
    monkeypatch.setattr("compiler.classical.MOST_NODES", 20)
    with pytest.raises(ModelError, match=r"nodes in 9 trees of 5 features, expected at most 20 nodes .* set max_depth"):
        read_graph(tmp_path / "m.skops")
    monkeypatch.undo()
    monkeypatch.setattr("compiler.classical.MOST_PLACES", 3)
    with pytest.raises(ModelError, match="expected fewer than 3 to the left of each; set max_depth"):
        read_graph(tmp_path / "m.skops")


def test_another_input_shape_and_damage(tmp_path: Path) -> None:
    trained, _ = learned(RandomForestClassifier(3), 3)
    path = tmp_path / "m.skops"
    dump({"estimator": trained, "input_shape": [2, 3]}, path)
    with pytest.raises(ModelError, match=r"states the input shape \[2, 3\], its model takes 5 features"):
        read_graph(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"m.skops is cut short or damaged"):
        read_graph(path)
    with pytest.raises(ModelError, match="cannot read the model"):
        read_graph(tmp_path / "none.skops")


def test_wrong_numbers_in_a_machine(tmp_path: Path) -> None:
    trained, _ = learned(OneClassSVM(), 2)
    trained.dual_coef_ = trained.dual_coef_[:, :-1]
    dump(trained, tmp_path / "m.skops")
    with pytest.raises(ModelError, match=r"m.skops is damaged, or its estimator was never trained"):
        read_graph(tmp_path / "m.skops")
    trained, _ = learned(make_pipeline(StandardScaler(), OneClassSVM()), 2)
    trained.steps[0][1].scale_[0] = 1e-60
    dump(trained, tmp_path / "m.skops")
    with pytest.raises(ModelError, match=r"m.skops is damaged"):
        read_graph(tmp_path / "m.skops")


@pytest.mark.parametrize("name", ["svm", "forest"])
def test_the_bundled_models_by_the_engine(name: str) -> None:
    path = Path(f"models/fan_state_{name}/model.skops")
    engine, reference = Bundle(Bundle.Config(model="m"), path), Sklearn(Sklearn.Config(model="m"), path)
    assert (engine.inputs, engine.outputs) == (reference.inputs, reference.outputs)
    x = np.abs(np.random.default_rng(1).normal(0, 0.05, (1, 6, 3))).astype(np.float32)
    assert np.abs(engine.infer(x)[0] - reference.infer(x)[0]).max() < 1e-6
    for wrong in (np.nan, np.inf, -np.inf):
        x[0, 2, 1] = wrong
        with pytest.raises(DataError, match="a feature is not a finite number"):
            engine.infer(x)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["svm", "forest"])
def test_the_same_classes_and_scores_on_the_fan_that_it_never_saw(name: str, shared_data: Path, tmp_path: Path) -> None:
    from apps.anomaly.data import load
    from apps.anomaly.features import band_powers, windows
    from apps.fan_state.network import BANDS
    from apps.fan_state.train import LENGTH, unseen

    recordings = unseen(load(shared_data / "fan"), 3, 1)
    x = np.concatenate([band_powers(windows(one.samples, LENGTH), BANDS) for one in recordings]).astype(np.float32)
    path = Path(f"models/fan_state_{name}/model.skops")
    compiled, engine = function(compile_graph(read_graph(path)), tmp_path), Sklearn(Sklearn.Config(model="m"), path)
    got = np.concatenate([compiled(row) for row in x])
    expected = np.concatenate([engine.infer(row[None])[0].copy() for row in x])
    assert len(got) == 1287
    assert np.array_equal(got.argmax(axis=1), expected.argmax(axis=1))
    assert np.abs(got - expected).max() < 5e-7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["svm", "forest"])
def test_every_compiler_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    bundle = compile_graph(read_graph(Path(f"models/fan_state_{name}/model.skops")))
    x = np.abs(np.random.default_rng(1).normal(0, 0.05, (20, 6, 3))).astype(np.float32)
    (tmp_path / f"{bundle.name}.c").write_text(bundle.c)
    (tmp_path / f"{bundle.name}.h").write_text(bundle.h)
    found = []
    for number, (cc, flags) in enumerate(itertools.product(("gcc", "clang"), ("-O0", "-O1", "-O2", "-O3"))):
        if not shutil.which(cc):
            continue
        library = tmp_path / f"{number}.so"
        command = [cc, "-std=c99", "-ffp-contract=off", "-shared", "-fPIC", *STRICT, flags, "-o", library]
        done = subprocess.run([*command, tmp_path / f"{bundle.name}.c"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:2000]
        run = whole(bundle, ctypes.CDLL(str(library)))
        found.append(np.concatenate([run(row)[0] for row in x]).tobytes())
    assert len(set(found)) == 1
