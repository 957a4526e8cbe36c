"""A model that ends the process in which it runs is refused, and what ran once is not tried again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny_models
from pipelines.engines import _trial
from pipelines.engines.tflm import Tflm
from pipelines.errors import ModelError

pytest.importorskip("tflite_micro")


class Odd:
    """An engine that does what its path says, in the child; ``built`` counts here."""

    inputs = ()

    def __init__(self, config: object, path: Path) -> None:
        if path.name == "dies":
            os.write(2, b"terminate called\n  what(): no such layer\n")
            os.abort()
        elif path.name == "leaves":
            os.write(1, b"ran")  # what a library prints is not what the child says
            os._exit(0)
        elif path.name == "refuses":
            raise ModelError("no")

    def infer(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "eiq-demo/tried"


def survives(name: str, key: bytes = b"", **options: float) -> None:
    _trial.survives(Odd, None, Path(name), key, what=f"the model {name}", fix="fetch it again", **options)


def marks(cache: Path) -> int:
    return len(list(cache.iterdir())) if cache.exists() else 0


def test_what_runs_is_tried_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survives("runs", b"one")
    survives("runs", b"two")
    assert marks(cache) == 2
    monkeypatch.setattr(_trial.subprocess, "run", None)
    survives("runs", b"one")


def test_what_dies_is_one_sentence_each_time(cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(ModelError) as error:
            survives("dies")
        assert str(error.value) == (
            "the model dies ended the process in which it was tried (SIGABRT: terminate called what(): no such layer), "
            "expected it to load and run; fetch it again"
        )
    with pytest.raises(ModelError, match=r"\(exit code 0: ran\)"):
        survives("leaves")
    assert marks(cache) == 0


def test_what_the_engine_refuses_is_left_to_it(cache: Path) -> None:
    survives("refuses")
    assert marks(cache) == 0


def test_what_never_ends_is_ended() -> None:
    with pytest.raises(
        ModelError, match="was not done after 0 s when it was tried, expected it to load and run; fetch"
    ):
        survives("runs", limit_s=0.0)


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.parent.write_text("a file")
    survives("runs")


def test_damage_that_would_end_the_program_is_refused(tmp_path: Path, cache: Path) -> None:
    """An element type of 0 bytes and a shape that no memory holds: past the checks of the structure."""
    path, good = tmp_path / "m.tflite", tiny_models.copy("int8", (1, 4), 0.5)
    path.write_bytes(good)
    Tflm(Tflm.Config(model="m"), path).close()
    assert marks(cache) == 1
    path.write_bytes(good.replace(b"\x01\0\0\0\x04\0\0\0", b"\x01\0\0\0\xf0\xff\xff\x7f"))
    with pytest.raises(ModelError):
        Tflm(Tflm.Config(model="m"), path)
