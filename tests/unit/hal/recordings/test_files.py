from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.recordings.files import existing_file
from hal.recordings.pictures import find_pictures
from pipelines.errors import DataError


def test_a_file_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert existing_file(tmp_path / "a", "a sound") == tmp_path / "a"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a device or pipe, expected a sound"):
        existing_file(tmp_path / "pipe", "a sound")


@pytest.mark.parametrize("name", ["none", "a/b/c", "x" * 5000, "zero\0byte", "**x", "[", "\ud800"])
def test_no_such_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot open .* expected a sound"):
        existing_file(tmp_path / name, "a sound")


@pytest.mark.parametrize(("name", "absent"), [("a/b/c.wav", "a"), ("there/b/c.wav", "there/b")])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, name: str, absent: str) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError) as info:
        existing_file(tmp_path / name, "a sound")
    assert str(info.value) == (
        f"cannot open {tmp_path / name} (there is no folder {tmp_path / absent}), expected a sound; check the path"
    )


@pytest.mark.parametrize("name", ["**x.png", "[", "?" * 5000, "none/*.png"])
def test_no_such_glob_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="holds no picture|cannot look into"):
        find_pictures(tmp_path / name)


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_one_sentence(name: str) -> None:
    path = Path("/nowhere/at/all") / name.replace("/", "")
    with pytest.raises(DataError):
        existing_file(path, "a sound")
