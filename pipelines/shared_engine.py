"""One engine for several pipelines: a fair queue in front of one thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pipelines.core import Array, Engine, TensorSpec


class SharedEngine:
    """Hands calls to one thread in the order of their arrival. Outputs are copies: another pipeline's call may follow.

    Args:
        engine: the one engine; whoever built it closes it, after this.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared-engine")

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._engine.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._engine.outputs

    @property
    def description(self) -> str:
        return f"{self._engine.description}, shared"

    def infer(self, *x: Array) -> tuple[Array, ...]:
        return self._thread.submit(self._infer, x).result()

    def _infer(self, x: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(y.copy() for y in self._engine.infer(*x))

    def reset(self) -> None:
        self._thread.submit(self._engine.reset).result()

    def close(self) -> None:
        self._thread.shutdown()
