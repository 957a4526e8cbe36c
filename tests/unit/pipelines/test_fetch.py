from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import fetch
from pipelines.errors import FetchError, ModelError, OutputError
from pipelines.fetch import Order, copy, download
from pipelines.models import open_model, read_manifest
from web import Page, serving

DATA = bytes(range(256)) * 1000  # four chunks
OTHER = bytes(reversed(DATA))
MANIFEST = """
name: tiny
title: A tiny model
files:
  - engine: tflite
    path: model.tflite
    {file}
labels: [no, yes]
input: {{kind: image, shape: [1, 1, 3]}}
preprocess: [scale]
training: {{data: none, licence: none}}
"""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own, and no proxy between it and its server."""
    monkeypatch.delenv("EIQ_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache/eiq-demo/models/tiny"


def order(folder: Path, *urls: str, data: bytes = DATA) -> Order:
    (folder / "tiny").mkdir(exist_ok=True)
    lines = [f"sha256: {sha256(data)}", f"bytes: {len(data)}"]
    lines += [f"url: {urls[0]}", f"mirrors: [{', '.join(urls[1:])}]"] if urls else []
    path = folder / "tiny/manifest.yaml"
    path.write_text(MANIFEST.format(file="\n    ".join(lines)))
    manifest = read_manifest(path)
    return Order(manifest, manifest.files[0])


def left(store: Path) -> dict[str, bytes]:
    """What stands in the store."""
    return {path.name: path.read_bytes() for path in store.iterdir()} if store.is_dir() else {}


# ---- what goes well ----------------------------------------------------------------------------------------------


def test_a_file_comes_whole_and_is_found_by_the_models_name(tmp_path: Path, store: Path) -> None:
    page, seen = Page(DATA), []
    with serving(a=page) as url:
        wanted = order(tmp_path, f"{url}/a")
        assert wanted.here is None
        path = download(wanted, seen.append)
    assert path == store / "model.tflite" == wanted.here
    assert left(store) == {"model.tflite": DATA}
    assert page.asked == [None]
    assert (seen[0], seen[-1], sorted(seen)) == (0, len(DATA), seen)
    assert open_model("tiny/manifest.yaml", tmp_path).path == path


def test_the_first_folder_of_eiq_models_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIQ_MODELS", f"{tmp_path}/mine:{tmp_path}/other")
    with serving(a=Page(DATA)) as url:
        assert download(order(tmp_path, f"{url}/a")) == tmp_path / "mine/tiny/model.tflite"


def test_what_was_cut_off_goes_on_where_it_stopped(tmp_path: Path, store: Path) -> None:
    page = Page(DATA, cut=100_000)
    with serving(a=page) as url:
        wanted = order(tmp_path, f"{url}/a")
        with pytest.raises(FetchError, match="127.0.0.1: it was cut off after 100,000 of 256,000 bytes\n") as error:
            download(wanted)
        assert "100,000 of 256,000 bytes are here: the same command goes on from there" in str(error.value)
        assert left(store) == {"model.tflite.part": DATA[:100_000]}
        page.cut, seen = None, []
        download(wanted, seen.append)
    assert left(store) == {"model.tflite": DATA}
    assert page.asked == [None, "bytes=100000-"]
    assert seen[0] == 100_000


def test_a_mirror_goes_on_where_another_address_stopped(tmp_path: Path, store: Path) -> None:
    first, second, third = Page(DATA, cut=100_000), Page(DATA, cut=50_000), Page(DATA)
    with serving(a=first, b=second, c=third) as url:
        download(order(tmp_path, f"{url}/a", f"{url}/b", f"{url}/c"))
    assert left(store) == {"model.tflite": DATA}
    assert (first.asked, second.asked, third.asked) == ([None], ["bytes=100000-"], ["bytes=150000-"])


def test_a_redirect_is_followed_and_asked_for_the_rest(tmp_path: Path, store: Path) -> None:
    store.mkdir(parents=True)
    (store / "model.tflite.part").write_bytes(DATA[:70_000])
    there = Page(DATA)
    with serving(a=Page(status=302, location="/b"), b=there) as url:
        download(order(tmp_path, f"{url}/a"))
    assert left(store) == {"model.tflite": DATA}
    assert there.asked == ["bytes=70000-"]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(Page(DATA, ranges=False), id="ignores Range"),
        pytest.param(Page(DATA, content_range="bytes 0-99/256000"), id="gives another range"),
        pytest.param(Page(DATA, content_range="bytes seven"), id="says nothing that counts"),
        pytest.param(Page(DATA, length=0), id="tells no length"),
    ],
)
def test_a_server_that_cannot_go_on_starts_anew(tmp_path: Path, store: Path, page: Page) -> None:
    with serving(a=page) as url:
        wanted = order(tmp_path, f"{url}/a")
        store.mkdir(parents=True)
        (store / "model.tflite.part").write_bytes(DATA[:70_000])
        download(wanted)
    assert left(store) == {"model.tflite": DATA}


@pytest.mark.parametrize("there", [OTHER[:70_000], OTHER, DATA + b"more"], ids=["piece", "whole", "longer"])
def test_a_part_of_another_file_is_found_out_and_thrown_away(tmp_path: Path, store: Path, there: bytes) -> None:
    store.mkdir(parents=True)
    (store / "model.tflite.part").write_bytes(there)
    with serving(a=Page(DATA)) as url:
        download(order(tmp_path, f"{url}/a"))
    assert left(store) == {"model.tflite": DATA}


def test_a_part_that_is_whole_needs_no_server(tmp_path: Path, store: Path) -> None:
    store.mkdir(parents=True)
    (store / "model.tflite.part").write_bytes(DATA)
    page = Page(DATA)
    with serving(a=page) as url:
        download(order(tmp_path, f"{url}/a"))
    assert left(store) == {"model.tflite": DATA}
    assert page.asked == []


def test_a_damaged_file_is_replaced(tmp_path: Path, store: Path) -> None:
    store.mkdir(parents=True)
    (store / "model.tflite").write_bytes(OTHER)
    with serving(a=Page(DATA)) as url:
        wanted = order(tmp_path, f"{url}/a")
        assert wanted.here is None
        assert download(wanted) == wanted.here


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 5000), max_size=6), st.lists(st.booleans(), min_size=7, max_size=7))
def test_any_cuts_end_in_the_same_file(tmp_path: Path, store: Path, cuts: list[int], ranges: list[bool]) -> None:
    shutil.rmtree(store, ignore_errors=True)
    data, page = DATA[:4096], Page(DATA[:4096])
    with serving(a=page) as url:
        wanted = order(tmp_path, f"{url}/a", data=data)
        for page.cut, page.ranges in zip([*cuts, None], ranges, strict=False):
            try:
                download(wanted)
                break
            except FetchError:
                assert "model.tflite" not in left(store)
    assert left(store) == {"model.tflite": data}


# ---- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (Page(status=404), "127.0.0.1: it answers 404 Not Found"),
        (Page(status=503), "127.0.0.1: it answers 503 Service Unavailable"),
        (Page(DATA + b"!"), "127.0.0.1: it has 256,001 bytes, expected 256,000"),
        (Page(DATA[:-1]), "127.0.0.1: it has 255,999 bytes, expected 256,000"),
        (Page(DATA + b"!" * 10**6, length=0), "127.0.0.1: it sends more than the 256,000 bytes of the manifest"),
        (Page(OTHER), f"127.0.0.1: it sent another file: sha256 {sha256(OTHER)}, expected {sha256(DATA)}"),
        (Page(status=302, location="http://example.com/a"), "it redirects to http://example.com/a, expected https://"),
        (Page(status=302, location="ftp://127.0.0.1/a"), "it redirects to ftp://127.0.0.1/a, expected https://"),
        (Page(status=302, location="file:///etc/passwd"), "127.0.0.1: it answers 302 Found"),
        (Page(status=302, location="/a"), "127.0.0.1: it answers 302 Found"),
        (Page(status=302, location="http://[::1"), "127.0.0.1: Invalid IPv6 URL"),
        (Page(DATA, cut=0), "127.0.0.1: it was cut off after 0 of 256,000 bytes"),
    ],
)  # fmt: skip
def test_what_a_server_does_wrong_is_told_and_the_mirror_tried(
    tmp_path: Path, store: Path, page: Page, says: str
) -> None:
    with serving(a=page, b=Page(DATA)) as url:
        with pytest.raises(FetchError) as error:
            download(order(tmp_path, f"{url}/a"))
        assert says in str(error.value)
        assert set(left(store)) <= {"model.tflite.part"}  # never a file of that name that is not the right one
        assert download(order(tmp_path, f"{url}/a", f"{url}/b")) == store / "model.tflite"
    assert left(store) == {"model.tflite": DATA}


def test_a_wrong_hash_leaves_nothing(tmp_path: Path, store: Path) -> None:
    with serving(a=Page(OTHER), b=Page(OTHER)) as url, pytest.raises(FetchError, match="sent another file.*sent anoth"):
        download(order(tmp_path, f"{url}/a", f"{url}/b"))
    assert left(store) == {}


def test_a_file_that_changed_at_one_address_keeps_what_came_from_another(tmp_path: Path, store: Path) -> None:
    first, second, third = Page(DATA, cut=100_000), Page(DATA + b"!"), Page(DATA)
    with serving(a=first, b=second, c=third) as url:
        download(order(tmp_path, f"{url}/a", f"{url}/b", f"{url}/c"))
    assert third.asked == ["bytes=100000-"]


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    never = threading.Event()
    with serving(a=Page(DATA, wait=never)) as url:
        with pytest.raises(FetchError, match="127.0.0.1: timed out"):
            download(order(tmp_path, f"{url}/a"), timeout_s=0.05)
        never.set()


def test_without_network_it_says_what_to_bring_and_how(tmp_path: Path) -> None:
    with serving() as url:
        pass  # nobody listens there any more
    with pytest.raises(FetchError) as error:
        download(order(tmp_path, f"{url}/a", "https://nowhere.invalid/b"))
    first, second = str(error.value).splitlines()
    assert first.startswith("model tiny was not fetched: 127.0.0.1: Connection refused; nowhere.invalid: ")
    assert second == (
        f"without network: on another machine get {url}/a (256,000 bytes, sha256 {sha256(DATA)}), "
        "bring it in a folder, and run eiq-demo models fetch tiny --from FOLDER"
    )


def test_a_quoted_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(MANIFEST.format(file="url: https://example.com/a.tgz"))
    manifest = read_manifest(tmp_path / "manifest.yaml")
    with pytest.raises(ModelError, match="model tiny is quoted only: no sha256 .* at https://example.com/a.tgz"):
        Order(manifest, manifest.files[0])


def test_a_manifest_without_an_address(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model tiny names no address of model.tflite; bring it from a folder with --"):
        download(order(tmp_path))


# ---- the disk ----------------------------------------------------------------------------------------------------


def test_too_little_room_is_told_before_anything_comes(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    page = Page(DATA)
    with serving(a=page) as url, pytest.raises(OutputError, match="has room for 1,000 bytes, expected 256,000 more"):
        download(order(tmp_path, f"{url}/a"))
    assert page.asked == []
    assert left(store) == {}


def test_a_disk_that_fills_keeps_what_came(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, taken = os.write, 0

    def write(file: int, data: memoryview) -> int:
        nonlocal taken
        if taken + len(data) > 100_000:
            data = data[: 100_000 - taken]
            if not data:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken += len(data)
        return whole(file, data)

    with serving(a=Page(DATA)) as url:
        with monkeypatch.context() as full:
            full.setattr(fetch.os, "write", write)
            with pytest.raises(OutputError, match=r"cannot write .*part \(No space left on device\); make room"):
                download(order(tmp_path, f"{url}/a"))
        assert left(store) == {"model.tflite.part": DATA[:100_000]}
        download(order(tmp_path, f"{url}/a"))
    assert left(store) == {"model.tflite": DATA}


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot write .*model.tflite.part \(Not a directory\).*EIQ_MODELS"):
        download(order(tmp_path, "https://example.com/a"))


def test_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pipelines.resources.expanded", Path)  # as where there is no such user
    with pytest.raises(OutputError, match="no home folder .* EIQ_MODELS or XDG_CACHE_HOME"):
        download(order(tmp_path, "https://example.com/a"))


def test_two_fetches_of_one_file(tmp_path: Path, store: Path) -> None:
    store.mkdir(parents=True)
    with (store / "model.tflite.part").open("wb") as other, serving(a=Page(DATA)) as url:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match=r"another eiq-demo models fetch is writing .*model\.tflite\.part; wait"):
            download(order(tmp_path, f"{url}/a"))
        fcntl.flock(other, fcntl.LOCK_UN)
        download(order(tmp_path, f"{url}/a"))
    assert left(store) == {"model.tflite": DATA}


def test_a_fetch_that_ends_while_another_begins_keeps_its_file(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, part = fcntl.flock, store / "model.tflite.part"

    def late(file: int, how: int) -> None:  # the other fetch finishes between our open and our lock
        if not (store / "model.tflite").exists():
            part.write_bytes(OTHER)
            part.replace(store / "model.tflite")
        lock(file, how)

    monkeypatch.setattr(fetch.fcntl, "flock", late)
    with serving(a=Page(DATA, cut=1000)) as url, pytest.raises(FetchError, match="cut off after 1,000"):
        download(order(tmp_path, f"{url}/a"))
    assert left(store) == {"model.tflite": OTHER, "model.tflite.part": DATA[:1000]}


def test_ctrl_c_leaves_the_part(tmp_path: Path, store: Path) -> None:
    def enough(size: int) -> None:
        if size >= 100_000:
            raise KeyboardInterrupt

    with serving(a=Page(DATA)) as url:
        with pytest.raises(KeyboardInterrupt):
            download(order(tmp_path, f"{url}/a"), enough)
        came = len(left(store)["model.tflite.part"])
        assert 100_000 <= came < len(DATA)
        seen: list[int] = []
        download(order(tmp_path, f"{url}/a"), seen.append)
    assert seen[0] == came
    assert left(store) == {"model.tflite": DATA}


# ---- from a folder -----------------------------------------------------------------------------------------------


def test_a_file_comes_out_of_a_folder_however_deep_and_named(tmp_path: Path, store: Path) -> None:
    stick = tmp_path / "stick"
    (stick / "deep/deeper").mkdir(parents=True)
    (stick / "model.tflite").write_bytes(OTHER)
    (stick / "deep/deeper/model (1).tflite").write_bytes(DATA)
    assert copy(order(tmp_path, "https://nowhere.invalid/a"), stick) == store / "model.tflite"
    assert left(store) == {"model.tflite": DATA}


def test_a_part_of_a_download_does_not_hinder_a_folder(tmp_path: Path, store: Path) -> None:
    store.mkdir(parents=True)
    (store / "model.tflite.part").write_bytes(OTHER[:1000])
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/model.tflite").write_bytes(DATA)
    copy(order(tmp_path), tmp_path / "stick")
    assert left(store) == {"model.tflite": DATA}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no file in .*stick is it"),
        (OTHER, "model.tflite is damaged or another file"),
        (DATA[:-1], "is damaged or another file"),
    ],
)
def test_a_folder_without_the_right_file(tmp_path: Path, store: Path, content: bytes | None, says: str) -> None:
    (tmp_path / "stick").mkdir()
    if content:
        (tmp_path / "stick/model.tflite").write_bytes(content)
    sha = sha256(DATA)
    with pytest.raises(FetchError, match=f"model tiny: .*{says}; expected model.tflite with 256,000 bytes .*{sha}"):
        copy(order(tmp_path, "https://example.com/a"), tmp_path / "stick")
    assert left(store) == {}


def test_a_stick_that_is_pulled_out(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/model.tflite").write_bytes(DATA)
    monkeypatch.setattr(fetch, "_same_file", lambda order, folder: tmp_path / "stick/gone")
    with pytest.raises(FetchError, match="stick/gone cannot be copied .No such file or directory.; try again"):
        copy(order(tmp_path), tmp_path / "stick")
    assert left(store) == {}
