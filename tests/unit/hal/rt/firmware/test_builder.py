"""What is built once, kept whole, and told where it cannot be built."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest

import tiny_models
from hal.rt.firmware import builder, link, needed, toolchain
from hal.rt.firmware.builder import Image, build
from hal.rt.firmware.models import ModelSource
from pipelines.errors import CapabilityError, MissingDependency, ModelError, OutputError
from writers import small_disk


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "eiq-demo" / "firmware"


@pytest.fixture
def copy(tmp_path: Path) -> ModelSource:
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    (tmp_path / "copy.path").write_bytes(tiny_models.copy("int8", (1, 4), 0.5, -3))
    return ModelSource("copy", tmp_path / "copy.path")


def cross() -> None:
    if needed("mps2-an500", run=False):
        pytest.skip(needed("mps2-an500", run=False))


def test_what_was_built_is_taken_from_the_cache(
    copy: ModelSource, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build("host", [copy])
    assert first.program.parent.parent == cache
    assert [path.name for path in cache.iterdir()] == [first.program.parent.name]  # and nothing half done

    def never(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(builder, "link", never)
    assert build("host", [copy]) == first
    with pytest.raises(AssertionError, match="built again"):
        build("host", [ModelSource("other", copy.path)])


def test_another_model_of_the_same_name_is_built_anew(copy: ModelSource) -> None:
    first = build("host", [copy])
    copy.path.write_bytes(tiny_models.copy("int8", (1, 5), 0.5, -3))
    second = build("host", [copy])
    assert second.program != first.program
    assert (first.models[0].input_bytes, second.models[0].input_bytes) == (4, 5)


@pytest.mark.slow
def test_two_builds_at_once_do_no_harm(copy: ModelSource, cache: Path) -> None:
    found: list[Image | BaseException] = []
    both = threading.Barrier(2)

    def one() -> None:
        both.wait()
        try:
            found.append(build("host", [copy]))
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert found[0] == found[1]
    assert isinstance(found[0], Image)
    assert len(list(cache.iterdir())) == 1


def test_a_build_that_fails_leaves_nothing(copy: ModelSource, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "COMMON", (*link.COMMON, "-Dint=nonsense"))
    with pytest.raises(ModelError, match=r"^cc cannot compile \w+\.c for the board host \(.*error: .*\)$"):
        build("host", [copy])
    assert list(cache.iterdir()) == []


def test_out_gets_the_program_and_its_c(copy: ModelSource, tmp_path: Path) -> None:
    image = build("host", [copy], tmp_path / "out")
    assert image.program == tmp_path / "out" / "firmware"
    assert {"firmware", "firmware.map", "models.c", "models.h", "model0_copy.c"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_a_place_that_cannot_be_written(copy: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot write the firmware to .*file.*; make room there, or name another"):
        build("host", [copy])


@pytest.mark.parametrize(("full", "key"), [("XDG_CACHE_HOME", "--out or XDG_CACHE_HOME"), ("TMPDIR", "TMPDIR")])
def test_a_disk_that_is_full_before_the_compiler_is_done(
    copy: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str, key: str
) -> None:
    """An error of the disk's, and not of the model's."""
    with small_disk(tmp_path / "disk", kib=60 if full == "XDG_CACHE_HOME" else 4) as disk:
        monkeypatch.setenv(full, str(disk))
        with pytest.raises(OutputError) as error:
            build("host", [copy])
        assert re.fullmatch(
            rf"cannot write the firmware to {disk}\S* \(No space left on device\); make room there, or name another "
            f"folder with {key}",
            str(error.value),
        )
        if full == "XDG_CACHE_HOME":
            assert "build-" in str(error.value)  # it was the compiler that met it
        assert not list(disk.rglob("*.o"))


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (cc)")
    with pytest.raises(ModelError, match="cannot read the model .*nothing.tflite"):
        build("host", [ModelSource("nothing", tmp_path / "nothing.tflite")])


def test_what_does_not_fit_is_told_with_how_much(copy: ModelSource, tmp_path: Path) -> None:
    cross()
    (tmp_path / "large.tflite").write_bytes(tiny_models.copy("float32", (1, 1_000_000)))
    words = (r"^the firmware with copy, large does not fit the board mps2-an500: it exceeds RAM by [\d,]{9,10} bytes "
             r"\(in \.bss\); take fewer or smaller models$")  # fmt: skip
    with pytest.raises(ModelError, match=words):
        build("mps2-an500", [copy, ModelSource("large", tmp_path / "large.tflite")])


def test_a_board_that_there_is_not(copy: ModelSource) -> None:
    with pytest.raises(CapabilityError, match="got the board 'mps3', expected one of .*mps2-an500"):
        build("mps3", [copy])


def test_missing_tools_are_named_with_the_command(copy: ModelSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    assert needed("mps2-an500") == (
        "the board mps2-an500 needs arm-none-eabi-gcc and qemu-system-arm, which are not here; sudo apt-get install "
        "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
    )
    with pytest.raises(
        MissingDependency, match="the board host needs cc, which is not here; sudo apt-get install gcc libc6-dev"
    ):
        build("host", [copy])


def test_a_cross_compiler_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    cross()
    monkeypatch.setattr(toolchain, "_has_library", lambda gcc: False)
    assert needed("mps2-an500", run=False).endswith("; sudo apt-get install libnewlib-arm-none-eabi")


def test_a_board_of_a_vendor_needs_its_sdk(copy: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cross()
    monkeypatch.delenv("MCUX_SDK", raising=False)
    with pytest.raises(MissingDependency, match="needs the vendor's SDK, and MCUX_SDK is not set; "):
        build("evkmimxrt1060", [copy])
    monkeypatch.setenv("MCUX_SDK", str(tmp_path / "none"))
    with pytest.raises(MissingDependency, match=r"MCUX_SDK=.*none, which is no folder"):
        build("evkmimxrt1060", [copy])
