"""A chain made new, for a recording that must know nothing of the one before."""

from __future__ import annotations

from dataclasses import replace

from pipelines.core import Stage
from pipelines.graph import Graph


def renewed(graph: Graph) -> tuple[Stage, ...]:
    """The stages of a resolved graph with fresh transforms and decoders; engines stay open, and forget their state."""
    for _, engine in graph.engines:
        engine.reset()
    return tuple(replace(stage.renew(), name=stage.name) if stage.renew else stage for stage in graph.stages)
