import hashlib
import io
import pickle
import re
import resource
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demos import in_process
from pipelines.engines.sklearn import Sklearn
from pipelines.errors import DataError, MissingDependency, ModelError, SignalMismatch

skops = pytest.importorskip("skops.io")
pytest.importorskip("sklearn")
Build = Callable[..., Sklearn]
RNG = np.random.default_rng(1)
X = RNG.normal(size=(200, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


@pytest.fixture
def engine(tmp_path: Path) -> Build:
    def build(model: Any) -> Sklearn:
        path = tmp_path / "model.skops"
        path.write_bytes(model if isinstance(model, bytes) else skops.dumps(model))
        return Sklearn(Sklearn.Config(model=str(path)), path)

    return build


def classifiers() -> list[Any]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return [
        make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), ensemble=False)),
        RandomForestClassifier(n_estimators=10, random_state=1),
        GradientBoostingClassifier(n_estimators=5, random_state=1),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ]


@pytest.mark.parametrize("which", range(4))
def test_a_classifier_gives_its_probabilities(engine: Build, which: int) -> None:
    model = classifiers()[which].fit(X, Y)
    built = engine({"estimator": model, "input_shape": [3, 2]})
    assert (built.inputs[0].shape, built.outputs[0].shape, built.outputs[0].name) == (
        (1, 3, 2),
        (1, 3),
        "probabilities",
    )
    for row in X[:5]:
        (y,) = built.infer(row.reshape(1, 3, 2))
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, model.predict_proba(row[None].astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("name", ["IsolationForest", "OneClassSVM", "EllipticEnvelope"])
def test_an_outlier_is_above_0(engine: Build, name: str) -> None:
    from sklearn import covariance, ensemble, svm

    maker = next(getattr(m, name) for m in (ensemble, svm, covariance) if hasattr(m, name))
    model = maker().fit(X)
    built = engine(model)
    normal, far = (float(built.infer(row)[0][0, 0]) for row in (np.zeros((1, 6)), np.full((1, 6), 9.0)))
    assert normal < 0 < far
    assert far == pytest.approx(-float(model.decision_function(np.full((1, 6), 9.0))[0]), rel=1e-6)


def test_a_density_tells_how_unlikely_it_is(engine: Build) -> None:
    from sklearn.mixture import GaussianMixture

    built = engine(GaussianMixture(2, random_state=1).fit(X))
    assert built.outputs[0].name == "unlikeliness"
    assert built.infer(np.zeros((1, 6)))[0][0, 0] < built.infer(np.full((1, 6), 5.0))[0][0, 0]


def test_a_regression_gives_its_value(engine: Build) -> None:
    from sklearn.linear_model import Ridge

    model = Ridge().fit(X, X @ np.arange(6))
    assert engine(model).infer(X[:1])[0][0, 0] == pytest.approx(float(model.predict(X[:1])[0]), rel=1e-5)


def test_it_says_what_runs(engine: Build) -> None:
    import sklearn

    description = engine(classifiers()[1].fit(X, Y)).description
    assert description == f"scikit-learn {sklearn.__version__}, RandomForestClassifier of 6 features, 1 thread"


def test_wrong_input_is_refused(engine: Build) -> None:
    built = engine(classifiers()[1].fit(X, Y))
    with pytest.raises(SignalMismatch, match=r"an array of shape \[6\], expected features \[1, 6\] float32"):
        built.infer(X[0])
    with pytest.raises(SignalMismatch, match="got 2 arrays, expected 1"):
        built.infer(X[:1], X[:1])
    with pytest.raises(DataError, match="not a finite number"):
        built.infer(np.full((1, 6), np.nan))
    built.close()
    built.close()


def test_a_forest_runs_on_one_thread(engine: Build) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RandomForestClassifier(5, n_jobs=-1, random_state=1)).fit(X, Y)
    built = engine(model)
    forest: Any = built._answer.__self__.steps[-1][1]  # type: ignore[attr-defined]
    assert (forest.n_jobs, model.steps[-1][1].n_jobs) == (None, -1)
    np.testing.assert_allclose(built.infer(X[:1])[0], model.predict_proba(X[:1]), rtol=1e-6)


def test_the_names_of_a_table_are_not_asked_for(engine: Build) -> None:
    """A warning is an error in tests."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), classifiers()[1]).fit(X, Y)
    expected = model.predict_proba(X[:1].astype(np.float64))
    for _, step in model.steps:
        step.feature_names_in_ = np.array(list("abcdef"), object)  # as of a DataFrame
    with pytest.warns(UserWarning, match="feature names"):
        model.predict_proba(X[:1])
    np.testing.assert_allclose(engine(model).infer(X[:1])[0], expected, rtol=1e-6)


def test_a_feature_that_a_scaler_brings_beyond_float32(engine: Build) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    built = engine(make_pipeline(StandardScaler(), classifiers()[1]).fit(X * 1e-6, Y))
    with pytest.raises(
        DataError, match=r"does not take the features \(.* which lie between 0 and 1e\+38; look at"
    ) as e:
        built.infer(np.array([[0, 0, 0, 0, 0, 1e38]], np.float32))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("by", ["sklearn", "bundle"])
@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("", ""),
        (", labels: [off, on]", ""),
        (", labels: [on, off]", "got the labels on, off, expected the classes that .*: off, on; write these, or leave"),
        (", labels: [aus, an]", "got the labels aus, an, expected the classes that .*: off, on; write these, or leave"),
        (", labels: [off, on, x]", "got the labels off, on, x, expected the classes"),
    ],
)
def test_labels_are_the_classes_that_it_learned(tmp_path: Path, by: str, labels: str, says: str) -> None:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(5, random_state=1).fit(X[:, :3], np.where(X[:, 0] > 0, "on", "off"))
    skops.dump({"estimator": model, "input_shape": [1, 3]}, tmp_path / "m.skops")
    rows = np.full((60, 3), [3, 0, 0])
    np.savetxt(tmp_path / "x.csv", rows, delimiter=",", header="ax_g,ay_g,az_g", comments="")
    (tmp_path / "c.yaml").write_text(
        "title: t\nsensor: {motion: {file: x.csv, rate_hz: 50, channels: [ax_g, ay_g, az_g]}}\n"
        "preprocess: [{window: {length_ms: 20, hop_ms: 20}}]\n"
        f"engine: {{type: {by}, model: ./m.skops{labels}}}\npostprocess: [top: {{}}]\nactions: [console]\n"
    )
    done = in_process("run", "c.yaml", cwd=tmp_path)
    if says:
        assert done.returncode == 2
        assert re.search(says, done.stderr)
        assert len(done.stderr.splitlines()) == 1
    else:
        assert done.returncode == 0, done.stderr
        assert " on " in done.stdout
        assert " off " not in done.stdout


def test_the_compiler_looks_at_a_manifests_labels_too(tmp_path: Path) -> None:
    data = skops.dumps(classifiers()[1].fit(X, np.array(["a", "c", "b"])[Y]))
    (tmp_path / "model.skops").write_bytes(data)
    for labels, code in (("a, b, c", 0), ("a, c, b", 2)):
        (tmp_path / "manifest.yaml").write_text(
            f"name: abc\ntitle: t\nfiles:\n- {{engine: sklearn, path: model.skops, bytes: {len(data)}, "
            f"sha256: {hashlib.sha256(data).hexdigest()}}}\nlabels: [{labels}]\ninput: {{kind: features, shape: [6]}}\n"
            "preprocess: []\ntraining: {data: none, licence: none}\n"
        )
        done = in_process("compile", "./manifest.yaml", "--out", "build", cwd=tmp_path)
        assert done.returncode == code, done.stderr
    assert "got the labels a, c, b, expected the classes that" in done.stderr
    assert done.stderr.rstrip().endswith("in its order: a, b, c; write these, or leave labels out")


# ---- what is refused ---------------------------------------------------------------------------------------------


class Ran:
    """A pickle that leaves a trace when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_never_loaded(engine: Build, tmp_path: Path, protocol: int) -> None:
    with pytest.raises(ModelError, match="looks like|is a pickle, whose loading may run any code") as error:
        engine(pickle.dumps(Ran(tmp_path / "trace"), protocol))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("compress", [0, 3])
def test_a_joblib_file_is_never_loaded(engine: Build, tmp_path: Path, compress: int) -> None:
    joblib = pytest.importorskip("joblib")
    joblib.dump(Ran(tmp_path / "trace"), tmp_path / "m.joblib", compress=compress)
    with pytest.raises(ModelError, match="is a pickle, whose loading may run any code, and is never loaded; save the"):
        engine((tmp_path / "m.joblib").read_bytes())
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", ["model.pkl", "model.pickle", "model.joblib"])
def test_the_command_refuses_a_pickle_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Ran(tmp_path / "trace")))
    for engine in ([], ["--set", "engine.type=sklearn"], ["--set", "engine.type=onnx"]):
        done = in_process("run", "fan_state.yaml", "--set", f"engine.model={tmp_path / name}", *engine, cwd=tmp_path)
        assert done.returncode == 2
        assert "pickle" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "trace").exists()


def _archive(**files: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (_archive(data_pkl="x"), "is a pickle"),
        (_archive(readme_txt="x"), "looks like a ZIP archive"),
        (_archive(schema_json="{}"), "is damaged, or no model"),
        (_archive(schema_json="nothing"), "is damaged, or no model"),
        (_archive(schema_json="{}")[:-30], "is cut short or damaged (File is not a zip file); fetch it again"),
        (b"hello", "looks like text, expected a .skops file"),
    ],
    ids=["pickle", "other archive", "empty schema", "no schema", "cut short", "text"],  # an archive holds the time
)
def test_what_is_no_model_is_refused_in_one_sentence(engine: Build, model: bytes, said: str) -> None:
    with pytest.raises(ModelError) as error:
        engine(model)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_archive_that_unpacks_to_more_than_any_model_is_not_unpacked(engine: Build) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("schema.json", "w") as bomb:
        for _ in range(33):
            bomb.write(bytes(1 << 24))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"unpacks to 553,648,128 bytes, expected 536,870,912 at most"):
        engine(file.getvalue())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_a_type_of_others_is_refused(engine: Build) -> None:
    with pytest.raises(
        ModelError, match="holds the type .*_Strange, which is not loaded; expected scikit-learn's support"
    ):
        engine({"estimator": classifiers()[1].fit(X, Y), "more": _Strange()})


@pytest.mark.parametrize("name", ["KNeighborsClassifier", "MLPClassifier",
                                  pytest.param("HistGradientBoostingClassifier", marks=pytest.mark.slow)])  # fmt: skip
def test_what_of_scikit_learn_is_taken_is_said(engine: Build, name: str) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier

    kinds = KNeighborsClassifier(), MLPClassifier(tol=10.0), HistGradientBoostingClassifier(max_iter=2)
    model: Any = next(one for one in kinds if type(one).__name__ == name)
    with pytest.raises(
        ModelError, match=r"holds the type sklearn\..*; expected .* machines, linear models, trees,"
    ) as e:
        engine(model.fit(X, Y))
    assert "\n" not in str(e.value)


class _Strange(Ran):
    def __init__(self) -> None:
        self.a = 1

    def __reduce__(self) -> Any:
        return object.__reduce__(self)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"estimator": 3}, "holds int, expected a trained scikit-learn estimator"),
        ({"other": 3}, "holds NoneType, expected a trained"),
    ],
)
def test_what_holds_no_model_is_refused(engine: Build, held: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        engine(held)


def test_a_model_that_does_not_fit_is_refused(engine: Build) -> None:
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    forest = classifiers()[1].fit(X, Y)
    with pytest.raises(ModelError, match=r"states the input shape \[5\], its model takes 6 features"):
        engine({"estimator": forest, "input_shape": [5]})
    with pytest.raises(ModelError, match="states the input shape .*, expected whole numbers above 0"):
        engine({"estimator": forest, "input_shape": ["a"]})
    with pytest.raises(ModelError, match="holds SVC without probabilities; put it into CalibratedClassifierCV"):
        engine(SVC().fit(X, Y))
    with pytest.raises(ModelError, match="holds StandardScaler, which predicts nothing"):
        engine(StandardScaler().fit(X))
    with pytest.raises(ModelError, match="expected a trained scikit-learn estimator"):
        engine(SVC())


def test_a_tree_that_points_elsewhere_is_refused(engine: Build, tmp_path: Path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    for field, value in (("left_child", 1 << 20), ("right_child", 0), ("feature", 77)):
        model = DecisionTreeClassifier(random_state=1).fit(X, Y)
        state = model.tree_.__getstate__()
        state["nodes"] = state["nodes"].copy()
        state["nodes"][field][0] = value
        model.tree_.__setstate__(state)
        with pytest.raises(ModelError, match="one of its trees points to what it does not have"):
            engine(model)


def test_nothing_installed_says_what_to_install(engine: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = skops.dumps(classifiers()[1].fit(X, Y))
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(MissingDependency, match=r"the engine sklearn needs .*pip install 'eiq-demo\[classical\]'"):
        engine(saved)
