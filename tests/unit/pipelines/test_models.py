from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipelines.errors import ConfigError, ModelError
from pipelines.models import open_model, read_labels, read_manifest, secure
from pipelines.resources import absent_models, bundled, manifests, model_store

MANIFEST = """
name: tiny
title: A tiny model
files:
  - {{engine: tflite, path: model.tflite, sha256: {sha}, bytes: {size}}}
labels: [no, off, on, yes]
input: {{kind: image, shape: [32, 32, 3], dtype: float32, channels: [r, g, b]}}
preprocess:
  - resize: {{width_px: 32, height_px: 32}}
training: {{data: none, licence: none}}
"""


def write(folder: Path, data: bytes = b"abc", **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(data)
    fields = {"sha": hashlib.sha256(data).hexdigest(), "size": len(data)} | changes
    (folder / "manifest.yaml").write_text(MANIFEST.format(**fields))
    return folder


def test_a_model_is_found_by_name_and_its_label_words_stay_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "tiny")
    monkeypatch.setenv("EIQ_MODELS", f"/nowhere:{tmp_path}")
    assert manifests()["tiny"] == tmp_path / "tiny/manifest.yaml"
    model = open_model("tiny", Path("/"))
    assert (model.name, model.engine, model.labels) == ("tiny", "tflite", ("no", "off", "on", "yes"))


def test_the_first_folder_of_eiq_models_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write(tmp_path / "a/tiny").parent, write(tmp_path / "b/tiny").parent
    monkeypatch.setenv("EIQ_MODELS", f"{first}:{second}")
    assert open_model("tiny", Path("/")).path.parent.parent == first


@pytest.mark.parametrize("reference", ["tiny/manifest.yaml", "../x/tiny", "tiny/model.tflite"])
def test_a_path_is_relative_to_the_config(tmp_path: Path, reference: str) -> None:
    write(tmp_path / "x/tiny")
    assert open_model(reference, tmp_path / "x").path.resolve() == tmp_path / "x/tiny/model.tflite"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sha": "a" * 64}, "has sha256 ba7816bf8f01…, its manifest says aaaaaaaaaaaa…"),
        ({"size": 4}, "has 3 bytes, its manifest says 4"),
    ],
)
def test_another_file_than_the_manifests_is_refused(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    write(tmp_path / "tiny", **changes)
    with pytest.raises(ModelError, match=says):
        open_model("tiny/manifest.yaml", tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    (write(tmp_path / "tiny") / "model.tflite").unlink()
    with pytest.raises(ModelError, match=r"model\.tflite is not there; expected the model file of 3 bytes"):
        open_model("tiny/manifest.yaml", tmp_path)


NAMED = """
name: tiny
title: A tiny model
files:
  - {{engine: tflite, path: model.tflite, {file}}}
labels: [no, off, on, yes]
input: {{kind: image, shape: [32, 32, 3]}}
preprocess: []
training: {{data: none, licence: none}}
"""
FETCHED = f"sha256: {hashlib.sha256(b'abc').hexdigest()}, bytes: 3, url: 'https://example.com/m'"


def to_fetch(folder: Path, file: str = FETCHED) -> Path:
    """A model whose file is not beside its manifest."""
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny/manifest.yaml").write_text(NAMED.format(file=file))
    return folder / "tiny/manifest.yaml"


@pytest.mark.parametrize("place", ["first/tiny/model.tflite", "first/model.tflite", "second/tiny/model.tflite",
                                   "cache/eiq-demo/models/tiny/model.tflite"])  # fmt: skip
def test_where_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    manifest = to_fetch(tmp_path / "x")
    monkeypatch.setenv("EIQ_MODELS", f"{tmp_path}/first:{tmp_path}/second")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(
        ModelError, match="model tiny is not on this machine .3 bytes.; fetch it: eiq-demo models fetch"
    ):
        open_model(str(manifest), tmp_path)
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_bytes(b"abc")
    assert open_model(str(manifest), tmp_path).path == tmp_path / place


def test_a_folder_of_eiq_models_that_is_not_there_is_told_where_a_model_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = to_fetch(tmp_path / "x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EIQ_MODELS", f"{tmp_path}/stick:{tmp_path}")
    for reference, missed in ((str(manifest), "on this machine .*--from DIR"), ("tiny_", "unknown model 'tiny_'")):
        with pytest.raises(ModelError, match=f"{missed}.*; EIQ_MODELS names {tmp_path}/stick, which is not there"):
            open_model(reference, tmp_path)
    monkeypatch.setenv("EIQ_MODELS", f"{tmp_path}/a:{tmp_path}/b")
    assert absent_models() == f"; EIQ_MODELS names {tmp_path}/a and {tmp_path}/b, which are not there"
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path))
    assert absent_models() == ""


def test_a_cache_that_is_no_absolute_path_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EIQ_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert model_store() == tmp_path / ".cache/eiq-demo/models"


def test_what_is_quoted_is_not_run_even_where_it_is(tmp_path: Path) -> None:
    manifest = to_fetch(tmp_path, "url: 'https://example.com/m.tgz'")
    (tmp_path / "tiny/model.tflite").write_bytes(b"abc")
    with pytest.raises(
        ModelError, match="model tiny is quoted only: no sha256 .* is at https://example.com/m.tgz.*run;"
    ):
        open_model(str(manifest), tmp_path)


def test_a_name_may_have_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "net_0.25_128")
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path))
    assert open_model("net_0.25_128", Path("/")).name == "tiny"
    with pytest.raises(ModelError, match="unknown model 'net_0.25_12'; did you mean \"net_0.25_128\""):
        open_model("net_0.25_12", Path("/"))
    with pytest.raises(ModelError, match="model other.tflite: /other.tflite is not there"):
        open_model("other.tflite", Path("/"))


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://example.com/a", True),
        ("http://127.0.0.1:8000/a", True),
        ("http://localhost/a", True),
        ("http://[::1]:1/a", True),
        ("http://example.com/a", False),
        ("http://127.0.0.1.example.com/a", False),
        ("http://localhost@example.com/a", False),
        ("https:///a", False),
        ("https://[bad/a", False),
        ("https://example.com:99999/a", False),
        ("https://example..com/a", False),
        ("https://exämple.com/a", False),
        ("ftp://example.com/a", False),
        ("file:///etc/passwd", False),
        ("a", False),
    ],
)
def test_only_https_or_this_very_machine(url: str, good: bool) -> None:
    assert secure(url) == good


def test_the_bundled_manifests_are_right() -> None:
    for name, path in manifests().items():
        manifest = read_manifest(path)
        assert manifest.name == name
        for file in manifest.files:
            assert file.sha256 or (file.url and all(score.measured == "quoted" for score in manifest.accuracy)), name


def test_the_imagenet_labels_are_1001_different_words() -> None:
    labels = read_labels(str(bundled() / "models/imagenet_labels.txt"))
    assert len(labels) == len(set(labels)) == 1001
    assert (labels[0], labels[1], labels[653], labels[1000]) == (
        "background",
        "tench",
        "military uniform",
        "toilet tissue",
    )
    assert (labels[135], labels[518]) == ("crane (bird)", "crane (machine)")


def test_no_file_for_an_engine(tmp_path: Path) -> None:
    write(tmp_path / "tiny")
    with pytest.raises(ModelError, match="model tiny has no file for the engine 'onnx'; it has files for: tflite"):
        open_model("tiny/manifest.yaml", tmp_path, "onnx")


def test_every_problem_of_a_manifest(tmp_path: Path) -> None:
    folder = write(tmp_path / "tiny", sha="xyz")
    text = (folder / "manifest.yaml").read_text().replace("title", "titel").replace("resize", "resise")
    (folder / "manifest.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_manifest(folder / "manifest.yaml")
    text = str(error.value)
    for part in (
        "sha256: expected",
        'titel: unknown option; did you mean "title"',
        "'resise'; did you mean \"resize\"",
    ):
        assert part in text


def test_empty_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("")
    with pytest.raises(ConfigError, match="is empty; expected a model's manifest"):
        read_manifest(tmp_path / "manifest.yaml")


def test_labels_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("no\nyes\n")
    assert read_labels(str(tmp_path / "labels.txt")) == ("no", "yes")
    with pytest.raises(ModelError, match="cannot be read"):
        read_labels(str(tmp_path / "nothing.txt"))


def test_unknown_name_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "tiny")
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match='did you mean "tiny"'):
        open_model("tinny", Path("/"))


def test_a_model_of_scikit_learn_is_also_the_compilers() -> None:
    models = {engine: open_model("fan_state_svm", Path(), engine) for engine in ("sklearn", "bundle")}
    assert models["bundle"].path == models["sklearn"].path
    assert models["bundle"].engine == "bundle"
    assert open_model("fan_state", Path(), "bundle").path.suffix == ".tflite"
    for engine in ("tflite", "tflm", "onnx"):
        with pytest.raises(ModelError, match=f"fan_state_svm has no file for the engine '{engine}'; .* for: sklearn"):
            open_model("fan_state_svm", Path(), engine)
