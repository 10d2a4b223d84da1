"""Dense descriptors: a few channels at every pixel that survive a change of light.

``intensity``
    The grey value with the picture's mean taken off, over its standard deviation.
``igo``
    The cosine and the sine of the gradient's direction (image gradient orientations;
    Tzimiropoulos, Zafeiriou and Pantic, PAMI 2012).
``hog``
    Eight channels of gradient orientation, each smoothed over a cell, divided by the local energy
    and square-rooted: the cells of SIFT (Lowe, IJCV 2004) and HOG (Dalal and Triggs, CVPR 2005)
    at every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.image import _kernels

__all__ = ["FEATURES", "FeatureBuffers", "feature_image"]

#: Name of a descriptor -> its number of channels.
FEATURES = {"intensity": 1, "igo": 2, "hog": 8}

# Smoothed gradients much weaker than this, in grey levels, are noise.
_FLOOR = np.float32(4.0)


#: The largest radius of a cell; the sums of larger ones would not fit into 32 bits.
MAX_CELL = 5


@dataclass(frozen=True)
class FeatureBuffers:
    """What `feature_image` writes to; reused, it allocates next to nothing.

    Parameters
    ----------
    channels : ndarray of float32, shape (height, width, n_channels)
        The result.
    counts, count_work : ndarray of int32, shape (height, width, n_channels)
    squares, square_work : ndarray of float64, shape (height, width, 1)
    count_total, square_total : ndarray
        The running sums of one row.
    """

    channels: NDArray[np.float32]
    counts: NDArray[np.int32]
    count_work: NDArray[np.int32]
    squares: NDArray[np.float64]
    square_work: NDArray[np.float64]
    count_total: NDArray[np.int32]
    square_total: NDArray[np.float64]

    @classmethod
    def make(cls, shape: tuple[int, ...], kind: str) -> FeatureBuffers:
        """Return buffers for pictures of a shape (height, width)."""
        n_channels = FEATURES[kind]
        counted = (*shape, n_channels) if kind == "hog" else (0, 0, 0)
        plane = (*counted[:2], 1)
        return cls(
            np.empty((*shape, n_channels), np.float32),
            np.empty(counted, np.int32),
            np.empty(counted, np.int32),
            np.empty(plane, np.float64),
            np.empty(plane, np.float64),
            np.empty(max(counted[1], 8) * counted[2], np.int32),
            np.empty(max(counted[1], 8), np.float64),
        )


def feature_image(
    pixels: NDArray[np.uint8],
    kind: str = "hog",
    cell: int = 2,
    buffers: FeatureBuffers | None = None,
) -> NDArray[np.float32]:
    """Describe every pixel of a picture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width)
    kind : {"hog", "igo", "intensity"}
    cell : int, default 2
        For ``hog``, the radius of a cell: channels are smoothed by a triangle of 4 cell + 1
        pixels; 0 leaves them as they are.
    buffers : FeatureBuffers, optional
        Where to write; of the picture's shape.

    Returns
    -------
    ndarray of float32, shape (height, width, n_channels), C-contiguous
        ``buffers.channels`` where there are buffers.

    Raises
    ------
    InvalidInputError
        No such descriptor.
    """
    if kind not in FEATURES:
        raise InvalidInputError(f"features is {kind!r}; there are {', '.join(FEATURES)}")
    room = FeatureBuffers.make(pixels.shape, kind) if buffers is None else buffers
    channels = room.channels
    if kind == "hog":
        if not 0 <= cell <= MAX_CELL:
            raise InvalidInputError(f"cell is {cell!r}; expected 0 to {MAX_CELL}")
        norm = 1.0 / (2 * cell + 1) ** 4
        scale, square_scale = np.float32(norm / _kernels.AXIS), np.float32(norm)
        _kernels.split_gradient(pixels, room.counts)
        _kernels.triangle(room.counts, cell, room.count_work, room.count_total)
        _kernels.energy(room.counts, scale, room.squares)
        _kernels.triangle(room.squares, cell, room.square_work, room.square_total)
        _kernels.normalize(room.counts, scale, room.squares, square_scale, _FLOOR, channels)
    elif kind == "igo":
        _kernels.unit_gradient(pixels, channels)
    else:
        np.subtract(pixels, np.float32(pixels.mean()), out=channels[..., 0])
        channels /= np.float32(pixels.std()) + np.float32(1.0)
    return channels
