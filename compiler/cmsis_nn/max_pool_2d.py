"""MAX_POOL_2D."""

from __future__ import annotations

from compiler.cmsis_nn.average_pool_2d import lower

__all__ = ["lower"]
