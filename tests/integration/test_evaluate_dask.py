"""``eiq-demo evaluate --scheduler``: the same report from any number of workers, whatever becomes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import demos
from demos import eiq_demo, says

pytest.importorskip("ai_edge_litert")
pytest.importorskip("sklearn")
distributed = pytest.importorskip("distributed")

import dask  # noqa: E402

from apps.evaluate import Asked, evaluate, evaluation, shards  # noqa: E402
from apps.evaluate.datasets.items import Item  # noqa: E402
from apps.evaluate.score import Job, opened  # noqa: E402
from pipelines.config.demo import Overrides  # noqa: E402
from pipelines.errors import CapabilityError, DeviceError, EiqError, MissingDependency  # noqa: E402

ITEM = Item("nix.png", "red", Path("nix.png"))
ITEMS = 1500
"""Eight shards."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A demo of three colours, and so many noisy pictures that it is not always right."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, ITEMS)
    pictures = rng.integers(0, 200, (ITEMS, 4, 4, 3), np.uint8)
    pictures[np.arange(ITEMS), ..., labels] //= 4
    pictures[np.arange(ITEMS), ..., labels] += rng.integers(60, 200, (ITEMS, 1, 1), np.uint8)
    np.savez(folder / "data.npz", images=pictures, labels=labels, label_names=np.array(["red", "green", "blue"]))
    return demos.colours(folder), folder / "data.npz"


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        memory_limit=0, silence_logs=50,
    ) as made:  # fmt: skip
        yield made


def pids(made: Any) -> list[int]:
    return [nanny.pid for nanny in made.workers.values()]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_report(data: tuple[Path, Path], workers: int) -> None:
    config, where = data
    serial = evaluate(config, where)
    assert 0.5 < (serial.accuracy or 0) < 1
    shared = evaluate(config, where, Asked(scheduler=f"local:{workers}"))
    assert json.dumps(shared.to_dict()) == json.dumps(serial.to_dict())


@pytest.mark.slow
def test_the_command_line_says_the_same(data: tuple[Path, Path]) -> None:
    config, where = data
    serial = eiq_demo("evaluate", config, "--data", where, "--json")
    shared = eiq_demo("evaluate", config, "--data", where, "--json", "--scheduler", "local:2")
    assert (serial.returncode, shared.returncode) == (0, 0)
    assert shared.stdout == serial.stdout
    assert shared.stderr.count("\n") == 1  # the time it took: no talk of Dask's own


@pytest.mark.slow
def test_a_worker_killed_half_way_loses_and_double_counts_nothing(
    data: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, where = data
    serial = evaluate(config, where)
    monkeypatch.setattr(shards, "SHARD", 30)
    with cluster(2) as made:
        killed = _kill_after(made, 100, monkeypatch)
        shared = evaluate(config, where, Asked(scheduler=made.scheduler_address))
        assert killed
        assert not set(killed) & set(pids(made))
    assert json.dumps(shared.to_dict()) == json.dumps(serial.to_dict())


@pytest.mark.slow
def test_shards_that_kill_their_workers_end_it(data: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 30)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster(2) as made:
        _kill_after(made, 100, monkeypatch)
        with pytest.raises(DeviceError, match="1 workers died over the same items; look into the workers' logs"):
            evaluate(*data, Asked(scheduler=made.scheduler_address))


@pytest.mark.slow
def test_a_scheduler_that_goes_away_half_way_is_told(data: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 30)
    asked = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
             "--no-dashboard"]  # fmt: skip
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as scheduler:
        assert scheduler.stderr is not None
        address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
        completed = distributed.as_completed

        def half_way(futures: Any, **options: Any) -> Any:
            """All is asked, and there are no workers, so that nothing ends by itself."""
            scheduler.kill()
            return completed(futures, **options)

        monkeypatch.setattr(distributed, "as_completed", half_way)
        try:
            with pytest.raises(DeviceError, match="the Dask scheduler is gone"):
                evaluate(*data, Asked(scheduler=address))
        finally:
            scheduler.kill()


def _kill_after(made: Any, outcomes: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """SIGKILL a worker process that is at work, when so many outcomes are here; the list then holds its number."""
    killed: list[int] = []

    def killing(items: Iterable[Any], what: str, total: int) -> Iterator[Any]:
        for count, item in enumerate(items):
            yield item
            if count == outcomes:
                busy = {worker.address for worker in made.scheduler.workers.values() if worker.processing}
                nanny = next(nanny for nanny in made.workers.values() if nanny.worker_address in busy)
                os.kill(nanny.pid, signal.SIGKILL)
                killed.append(nanny.pid)

    monkeypatch.setattr(evaluation, "track", killing)
    return killed


@pytest.mark.slow
def test_what_a_worker_cannot_do_arrives_as_its_sentence(data: tuple[Path, Path], tmp_path: Path) -> None:
    config, where = data
    job = Job(str(config), overrides=Overrides(sensors=(("--data", {"file": str(where)}),)))
    with opened(job) as scorer:
        used = scorer.used
    with cluster(1) as made:
        gone = replace(job, config=str(tmp_path / "nix.yaml"))
        with pytest.raises(EiqError, match=r"on a worker: .*nix.yaml: there is no such file") as error:
            list(shards.distributed(gone, [(0, ITEM)], used, made.scheduler_address))
        assert error.value.exit_code == 2
        other = (replace(used[0], sha256="0" * 64),)
        with pytest.raises(EiqError, match=r"a worker runs same [0-9a-f]{12}… on .*, expected same 000000000000…"):
            list(shards.distributed(job, [(0, ITEM)], other, made.scheduler_address))
        (outcome,) = shards.distributed(job, [(5, ITEM)], used, made.scheduler_address)
        assert (outcome.index, outcome.frames) == (5, 0)
        assert "nix.png" in outcome.error  # an item that cannot be read is counted there as here


def test_a_scheduler_that_does_not_answer(data: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "CONNECT_S", 0.2)
    with pytest.raises(DeviceError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 within 0.2 s; start one"):
        evaluate(*data, Asked(scheduler="tcp://127.0.0.1:1"))


@pytest.mark.parametrize("scheduler", ["local:0", "local:x", "here", "127.0.0.1:8786", "http://a:1", "tcp://a", ""])
def test_what_is_no_scheduler_is_told_before_the_work(data: tuple[Path, Path], scheduler: str) -> None:
    with pytest.raises(CapabilityError, match="expected local, local:N or an address such as tcp://host:8786"):
        evaluate(*data, Asked(scheduler=scheduler))


def test_without_dask_it_says_what_to_install(data: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependency, match=r"--scheduler needs the module distributed .*eiq-demo\[scale\]"):
        evaluate(*data, Asked(scheduler="local:2"))


@pytest.mark.slow
def test_ctrl_c_to_all_processes_is_told_by_one(data: tuple[Path, Path]) -> None:
    # as a terminal sends it: to the whole group, so to the workers too
    config, where = data
    arguments = demos.command(
        "evaluate", config, "--data", where.with_name("many.csv"), "--json", "--scheduler", "local:2"
    )
    picture = config.parent / "pictures/red.png"
    where.with_name("many.csv").write_text("file,label\n" + f"{picture},red\n" * 60_000)
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        _until_busy(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    says(err, ["stopped"])
    assert "KeyboardInterrupt" not in err
    if out:
        report = json.loads(out)
        assert (report["complete"], report["answers"]["accuracy"]) == (False, 1.0)


def _until_busy(pid: int) -> None:
    """Until a process that it started has worked for so long that items are being scored."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if max(map(_cpu_s, _children(pid)), default=0) > 2.5:
            return
        time.sleep(0.02)
    raise AssertionError("it never came to the items")


def _children(pid: int) -> list[int]:
    parents = {int(p.name): p / "stat" for p in Path("/proc").iterdir() if p.name.isdigit()}
    found = []
    for child, stat in parents.items():
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(child)
    return found


def _cpu_s(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
