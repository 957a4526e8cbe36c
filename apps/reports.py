"""What a config reports on a recording, for those who score streams."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines import registry
from pipelines.config.demo import Overrides, load_demo
from pipelines.core import Event, Result
from pipelines.graph import resolve
from pipelines.run import run


@dataclass
class _Heard:
    """Collects the results of a run."""

    found: list[tuple[float, str]] = field(default_factory=list)

    def on(self, event: Event) -> None:
        if isinstance(event, Result):
            self.found.append((event.t, event.label))


def reports(config: str, recording: Path, sets: tuple[str, ...] = (), **sensor: Any) -> list[tuple[float, str]]:
    """What a config reports on a recording in the simulator, without its actions: (stream time in s, label).

    Args:
        sets: as of ``eiq-demo run --set``.
        sensor: further changes of its sensor's keys.
    """
    heard = _Heard()
    with ExitStack() as stack:
        target = registry.load("targets", "sim")()
        stack.callback(target.close)
        playing = {"file": str(recording), "pace": "fast", **sensor}
        demo = load_demo(config, target, Overrides(sets=sets, sensors=(("--input", playing),)))
        graphs = [replace(graph, actions=()) for graph in resolve(demo, target, stack)]
        run(graphs, [heard])
    return heard.found
