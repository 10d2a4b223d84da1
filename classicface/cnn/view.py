"""How a network sees a face, one crop at a time, with the memory that this takes."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.network import Network

__all__ = ["Runner", "normalise"]

_MIDDLE = np.float32(127.5)
_UNIT = np.float32(1 / 64)


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return grey pixels as a network reads them: (pixels - 127.5) / 64."""
    return (pixels.astype(np.float32) - _MIDDLE) * _UNIT


class Runner:
    """Runs a network on single crops in memory that each thread keeps.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._local = threading.local()

    def __call__(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on a crop, shape (size, size).

        Returns
        -------
        ndarray of float32, shape (1, height, width, channels)
            The output; the next call of the same thread overwrites it.
        """
        local = self._local
        if not hasattr(local, "crop"):
            local.crop = np.empty((1, *self.network.input_shape), np.float32)
            local.output = np.empty((1, *self.network.output_shape), np.float32)
        np.subtract(crop, _MIDDLE, out=local.crop[0, :, :, 0])
        np.multiply(local.crop, _UNIT, out=local.crop)
        self.network.run(local.crop, out=local.output)
        output: NDArray[np.float32] = local.output
        return output

    def __reduce__(self) -> tuple[type[Runner], tuple[Any, ...]]:
        """Leave the memory of the threads behind when copied."""
        return Runner, (self.network,)
