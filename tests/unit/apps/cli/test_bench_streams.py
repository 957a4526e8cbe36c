"""``eiq-demo bench`` of several streams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import demos
from apps.cli.main import main
from apps.cli.streams import Stream, Streams, lines, rows, speed_up
from pipelines.core import Dropped, Ended, StageTime


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--frames", "20", "--warm-up", "4", *arguments], prog_name="eiq-demo")


def test_each_stream_has_its_rate_times_and_drops() -> None:
    now = iter([10.0, 10.1, 10.2, 10.3, 10.4])
    seen = Streams(["left", "right"], warm_up=1, clock=lambda: next(now))
    seen.on(StageTime("total", 1.0, 0, "right"))
    for seq in range(4):  # left: the first apart, then three at 10, 10.1 and 10.3 s
        seen.on(StageTime("age", 0.002, seq, "left"))
        seen.on(StageTime("scale", 9.0, seq, "left"))
        seen.on(StageTime("total", 0.5 if seq == 0 else 0.004, seq, "left"))
        if seq < 2:
            seen.on(Dropped("camera", 5 if seq else 0, "left"))
        if seq == 2:
            seen.on(StageTime("total", 0.008, 1, "right"))
    left, right = rows(seen, {"left": 20.0, "right": 20.0})
    assert (left["frames"], left["dropped"]) == (3, 5)
    assert (left["fps"], left["ratio"]) == (pytest.approx(2 / 0.3, rel=1e-3), pytest.approx(1 / 3, rel=1e-3))
    assert (left["total_p95_ms"], left["age_p50_ms"]) == (pytest.approx(4, rel=0.01), pytest.approx(2, rel=0.01))
    assert (right["frames"], right["fps"], right["age_p50_ms"]) == (1, None, None)


def test_only_what_was_done_while_all_of_them_ran_counts() -> None:
    now = iter([1.0, 2.0])
    seen = Streams(["left", "right"], warm_up=0, clock=lambda: next(now))
    seen.on(StageTime("total", 0.1, 0, "left"))
    seen.on(StageTime("total", 0.1, 1, "left"))
    seen.on(Ended("limit", 2, 0, "right"))
    seen.on(StageTime("total", 0.1, 2, "left"))  # faster now, as the other has gone
    assert seen.streams["left"].frames == 2


def test_together_is_told_in_units_of_one_alone() -> None:
    table = [{"ratio": 0.5}, {"ratio": 0.75}, {"ratio": None}]
    assert speed_up(table) == 1.25
    assert Stream().fps is None


def test_what_runs_before_all_are_warm_does_not_count() -> None:
    """An engine in a process of its own takes its time to start."""
    now = iter([10.0, 10.1])
    seen = Streams(["quick", "slow"], warm_up=1, clock=lambda: next(now))
    for seq in range(5):
        seen.on(StageTime("total", 0.004, seq, "quick"))
        seen.on(Dropped("camera", 1, "quick"))
    seen.on(StageTime("total", 0.2, 0, "slow"))
    seen.on(StageTime("total", 0.004, 5, "quick"))
    seen.on(StageTime("total", 0.004, 6, "quick"))
    seen.on(Ended("end of input", 7, 0, "quick"))
    table = rows(seen, {"quick": 20.0, "slow": 5.0})
    assert [(row["frames"], row["dropped"], row["fps"], row["ratio"]) for row in table] == [
        (2, 0, 10.0, 0.5), (0, 0, None, None),
    ]  # fmt: skip
    assert list(lines(table))[-1].endswith(
        "too short: slow had less than two frames while all were warm; take more --frames"
    )


def test_one_pipeline_several_times() -> None:
    # a real model lets the others run while it computes; stages of microseconds may end before the others begin
    done = bench("cifar10.yaml", "--streams", "3", "--frames", "300", "--json")
    assert done.exit_code == 0, done.stderr
    streams = json.loads(done.stdout)["streams"]
    assert [row["stream"] for row in streams] == ["stream1", "stream2", "stream3"]
    for row in streams:
        assert row["dropped"] == 0  # a recording
        assert row["frames"] > 0 < row["alone_fps"]
        assert row["total_p50_ms"] <= row["total_p95_ms"]


def test_several_pipelines_of_one_file(tmp_path: Path) -> None:
    lines_ = [line for line in demos.colours(tmp_path).read_text().splitlines() if not line.startswith("title")]
    chain = "".join(f"    {line}\n" for line in lines_)
    config = tmp_path / "two.yaml"
    config.write_text(f"pipelines:\n  left:\n{chain}  right:\n{chain}")
    done = bench(str(config), "--frames", "4000")  # 20 of 0.07 ms are over before the other's thread has its first turn
    assert done.exit_code == 0, done.stderr
    demos.says(done.stdout, ["left.total", "right.total", "alone", "drops", "cores", "times one stream alone"])
    refused = bench(str(config), "--streams", "2")
    assert refused.exit_code == 2
    demos.says(refused.stderr, ["--streams and 2 pipelines"])


def test_one_stream_alone_has_no_such_table(tmp_path: Path) -> None:
    assert "streams" not in json.loads(bench(str(demos.colours(tmp_path)), "--json").stdout)


def test_the_table_is_aligned() -> None:
    row = {"stream": "left", "fps": 9.5, "alone_fps": 10.0, "ratio": None, "total_p50_ms": 1.0, "total_p95_ms": 2.0,
           "age_p50_ms": None, "age_p95_ms": None, "dropped": 3}  # fmt: skip
    _, head, line, together = lines([row])
    assert len(head) == len(line)
    assert "9.5 frames per second" in together
