import io
import pickle
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
    with pytest.raises(ModelError, match="holds the type .*_Strange, expected scikit-learn's own estimators"):
        engine({"estimator": classifiers()[1].fit(X, Y), "more": _Strange()})


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
