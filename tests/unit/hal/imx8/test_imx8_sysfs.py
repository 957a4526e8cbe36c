"""Files of the kernel, and files that lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hal.imx8.sysfs import NoValue, Sysfs, numbers
from pipelines.errors import DeviceError
from sysroots import NOBODY, in_child, open_to_all, put, sentence

FILE = "sys/file"


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    (tmp_path / "sys").mkdir()
    return Sysfs(tmp_path)


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"45000\n", "45000"), (b"NXP i.MX8MPlus EVK board\0", "NXP i.MX8MPlus EVK board"), (b"a\nb\tc\n", "a b c")],
)
def test_text_is_one_line(sysfs: Sysfs, data: bytes, text: str) -> None:
    put(sysfs, FILE, data)
    assert sysfs.text(FILE) == text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "{} is empty, expected a value; check the driver and the wiring of the device"),
        (b"\0\n", "{} is empty, expected a value; check the driver and the wiring of the device"),
        (b"\xff\x00\x81", r"{} holds b'\xff\x00\x81', expected text; check the driver"),
        (b"4\x1b[2J5", r"{} holds b'4\x1b[2J5', expected text; check the driver"),
        (b"4\x005", r"{} holds b'4\x005', expected text; check the driver"),
        (b"9" * 5000, "{} holds more than 4096 bytes, expected a short text; check the driver"),
        (b"warm", '{} says "warm", expected a number; check the driver'),
        (b"1_0", '{} says "1_0", expected a number; check the driver'),
        ("٤٥".encode(), '{} says "٤٥", expected a number; check the driver'),
        (b"nan", '{} says "nan", expected a number; check the driver'),
        (b"0x2d", '{} says "0x2d", expected a number; check the driver'),
        (b"45 46", '{} says "45 46", expected a number; check the driver'),
        (b"1e300", "{} says 1e300, expected 0 to 100; check the driver"),
        (b"9" * 400, "{} says " + "9" * 39 + "…, expected 0 to 100; check the driver"),
        (b"-1", "{} says -1, expected 0 to 100; check the driver"),
    ],
)
def test_what_is_no_number_is_one_sentence(sysfs: Sysfs, data: bytes, says: str) -> None:
    put(sysfs, FILE, data)
    with pytest.raises(DeviceError) as info:
        sysfs.number(FILE, least=0, most=100)
    assert str(info.value) == says.format(sysfs.path(FILE))


@given(st.one_of(st.decimals(allow_nan=False, allow_infinity=False), st.integers()).map(str))
@example("0.000598205")
def test_what_a_kernel_prints_is_a_number(text: str) -> None:
    assert numbers([text]) == [float(Decimal(text))]


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_one_sentence(data: bytes) -> None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    sysfs = Sysfs(Path("/proc/self/fd"))
    got: list[str] = []
    said = sentence(lambda: got.append(sysfs.text(str(read))))
    os.close(read)
    assert "\n" not in said
    assert bool(said) != bool(got)
    for text in got:
        assert text.isprintable()
        assert text.split() == data.strip(b"\0 \n\t").decode().split()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "cannot be read (No such file or directory); check that the device is there"),
        (lambda path: path.mkdir(), "cannot be read (Is a directory)"),
        (lambda path: path.symlink_to(path.name), "cannot be read (Too many levels of symbolic links)"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read (No such file or directory)"),
        (_pipe, "is empty"),
        (lambda path: path.symlink_to("/dev/zero"), "holds more than 4096 bytes"),
    ],
    ids=["missing", "folder", "loop", "nowhere", "pipe", "endless"],
)
def test_what_is_no_file(sysfs: Sysfs, make: Callable[[Path], None], why: str) -> None:
    make(sysfs.path(FILE))
    with pytest.raises(DeviceError) as info:
        sysfs.text(FILE)
    assert why in str(info.value)
    with suppress(DeviceError):  # and writing does not wait either
        sysfs.write(FILE, "1")


def test_what_is_not_ready_is_no_lie(sysfs: Sysfs) -> None:
    """A pipe that somebody holds open says EAGAIN, as a thermal sensor does that has not measured yet."""
    os.mkfifo(sysfs.path(FILE))
    held = os.open(sysfs.path(FILE), os.O_RDWR)
    try:
        with pytest.raises(NoValue, match="Resource temporarily unavailable.; try again in a moment"):
            sysfs.number(FILE)
    finally:
        os.close(held)


def test_writing_makes_no_file(sysfs: Sysfs) -> None:
    with pytest.raises(DeviceError) as info:
        sysfs.write(FILE, "1")
    assert str(info.value) == (f'"1" cannot be written to {sysfs.path(FILE)} (No such file or directory); check that '
                               "the device is there and its driver is loaded")  # fmt: skip
    assert not sysfs.path(FILE).exists()


def test_what_a_driver_refuses(sysfs: Sysfs) -> None:
    sysfs.path(FILE).symlink_to("/dev/full")
    with pytest.raises(DeviceError, match=r'"1" cannot be written to .* \(No space left on device\)'):
        sysfs.write(FILE, "1")


def test_names_stand_in_the_order_of_their_numbers(sysfs: Sysfs) -> None:
    for name in ("zone10", "zone2", "zone0", "other"):
        sysfs.path(f"sys/{name}").mkdir()
    assert sysfs.names("sys", "zone") == ["zone0", "zone2", "zone10"]
    assert sysfs.names("sys/nothing") == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give its rights away")
def test_what_may_not_be_read_or_written(sysfs: Sysfs) -> None:
    """Asked of the real kernel, by a process without rights."""
    put(sysfs, FILE, "1\n")
    sysfs.path(FILE).chmod(stat.S_IRUSR | stat.S_IWUSR)
    sysfs.path("sys/closed").mkdir(mode=0o700)
    open_to_all(sysfs)
    said = in_child(
        "s = sysfs.Sysfs(Path(sys.argv[1]))\n"
        "for ask in (lambda: s.text('sys/file'), lambda: s.write('sys/file', '0'), lambda: s.names('sys/closed'),\n"
        "            lambda: s.text('sys/closed/file')):\n"
        "    try: print(json.dumps(ask()))\n"
        "    except EiqError as error: print(json.dumps(str(error)))\n"
        "print(json.dumps(s.there('sys/closed/file')))\n",
        sysfs.root, user=NOBODY,
    )  # fmt: skip
    file, closed = sysfs.path(FILE), sysfs.path("sys/closed")
    may = "run as a user who may (a udev rule, or sudo)"
    assert said == [
        f"{file} cannot be read (Permission denied); {may}",
        f'"0" cannot be written to {file} (Permission denied); {may}',
        f"{closed} cannot be read (Permission denied); check its permissions",
        f"{closed}/file cannot be read (Permission denied); {may}",
        True,
    ]
    assert sysfs.path(FILE).read_text() == "1\n"


def test_nothing_stays_open(sysfs: Sysfs) -> None:
    put(sysfs, FILE, "1\n")
    sysfs.path("sys/folder").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        sysfs.text(FILE)
        sysfs.write(FILE, "1")
        with suppress(DeviceError):
            sysfs.text("sys/folder")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_root_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EIQ_SYSROOT", raising=False)
    assert Sysfs.of_environment().root == Path("/")
    monkeypatch.setenv("EIQ_SYSROOT", "")
    assert Sysfs.of_environment().root == Path("/")
    (tmp_path / "sys").mkdir()
    monkeypatch.setenv("EIQ_SYSROOT", str(tmp_path))
    assert Sysfs.of_environment().root == tmp_path


@pytest.mark.parametrize(
    ("name", "got"),
    [("none", "is not there"), ("empty", "holds neither sys nor proc"), ("file", "holds neither sys nor proc")],
)
def test_a_root_with_nothing_of_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, got: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("EIQ_SYSROOT", str(tmp_path / name))
    with pytest.raises(DeviceError) as info:
        Sysfs.of_environment()
    assert str(info.value) == (
        f"got EIQ_SYSROOT={tmp_path}/{name}, which {got}, expected a folder with a board's sys, proc and dev; "
        "correct it or unset it"
    )
