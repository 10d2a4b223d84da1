"""What a layer is: two functions, and helpers that all layers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Cache", "Grads", "Layer", "Params", "fold", "lanes", "tile"]

Array = NDArray[np.float32]
Params = Mapping[str, Array]
Cache = tuple[Any, ...]
Grads = tuple[tuple["Array | None", ...], dict[str, Array]]

# Kernels loop over rows of at least this many numbers.
_LANES = 128


class Layer(NamedTuple):
    """The forward and the backward function of a layer; see `classicface.cnn.layers`."""

    forward: Callable[..., tuple[Array, Cache]]
    backward: Callable[..., Grads]


def lanes(n_pixels: int, channels: int) -> int:
    """Return how many of the pixels kernels take as one row: a power of two that divides them."""
    together = 1
    while together * channels < _LANES and n_pixels % (2 * together) == 0:
        together *= 2
    return together


def tile(values: NDArray[np.floating], together: int) -> Array:
    """Repeat the values of the channels for every pixel of a row."""
    row = np.empty((together, len(values)), np.float32)
    row[:] = values
    return row.reshape(-1)


def fold(sums: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    """Add up what a row's pixels hold of each channel."""
    shape = (*sums.shape[:-1], -1, channels)
    return np.asarray(sums.reshape(shape).sum(axis=-2))
