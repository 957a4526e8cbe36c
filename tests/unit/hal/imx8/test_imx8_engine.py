"""The SoC's own delegate: a real library (tests/external_delegate.c) under the name that NXP's has."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hal.imx8.sysfs import Sysfs
from hal.imx8.target import Imx8
from pipelines.errors import MissingDependency, ModelError
from sysroots import ALL, ROOT, in_child

KWS = ROOT / "models/kws/model.tflite"
CIFAR10 = ROOT / "models/cifar10/model.tflite"
DEFAULTS = {"imx8mp-evk": "libvx_delegate.so", "imx93-11x11-evk": "libethosu_delegate.so",
            "imx95-19x19-evk": "libneutron_delegate.so"}  # fmt: skip
BUILD = """
made = target.Imx8()
try:
    engine = made.engine("tflite", made.engine_config("tflite")(model="cifar10", **json.loads(sys.argv[2])),
                         Path(sys.argv[1]))
    print(json.dumps(engine.description))
except EiqError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


@pytest.fixture
def on(board: Callable[[str], Sysfs], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Imx8]:
    def target(tree: str) -> Imx8:
        monkeypatch.setenv("EIQ_SYSROOT", str(board(tree).root))
        return Imx8()

    return target


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three libraries of the BSPs."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (apt-get install gcc)")
    folder = tmp_path_factory.mktemp("delegates")
    for name in DEFAULTS.values():
        source = ROOT / "tests/external_delegate.c"
        subprocess.run(["cc", "-std=c99", "-O1", "-shared", "-fPIC", "-o", folder / name, source, "-lm"], check=True)
    return folder


def built(board: Callable[[str], Sysfs], libraries: Path, tree: str, **config: Any) -> Any:
    """The engine's description, or what is wrong, on that board."""
    (said,) = in_child(BUILD, CIFAR10, json.dumps(config), EIQ_SYSROOT=str(board(tree).root),
                       LD_LIBRARY_PATH=str(libraries))  # fmt: skip
    return said


@pytest.mark.parametrize("tree", ALL)
def test_no_silent_cpu(on: Callable[[str], Imx8], tree: str) -> None:
    target = on(tree)
    config = target.engine_config("tflite")
    if tree not in DEFAULTS:
        engine = target.engine("tflite", config(model="kws"), KWS)
        assert "delegate" not in engine.description
        engine.close()
        return
    with pytest.raises(MissingDependency) as info:
        target.engine("tflite", config(model="kws"), KWS)
    library, soc = DEFAULTS[tree], target.board.soc
    assert soc is not None
    assert str(info.value) == (
        f"the delegate {library} cannot be loaded: {library} comes with the BSP of boards that have the hardware "
        f"({library}: cannot open shared object file: No such file or directory); it is the default on {soc.name}: "
        "install it, or run on the CPU with --set engine.delegate=none"
    )
    target.engine("tflite", config(model="kws", delegate="none"), KWS).close()


@pytest.mark.parametrize("tree", DEFAULTS)
def test_the_default_gets_its_options(board: Callable[[str], Sysfs], libraries: Path, tree: str) -> None:
    kind, said = built(board, libraries, tree, delegate_options={"fail": "create"})
    assert kind == "ModelError"
    assert said.startswith(f"the delegate {DEFAULTS[tree]} did not start with the options fail=create (")


@pytest.mark.parametrize("tree", DEFAULTS)
def test_the_default_runs(board: Callable[[str], Sysfs], libraries: Path, tree: str) -> None:
    assert DEFAULTS[tree] in built(board, libraries, tree)


def test_a_gpu_is_to_be_had_by_name(board: Callable[[str], Sysfs], libraries: Path) -> None:
    assert "libvx_delegate.so" in built(board, libraries, "imx8qm-mek", delegate="vx")
    assert "libvx_delegate.so" not in built(board, libraries, "imx8qxp-mek")


@pytest.mark.parametrize("tree", [tree for tree in ALL if tree not in DEFAULTS])
def test_options_without_a_delegate_to_take_them(on: Callable[[str], Imx8], tree: str) -> None:
    target = on(tree)
    soc = target.board.soc
    assert soc is not None
    with pytest.raises(ModelError) as info:
        target.engine("tflite", target.engine_config("tflite")(model="kws", delegate_options={"a": 1}), KWS)
    assert str(info.value) == (
        f"got engine.delegate_options without a delegate, and {soc.name} has no default one; name it with "
        "engine.delegate, or leave the options out"
    )


def test_options_for_the_cpu(on: Callable[[str], Imx8]) -> None:
    config = on("imx8mp-evk").engine_config("tflite")
    with pytest.raises(ValueError, match="got delegate_options with delegate none, which is the CPU"):
        config(model="kws", delegate="none", delegate_options={"a": 1})
    with pytest.raises(ValueError, match="got labels with residual"):
        config(model="kws", residual="mean", labels=("a",))
