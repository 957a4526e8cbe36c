"""Sizes of windows over a picture, as TFLite's ComputePaddingHeightWidth."""

from __future__ import annotations


def padded_size(padding: str, size: int, window: int, stride: int, dilation: int) -> int:
    """How many windows there are along one axis; below one if none fits."""
    reach = (window - 1) * dilation + 1
    return -(-size // stride) if padding == "same" else (size - reach) // stride + 1


def padding_before(size: int, out: int, window: int, stride: int, dilation: int) -> int:
    """SAME padding at the top or left of ``size``, for ``out`` windows."""
    return max((out - 1) * stride + (window - 1) * dilation + 1 - size, 0) // 2
