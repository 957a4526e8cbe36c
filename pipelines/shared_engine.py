"""One engine for several pipelines: a fair queue in front of one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from pipelines.core import Array, Engine, PartTime, TensorSpec
from pipelines.process_engine import ProcessEngine


class SharedEngine:
    """Hands calls to one thread in the order of their arrival. Outputs are copies: another pipeline's call may follow.

    Args:
        engine: the one engine; whoever built it closes it, after this.
    """

    def __init__(self, engine: Engine) -> None:
        self.inner = engine
        self._own = threading.local()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared-engine")

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.inner.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self.inner.outputs

    @property
    def title(self) -> str:
        """What its stage is called, where the engine says so."""
        return getattr(self.inner, "title", "")

    @property
    def description(self) -> str:
        return f"{self.inner.description}, shared"

    def infer(self, *x: Array) -> tuple[Array, ...]:
        y, self._own.times = self._thread.submit(self._infer, x).result()
        return y

    def times(self) -> Iterable[PartTime]:
        """The parts of the calling thread's last inference, where the engine tells them."""
        return getattr(self._own, "times", ())

    def _infer(self, x: tuple[Array, ...]) -> tuple[tuple[Array, ...], tuple[PartTime, ...]]:
        y = tuple(y.copy() for y in self.inner.infer(*x))
        times: Callable[[], Iterable[PartTime]] | None = getattr(self.inner, "times", None)
        return y, tuple(times()) if times else ()

    def reset(self) -> None:
        self._thread.submit(self.inner.reset).result()

    def close(self) -> None:
        """An inference in progress is waited for, or, in a process, which may hang, ended."""
        if isinstance(self.inner, ProcessEngine):
            self.inner.close()
        self._thread.shutdown(cancel_futures=True)
