from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from pipelines.config.convert import convert
from pipelines.config.schema import Config, InputPath, OutputPath, Positive, PositiveFloat, Transforms
from pipelines.config.yaml12 import parse
from pipelines.errors import Problem


class Inner(Config, frozen=True, kw_only=True):
    depth: Positive = 1


class Sample(Config, frozen=True, kw_only=True):
    size: Positive
    gain: PositiveFloat = 1.0
    mode: Literal["fast", "slow"] | None = None
    words: tuple[str, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    file: InputPath | None = None
    out: OutputPath | None = None
    inner: Inner = Inner()
    more: tuple[Inner, ...] = ()
    chain: Transforms = ()

    def __post_init__(self) -> None:
        if self.pair[0] >= self.pair[1]:
            raise ValueError(f"got pair {list(self.pair)}, expected the first to be the smaller")


def make(text: str, folder: Path = Path("/x")) -> tuple[Sample | None, list[str]]:
    problems: list[Problem] = []
    node = parse(text, "f.yaml", folder, problems)
    assert node is not None
    config = convert(node, Sample, "top", problems)
    return config, [str(p) for p in sorted(problems)]


def test_values_arrive_typed(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    config, problems = make(
        "{size: 3, gain: 2, mode: slow, words: [no, yes], pair: [0, 2], file: a.wav, inner: {depth: 4},"
        " more: [{depth: 2}, {}], chain: [{scale: {from: [0, 255], to: [0, 1]}}]}",
        tmp_path,
    )
    assert not problems
    assert config is not None
    assert (config.size, config.gain, config.mode, config.words) == (3, 2.0, "slow", ("no", "yes"))
    assert config.file == str(tmp_path / "a.wav")
    assert (config.inner.depth, config.more) == (4, (Inner(depth=2), Inner()))
    assert config.chain[0].name == "scale"


def test_bundled_data_is_found_where_nothing_is_beside(tmp_path: Path) -> None:
    config, _ = make("{size: 1, file: configs/kws.yaml}", tmp_path)
    assert config is not None
    assert Path(str(config.file)).is_file()


def test_outputs_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config, _ = make("{size: 1, out: r.jsonl}", Path("/elsewhere"))
    assert config is not None
    assert config.out == str(tmp_path / "r.jsonl")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{siz: 3}", 'f.yaml:1:2: top.siz: unknown option; did you mean "size"?'),
        ("{size: 0}", "f.yaml:1:8: top.size: expected a whole number >= 1, got 0"),
        ("{size: abc}", 'f.yaml:1:8: top.size: expected a whole number, got "abc"'),
        ("{size: -7}", "expected a whole number >= 1, got -7"),
        ("{size: 1.5}", "expected a whole number, got 1.5"),
        ("{size: true}", "expected a whole number, got true"),
        ("{size: [1]}", "expected a whole number, got a list of 1"),
        ("{size: 1, gain: .nan}", "expected a number > 0.0, got nan"),
        ("{size: 1, mode: quick}", 'expected one of fast, slow, got "quick"'),
        ("{size: 1, words: [a, 2]}", "f.yaml:1:22: top.words[1]: expected text, got 2"),
        ("{size: 1, words: yes}", 'expected a list, got "yes"'),
        ("{size: 1, pair: [1]}", "top.pair: expected a list of length 2, got a list of 1"),
        ("{size: 1, pair: [2, 1]}", "f.yaml:1:1: top: got pair [2.0, 1.0], expected the first to be the smaller"),
        ("{size: 1, inner: {deep: 1}}", 'top.inner.deep: unknown option; did you mean "depth"?'),
        ("{size: 1, inner: 5}", "top.inner: expected a mapping, got 5"),
        ("{size: 1, more: [{depth: 0}]}", "top.more[0].depth: expected a whole number >= 1, got 0"),
        ("{size: 1, chain: [mfc]}", "top.chain[0]: unknown transform 'mfc'; did you mean \"mfcc\"?"),
        ("{size: 1, chain: [{a: 1, b: 2}]}", "top.chain[0]: got a mapping of a, b, expected one step"),
        ("{size: 1, file: 5}", "top.file: expected text or nothing, got 5"),
        ("{gain: 1}", 'f.yaml:1:1: top: the option "size" is missing'),
        ("[1]", "top: got a list of 1, expected options: size, gain"),
    ],
)
def test_problems_say_where_got_expected(text: str, problem: str) -> None:
    config, problems = make(text)
    assert config is None
    assert any(problem in found for found in problems), problems


def test_every_problem_at_once() -> None:
    _, problems = make("size: x\ngain: -1\nmode: z\nwrds: []\n")
    assert [p.split(": ")[0] for p in problems] == ["f.yaml:1:7", "f.yaml:2:7", "f.yaml:3:7", "f.yaml:4:1"]
