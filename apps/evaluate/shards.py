"""Scoring on several processes or machines, by Dask: the same outcomes, whoever computes them and however often.

A shard is a list of items; a worker opens the config by itself, scores them and answers with their outcomes, keyed by
the item's place in the data set. A shard whose worker died is computed again elsewhere, and counts once.
"""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any

from apps.evaluate.datasets.items import Item
from apps.evaluate.report import Used
from apps.evaluate.score import Job, Outcome, opened
from pipelines.errors import CapabilityError, DeviceError, EiqError, MissingDependency
from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[scale]'"
SHARD = 200
"""Items a shard: tenths of a second of work, against tens of ms to open the config."""
CONNECT_S = 10.0
LOCAL = re.compile(r"local(:[1-9][0-9]{0,2})?")
ADDRESS = re.compile(r"(tcp|tls)://\S+:[0-9]+")
Indexed = tuple[int, Item]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a worker that is the user's or the world's: its sentence, and the exit code that goes with it."""

    message: str
    exit_code: int


class WorkerError(EiqError):
    """What a worker could not do, in its own words."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.exit_code = failure.exit_code


def score_shard(job: Job, used: tuple[Used, ...], items: Sequence[Indexed]) -> list[Outcome] | Failure:
    """On a worker: the outcomes of some items. Errors go back as text, whatever the classes are called there."""
    try:
        with opened(job) as scorer:
            if scorer.used != used:
                return Failure(
                    f"a worker runs {_shown(scorer.used)}, expected {_shown(used)} as here; "
                    "give all of them the same model files and packages",
                    EiqError.exit_code,
                )
            return [scorer.outcome(index, item) for index, item in items]
    except EiqError as error:
        return Failure(f"on a worker: {error}", error.exit_code)


def check_scheduler(scheduler: str) -> None:
    """Raises CapabilityError where it is none, and MissingDependency where Dask is not installed."""
    if not LOCAL.fullmatch(scheduler) and not ADDRESS.fullmatch(scheduler):
        raise CapabilityError(
            f"got --scheduler {scheduler}, expected local, local:N or an address such as tcp://host:8786"
        )
    require("distributed", purpose="--scheduler", install=INSTALL)


def distributed(job: Job, items: Sequence[Indexed], used: tuple[Used, ...], scheduler: str) -> Iterator[Outcome]:
    """The outcomes of all items, as shards are done.

    Args:
        used: what runs here, and must run on every worker.
        scheduler: ``local`` (a process for each core), ``local:N``, or the address of a running scheduler.

    Raises:
        CapabilityError: ``scheduler`` is none of these.
        DeviceError: the scheduler does not answer or goes away, or a shard's workers died again and again.
        EiqError: as scoring here would raise.
    """
    check_scheduler(scheduler)
    dask = require("distributed", purpose="--scheduler", install=INSTALL)
    shards = [items[start : start + SHARD] for start in range(0, len(items), SHARD)]
    with _client(dask, scheduler, len(shards)) as client:
        futures = [client.submit(score_shard, job, used, shard, pure=False) for shard in shards]
        for future in dask.as_completed(futures, loop=client.loop):
            result = _result(dask, future)
            if isinstance(result, Failure):
                raise WorkerError(result)
            yield from result


@contextmanager
def _client(dask: Any, scheduler: str, shards: int) -> Iterator[Any]:
    if not LOCAL.fullmatch(scheduler):
        with _connected(dask, scheduler) as client:
            yield client
        return
    count = min(shards, int(scheduler.partition(":")[2] or os.cpu_count() or 1))
    with _ctrl_c_held_back():
        cluster = dask.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # none would still take port 8787, and warn where another has it
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    with cluster, _connected(dask, cluster.scheduler_address) as client:
        yield client


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """What is started meanwhile never sees Ctrl-C, which a terminal sends to all processes: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    resource_tracker.ensure_running()  # started later, it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _connected(dask: Any, address: str) -> Iterator[Any]:
    try:
        client = dask.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise DeviceError(
            f"no Dask scheduler answers at {address} within {CONNECT_S:g} s; start one with dask scheduler, "
            "or take --scheduler local"
        ) from error
    with client:
        yield client


def _result(dask: Any, future: Any) -> list[Outcome] | Failure:
    try:
        result: list[Outcome] | Failure = future.result()
    except dask.KilledWorker as error:
        raise DeviceError(
            f"{error.allowed_failures + 1} workers died over the same items; look into the workers' logs and memory"
        ) from error
    except CancelledError as error:
        raise DeviceError(
            "the Dask scheduler is gone; look into its log, start it again and repeat the command"
        ) from error
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"a worker does not find the module {error.name}; install the same eiq-demo where the workers run"
        ) from error
    finally:
        future.release()
    return result


def _shown(used: tuple[Used, ...]) -> str:
    return "; ".join(f"{one.model} {one.sha256[:12]}… on {one.engine}" for one in used) or "no model"
