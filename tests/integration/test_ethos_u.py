"""``eiq-demo compile --for ethos-u…`` with the real Vela."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compiler.ethos_u import ACCELERATORS, compile_for
from demos import in_process, says
from pipelines.errors import CapabilityError, MissingDependency, ModelError
from pipelines.models import open_model

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture
def vela() -> None:
    pytest.importorskip("ethosu.vela", reason="needs Vela: pip install 'eiq-demo[vela]'")


@pytest.mark.usefixtures("vela")
@pytest.mark.parametrize("name", ["kws", "cifar10"])
def test_a_model_and_its_manifest(name: str, tmp_path: Path) -> None:
    for accelerator in ("ethos-u55-128", "ethos-u85-256"):
        done = in_process("compile", name, "--for", accelerator, "--out", "npu", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        says(done.stdout, [f"modelled by Vela 5.2.0 for {accelerator}", "0 left to the CPU", "not measured"])
        compiled = open_model("./npu/manifest.yaml", tmp_path, "tflite", accelerator)
        data = compiled.path.read_bytes()
        assert data[4:8] == b"TFL3"
        assert b"ethos-u" in data
    assert (
        open_model("./npu/manifest.yaml", tmp_path).path.read_bytes() == (MODELS / name / "model.tflite").read_bytes()
    )
    assert b"ethos-u" not in open_model("./npu/manifest.yaml", tmp_path, "tflite").path.read_bytes()


@pytest.mark.usefixtures("vela")
def test_more_multipliers_take_fewer_cycles(tmp_path: Path) -> None:
    cycles = []
    for macs in (32, 64, 128, 256):
        done = in_process("compile", "cifar10", "--for", f"ethos-u55-{macs}", "--json", cwd=tmp_path)
        told = json.loads(done.stdout)
        assert told["accelerator"] == f"ethos-u55-{macs}"
        assert told["modelled"]["macs"] > 1e6
        cycles.append(told["modelled"]["cycles"])
    assert cycles == sorted(cycles, reverse=True)


@pytest.mark.usefixtures("vela")
@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_every_accelerator_is_one_of_vela_s(accelerator: str) -> None:
    _, told = compile_for(MODELS / "kws/model.tflite", accelerator)
    assert told.seconds == pytest.approx(told.cycles / told.clock_hz)


@pytest.mark.usefixtures("vela")
def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cut.tflite").write_bytes((MODELS / "kws/model.tflite").read_bytes()[:20_000])
    with pytest.raises(ModelError, match=r"Vela cannot compile .*cut.tflite for ethos-u55-128 \(.+\); expected"):
        compile_for(tmp_path / "cut.tflite", "ethos-u55-128")
    done = in_process("compile", "kws", "--for", "ethos-u55-128", "--measure", cwd=tmp_path)
    assert done.returncode == 2
    says(done.stderr, ["got --for with an option of the C"])


def test_no_such_accelerator(tmp_path: Path) -> None:
    with pytest.raises(CapabilityError, match="unknown accelerator 'ethos-u55-100'; expected one of: ethos-u55-32,"):
        compile_for(MODELS / "kws/model.tflite", "ethos-u55-100")


def test_without_vela_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ethosu.vela", None)
    with pytest.raises(MissingDependency, match=r"compiling for ethos-u55-128 needs .* pip install 'eiq-demo\[vela\]'"):
        compile_for(MODELS / "kws/model.tflite", "ethos-u55-128")
