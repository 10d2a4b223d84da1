"""The tree cascade that predicts: its arrays, their checks, and running it on a patch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cascade._kernels import PIXEL_BITS, predict_shapes, refine_shapes
from classicface.exceptions import ModelFormatError

__all__ = [
    "LARGEST",
    "MAX_PIXELS",
    "REACH",
    "Cascade",
    "check_shapes",
    "check_trees",
    "kernel_mean",
    "stored_arrays",
]

#: Pixels that the splits can tell apart.
MAX_PIXELS = 1 << PIXEL_BITS

#: Four pixels a quarter of a pitch around a place smooth over one pitch.
REACH = 0.25

#: Faces are halved from so many times `face_size` on: four pixels cover no wider pitch.
LARGEST = 4


@dataclass(frozen=True)
class Cascade:
    """A trained cascade of S stages with T trees each; see Kazemi and Sullivan 2014.

    Parameters
    ----------
    mean_shape : ndarray of float32, shape (L, 2)
        Where the landmarks lie on average, for a box with its centre at 0 and side 1.
    anchors : ndarray of int16, shape (S, P)
        The landmark that each pixel is tied to.
    offsets : ndarray of float32, shape (S, P, 2)
        From the landmark to the pixel, in the frame of the mean shape.
    splits : ndarray of int32, shape (S, T, 2**depth - 1)
        Pixel a, pixel b and threshold of each split, packed as in `classicface.cascade._kernels`,
        in breadth-first order.
    leaves : ndarray of int8, shape (S, T, 2**depth, K)
        Steps along the stage's residual directions.
    directions : ndarray of float32, shape (S, 2 L, K)
        The residual directions (x and y of each landmark in turn), times the leaves' scales.
    reach : ndarray of float32, shape (1,)
        A pixel is the mean of four, this far to both sides in x and y, in sides of the box.
    """

    mean_shape: NDArray[np.float32]
    anchors: NDArray[np.int16]
    offsets: NDArray[np.float32]
    splits: NDArray[np.int32]
    leaves: NDArray[np.int8]
    directions: NDArray[np.float32]
    reach: NDArray[np.float32]
    #: What the kernels take besides the patch and the shapes.
    _arguments: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        arguments = (
            *kernel_mean(self.mean_shape),
            self.reach[0],
            self.anchors,
            self.offsets,
            self.splits,
            self.leaves,
            np.ascontiguousarray(self.directions.transpose(0, 2, 1)),
            self.depth,
        )
        object.__setattr__(self, "_arguments", arguments)

    @property
    def depth(self) -> int:
        """Levels of splits in each tree."""
        return int(self.leaves.shape[2]).bit_length() - 1

    @property
    def n_stages(self) -> int:
        """Number of stages."""
        return int(self.splits.shape[0])

    def run(
        self,
        patch: NDArray[np.uint8],
        center: tuple[float, float],
        side: float,
        spread: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Find the landmarks in a patch from several starts around a box.

        Parameters
        ----------
        patch : ndarray of uint8, shape (height, width), C-contiguous
        center : tuple of float
            The box's centre, in patch coordinates.
        side : float
            The box's side, in patch pixels.
        spread : ndarray of float32, shape (n, 3)
            Of each start: shift in x and y, in sides, and factor of the side.

        Returns
        -------
        ndarray of float32, shape (n, L, 2)
            In patch coordinates.
        """
        shapes: NDArray[np.float32] = predict_shapes(
            patch,
            np.float32(center[0]),
            np.float32(center[1]),
            np.float32(side),
            spread,
            self.mean_shape,
            *self._arguments,
        )
        return shapes

    def refine(self, patch: NDArray[np.uint8], shapes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Find the landmarks in a patch from given shapes.

        Parameters
        ----------
        patch : ndarray of uint8, shape (height, width), C-contiguous
        shapes : ndarray, shape (n, L, 2)
            In patch coordinates.

        Returns
        -------
        ndarray of float32, shape (n, L, 2)
        """
        moved = np.array(shapes, np.float32, order="C")
        refine_shapes(
            patch,
            moved,
            *self._arguments,
        )
        return moved

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, as they are stored."""
        return {name: getattr(self, name) for name in _LAYOUT}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[Any]], n_landmarks: int) -> Cascade:
        """Build a cascade from stored arrays; every shape, type and index is checked.

        The kernels read without bounds checks, so nothing unchecked may reach them.

        Raises
        ------
        ModelFormatError
            An array is missing, of another type or shape, or points outside the others.
        """
        cascade = cls(**stored_arrays(tensors, _LAYOUT))
        cascade._check(n_landmarks)
        return cascade

    def _check(self, n_landmarks: int) -> None:
        n_dims = self.leaves.shape[3]
        more = {"directions": (self.n_stages, 2 * n_landmarks, n_dims), "reach": (1,)}
        check_trees(self, n_landmarks, n_dims, PIXEL_BITS)
        check_shapes(self, more)
        if self.reach[0] < 0:
            raise ModelFormatError(f"damaged cascade: the reach is negative ({self.reach[0]:g})")


def kernel_mean(mean_shape: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """Return what `rotation_scale` takes of a mean shape: it centred, and 1 over its square.

    Both are of the precision of the mean shape, and so is the similarity then.
    """
    centered = mean_shape - mean_shape.mean(axis=0)
    spread = float(np.sum(centered.astype(np.float64) ** 2))
    return np.ascontiguousarray(centered), mean_shape.dtype.type(1.0 / max(spread, 1e-12))


def stored_arrays(
    tensors: dict[str, NDArray[Any]], layout: dict[str, tuple[Any, int]]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a layout (name -> type, number of axes), or raise ModelFormatError.

    Reals are finite and within what training can give.
    """
    arrays = {}
    for name, (dtype, ndim) in layout.items():
        array = tensors.get(name)
        if array is None or array.dtype != dtype or array.ndim != ndim or array.size == 0:
            raise ModelFormatError(f"damaged cascade: {name} is missing, empty or of another type")
        if array.dtype.kind == "f" and not (  # NaN fails too
            array.min() >= -_MAX_LENGTH and array.max() <= _MAX_LENGTH
        ):
            raise ModelFormatError(
                f"damaged cascade: {name} holds a value beyond ±{_MAX_LENGTH:g}, or NaN"
            )
        arrays[name] = np.ascontiguousarray(array)
    return arrays


def check_trees(cascade: Any, n_landmarks: int, n_dims: int, pixel_bits: int) -> None:
    """Check the shapes and indices of what both kinds of cascade hold.

    Parameters
    ----------
    cascade : Cascade or DlibCascade
    n_landmarks : int
    n_dims : int
        The numbers of a leaf.
    pixel_bits : int
        Bits of a split that hold the index of a pixel.

    Raises
    ------
    ModelFormatError
    """
    n_stages, n_pixels = cascade.anchors.shape
    n_trees, n_leaves = cascade.leaves.shape[1:3]
    expected = {
        "mean_shape": (n_landmarks, 2),
        "anchors": (n_stages, n_pixels),
        "offsets": (n_stages, n_pixels, 2),
        "splits": (n_stages, n_trees, n_leaves - 1),
        "leaves": (n_stages, n_trees, 1 << cascade.depth, n_dims),
    }
    check_shapes(cascade, expected)
    mask = (1 << pixel_bits) - 1
    highest = max((cascade.splits >> shift & mask).max() for shift in (0, pixel_bits))
    if highest >= n_pixels:
        raise ModelFormatError("damaged cascade: a split points to a pixel that is not there")
    if cascade.anchors.min() < 0 or cascade.anchors.max() >= n_landmarks:
        raise ModelFormatError("damaged cascade: a pixel is tied to a landmark out of range")


def check_shapes(cascade: Any, expected: dict[str, tuple[int, ...]]) -> None:
    """Check the shapes of some arrays of a cascade, or raise ModelFormatError."""
    for name, shape in expected.items():
        if getattr(cascade, name).shape != shape:
            raise ModelFormatError(
                f"damaged cascade: {name} has shape {getattr(cascade, name).shape},"
                f" expected {shape}"
            )


# In sides of the box: far above what training can give, far below what overflows.
_MAX_LENGTH = 1e10

_LAYOUT = {
    "mean_shape": (np.float32, 2),
    "anchors": (np.int16, 2),
    "offsets": (np.float32, 3),
    "splits": (np.int32, 3),
    "leaves": (np.int8, 4),
    "directions": (np.float32, 3),
    "reach": (np.float32, 1),
}
