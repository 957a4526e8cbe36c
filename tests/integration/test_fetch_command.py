"""``eiq-demo models fetch`` as a process of its own: on a terminal, without network, interrupted, on a full disk."""

from __future__ import annotations

import hashlib
import os
import pty
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import demos
import tiny_models
from web import Page, serving

MODEL = tiny_models.copy("float32", (1, 3)) + bytes(200_000)  # a flatbuffer may be longer than its tables
MANIFEST = """\
name: tiny
title: A tiny one
files:
  - {{engine: tflite, path: tiny.tflite, sha256: {sha}, bytes: {size}, url: "{url}"}}
labels: [red, green, blue]
input: {{kind: image, shape: [1, 1, 3], channels: [r, g, b]}}
preprocess:
  - resize: {{width_px: 1, height_px: 1}}
  - scale: {{from: [0, 255], to: [0, 1]}}
training: {{data: none, licence: CC0-1.0}}
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models of the user's own."""
    (tmp_path / "models/tiny").mkdir(parents=True)
    monkeypatch.setenv("EIQ_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "models/tiny"


def write(own: Path, url: str) -> None:
    text = MANIFEST.format(sha=hashlib.sha256(MODEL).hexdigest(), size=len(MODEL), url=url)
    (own / "manifest.yaml").write_text(text)


def test_a_demo_asks_for_its_model_and_runs_when_it_is_fetched(tmp_path: Path, own: Path) -> None:
    config = demos.colours(tmp_path)
    config.write_text(config.read_text().replace("same.tflite, labels: [red, green, blue]", "tiny"))
    with serving(a=Page(MODEL)) as url:
        write(own, f"{url}/a")
        before = demos.eiq_demo("run", config, "--fast")
        assert before.returncode == 2
        assert before.stderr.endswith(
            f"engine: model tiny is not on this machine ({len(MODEL):,} bytes); fetch it: eiq-demo models fetch tiny, "
            "or, without network, from a folder: eiq-demo models fetch tiny --from DIR\n"
        )
        fetched = demos.eiq_demo("models", "fetch", "tiny")
        assert (fetched.returncode, fetched.stderr) == (0, "")
    assert demos.eiq_demo("run", config, "--fast").stdout.count("\n") == 3


def test_without_network_a_bundled_model_is_asked_for_by_its_address_and_sha256(tmp_path: Path) -> None:
    with serving() as nobody:
        pass
    done = demos.eiq_demo("models", "fetch", "mobilenet_v2_1.0_224", https_proxy=nobody)
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first == (
        "model mobilenet_v2_1.0_224 was not fetched: github.com: Connection refused; "
        "raw.githubusercontent.com: Connection refused"
    )
    demos.says(second, ["on another machine get https://github.com/google-coral/test_data/raw/", "(3,610,798 bytes, "])
    demos.says(second, ["sha256 7aad0c74", "run eiq-demo models fetch mobilenet_v2_1.0_224 --from FOLDER"])
    assert not list((tmp_path / "models").rglob("*.tflite*"))


def test_a_folder_needs_no_network(tmp_path: Path, own: Path) -> None:
    with serving() as nobody:
        write(own, f"{nobody}/a")
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/tiny.tflite").write_bytes(MODEL)
    done = demos.eiq_demo("models", "fetch", "--all", "--from", tmp_path / "stick")
    assert done.returncode == 1  # the bundled ones are not on that stick
    demos.says(done.stdout, [f"tiny: {own}/tiny.tflite ({len(MODEL):,} bytes, sha256 right)\n"])
    demos.says(done.stderr, ["model mobilenet_v2_1.0_224: no file in ", "files were not fetched; see above"])


def test_a_bar_on_a_terminal(own: Path) -> None:
    ours, theirs = pty.openpty()
    with serving(a=Page(MODEL)) as url:
        write(own, f"{url}/a")
        subprocess.run(
            demos.command("models", "fetch", "tiny"), stderr=theirs, stdout=subprocess.DEVNULL, timeout=60, check=True,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 100_000).decode(errors="replace")
    os.close(ours)
    demos.says(shown, ["tiny", f"{len(MODEL) / 1000:.1f}/{len(MODEL) / 1000:.1f} kB"])


def test_ctrl_c_then_the_same_command_goes_on(own: Path) -> None:
    held = threading.Event()
    page = Page(MODEL, cut=150_000, wait=held)
    with serving(a=page) as url:
        write(own, f"{url}/a")
        process = demos.started("models", "fetch", "tiny")
        part, deadline = own / "tiny.tflite.part", time.monotonic() + 30
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)  # another process: there is no clock to inject
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
        assert (process.returncode, out, said) == (130, "", "stopped; the same command goes on from there\n")
        held.set()
        came = part.stat().st_size
        assert 0 < came <= 150_000
        page.cut = page.wait = None
        assert demos.eiq_demo("models", "fetch", "tiny").returncode == 0
    assert page.asked == [None, f"bytes={came}-"]
    assert (own / "tiny.tflite").read_bytes() == MODEL
    assert not part.exists()


def test_a_disk_that_fills(own: Path) -> None:
    with serving(a=Page(MODEL)) as url:
        write(own, f"{url}/a")
        done = subprocess.run(
            demos.command("models", "fetch", "tiny"), capture_output=True, text=True, timeout=60, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        demos.says(done.stderr, [f"cannot write {own}/tiny.tflite.part (File too large); make room or give permission"])
        assert (own / "tiny.tflite.part").read_bytes() == MODEL[:100_000]
        assert demos.eiq_demo("models", "fetch", "tiny").returncode == 0
    assert (own / "tiny.tflite").read_bytes() == MODEL
