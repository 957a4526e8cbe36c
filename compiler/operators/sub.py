"""SUB."""

from __future__ import annotations

from compiler.operators.add import lower

__all__ = ["lower"]
