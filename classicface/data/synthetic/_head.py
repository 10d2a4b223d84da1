"""The head of the synthetic faces as one mesh: skull, ears, neck with shoulders, long hair."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._modes import (
    expression_fields,
    identity_fields,
)
from classicface.data.synthetic._surface import (
    head_surface,
    inner_landmarks,
    jaw_lines,
    lathe,
    smoothstep,
)

__all__ = ["HeadModel", "head_model", "project", "visible_jaw"]

Floats = NDArray[np.float64]

#: The point about which the head turns, and the point that is drawn at the asked position.
PIVOT = np.array([0.0, 4.0, 1.0])

# As the rings of the head, for the neck with the shoulders and for a curtain of long hair.
_NECK = np.array(
    [
        [6.0, 4.9, 3.6, 6.0, 0.0],
        [9.0, 5.0, 3.2, 6.4, 0.0],
        [12.0, 5.2, 3.0, 6.8, 0.0],
        [14.5, 5.8, 3.4, 7.0, 0.3],
        [16.5, 8.5, 4.4, 7.6, 0.6],
        [18.5, 14.5, 6.0, 8.2, 0.8],
        [20.5, 18.5, 7.6, 8.6, 0.8],
        [24.0, 20.0, 8.8, 9.0, 0.0],
        [32.0, 20.5, 9.5, 9.0, 0.0],
    ]
)
_CURTAIN = np.array(
    [
        [-7.0, 7.4, 3.0, 9.5, 0.0],
        [-3.0, 8.3, 3.2, 10.2, 0.0],
        [2.0, 8.9, 2.8, 10.2, 0.0],
        [7.0, 9.0, 2.6, 9.8, 0.0],
        [13.0, 8.9, 2.8, 9.2, 0.0],
        [19.0, 8.6, 3.0, 9.2, 0.0],
        [25.0, 7.6, 2.6, 9.4, 0.0],
    ]
)

# Darker spots of the skin (x, y, depth of shade, width, height): places that little light reaches.
_SHADE = np.array(
    [
        [1.9, -0.5, 0.22, 0.7, 0.7],  # inner corner of the eye
        [3.05, 0.0, 0.16, 1.5, 0.75],  # socket
        [3.0, 1.1, 0.06, 1.2, 0.35],  # under the eye
        [0.0, 5.6, 0.20, 1.2, 0.28],  # under the nose
        [1.95, 4.7, 0.20, 0.28, 0.6],  # beside the nose
        [2.6, 6.2, 0.10, 0.4, 0.9],  # fold of the cheek
        [0.0, 9.0, 0.22, 1.2, 0.35],  # under the lip
        [0.0, 6.1, 0.05, 0.3, 0.5],  # groove over the lip
    ]
)

# Rows and columns of the grids.
_HEAD_GRID, _EAR_GRID, _NECK_GRID, _CURTAIN_GRID = (84, 97), (9, 9), (26, 33), (14, 33)

Parts = dict[str, tuple[slice, tuple[int, int]]]


@dataclass(frozen=True)
class HeadModel:
    """The mean head with its displacement fields; build it once with `head_model`.

    Attributes
    ----------
    rest : ndarray, shape (n_points, 3)
        Mesh vertices, then points 17 to 67, then the samples of the jaw lines, in centimetres.
    fields : ndarray of float32, shape (n_fields, n_points, 3)
        Displacements for the identity values and then for the expression weights.
    n_vertices : int
        How many of the points are mesh vertices.
    parts : dict of str to (slice, (rows, columns))
        The vertices of each part of the mesh, a grid: head, right_ear, left_ear, neck, curtain.
    triangles : dict of str to ndarray of int32, shape (m, 3)
        Vertex indices by part.
    follow : ndarray, shape (n_points,)
        How far a point turns with the head: 1 for the head, less down the neck.
    angles, shade, blush : ndarray, shape (n_vertices,)
        Angle about the vertical axis, share of light that arrives, how red the skin is.
    jaw_normals : ndarray, shape (17, 2)
        Outward direction of the contour at each jaw point.
    nearest : ndarray of int, shape (68,)
        The head vertex nearest to each landmark of the mean face.
    """

    rest: Floats
    fields: NDArray[np.float32]
    n_vertices: int
    parts: Parts
    triangles: dict[str, NDArray[np.int32]]
    follow: Floats
    angles: Floats
    shade: Floats
    blush: Floats
    jaw_normals: Floats
    nearest: NDArray[np.intp]

    def deform(
        self, identity: NDArray[np.floating], expression: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return the points, shape (n_points, 3), of a person with an expression."""
        weights = np.concatenate([identity, expression])
        moved = self.rest.copy()
        # A plain loop: a matrix product would start threads, and sum in another order with each.
        for weight, field in zip(weights.tolist(), self.fields, strict=True):
            if weight:
                moved += np.float32(weight) * field
        return moved

    def split(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Return vertices, points 17 to 67 and jaw lines (17, n_samples, 3) of `points`."""
        n = self.n_vertices
        return points[:n], points[n : n + 51], points[n + 51 :].reshape(17, -1, points.shape[1])


def _head_grid() -> tuple[Floats, Floats]:
    u = np.linspace(-1.0, 1.0, _HEAD_GRID[1])
    columns = np.pi * (0.42 * u + 0.58 * u**3)
    rings = np.interp(
        np.linspace(0.0, 1.0, _HEAD_GRID[0]),
        [0.0, 0.09, 0.2, 0.9, 1.0],
        [0.0, 3.0, 5.2, 14.6, 18.0],
    )
    angles, rows = np.meshgrid(columns, rings)
    return head_surface(angles, rows), angles


def _ear(side: float) -> Floats:
    """Return the outer half of a flat ellipsoid that stands off the head."""
    rows, columns = _EAR_GRID
    a, b = np.meshgrid(np.linspace(-1.0, 1.0, columns), np.linspace(-1.0, 1.0, rows))
    # The square grid is bent to a disc, the disc to a shallow shell with a raised rim.
    along, down = a * np.sqrt(1 - b**2 / 2), b * np.sqrt(1 - a**2 / 2)
    radius = np.hypot(along, down)
    bulge = 0.45 * (1 - radius**4) - 0.35 * np.exp(-((radius / 0.45) ** 2))
    z = -1.2 + 1.75 * along - 0.25 * down
    x = 7.85 - 0.75 * along + bulge
    # Seen from outside, both ears keep the same turn of their triangles.
    points = np.stack([side * x, 1.2 + 3.1 * down, z], axis=-1)
    return points if side < 0 else points[:, ::-1]


def _turned(table: Floats, rows: int, columns: int) -> tuple[Floats, Floats]:
    angles, rings = np.meshgrid(
        np.linspace(-np.pi, np.pi, columns), np.linspace(0, len(table) - 1, rows)
    )
    return lathe(angles, rings, table), angles


def _grid_triangles(start: int, rows: int, columns: int) -> NDArray[np.int32]:
    index = start + np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.stack([[a, b, c], [b, d, c]]).transpose(2, 3, 0, 1)
    return np.ascontiguousarray(triangles.reshape(-1, 3), dtype=np.int32)


def _shading_of(vertices: Floats, parts: Parts) -> tuple[Floats, Floats]:
    """Return the share of light that reaches each vertex, and how red its skin is."""
    x, y, z = vertices.T
    front = smoothstep(z, 2.0, 5.0)
    shade = np.ones(len(x))
    for center_x, center_y, depth, width, tall in _SHADE:
        for side in (-1.0, 1.0) if center_x else (1.0,):
            across = (x - side * center_x) / width
            spot = depth * np.exp(-0.5 * (across**2 + ((y - center_y) / tall) ** 2))
            shade -= spot * front
    cheeks = np.exp(-0.5 * (((np.abs(x) - 4.4) / 1.4) ** 2 + ((y - 3.8) / 1.2) ** 2))
    nose = np.exp(-0.5 * ((x / 1.2) ** 2 + ((y - 4.4) / 0.8) ** 2))
    blush = front * (cheeks + 0.7 * nose)
    for ear in ("right_ear", "left_ear"):
        shade[parts[ear][0]], blush[parts[ear][0]] = 0.85, 0.7
    neck = parts["neck"][0]
    shade[neck] = 0.52 + 0.4 * smoothstep(y[neck], 10.5, 16.0)
    blush[neck.start :] = 0.0
    return shade, blush


@functools.lru_cache(maxsize=1)
def head_model() -> HeadModel:
    """Build the mean head; a few tenths of a second the first time, then kept."""
    head, head_angles = _head_grid()
    neck, neck_angles = _turned(_NECK, *_NECK_GRID)
    curtain, curtain_angles = _turned(_CURTAIN, *_CURTAIN_GRID)
    curtain[..., 2] -= 1.0
    grids = {"head": head, "right_ear": _ear(-1.0), "left_ear": _ear(1.0)}
    grids |= {"neck": neck, "curtain": curtain}
    parts: Parts = {}
    triangles, start = {}, 0
    for name, grid in grids.items():
        rows, columns = grid.shape[:2]
        parts[name] = (slice(start, start + rows * columns), (rows, columns))
        triangles[name] = _grid_triangles(start, rows, columns)
        start += rows * columns
    vertices = np.concatenate([grid.reshape(-1, 3) for grid in grids.values()])
    angles = np.zeros(start)
    for name, values in (("head", head_angles), ("neck", neck_angles), ("curtain", curtain_angles)):
        angles[parts[name][0]] = values.ravel()
    lines, normals = jaw_lines()
    inner = inner_landmarks()
    points = np.concatenate([vertices, inner, lines.reshape(-1, 3)])
    fields = np.concatenate([identity_fields(points), expression_fields(points)])
    body = slice(parts["neck"][0].start, start)
    fields[:, body] = 0.0
    fields[0, body, 0] = 0.045 * points[body, 0]
    follow = np.ones(len(points))
    follow[body] = 1.0 - 0.85 * smoothstep(points[body, 1], 7.0, 16.0)
    shade, blush = _shading_of(vertices, parts)
    marks = np.concatenate([lines[:, -1], inner])
    distance = ((marks[:, None] - head.reshape(-1, 3)) ** 2).sum(axis=2)
    return HeadModel(
        rest=points,
        fields=np.ascontiguousarray(fields, np.float32),
        n_vertices=start,
        parts=parts,
        triangles=triangles,
        follow=follow,
        angles=angles,
        shade=shade,
        blush=blush,
        jaw_normals=normals,
        nearest=distance.argmin(axis=1),
    )


def project(points: Floats, turn: Floats, distance: float, follow: Floats | float = 1.0) -> Floats:
    """Turn points about the pivot of the head and see them from `distance` centimetres.

    Parameters
    ----------
    points : ndarray, shape (..., 3)
    turn : ndarray, shape (3, 3)
    distance : float
        From the camera to the pivot.
    follow : ndarray, shape (...,), or float
        The share of the turn that each point takes.

    Returns
    -------
    ndarray, shape (..., 3)
        x and y in the picture in centimetres at the pivot's distance, from the pivot; and z.
    """
    centered = points - PIVOT
    turned = centered @ turn.T
    if not np.isscalar(follow):
        turned = centered + (turned - centered) * np.asarray(follow)[..., None]
    nearness = distance / (distance - turned[..., 2:])
    return np.concatenate([turned[..., :2] * nearness, turned[..., 2:]], axis=-1)


def visible_jaw(lines: Floats, normals: Floats, roll: float) -> Floats:
    """Return the jaw points, shape (17, 3): where each line reaches farthest out in the picture.

    Parameters
    ----------
    lines : ndarray, shape (17, n_samples, 3)
        The projected jaw lines.
    normals : ndarray, shape (17, 2)
        Outward directions in an upright face.
    roll : float
        Degrees by which the face is turned in the picture.
    """
    sine, cosine = np.sin(np.radians(roll)), np.cos(np.radians(roll))
    outward = normals @ np.array([[cosine, sine], [-sine, cosine]])
    reach = np.einsum("ijk,ik->ij", lines[..., :2], outward)
    return lines[np.arange(len(lines)), reach.argmax(axis=1)]
