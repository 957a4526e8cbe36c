"""Classical models as skl2onnx converts them, and the lines of docs/onnx.md that do it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.engines.onnx import Onnx
from pipelines.errors import ModelError

pytestmark = pytest.mark.training
ROOT = Path(__file__).parents[4]
X = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def converted(folder: Path, pipeline: Any, monkeypatch: pytest.MonkeyPatch, **config: Any) -> Onnx:
    """By the lines of the docs."""
    pytest.importorskip("skl2onnx")
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/onnx.md").read_text(), re.DOTALL | re.MULTILINE)
    if not hasattr(pipeline, "classes_"):
        code = code.replace('options={"zipmap": False}, ', "")
    monkeypatch.chdir(folder)
    exec(code, {"pipeline": pipeline, "X": X})
    return Onnx(Onnx.Config(model="my.onnx", **config), folder / "my.onnx")


def test_a_classifier_gives_its_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    forest = ensemble.RandomForestClassifier(10, random_state=1).fit(X, Y)
    engine = converted(tmp_path, forest, monkeypatch)
    assert [(spec.shape, spec.dtype) for spec in engine.outputs] == [((1,), "int64"), ((1, 2), "float32")]
    for row, expected in zip(X[:20], forest.predict_proba(X[:20]), strict=True):
        label, scores = engine.infer(row[None])
        np.testing.assert_allclose(scores[0], expected, atol=1e-6)
        assert label.tolist() == [expected.argmax()]
    engine = converted(tmp_path, forest, monkeypatch, outputs=("probabilities",))
    assert engine.infer(X[:1])[0].shape == (1, 2)


def test_a_regression_gives_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    svm, pipeline, scaling = (pytest.importorskip(f"sklearn.{name}") for name in ("svm", "pipeline", "preprocessing"))
    model = pipeline.make_pipeline(scaling.StandardScaler(), svm.SVR()).fit(X, X[:, 0] * 3)
    engine = converted(tmp_path, model, monkeypatch)
    said = [engine.infer(row[None])[0].item() for row in X[:50]]
    np.testing.assert_allclose(said, model.predict(X[:50]), atol=1e-4)


def test_labels_in_words_are_refused_but_their_scores_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    model = linear.LogisticRegression().fit(X, np.where(Y, "on", "off"))
    with pytest.raises(ModelError, match="is tensor\\(string\\), expected a tensor of numbers; read the other outputs"):
        converted(tmp_path, model, monkeypatch)
    engine = converted(tmp_path, model, monkeypatch, outputs=("probabilities",))
    np.testing.assert_allclose(engine.infer(X[:1])[0], model.predict_proba(X[:1]), atol=1e-6)


def test_a_zipmap_is_refused(tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    linear = pytest.importorskip("sklearn.linear_model")
    model = skl2onnx.to_onnx(linear.LogisticRegression().fit(X, Y), X[:1])
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="convert the classifier with skl2onnx's options=.'zipmap': False"):
        Onnx(Onnx.Config(model="m"), path)
