"""The colour of every vertex of a synthetic head: skin, hair, beard and clothes under one lamp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._head import HeadModel
from classicface.data.synthetic._surface import smoothstep
from classicface.data.synthetic.parameters import FaceParameters

__all__ = ["add_hair", "hair_mask", "skin_color", "vertex_colors", "vertex_normals"]

Floats = NDArray[np.float64]

# Skin from the lightest to the darkest.
_SKIN = np.array(
    [
        [238, 204, 184],
        [224, 180, 150],
        [196, 146, 112],
        [148, 100, 70],
        [106, 70, 50],
        [82, 55, 42],
    ],
    float,
)

# Where the hair of the head begins, by the angle about the head in degrees, and the beard.
_HAIR_ANGLES = np.array([0.0, 30, 50, 66, 80, 90, 100, 112, 140, 180])
_HAIR_Y = np.array([-6.6, -6.4, -5.2, -2.8, 0.8, 1.0, -2.0, 2.0, 6.5, 7.0])
_FRINGE_Y = np.array([3.0, 2.8, 1.6, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
_BEARD_ANGLES = np.array([0.0, 16, 28, 45, 62, 80, 95])
_BEARD_Y = np.array([5.6, 5.7, 6.6, 7.0, 5.4, 2.4, 3.0])


def skin_color(skin: float) -> Floats:
    """Return the RGB of a skin tone from 0 (lightest) to 1 (darkest)."""
    at = skin * (len(_SKIN) - 1)
    return np.array([np.interp(at, np.arange(len(_SKIN)), channel) for channel in _SKIN.T])


def hair_mask(model: HeadModel, face: FaceParameters) -> Floats:
    """Return how far each vertex of the skull is covered by hair, 0 to 1."""
    part = model.parts["head"][0]
    if face.hair_volume == 0.0:
        return np.zeros(part.stop - part.start)
    degrees = np.abs(np.degrees(model.angles[part]))
    rows = _HAIR_Y + face.hairline * np.where(face.hairline > 0, _FRINGE_Y, 0.35 * _FRINGE_Y)
    waves = 0.15 * np.sin(degrees * 0.9 + face.texture % 7) * np.sin(degrees * 0.23)
    line = np.interp(degrees, _HAIR_ANGLES, rows) + waves
    return smoothstep(line - model.rest[part, 1], -0.3, 0.3)


def add_hair(
    model: HeadModel, face: FaceParameters, vertices: Floats, normals: Floats, mask: Floats
) -> NDArray[np.float64]:
    """Return the vertices with the skull grown by the hair along its normals."""
    part = model.parts["head"][0]
    grown = vertices.copy()
    above = smoothstep(-model.rest[part, 1], -6.0, 10.0)
    thickness = face.hair_volume * mask * (0.35 + 1.3 * above)
    grown[part] += thickness[:, None] * normals[part]
    return grown


def vertex_normals(model: HeadModel, vertices: Floats) -> Floats:
    """Return the outward unit normals, shape (n_vertices, 3), of the mesh."""
    grids = [(vertices[part], shape) for part, shape in model.parts.values()]
    return np.concatenate([_grid_normals(v.reshape(*s, 3)).reshape(-1, 3) for v, s in grids])


def _grid_normals(grid: Floats) -> Floats:
    across, down = np.empty_like(grid), np.empty_like(grid)
    across[:, 1:-1] = grid[:, 2:] - grid[:, :-2]
    across[:, 0], across[:, -1] = grid[:, 1] - grid[:, 0], grid[:, -1] - grid[:, -2]
    down[1:-1] = grid[2:] - grid[:-2]
    down[0], down[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    ax, ay, az = np.moveaxis(across, -1, 0)
    bx, by, bz = np.moveaxis(down, -1, 0)
    normals = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
    return normals / (np.sqrt(np.einsum("ijk,ijk->ij", normals, normals))[..., None] + 1e-9)


def _albedo(model: HeadModel, face: FaceParameters, hair: Floats) -> Floats:
    """Return the colour of each vertex before any light falls on it, shape (n_vertices, 3)."""
    rng = np.random.default_rng(face.texture)
    y, n = model.rest[: model.n_vertices, 1], model.n_vertices
    skin = skin_color(face.skin)
    color = skin * (1.0 + model.blush[:, None] * [0.03, -0.09, -0.08])
    color *= 1.0 + 0.013 * rng.standard_normal((n, 1))
    head = model.parts["head"][0]
    tuft = np.array(face.hair_color)
    if face.beard > 0.0:
        x = model.rest[head, 0]
        degrees = np.abs(np.degrees(model.angles[head]))
        stubble = smoothstep(y[head] - np.interp(degrees, _BEARD_ANGLES, _BEARD_Y), -0.3, 0.5)
        lips = 1.0 - smoothstep((x / 2.7) ** 2 + ((y[head] - 7.5) / 1.05) ** 2, 0.7, 1.2)
        cover = 0.85 * face.beard * stubble * (1.0 - lips) * smoothstep(degrees, 100.0, 90.0)
        cover *= 1.0 - 0.25 * rng.random(len(cover))
        color[head] += cover[:, None] * (tuft - color[head])
    # Strands: hair is lighter and darker from column to column.
    rows, columns = model.parts["head"][1]
    strands = (
        1.0 + 0.14 * rng.standard_normal(columns) + 0.06 * rng.standard_normal((rows, columns))
    )
    color[head] += hair[:, None] * (tuft * strands.reshape(-1, 1) - color[head])
    curtain, (rows, columns) = model.parts["curtain"]
    color[curtain] = tuft * (0.85 + 0.2 * np.tile(rng.standard_normal(columns), rows))[:, None]
    neck = model.parts["neck"][0]
    collar = smoothstep(y[neck] + 0.12 * model.rest[neck, 2], 16.6, 16.9)
    color[neck] += collar[:, None] * (np.array(face.clothes) - color[neck])
    return color


def vertex_colors(
    model: HeadModel, face: FaceParameters, normals: Floats, hair: Floats
) -> tuple[NDArray[np.float32], Floats]:
    """Return the colour of each vertex, 0 to 255, and the light that falls on it.

    Parameters
    ----------
    model : HeadModel
    face : FaceParameters
    normals : ndarray, shape (n_vertices, 3)
        Those of the turned head.
    hair : ndarray
        What `hair_mask` gave.
    """
    azimuth, elevation = np.radians(face.light)
    lamp = np.array(
        [
            np.cos(elevation) * np.sin(azimuth),
            -np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ]
    )
    half = lamp + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half)
    diffuse = np.clip((normals @ lamp + 0.15) / 1.15, 0.0, None)
    # Light from all sides: more from above, less where the surface turns from the camera.
    around = 0.62 + 0.18 * np.clip(-normals[:, 1], -1, 1) + 0.25 * np.clip(normals[:, 2], 0, 1)
    key = 0.25 + 0.75 * face.light_strength
    light = ((1.0 - 0.62 * key) * around + 0.85 * key * diffuse) * model.shade * face.brightness
    gloss = np.clip(normals @ half, 0.0, 1.0) ** 24 * model.shade
    gloss *= 34.0 * key * face.brightness
    gloss[model.parts["neck"][0]] *= 0.2
    gloss[model.parts["head"][0]] *= 1.0 - 0.5 * hair
    colors = _albedo(model, face, hair) * light[:, None] + gloss[:, None]
    return np.clip(colors, 0.0, 255.0).astype(np.float32), light
