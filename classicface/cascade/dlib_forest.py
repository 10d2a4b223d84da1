"""The tree cascade of dlib's style that predicts: its arrays, their checks, and running it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cascade._dlib_kernels import predict_compressed, predict_exact
from classicface.cascade._kernels import PIXEL_BITS, WIDE_PIXEL_BITS
from classicface.cascade.forest import (
    Cascade,
    check_shapes,
    check_trees,
    kernel_mean,
    stored_arrays,
)
from classicface.exceptions import ModelFormatError
from classicface.shape.boxes import box_centers_sides

__all__ = ["CASCADES", "MAX_WIDE_PIXELS", "DlibCascade", "repack_splits"]

#: Pixels that splits of 64 bits can tell apart.
MAX_WIDE_PIXELS = 1 << WIDE_PIXEL_BITS


@dataclass(frozen=True)
class DlibCascade:
    """A trained cascade of S stages with T trees each that predicts as dlib does.

    A pixel is that of the picture itself, and 0 outside; steps do not turn with the shape.
    Shapes are relative to dlib's rectangle: (0, 0) is its upper left corner, (1, 1) the lower
    right one.

    Parameters
    ----------
    mean_shape : ndarray of float32, shape (L, 2)
        Where the landmarks start.
    anchors, offsets : ndarray
        As those of `classicface.cascade.forest.Cascade`.
    splits : ndarray of int32 or int64, shape (S, T, 2**depth - 1)
        Packed as in `classicface.cascade._kernels`; int64 for more than 1024 pixels.
    leaves : ndarray, shape (S, T, 2**depth, 2 L) or (S, T, 2**depth, K)
        The steps of all landmarks, as float32; or along the stage's directions, as int8.
    box_map : ndarray of float64, shape (3,)
        Shift in x and y and scale of the `BoxMap` that takes the rectangle to a landmark box.
    directions : ndarray of float32, shape (S, 2 L, K), optional
        The directions of int8 leaves, times their scales.
    """

    mean_shape: NDArray[np.float32]
    anchors: NDArray[np.int16]
    offsets: NDArray[np.float32]
    splits: NDArray[np.int32] | NDArray[np.int64]
    leaves: NDArray[np.float32] | NDArray[np.int8]
    box_map: NDArray[np.float64]
    directions: NDArray[np.float32] | None = None
    #: What the kernels take besides the picture and the rectangles.
    _arguments: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        arguments: tuple[Any, ...] = (
            self.mean_shape,
            *kernel_mean(self.mean_shape.astype(np.float64)),
            self.anchors,
            self.offsets,
            self.splits,
            self.leaves,
            self.depth,
        )
        if self.directions is not None:
            arguments += (np.ascontiguousarray(self.directions.transpose(0, 2, 1)),)
        object.__setattr__(self, "_arguments", arguments)

    @property
    def depth(self) -> int:
        """Levels of splits in each tree."""
        return int(self.leaves.shape[2]).bit_length() - 1

    def run(self, image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Find the landmarks of the faces in a picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width), C-contiguous
        boxes : ndarray, shape (n, 4)
            Landmark boxes.

        Returns
        -------
        ndarray of float32, shape (n, L, 2)
            In pixels of the picture.
        """
        shift_x, shift_y, scale = self.box_map.tolist()
        centers, sides = box_centers_sides(boxes)
        sides = sides / scale
        corners = centers - sides[:, None] * (0.5 + np.array([shift_x, shift_y]))
        # Boxes are float32; on a fine grid, dlib's whole numbers come back exactly.
        corners, sides = np.rint(corners * _GRID) / _GRID, np.rint(sides * _GRID) / _GRID
        frames = np.column_stack([corners, sides])
        predict = predict_exact if self.directions is None else predict_compressed
        shapes = predict(image, frames, *self._arguments)
        return np.asarray(corners[:, None] + sides[:, None, None] * shapes, np.float32)

    def exact_leaves(self) -> NDArray[np.float32]:
        """Return the steps of all landmarks, shape (S, T, 2**depth, 2 L)."""
        if self.directions is None:
            return np.asarray(self.leaves, np.float32)
        n_stages, n_trees, n_leaves, n_dims = self.leaves.shape
        flat = self.leaves.reshape(n_stages, -1, n_dims).astype(np.float32)
        steps = flat @ self.directions.transpose(0, 2, 1)
        return steps.reshape(n_stages, n_trees, n_leaves, -1)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, as they are stored."""
        return {name: getattr(self, name) for name in _layout(self.splits, self.directions)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[Any]], n_landmarks: int) -> DlibCascade:
        """Build a cascade from stored arrays; every shape, type and index is checked.

        The kernels read without bounds checks, so nothing unchecked may reach them.

        Raises
        ------
        ModelFormatError
            An array is missing, of another type or shape, or points outside the others.
        """
        layout = _layout(tensors.get("splits"), tensors.get("directions"))
        cascade = cls(**stored_arrays(tensors, layout))
        n_dims = cascade.leaves.shape[3]
        expected: dict[str, tuple[int, ...]] = {"box_map": (3,)}
        if cascade.directions is None:
            n_dims = 2 * n_landmarks
        else:
            expected["directions"] = (len(cascade.leaves), 2 * n_landmarks, n_dims)
        check_trees(cascade, n_landmarks, n_dims, _pixel_bits(cascade.splits))
        check_shapes(cascade, expected)
        x, y, scale = cascade.box_map.tolist()
        if not (
            max(abs(x), abs(y)) <= _MOST_BOX_MAP and 1 / _MOST_BOX_MAP <= scale <= _MOST_BOX_MAP
        ):
            raise ModelFormatError(f"damaged cascade: no box lies as {[x, y, scale]} says")
        return cascade


#: Style of `classicface.cascade.ert.ERTFitter` -> what predicts.
CASCADES: dict[str, type[Cascade] | type[DlibCascade]] = {
    "classicface": Cascade,
    "dlib": DlibCascade,
}


def repack_splits(
    splits: NDArray[np.int32] | NDArray[np.int64], *, wide: bool
) -> NDArray[np.int32] | NDArray[np.int64]:
    """Return splits packed in 64 bits, or in 32, for which the pixels must be few enough."""
    old, mask = _pixel_bits(splits), (1 << _pixel_bits(splits)) - 1
    new = WIDE_PIXEL_BITS if wide else PIXEL_BITS
    whole = splits.astype(np.int64)
    first, second, threshold = whole & mask, whole >> old & mask, whole >> (2 * old)
    packed = threshold << (2 * new) | second << new | first
    return packed if wide else packed.astype(np.int32)


def _pixel_bits(splits: NDArray[Any]) -> int:
    return PIXEL_BITS if splits.itemsize == 4 else WIDE_PIXEL_BITS


def _layout(
    splits: NDArray[Any] | None, directions: NDArray[Any] | None
) -> dict[str, tuple[Any, int]]:
    """Return the types and numbers of axes of the arrays, as these two choose them."""
    wide = splits is not None and splits.dtype == np.int64
    layout = {
        "mean_shape": (np.float32, 2),
        "anchors": (np.int16, 2),
        "offsets": (np.float32, 3),
        "splits": (np.int64 if wide else np.int32, 3),
        "leaves": (np.float32 if directions is None else np.int8, 4),
        "box_map": (np.float64, 1),
    }
    return layout if directions is None else {**layout, "directions": (np.float32, 3)}


# Places of a rectangle's corners in a pixel.
_GRID = 1024.0

# Shifts and scales of box maps lie well within.
_MOST_BOX_MAP = 100.0
