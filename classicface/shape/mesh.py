"""Triangle meshes over landmarks: triangulation, and where a point lies in its triangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError

__all__ = ["TriangleMesh"]


@dataclass(frozen=True)
class TriangleMesh:
    """Triangles over landmarks.

    Parameters
    ----------
    points : ndarray of float64, shape (n_landmarks, 2)
    triangles : ndarray of int32, shape (n_triangles, 3)
        Indices of landmarks.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]

    @classmethod
    def delaunay(cls, points: NDArray[np.floating]) -> TriangleMesh:
        """Triangulate the convex hull of landmarks (Delaunay).

        Raises
        ------
        InvalidInputError
            Fewer than three points, or points on one line: there is no triangle.
        """
        from scipy.spatial import Delaunay, QhullError

        vertices = np.asarray(points, np.float64)
        try:
            triangles = Delaunay(vertices).simplices
        except (QhullError, ValueError):
            raise InvalidInputError(
                "the landmarks of the mean shape lie on one line or are fewer than three; a mesh"
                " over them needs an area"
            ) from None
        corners = vertices[triangles]
        edges = corners[:, 1:] - corners[:, :1]
        areas = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
        kept = triangles[areas > 1e-9 * np.ptp(vertices, axis=0).prod()]
        ordered = kept[np.lexsort(np.sort(kept, axis=1).T[::-1])]
        return cls(vertices, np.ascontiguousarray(ordered, dtype=np.int32))

    def gradients(self) -> NDArray[np.float64]:
        """Return how barycentric coordinates change with the point, (n_triangles, 3, 2)."""
        a, b, c = np.moveaxis(self.points[self.triangles], 1, 0)
        double_area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        sides = np.stack([c - b, a - c, b - a], axis=1)
        turned = np.stack([-sides[..., 1], sides[..., 0]], axis=-1)
        return turned / double_area[:, None, None]

    def locate(self, points: NDArray[np.floating]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Find the triangle of each point, and the point's barycentric coordinates in it.

        Parameters
        ----------
        points : ndarray, shape (n, 2)

        Returns
        -------
        triangle : ndarray of int32, shape (n,)
            -1 where a point lies outside the mesh.
        weights : ndarray of float64, shape (n, 3)
            The point is the sum of the triangle's corners by these weights, which add up to 1.
        """
        points = np.asarray(points, np.float64)
        gradients = self.gradients()
        triangle = np.full(len(points), -1, np.int32)
        weights = np.zeros((len(points), 3))
        for t, corners in enumerate(self.points[self.triangles]):
            low, high = corners.min(axis=0) - 1e-9, corners.max(axis=0) + 1e-9
            near = ((points >= low) & (points <= high)).all(axis=1) & (triangle < 0)
            candidates = np.flatnonzero(near)
            # A corner's coordinate is 1 there and falls to 0 at the side that faces it.
            w = 1 + np.einsum("vd,nvd->nv", gradients[t], points[candidates, None] - corners)
            inside = (w >= -1e-9).all(axis=1)
            triangle[candidates[inside]] = t
            weights[candidates[inside]] = w[inside]
        return triangle, weights
