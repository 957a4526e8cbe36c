"""eiq.erpc is the single source of both sides of the RT bridge."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.rt import protocol
from hal.rt.calls import MESSAGE_HEADER
from hal.rt.codec import Writer
from hal.rt.idl.__main__ import generated, main
from hal.rt.idl.parse import Interface, parse
from pipelines.errors import ConfigError
from pipelines.resources import bundled

IDL = bundled() / "firmware" / "eiq.erpc"
SMALL = """
program p
const uint32 VERSION = 0x10
enum Colour { RED, GREEN = 5, BLUE, }
struct Point { int16 x; float y, list<uint8> marks  Colour colour }
@id(3) interface Draw {
    @id(1) oneway dot(uint8 shade, in string name)
    @id(2) line(Colour colour, out Point end, out binary data) -> bool
    @id(9) clear() -> void
}
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """eiq.erpc with what is generated from it, in a folder of its own."""
    (tmp_path / "core").mkdir()
    for file in (IDL, IDL.parent / "core" / "eiq_rpc.h", IDL.parent / "core" / "eiq_rpc.c"):
        shutil.copy(file, tmp_path / file.relative_to(IDL.parent))
    shutil.copy(protocol.__file__, tmp_path / "protocol.py")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(["--firmware", str(folder), "--python", str(folder / "protocol.py"), *arguments])
    return code, said.getvalue()


def test_what_is_generated_is_current() -> None:
    done = subprocess.run([sys.executable, "-m", "hal.rt.idl", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_interface_is_the_crc_of_the_text_without_comments_and_blanks() -> None:
    text = IDL.read_text()
    lines = [line.split("//")[0] for line in text.splitlines()]
    bare = "".join(part.split("*/", 1)[-1] for part in "\n".join(lines).split("/*"))
    assert zlib.crc32("".join(bare.split()).encode()) == protocol.INTERFACE
    header = (IDL.parent / "core" / "eiq_rpc.h").read_text()
    assert f"#define EIQ_INTERFACE 0x{protocol.INTERFACE:08X}u" in header


def test_how_long_a_message_is_without_what_varies() -> None:
    """Against the messages themselves, encoded with nothing in them; C has the same numbers."""
    status = b"\0" * 4
    empty = {
        "DESCRIBE_MODEL_REPLY": written(protocol.ModelInfo("", b"", b"", 1, 2, 3, 4, 5, 6, 7)) + status,
        "WRITE_INPUT_REQUEST": protocol.write_input(1, 2, 3, 4, b""),
        "INFER_REQUEST": protocol.infer(1, 2, 3, b""),
        "INFER_REPLY": written(protocol.Inference(1, 2, (), b"")) + status,
        "READ_OUTPUT_REPLY": b"\0" * 4 + status,
        "READ_SENSOR_REPLY": written(protocol.Samples(1, 2, True, 3, 4, b"")) + status,
        "READ_STREAM_REPLY": written(protocol.StreamResult(1, 2, False, 3, 4, 5, 6, 7, b"")) + status,
    }
    found = {name.removesuffix("_BYTES"): size for name, size in vars(protocol).items() if name.endswith("_BYTES")}
    assert found == {name: MESSAGE_HEADER.size + len(arguments) for name, arguments in empty.items()}
    header = (IDL.parent / "core" / "eiq_rpc.h").read_text()
    assert dict(re.findall(r"#define EIQ_(\w+_RE\w+)_BYTES (\d+)u\n", header)) == {k: str(v) for k, v in found.items()}


def written(struct: Any) -> bytes:
    writer = Writer()
    struct.write(writer)
    return writer.message()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uint32 rx_buffer ", "uint64 rx_buffer "),  # a field's type
        ("string clock ", "string watch "),  # a field's name
        ("    uint32 uptime_ms\n", ""),  # a field less
        ("STATUS_CORRUPT = 12", "STATUS_CORRUPT = 21"),
        ("@id(14) time", "@id(44) time"),
        ("set_led(uint32 led, bool on)", "set_led(bool on, uint32 led)"),
    ],
)
def test_a_changed_field_changes_both_sides(copy: Path, old: str, new: str) -> None:
    before = generated(copy / "eiq.erpc")
    text = IDL.read_text()
    assert text.count(old) == 1
    (copy / "eiq.erpc").write_text(text.replace(old, new))
    after = generated(copy / "eiq.erpc")

    def but_for_the_crc(name: str) -> tuple[str, str]:
        lines = [[line for line in side[name].splitlines() if "INTERFACE" not in line] for side in (before, after)]
        return "\n".join(lines[0]), "\n".join(lines[1])

    assert before["protocol.py"] != after["protocol.py"]
    python, (h, c) = but_for_the_crc("protocol.py"), (but_for_the_crc("eiq_rpc.h"), but_for_the_crc("eiq_rpc.c"))
    assert python[0] != python[1]
    assert h[0] != h[1] or c[0] != c[1]
    crcs = {side["eiq_rpc.h"].split("EIQ_INTERFACE ")[1].split("u")[0] for side in (before, after)}
    assert len(crcs) == 2

    code, said = run(copy, "--check")
    assert code == 1
    assert said.endswith("not what eiq.erpc says; run python -m hal.rt.idl\n")
    assert said.count("\n") == 1
    assert run(copy)[0] == 0
    assert run(copy, "--check") == (0, "")


def test_comments_and_blanks_change_nothing(copy: Path) -> None:
    text = IDL.read_text().replace("{", "\n{ /* here\n it begins */\n").replace("\n\n", "\n// more\n\n")
    (copy / "eiq.erpc").write_text(text)
    assert run(copy, "--check") == (0, "")


def test_a_missing_file_is_written(copy: Path) -> None:
    (copy / "core" / "eiq_rpc.c").unlink()
    assert run(copy, "--check")[0] == 1
    assert run(copy) == (0, "wrote eiq_rpc.c\n")
    assert (copy / "core" / "eiq_rpc.c").read_text() == (IDL.parent / "core" / "eiq_rpc.c").read_text()


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    code, said = run(tmp_path)
    assert code == 1
    assert said.count("\n") == 1
    assert "eiq.erpc" in said


def small(text: str = SMALL) -> Interface:
    return parse(text, "small.erpc")


def test_all_of_the_language() -> None:
    interface = small()
    assert interface.program == "p"
    assert [(const.name, const.value) for const in interface.consts] == [("VERSION", 16)]
    assert interface.enums[0].members == {"RED": 0, "GREEN": 5, "BLUE": 6}
    fields = {field.name: field.type for field in interface.structs[0].fields}
    assert {name: kind.name for name, kind in fields.items()} == {
        "x": "int16", "y": "float", "marks": "list", "colour": "Colour"}  # fmt: skip
    assert fields["marks"].item is not None
    assert fields["marks"].item.name == "uint8"
    dot, line, clear = interface.services[0].methods
    assert (dot.oneway, [field.name for field in dot.inputs], dot.returns) == (True, ["shade", "name"], None)
    assert [field.name for field in line.outputs] == ["end", "data"]
    assert line.returns is not None
    assert line.returns.name == "bool"
    assert (clear.id, clear.oneway, clear.returns) == (9, False, None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("program p", "program interface", 'small.erpc:2:9: got "interface", expected a name'),
        ("= 0x10", "= 0x100000000", 'small.erpc:3:24: got "0x100000000", expected a number of 0 to 4294967295'),
        ("uint32 VERSION", "float VERSION", "small.erpc:3:7: a constant is float; only integers are supported"),
        ("GREEN = 5", "GREEN = 0", "small.erpc:4:37: value of Colour 0 is there twice"),
        ("GREEN = 5, BLUE", "GREEN = 5 BLUE", 'small.erpc:4:30: got "BLUE", expected "," or "}"'),
        ("float y", "double y", "small.erpc:5:25: type double is not known; the basic ones are binary, bool"),
        ("Colour colour }", "Point next }", "small.erpc:5:53: type Point is not known"),
        ("float y", "float x", "small.erpc:5:67: field of Point x is there twice"),
        ("struct Point", "struct Colour", "small.erpc:5:68: Colour is there twice: each name is declared once"),
        ("@id(3) interface", "interface", 'small.erpc:6:1: got "interface", expected const, enum, struct or @id(N)'),
        ("@id(3)", "@name(3)", "small.erpc:6:2: the only annotation that is supported is @id(N)"),
        ("@id(3)", "@id(0)", "small.erpc:6:5: ids begin at 1"),
        ("@id(3)", "@id(256)", 'small.erpc:6:5: got "256", expected a number of 0 to 255'),
        ("@id(2)", "@id(1)", "small.erpc:10:1: method id of Draw 1 is there twice"),
        ("line(", "dot(", "small.erpc:10:1: method of Draw dot is there twice"),
        ("in string name", "out string name", "small.erpc:7:51: dot is oneway and has out arguments"),
        (" -> bool", "", 'small.erpc:9:5: got "@", expected "->"'),
        (") -> void\n}", ") -> void\n", 'got the file\'s end, expected "@"'),
        ("program p", "program $p", "small.erpc:2:9: got '$', which this language has no use for"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, message: str) -> None:
    assert SMALL.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        small(SMALL.replace(old, new))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.integers(0, len(SMALL) - 1), st.text(alphabet="@{}()<>;,=>-/*0aA\n ", max_size=3), st.integers(0, 6))
def test_any_change_parses_or_is_refused(at: int, new: str, cut: int) -> None:
    problem = ""
    try:
        small(SMALL[:at] + new + SMALL[at + cut :])
    except ConfigError as error:
        problem = str(error)
    assert not problem or problem.startswith("small.erpc:")


def test_a_list_as_an_argument_is_refused() -> None:
    with pytest.raises(ConfigError, match="dot: the board has no memory for a list as an argument"):
        small(SMALL.replace("uint8 shade", "list<uint8> shades"))


def test_nxps_own_generator_reads_it(tmp_path: Path) -> None:
    tool = os.environ.get("ERPCGEN")
    if not tool:
        pytest.skip("needs NXP's erpcgen, which no package brings: ERPCGEN=PROGRAM")
    done = subprocess.run([tool, "-g", "py", "-o", tmp_path, IDL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "eiq" / "common.py").read_text() + (tmp_path / "eiq" / "interface.py").read_text()
    for method in next(service for service in parse(IDL.read_text(), IDL.name).services if service.id == 1).methods:
        assert f"{method.name.upper()}_ID = {method.id}" in text
