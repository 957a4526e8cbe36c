from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import demos
from apps.cli.main import main


@pytest.fixture
def colours(tmp_path: Path) -> str:
    return str(demos.colours(tmp_path))


def bench(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["bench", *arguments, "--frames", "20", "--warm-up", "4"], prog_name="eiq-demo")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_json_counts_the_frames_after_the_warm_up(colours: str) -> None:
    result = bench(colours, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)  # one object and nothing else
    assert (report["title"], report["target"], report["times"]) == ("Colours", "sim", "measured here")
    assert [(row["stage"], row["frames"]) for row in report["stages"]] == [
        ("resize", 20), ("scale", 20), ("tflite", 20), ("top", 20), ("total", 20),
    ]  # fmt: skip
    total, engine = report["stages"][4], report["stages"][2]
    assert 0 < engine["p50_ms"] <= total["p50_ms"] <= total["p95_ms"] <= total["p99_ms"] <= total["max_ms"]


def test_it_is_readable_and_runs_no_action(colours: str, tmp_path: Path) -> None:
    config = Path(colours)
    config.write_text(f"{config.read_text()}actions: [console, jsonl: {{path: {tmp_path}/out.jsonl}}]\n")
    out = bench(colours).stdout
    demos.says(out, ["Colours on target sim", "model same: ", "the slowest of the first 4 apart", "p99"])
    assert "blue" not in out
    assert not (tmp_path / "out.jsonl").exists()


def test_a_short_recording_is_played_again_and_again(tmp_path: Path) -> None:
    config = str(demos.loud(tmp_path))  # 100 windows in it
    result = CliRunner().invoke(main, ["bench", config, "--frames", "250", "--json"])
    assert {row["stage"]: row["frames"] for row in json.loads(result.stdout)["stages"]}["tflite"] == 250


def test_against_an_earlier_one_are_the_ratios(colours: str, tmp_path: Path) -> None:
    earlier = json.loads(bench(colours, "--json").stdout)
    for row in earlier["stages"]:
        row["p50_ms"] = 1000.0 if row["stage"] == "total" else None
    before = tmp_path / "before.json"
    before.write_text(json.dumps(earlier))
    out = bench(colours, "--against", str(before)).stdout
    demos.says(out, ["medians, now against earlier:", " 1000.000 ms ->", "x 0.00"])
    assert out.count(" ms -> ") == 1  # what has no median is not compared
    assert "another machine" not in out
    for key, said in {"machine": "machine", "title": "demo", "engines": "model or engine"}.items():
        before.write_text(json.dumps(earlier | {key: "a Cray"}))
        assert f"earlier was another {said} (a Cray)" in bench(colours, "--against", str(before)).stdout


def test_with_json_the_ratios_are_talk(colours: str, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    before.write_text(bench(colours, "--json").stdout)
    result = bench(colours, "--json", "--against", str(before))
    assert json.loads(result.stdout)["title"] == "Colours"
    assert "medians, now against earlier:" in result.stderr


@pytest.mark.parametrize(
    "content",
    [
        "", "no json", "[]", "{}", "1", "[" * 100_000,
        '{"machine": "x", "stages": 5}', '{"machine": "x", "stages": ["total"]}',
        '{"machine": "x", "stages": [{"stage": "total"}]}',
        '{"machine": "x", "stages": [{"stage": "total", "p50_ms": "fast"}]}',
    ],
    ids=range(10),
)  # fmt: skip
def test_against_something_else_is_told_before_it_runs(colours: str, tmp_path: Path, content: str) -> None:
    before = tmp_path / "before.json"
    before.write_text(content)
    result = bench(colours, "--against", str(before))
    assert (result.exit_code, result.stdout) == (1, "")
    demos.says(result.stderr, ["before.json is not the output of eiq-demo bench --json", "make one with"])


def test_against_a_file_that_is_not_there_is_a_wrong_request(colours: str, tmp_path: Path) -> None:
    for path in (tmp_path / "nix.json", tmp_path):
        assert bench(colours, "--against", str(path)).exit_code == 2
