"""The one compiled loop of the synthetic faces: triangles to pixels with a depth buffer."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["rasterize"]


@njit(cache=True, nogil=True, error_model="numpy")
def rasterize(
    points: NDArray[np.float32],
    colors: NDArray[np.float32],
    triangles: NDArray[np.int32],
    depth: NDArray[np.float32],
    image: NDArray[np.float32],
) -> None:
    """Draw triangles that face the camera, nearer ones over farther ones.

    Parameters
    ----------
    points : (n, 3)
        x, y in pixels and the nearness of each vertex.
    colors : (n, 3)
        Colour of each vertex; blended over the triangle.
    triangles : (m, 3)
        Vertex indices; those that run anticlockwise in the picture (y down) are seen from behind.
    depth : (height, width)
        Nearness of what is drawn so far, changed in place.
    image : (height, width, 4)
        Colour and coverage, changed in place.
    """
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = points[a, 0], points[a, 1]
        bx, by = points[b, 0] - ax, points[b, 1] - ay
        cx, cy = points[c, 0] - ax, points[c, 1] - ay
        area = bx * cy - by * cx
        x0 = max(0, int(np.ceil(ax + min(0.0, bx, cx))))
        x1 = min(width - 1, int(np.floor(ax + max(0.0, bx, cx))))
        y0 = max(0, int(np.ceil(ay + min(0.0, by, cy))))
        y1 = min(height - 1, int(np.floor(ay + max(0.0, by, cy))))
        if not area > 1e-6 or x0 > x1 or y0 > y1:
            continue
        # Barycentric weights v of b and w of c are linear in x and y.
        vx, vy, wx, wy = cy / area, -cx / area, -by / area, bx / area
        za, zb, zc = points[a, 2], points[b, 2] - points[a, 2], points[c, 2] - points[a, 2]
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                v = vx * (x - ax) + vy * (y - ay)
                w = wx * (x - ax) + wy * (y - ay)
                if v < -1e-4 or w < -1e-4 or v + w > 1.0001:
                    continue
                nearness = za + v * zb + w * zc
                if nearness <= depth[y, x]:
                    continue
                depth[y, x] = nearness
                u = 1.0 - v - w
                for k in range(3):
                    image[y, x, k] = u * colors[a, k] + v * colors[b, k] + w * colors[c, k]
                image[y, x, 3] = 1.0
