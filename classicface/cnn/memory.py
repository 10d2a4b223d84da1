"""Memory for the maps of a training step, used again step after step.

The maps of one pass add up to tens of megabytes. Given back to the system and taken anew at each
step, they cost more time in page faults than the layers take to compute them.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["empty", "zeros"]

# Smaller arrays are left to the allocator, which keeps them by itself.
_SMALLEST = 2**15

# How often a buffer is referred to that its list alone holds, counted as `empty` does.
_probe = [np.empty(1)]
_IDLE = sys.getrefcount(_probe[0])


class _Buffers(threading.local):
    """The buffers of a thread by their number of bytes; they go when the thread ends."""

    def __init__(self) -> None:
        self.by_size: dict[int, list[NDArray[np.uint8]]] = {}


_buffers = _Buffers()


def empty(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return an array like `numpy.empty`, in memory of the calling thread that nothing uses now.

    An array refers to the buffer that it lies in, as do the views of it, so a buffer to which
    only its list refers is free.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < _SMALLEST:
        return np.empty(shape, dtype)
    buffers = _buffers.by_size.setdefault(size, [])
    for i in range(len(buffers)):
        if sys.getrefcount(buffers[i]) == _IDLE:
            return buffers[i].view(dtype).reshape(shape)
    buffers.append(np.empty(size, np.uint8))
    return buffers[-1].view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an array of `empty` filled with zeros."""
    array = empty(shape)
    array.fill(0)
    return array
