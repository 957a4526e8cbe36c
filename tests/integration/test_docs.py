"""Every command and every demo in the README and the docs works as it is printed."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hal.rt.firmware import needed

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    lines = [line.partition(" #")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    lines = [line.removeprefix(".venv/bin/") for line in lines]
    inline = re.findall(r"`((?:eiq-demo|python -m|make) [^`]+)`", page.read_text())
    return [" ".join(line.split()) for line in [*lines, *inline] if line and not re.search(r"[…A-Z]{3,}|…", line)]


CASES = [(page.name, command) for page in PAGES for command in dict.fromkeys(commands(page))]
RUNS = dict.fromkeys(command for _, command in CASES if command.startswith("eiq-demo"))
LONG = re.compile(
    r"rt:|compare|compile|firmware|evaluate|bench|clustering|anomaly|fan_state|bundle|tflm|cameras|doctor"
)
"""Commands that build C, emulate a board, or take a whole recording more than once."""


@pytest.mark.parametrize(
    "command", [pytest.param(command, marks=[pytest.mark.slow] * bool(LONG.search(command))) for command in RUNS]
)
def test_commands(command: str, tmp_path: Path) -> None:
    arguments = shlex.split(command.partition(">")[0])[1:]
    skip_without_a_boards_tools(command)
    if "--live" in arguments:  # no microphone or camera in a test: what it means is checked all the same
        arguments = ["check", *(a for a in arguments[1:] if a in ("--live",) or a.endswith((".yaml",)))]
    elif (len(arguments) == 1 and arguments[0] not in ("doctor", "list", "schema")) or (
        arguments[0] in ("train", "optimize") and "--data" not in arguments
    ):  # the name of a command in a sentence
        arguments.append("--help")
    elif arguments[:2] == ["models", "fetch"]:  # no network in a test: what it would fetch is known
        *others, last = arguments[2:]
        for model in others:
            eiq_demo(["models", "info", model], tmp_path)
        arguments = ["models", "info", last]
    elif arguments[0] == "run" and "--fast" not in arguments:
        arguments.append("--fast")
    if "--against" in arguments:
        (tmp_path / arguments[-1]).write_text(eiq_demo(["bench", "kws.yaml", "--frames", "5", "--json"], tmp_path))
    eiq_demo(arguments, tmp_path)


def skip_without_a_boards_tools(command: str) -> None:
    for word, board in {"rt:host": "host", "rt:qemu": "mps2-an500", "--board mps2-an500": "mps2-an500"}.items():
        if word in command and (missing := needed(board)):
            pytest.skip(missing)


def eiq_demo(arguments: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, "-m", "apps.cli", *arguments], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    # doctor tells of a machine's faults by its exit code; a machine without PortAudio is told what to install
    fine = (
        done.returncode == 0 or arguments[0] == "doctor" or ("--live" in arguments and "libportaudio2" in done.stderr)
    )
    assert fine, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(("page", "command"), [case for case in CASES if not case[1].startswith("eiq-demo")])
def test_other_commands_name_what_is_there(page: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), page
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), page
    else:
        assert words[0] in ("git", "cd", "pip"), f"{page}: no test knows how to try {command}"


@pytest.mark.parametrize(
    ("page", "text"),
    [(p.name, b) for p in PAGES for b in blocks(p, "yaml") if re.search(r"^(sensor|pipelines):", b, re.MULTILINE)],
)
def test_demos(page: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(text)
    sample = ROOT / "samples" / ("kws.wav" if "microphone" in text else "cifar10")
    told = "file:" in text or "synthetic:" in text
    eiq_demo(["check", "demo.yaml", *([] if told else ["--input", str(sample)])], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_are_there(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / link).exists(), link


def test_the_plug_in_of_the_docs_is_one() -> None:
    from fakes import IMAGE, picture

    (code,) = blocks(ROOT / "docs/plugins.md", "python")
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(code, "plugins.md", "exec", dont_inherit=True), names)
    invert = names["Invert"](names["Invert"].Config())
    assert invert.resolve(IMAGE) == IMAGE
    (frame,) = invert.process(picture(5))
    assert frame.array[0, 0, 0] == 250


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs/demos.md"], ids=lambda page: page.name)
def test_the_printed_mistakes_are_told_as_printed(page: Path, tmp_path: Path) -> None:
    demo = blocks(page, "yaml")[0]
    (tmp_path / "my.yaml").write_text(demo.replace("mels: 40", "mel: 40").replace("model: kws", "model: kwz"))
    done = subprocess.run([sys.executable, "-m", "apps.cli", "check", "my.yaml"], cwd=tmp_path, capture_output=True,
                          text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 2
    assert done.stderr in page.read_text()
