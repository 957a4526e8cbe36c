"""The engine tflite with a real external delegate, built here: tests/external_delegate.c claims every ADD."""

import gc
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tiny_models
from demos import in_process
from pipelines.engines.tflite import Tflite
from pipelines.errors import EiqError, MissingDependency, ModelError

ROOT = Path(__file__).parents[4]
CIFAR10 = ROOT / "models/cifar10/model.tflite"
Build = Callable[..., Tflite]
pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler (cc)")
A, B = np.array([[1, 2, 3, 4]], np.float32), np.array([[0.5, 0.5, -1, 30]], np.float32)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("delegate") / "libadd_delegate.so"
    source = ROOT / "tests/external_delegate.c"
    subprocess.run(["cc", "-std=c99", "-O2", "-shared", "-fPIC", "-Wall", "-o", path, source, "-lm"], check=True)
    return str(path)


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 0.0), ("int8", 0.5)])
@pytest.mark.parametrize("kernels", ["auto", "builtin", "reference"])
def test_what_it_takes_is_right_and_what_it_leaves_is_said(
    tflite: Build, library: str, kernels: str, dtype: str, scale: float
) -> None:
    engine = tflite(tiny_models.add_and_subtract(dtype, scale=scale), delegate=library, kernels=kernels)
    assert ", 1 of 2 operators on libadd_delegate.so, 1 fell back to the CPU: SUB (" in engine.description
    difference, total = engine.infer(A, B)
    np.testing.assert_array_equal(difference, A - B)
    np.testing.assert_array_equal(total, A + B)


def test_a_network_runs_on_both_as_on_the_cpu_alone(library: str) -> None:
    build = {"model": "cifar10", "kernels": "reference"}
    both = Tflite(Tflite.Config(**build, delegate=library), CIFAR10)
    alone = Tflite(Tflite.Config(**build), CIFAR10)
    (count,) = (
        int(text.split()[0])
        for text in both.description.split(", ")
        if text.endswith("operators on libadd_delegate.so")
    )
    adds = sum(node["op_name"] == "ADD" for node in alone._interpreter._get_ops_details())
    assert count == adds > 1
    assert f"{23 - adds} fell back to the CPU: " in both.description
    rng = np.random.default_rng(1)
    for _ in range(5):
        x = rng.random(both.inputs[0].shape, np.float32)
        assert np.abs(both.infer(x)[0] - alone.infer(x)[0]).max() <= 8 / 256  # ADD in float rounds otherwise by 1 LSB


def test_one_that_takes_all_says_so(tflite: Build, library: str) -> None:
    tensors = [tiny_models.Tensor(name, "float32", (1, 4)) for name in "aby"]
    engine = tflite(tiny_models.model(tensors, [tiny_models.Operator(0, [0, 1], [2])], [0, 1], [2]), delegate=library)
    assert engine.description.endswith(", 1 of 1 operators on libadd_delegate.so, 1 thread")
    np.testing.assert_array_equal(engine.infer(A, B)[0], A + B)


def test_one_that_takes_nothing_says_so(tflite: Build, library: str) -> None:
    engine = tflite(tiny_models.add_and_subtract(), delegate=library, delegate_options={"claim": "nothing"})
    assert "0 of 2 operators on libadd_delegate.so, 2 fell back to the CPU: ADD, SUB (XNNPACK for 2 of 2" in (
        engine.description
    )


def test_options_are_handed_on(tflite: Build, library: str) -> None:
    tflite(tiny_models.copy(), delegate=library, delegate_options={"verbose": True})
    with pytest.raises(ModelError, match=r"did not start with the options turbo=2 \(unknown option turbo\); correct"):
        tflite(tiny_models.copy(), delegate=library, delegate_options={"turbo": 2})
    with pytest.raises(ModelError, match="it does not say why"):
        tflite(tiny_models.copy(), delegate=library, delegate_options={"fail": "create"})
    gc.collect()


def test_a_delegate_that_refuses_the_model_is_an_error(tflite: Build, library: str) -> None:
    with pytest.raises(ModelError, match=r"is refused by the delegate libadd_delegate.so \(the device is in use\)"):
        tflite(tiny_models.add_and_subtract(), delegate=library, delegate_options={"fail": "take"})


def test_a_delegate_that_fails_while_it_runs_is_an_error(tflite: Build, library: str) -> None:
    engine = tflite(tiny_models.add_and_subtract(), delegate=library, delegate_options={"fail": "invoke"})
    with pytest.raises(ModelError, match=r"the model failed while running \(.*the device hung up.*\); fetch"):
        engine.infer(A, B)


def test_options_without_a_delegate_are_refused() -> None:
    with pytest.raises(ValueError, match="got delegate_options without a delegate"):
        Tflite.Config(model="m", delegate_options={"a": 1})


# ---- what does not load ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("vx", "libvx_delegate.so"), ("ethosu", "libethosu_delegate.so"), ("neutron", "libneutron_delegate.so"),
        ("armnn", "libarmnnDelegate.so"),
    ],
)  # fmt: skip
def test_one_of_the_bsps_that_is_not_here_is_named(tflite: Build, name: str, library: str) -> None:
    with pytest.raises(MissingDependency, match=f"the delegate {library} cannot be loaded: {library} comes with"):
        tflite(tiny_models.copy(), delegate=name)


def _elf(machine: int, bits: int = 64) -> bytes:
    """The first bytes of a shared library for a little-endian machine."""
    return struct.pack("<4sBBB9xHH", b"\x7fELF", bits // 32, 1, 1, 3, machine) + bytes(100)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"lib.so is not there"),
        (_elf(183), r"lib.so is for AArch64, this machine is x86-64; name another"),
        (_elf(40, 32), r"lib.so is for 32-bit Arm, this machine is x86-64"),
        (_elf(3, 32), r"lib.so is for x86, this machine is"),
        (_elf(62), r"lib.so cannot be loaded \("),
        (b"", r"lib.so is no shared library"),
        (b"hello", r"lib.so is no shared library"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(tflite: Build, tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "lib.so"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MissingDependency, match=said) as error:
        tflite(tiny_models.copy(), delegate=str(path))
    assert "\n" not in str(error.value)
    assert "say none to run on the CPU" in str(error.value)


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="needs arm-none-eabi-gcc")
def test_a_real_library_for_another_architecture_is_refused(tflite: Build, tmp_path: Path) -> None:
    source, path = tmp_path / "d.c", tmp_path / "libd.so"
    source.write_text("void *tflite_plugin_create_delegate(void) { return 0; }")
    subprocess.run(["arm-none-eabi-gcc", "-c", "-o", path, source], check=True)
    with pytest.raises(MissingDependency, match="is for 32-bit Arm, this machine is "):
        tflite(tiny_models.copy(), delegate=str(path))


def test_a_library_that_is_no_delegate_is_refused(tflite: Build, tmp_path: Path) -> None:
    source, path = tmp_path / "d.c", tmp_path / "libd.so"
    source.write_text("int other;")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, source], check=True)
    with pytest.raises(MissingDependency, match="is no delegate of TensorFlow Lite .it has no tflite_plugin_create"):
        tflite(tiny_models.copy(), delegate=str(path))
    path = tmp_path / "libe.so"
    source.write_text("extern void nowhere(void); void tflite_plugin_create_delegate(void) { nowhere(); }")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-z,now", "-o", path, source], check=True)
    with pytest.raises(EiqError, match=r"cannot be loaded \(.*undefined symbol: nowhere\)"):
        tflite(tiny_models.copy(), delegate=str(path))


CREATE = "void *tflite_plugin_create_delegate(char **k, char **v, unsigned long n, void (*report)(const char *))"
DESTROY = "void tflite_plugin_destroy_delegate(void *d) {}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{ *(volatile int *)0 = 1; return 0; }", r"ended the process in which it was tried \(SIGSEGV"),
        ('{ fputs("EE: no\\ndriver\\n", stderr); abort(); }', r"\(SIGABRT: EE: no driver\), expected it to load"),
        ("{ exit(0); }", r"\(exit code 0"),
        (
            '{ fputs("EE: no\\ndriver\\n", stderr); return 0; }',
            r"did not start with the options none \(EE: no driver\)",
        ),
    ],
)
def test_one_that_crashes_ends_no_program(
    tflite: Build, tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, said: str
) -> None:
    source, path = tmp_path / "d.c", tmp_path / "libd.so"
    source.write_text(f"#include <stdio.h>\n#include <stdlib.h>\n{DESTROY}\n{CREATE} {body}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, source], check=True)
    with pytest.raises(ModelError, match=f"the delegate .*libd.so.* {said}") as error:
        tflite(tiny_models.copy(), delegate=str(path))
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_one_that_crashes_at_the_first_inference_ends_no_program(tflite: Build, library: str) -> None:
    with pytest.raises(ModelError, match=r"ended the process in which it was tried \(SIGABRT"):
        tflite(tiny_models.add_and_subtract(), delegate=library, delegate_options={"fail": "crash"})


def test_one_that_is_replaced_is_tried_again(tmp_path: Path, library: str) -> None:
    """By its short name, which the system's loader finds: a BSP's update."""
    model, found, other = tmp_path / "m.tflite", tmp_path / "libvx_delegate.so", tmp_path / "other.c"
    model.write_bytes(tiny_models.add_and_subtract())
    program = (
        "import sys, pathlib, numpy as np\n"
        "from pipelines.engines.tflite import Tflite\n"
        "from pipelines.errors import EiqError\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "try: print(Tflite(Tflite.Config(model='m', delegate='vx'), path).description)\n"
        "except EiqError as error: print(error)\n"
    )
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def said() -> str:
        command = [sys.executable, "-c", program, str(model)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    shutil.copy(library, found)
    marks = tmp_path / "cache/eiq-demo/tried"
    for _ in range(2):
        assert "1 of 2 operators on libvx_delegate.so" in said()
    (mark,) = marks.iterdir()
    assert str(found) in mark.read_text()
    other.write_text(f"#include <stdlib.h>\n{DESTROY}\n{CREATE} {{ abort(); }}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", found, other], check=True)
    assert "ended the process in which it was tried (SIGABRT" in said()


def test_a_library_cut_short_ends_no_program(tflite: Build, tmp_path: Path, library: str) -> None:
    path = tmp_path / "cut.so"
    path.write_bytes(Path(library).read_bytes()[:2000])  # the loader maps what is not there
    with pytest.raises(EiqError, match="cut.so"):
        tflite(tiny_models.copy(), delegate=str(path))


def test_what_is_no_file_is_not_opened(tflite: Build, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.so")
    for path in (tmp_path, tmp_path / "pipe.so"):
        with pytest.raises(MissingDependency, match="is no file, expected a shared library"):
            tflite(tiny_models.copy(), delegate=str(path))


def test_an_option_ends_where_it_ends() -> None:
    with pytest.raises(ValueError, match="with a NUL in it"):
        Tflite.Config(model="m", delegate="vx", delegate_options={"cache\0": 1})


def test_the_command_says_it_in_one_line(tmp_path: Path, library: str) -> None:
    pytest.importorskip("cv2")
    run = ("run", "cifar10.yaml", "--frames", "1", "--fast", "--set")
    done = in_process(*run, f"engine.delegate={library}", cwd=tmp_path)
    assert done.returncode == 0
    assert "operators on libadd_delegate.so, " in done.stderr
    refused = in_process(*run, "engine.delegate=vx", cwd=tmp_path)
    assert refused.returncode == 2
    assert "engine: the delegate libvx_delegate.so cannot be loaded: libvx_delegate.so comes with the" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
