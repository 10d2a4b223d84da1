"""Sampling patterns: where the appearance is read, as points tied to landmarks.

A sample lies at a weighted mean of landmarks, plus an offset. A *holistic* pattern ties the pixels
inside the mean shape to the corners of their triangle by barycentric weights, which is the
piecewise-affine warp; a *patch* pattern ties a grid of points to each landmark. Everything that
fitting does is the same for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.image.frame import ReferenceFrame
from classicface.shape.mesh import TriangleMesh

__all__ = ["Pattern", "holistic_pattern", "lay_out", "patch_pattern"]

# What the frame shows beyond the mean face and its patches, in face sizes: faces differ in form.
_MARGIN = 0.15


@dataclass(frozen=True)
class Pattern:
    """The m samples of a scale, in n_segments runs that are tied to the same v landmarks.

    Parameters
    ----------
    starts : ndarray of int32, shape (n_segments + 1,)
        Where the runs begin and end.
    anchors : ndarray of int32, shape (n_segments, v)
        The landmarks of each run: one for patches, a triangle's three for the holistic pattern.
    weights : ndarray of float32, shape (v, m)
    offsets : ndarray of float32, shape (m, 2)
    neighbours : ndarray of int32, shape (4, m)
        The samples to the left, right, above and below; at the rim the sample itself.
    rates : ndarray of float32, shape (2, m)
        One over the distance between left and right, and between above and below; 0 where both
        are the sample itself.
    triangles : ndarray of int32, shape (n_triangles, 3)
    gradients : ndarray of float64, shape (n_triangles, 3, 2)
        Of the barycentric coordinates in the reference frame.
    """

    starts: NDArray[np.int32]
    anchors: NDArray[np.int32]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    neighbours: NDArray[np.int32]
    rates: NDArray[np.float32]
    triangles: NDArray[np.int32]
    gradients: NDArray[np.float64]

    @property
    def n_samples(self) -> int:
        """The number of samples, m."""
        return len(self.offsets)


def patch_pattern(n_landmarks: int, side: int, spacing: float) -> Pattern:
    """Tie a grid of side x side samples, `spacing` frame pixels apart, to each landmark."""
    grid = (np.arange(side) - (side - 1) / 2) * spacing
    y, x = np.meshgrid(grid, grid, indexing="ij")
    offsets = np.tile(np.column_stack([x.ravel(), y.ravel()]), (n_landmarks, 1))
    cells = np.arange(n_landmarks * side * side).reshape(n_landmarks, side, side)
    left, right, above, below = cells.copy(), cells.copy(), cells.copy(), cells.copy()
    left[:, :, 1:], right[:, :, :-1] = cells[:, :, :-1], cells[:, :, 1:]
    above[:, 1:], below[:, :-1] = cells[:, :-1], cells[:, 1:]
    neighbours = np.stack([cell.ravel() for cell in (left, right, above, below)])
    return Pattern(
        np.arange(n_landmarks + 1, dtype=np.int32) * side * side,
        np.arange(n_landmarks, dtype=np.int32)[:, None],
        np.ones((1, len(offsets)), np.float32),
        offsets.astype(np.float32),
        neighbours.astype(np.int32),
        _rates(offsets, neighbours),
        np.zeros((0, 3), np.int32),
        np.zeros((0, 3, 2)),
    )


def holistic_pattern(frame: ReferenceFrame, spacing: float) -> Pattern:
    """Tie the points of a grid inside the mean shape to the corners of their triangle.

    Raises
    ------
    InvalidInputError
        The mean shape has no area, or so little that no sample lies inside.
    """
    mesh = TriangleMesh.delaunay(frame.landmarks)
    low, high = frame.landmarks.min(axis=0), frame.landmarks.max(axis=0)
    x, y = np.meshgrid(
        np.arange(low[0], high[0], spacing) + spacing / 2,
        np.arange(low[1], high[1], spacing) + spacing / 2,
    )
    points = np.column_stack([x.ravel(), y.ravel()])
    triangle, weights = mesh.locate(points)
    inside = np.flatnonzero(triangle >= 0)
    if len(inside) == 0:
        raise InvalidInputError("the mean shape is too thin for a mesh; use parts=True")
    order = inside[np.argsort(triangle[inside], kind="stable")]
    number = np.full(len(points), -1)
    number[order] = np.arange(len(order))
    grid = np.pad(number.reshape(x.shape), 1, constant_values=-1)
    shifted = (grid[1:-1, :-2], grid[1:-1, 2:], grid[:-2, 1:-1], grid[2:, 1:-1])
    itself = np.arange(len(order))
    neighbours = np.stack(
        [np.where(cell.ravel()[order] >= 0, cell.ravel()[order], itself) for cell in shifted]
    )
    used, counts = np.unique(triangle[order], return_counts=True)
    return Pattern(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        np.ascontiguousarray(mesh.triangles[used]),
        np.ascontiguousarray(weights[order].T, dtype=np.float32),
        np.zeros((len(order), 2), np.float32),
        neighbours.astype(np.int32),
        _rates(points[order], neighbours),
        mesh.triangles,
        mesh.gradients(),
    )


def lay_out(
    mean: NDArray[np.floating], face_size: float, patch_side: int | None, spacing: float
) -> tuple[ReferenceFrame, Pattern]:
    """Return the frame and the sampling pattern of a scale; holistic without a `patch_side`.

    Patches reach beyond the face, and the frame with them.
    """
    if patch_side is None:
        frame = ReferenceFrame.build(mean, face_size, _MARGIN)
        return frame, holistic_pattern(frame, spacing)
    reach = 0.5 * spacing * (patch_side - 1) / face_size
    frame = ReferenceFrame.build(mean, face_size, _MARGIN + min(reach, 1.0))
    return frame, patch_pattern(len(mean), patch_side, spacing)


def _rates(points: NDArray[np.floating], neighbours: NDArray[np.integer]) -> NDArray[np.float32]:
    left, right, above, below = points[neighbours]
    distances = np.stack([right[:, 0] - left[:, 0], below[:, 1] - above[:, 1]])
    return np.where(distances > 0, 1 / np.maximum(distances, 1e-9), 0).astype(np.float32)
