from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from demos import in_process, says
from pipelines.engines.bundle import Bundle
from pipelines.engines.tflite import Tflite
from pipelines.errors import MissingDependency, OutputError

pytest.importorskip("tflite")
MODELS = Path(__file__).parents[4] / "models"
KWS = MODELS / "kws/model.tflite"
needs_cc = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler (cc)")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/eiq-demo/bundles"


@needs_cc
def test_it_says_what_the_reference_kernels_say() -> None:
    bundle, reference = (
        Bundle(Bundle.Config(model="kws"), KWS),
        Tflite(Tflite.Config(model="kws", kernels="reference"), KWS),
    )
    assert [spec.shape for spec in bundle.inputs] == [spec.shape for spec in reference.inputs]
    assert [(s.scale, s.zero_point) for s in bundle.outputs] == [(s.scale, s.zero_point) for s in reference.outputs]
    rng = np.random.default_rng(1)
    for _ in range(10):
        x = rng.normal(-20, 25, bundle.inputs[0].shape).astype(np.float32)
        # LiteRT's fully connected layer may round one step otherwise; tflite-micro is the oracle to the bit
        assert np.abs(bundle.infer(x)[0] - reference.infer(x)[0]).max() <= 2 / 256


@needs_cc
def test_what_was_built_is_kept(cache: Path) -> None:
    Bundle(Bundle.Config(model="kws"), KWS)
    (library,) = cache.iterdir()
    before = library.stat()
    Bundle(Bundle.Config(model="kws"), KWS)
    assert [path.name for path in cache.iterdir()] == [library.name]
    assert library.stat().st_mtime_ns == before.st_mtime_ns


@needs_cc
def test_the_bundled_demo_runs_on_it(tmp_path: Path) -> None:
    done = in_process("run", "kws.yaml", "--engine", "bundle", "--fast", cwd=tmp_path)
    assert done.returncode == 0
    says(done.stderr, ["model kws: compiled to C by eiq-demo, "])
    other = in_process("run", "kws.yaml", "--fast", "--set", "engine.kernels=reference", cwd=tmp_path)
    words, others = ([line.split()[2] for line in run.stdout.splitlines()] for run in (done, other))
    assert words == others
    assert len(words) == 6


def test_without_a_compiler_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependency, match=r"needs a C compiler \(cc\), and there is none; sudo apt-get install"):
        Bundle(Bundle.Config(model="kws"), KWS)


@needs_cc
def test_where_nothing_can_be_kept_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with pytest.raises(OutputError, match="cannot keep the compiled model in /dev/null/eiq-demo/bundles"):
        Bundle(Bundle.Config(model="kws"), KWS)
