"""Stage times as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def times(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Stage times as an aligned table."""
    columns = ("p50_ms", "p95_ms", "p99_ms", "max_ms", "warm_up_ms")
    names = [f"{row['pipeline']}.{row['stage']}" if row.get("pipeline") else str(row["stage"]) for row in rows]
    width = max(len("stage"), *map(len, names))
    head = f"{'stage':<{width}}  {'frames':>7}" + "".join(f"  {column[:-3].replace('_', '-'):>8}" for column in columns)
    return [head] + [
        f"{name:<{width}}  {row['frames']:>7}"
        + "".join(f"  {_number(row[column]):>8}" for column in columns)
        + (f"  {row['measured']}" if "measured" in row else "")
        for name, row in zip(names, rows, strict=True)
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
