"""Bundles in Glow's form, made here: what is linked, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import tiny_models
from hal.rt.firmware import glow
from hal.rt.firmware.models import ModelSource
from hal.rt.firmware.ports import port
from pipelines.errors import ModelError

HEADER = """// Bundle API auto-generated header file. Do not edit!
//   Name: "{x}"
//   Type: {type}<1 x 4>
//   Size: 4 (elements)
//   Size: 16 (bytes)
//   Offset: 64 (bytes)
//
//   Name: "y"
//   Type: {type}<1 x 4>
//   Size: 4 (elements)
//   Size: 16 (bytes)
//   Offset: 0 (bytes)
#define NET_x  64
#define NET_y  0
#define NET_CONSTANT_MEM_SIZE     {constants}
#define NET_MUTABLE_MEM_SIZE      128
#define NET_ACTIVATIONS_MEM_SIZE  256
int net(uint8_t *constantWeight, uint8_t *mutableWeight, uint8_t *activations);
"""
CODE = """#include <stdint.h>
#include <string.h>
int helper(uint8_t *to, const uint8_t *from);
int net(uint8_t *c, uint8_t *m, uint8_t *a) { (void)c; (void)a; return helper(m, m + 64); }
"""
HELPER = """#include <stdint.h>
#include <string.h>
int helper(uint8_t *to, const uint8_t *from) { memmove(to, from, 16); return 0; }
int unused(void) { return 1; }
"""
M7 = ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16")


def bundle(folder: Path, *flags: str, x: str = "x", constants: int = 4, type_: str = "float") -> ModelSource:
    """A bundle that copies, as an archive of two objects, as NXP ships them."""
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("needs arm-none-eabi-gcc; sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi")
    (folder / "net.h").write_text(HEADER.format(x=x, constants=constants, type=type_))
    (folder / "net.weights.txt").write_text(" 0X01, 0XFF,\n 0X00, 0X7F,")
    (folder / "net.tflite").write_bytes(tiny_models.copy("float32"))
    for name, text in {"entry": CODE, "helper": HELPER}.items():
        (folder / f"{name}.c").write_text(text)
        command = ["arm-none-eabi-gcc", *(flags or M7), "-O1", "-ffunction-sections", "-funwind-tables", "-c",
                   f"{name}.c", "-o", f"{name}.obj"]  # fmt: skip
        subprocess.run(command, cwd=folder, check=True)
    subprocess.run(["arm-none-eabi-ar", "rc", "net.o", "entry.obj", "helper.obj"], cwd=folder, check=True)
    return ModelSource("net", folder / "net.tflite", glow=folder)


def link(source: ModelSource, folder: Path) -> glow.Linked:
    (folder / "made").mkdir()
    return glow.linked(source, "model0_net", port("mps2-an500"), folder / "made")


def test_a_bundle_is_linked_by_its_entry_alone(tmp_path: Path) -> None:
    made = link(bundle(tmp_path), tmp_path)
    (x,), (y,) = made.inputs, made.outputs
    assert (x.name, x.dtype, x.shape, x.address, x.place) == ("x", "float32", (1, 4), 64, 0)
    assert (y.name, y.address, y.place) == ("y", 0, 0)
    assert (made.constant_bytes, made.mutable_bytes, made.activation_bytes) == (4, 128, 256)
    assert "1,255,0,127," in made.files["model0_net.c"]
    (object_,) = made.objects
    told = subprocess.run(["arm-none-eabi-nm", "-g", object_], capture_output=True, text=True, check=True).stdout
    # no kernel's name is left to clash, and nothing calls the C++ runtime
    assert {line.split()[-1] for line in told.splitlines()} == {"model0_net", "memmove"}


def test_binary_weights_come_first(tmp_path: Path) -> None:
    source = bundle(tmp_path)
    (tmp_path / "net.weights.bin").write_bytes(b"\5\6\7\10")
    assert "5,6,7,8," in link(source, tmp_path).files["model0_net.c"]


def test_a_name_that_glow_changed_goes_by_its_turn(tmp_path: Path) -> None:
    assert link(bundle(tmp_path, x="serving_default_x_0"), tmp_path).inputs[0].address == 64


@pytest.mark.parametrize(("flags", "words"), [
    (("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"), "is for .*v8-M.mainline.*, expected one "
     "for the board's cortex-m7"),
    (("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=soft"), "passes floats in integer registers"),
])  # fmt: skip
def test_a_bundle_for_another_core_is_refused(flags: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words):
        link(bundle(tmp_path, *flags), tmp_path)


def test_a_bundle_for_a_lesser_core_runs_too(tmp_path: Path) -> None:
    source = bundle(tmp_path, "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
    assert link(source, tmp_path).objects


def test_this_computer_runs_no_bundle_for_a_board(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"net.o is for an Arm Cortex-M, and the board host is this computer"):
        glow.linked(bundle(tmp_path), "model0_net", port("host"), tmp_path)


def test_what_is_not_whole_is_refused(tmp_path: Path) -> None:
    source = bundle(tmp_path)
    (tmp_path / "net.weights.txt").write_text("0X01, 0X02,")
    with pytest.raises(ModelError, match=r"weights of the Glow bundle net.h are 2 bytes, expected 4"):
        link(source, tmp_path)
    (tmp_path / "made").rmdir()
    (tmp_path / "net.weights.txt").write_text("one, two")
    with pytest.raises(ModelError, match="holds something else than bytes"):
        link(source, tmp_path)
    (tmp_path / "made").rmdir()
    (tmp_path / "net.weights.txt").unlink()
    with pytest.raises(ModelError, match=r"net.h has no weights; put net.weights.bin or net.weights.txt beside it"):
        link(source, tmp_path)
    (tmp_path / "made").rmdir()
    (tmp_path / "net.weights.bin").write_bytes(bytes(4))
    (tmp_path / "net.o").unlink()
    with pytest.raises(ModelError, match=r"net.h has no object; put net.o beside it"):
        link(source, tmp_path)


def test_an_object_that_is_none(tmp_path: Path) -> None:
    source = bundle(tmp_path)
    (tmp_path / "net.o").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"net.o is for no Arm Cortex-M"):
        link(source, tmp_path)


@pytest.mark.parametrize(("changes", "words"), [
    ({"type_": "i8[S:0.5 O:0][-64.0,63.5]"}, r"has x int8\[1, 4\], net.tflite has x float32"),
    ({"x": "y"}, "has 1 inputs and outputs, net.tflite has 2"),
])  # fmt: skip
def test_another_models_bundle_is_refused(changes: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{words}.*it is another model's"):
        link(bundle(tmp_path, **changes), tmp_path)  # type: ignore[arg-type]


def test_a_header_that_is_not_glows(tmp_path: Path) -> None:
    source = bundle(tmp_path)
    text = (tmp_path / "net.h").read_text()
    (tmp_path / "net.h").write_text(text.replace("MUTABLE", "OTHER"))
    with pytest.raises(ModelError, match="does not say MUTABLE_MEM_SIZE"):
        glow.read_header(tmp_path / "net.h")
    (tmp_path / "net.h").write_text("int main(void);")
    with pytest.raises(ModelError, match=r"holds the headers of 0 Glow bundles \(none\)"):
        glow.header_path(source)
    for name in ("one", "two"):
        (tmp_path / f"{name}.h").write_text(text)
    with pytest.raises(ModelError, match=r"headers of 2 Glow bundles \(one.h, two.h\), expected one"):
        glow.header_path(source)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="which is no folder"):
        glow.files(tmp_path / "nowhere")
