"""From FaceParameters to landmarks and pixels: pose the head, rasterise it, paint its features."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._features import Sketch, paint_features, paint_glasses
from classicface.data.synthetic._head import HeadModel, head_model, project, visible_jaw
from classicface.data.synthetic._kernels import rasterize
from classicface.data.synthetic._modes import close_lids, expression_weights
from classicface.data.synthetic._shading import add_hair, hair_mask, vertex_colors, vertex_normals
from classicface.data.synthetic.parameters import FaceParameters
from classicface.shape.rotations import rotation_matrix

__all__ = ["PosedFace", "pose_face", "render_face"]

Floats = NDArray[np.float64]

# The head is drawn at twice the size, then shrunk, to smooth its edges; not in windows with more
# pixels than this, where the edges matter less than the memory.
_SMOOTHED_PIXELS = 1 << 20


@dataclass(frozen=True)
class PosedFace:
    """A face in a pose, in centimetres of the picture plane from the pivot of the head.

    Attributes
    ----------
    landmarks : ndarray, shape (68, 2)
    points : ndarray, shape (n_points, 3)
        The points of the head model before the turn.
    inner : ndarray, shape (51, 3)
        Points 17 to 67 before the turn, lids closed as asked.
    turn : ndarray, shape (3, 3)
        The rotation of the head.
    """

    landmarks: Floats
    points: Floats
    inner: Floats
    turn: Floats


def pose_face(face: FaceParameters) -> PosedFace:
    """Return the exact landmarks of a face, and the geometry that they come from."""
    model = head_model()
    weights = expression_weights(face.mouth_open, face.smile, face.pucker, face.brow_raise)
    points = model.deform(np.array(face.identity), weights)
    _, inner, lines = model.split(points)
    inner = close_lids(inner, (face.eyes_closed[0], face.eyes_closed[1]))
    turn = rotation_matrix(face.yaw, face.pitch, face.roll)
    jaw = visible_jaw(project(lines, turn, face.distance), model.jaw_normals, face.roll)
    landmarks = np.concatenate([jaw, project(inner, turn, face.distance)])
    return PosedFace(landmarks[:, :2], points, inner, turn)


def render_face(
    canvas: NDArray[np.uint8], face: FaceParameters, posed: PosedFace, scale: float, place: Floats
) -> None:
    """Draw a face on an RGB picture, in place.

    Parameters
    ----------
    canvas : ndarray of uint8, shape (height, width, 3)
    face : FaceParameters
    posed : PosedFace
        What `pose_face` gave for it.
    scale : float
        Pixels a centimetre.
    place : ndarray, shape (2,)
        Where in the picture the pivot of the head goes.
    """
    model = head_model()
    hair = hair_mask(model, face)
    vertices = model.split(posed.points)[0]
    # The normals are those of the skull under the hair: smoother, and they turn with the head.
    normals = vertex_normals(model, vertices)
    grown = add_hair(model, face, vertices, normals, hair)
    follow = model.follow[: model.n_vertices]
    seen = project(grown, posed.turn, face.distance, follow)
    colors, light = vertex_colors(model, face, normals @ posed.turn.T, hair)
    pixels = np.column_stack([seen[:, :2] * scale + place, seen[:, 2]])
    low = np.maximum(np.floor(pixels[:, :2].min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(pixels[:, :2].max(axis=0)).astype(int) + 2, canvas.shape[1::-1])
    if np.any(high <= low):
        return
    window = canvas[low[1] : high[1], low[0] : high[0]]
    picture = window.astype(np.float32)
    pixels[:, :2] -= low
    behind = picture.copy()
    cover = _composite(picture, model, pixels, colors, face.long_hair >= 0.5)
    corner = place - low
    extra = {
        name: project(points, posed.turn, face.distance)[:, :2] * scale + corner
        for name, points in _further_points(face, posed).items()
    }
    landmarks = posed.landmarks * scale + corner
    sketch = Sketch(landmarks, extra, light[model.nearest], scale, face)
    paint_features(picture, sketch)
    # A brow or a fold beyond the edge of a turned head would hang in the air.
    np.copyto(picture, behind, where=cover == 0)
    if face.glasses > 0.0:
        paint_glasses(picture, sketch)
    window[:] = np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _composite(
    picture: NDArray[np.float32],
    model: HeadModel,
    pixels: Floats,
    colors: NDArray[np.float32],
    long_hair: bool,
) -> NDArray[np.float32]:
    """Rasterise the mesh over a float picture; return how far it covers each pixel, 0 to 1."""
    height, width = picture.shape[:2]
    n = 2 if height * width <= _SMOOTHED_PIXELS else 1
    fine = pixels.astype(np.float32)
    fine[:, :2] = (fine[:, :2] + 0.5) * n - 0.5
    layer = np.zeros((height * n, width * n, 4), np.float32)
    depth = np.full(layer.shape[:2], -np.inf, np.float32)
    for name, triangles in model.triangles.items():
        if name != "curtain" or long_hair:
            rasterize(fine, colors, triangles, depth, layer)
    if n > 1:
        layer = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)
    picture *= 1 - layer[..., 3:]
    picture += layer[..., :3]
    return layer[..., 3:]


def _further_points(face: FaceParameters, posed: PosedFace) -> dict[str, Floats]:
    """Return what the painter needs beside the landmarks, as points before the turn."""
    inner, rest = posed.inner, head_model().split(posed.points)[1]
    angle = np.linspace(0.0, 2 * np.pi, 17)[:-1]
    across = np.linspace(-1.0, 1.0, 9)[:, None]
    arch = np.concatenate([2.2 * across, -0.28 * across**2, -1.6 * across**2], axis=1)
    eyes = np.stack([rest[19:25].mean(axis=0), rest[25:31].mean(axis=0)])
    wings = 0.75 * inner[[15, 17]] + 0.25 * inner[[14, 18]]
    # The upper teeth hang from the skull behind the upper lip, the lower ones stand on the jaw.
    upper = inner[45] + [0.0, -0.5, -0.6] + arch
    jaw = inner[49] + [0.0, 0.75, -0.7]
    lower = jaw + arch * [0.85, -1.0, 1.0]
    tongue = np.stack([1.4 * np.cos(angle), 0.7 * np.sin(angle) - 0.5, 0 * angle - 0.3], axis=1)
    return {
        "pupils": eyes + np.array([0.75 * face.gaze[0], 0.28 * face.gaze[1], 0.15]),
        "nostrils": wings - np.array([0.0, 0.22, 0.0]),
        "upper_teeth": np.concatenate([upper, (upper - np.array([0.0, -1.25, 0.0]))[::-1]]),
        "lower_teeth": np.concatenate([lower - [0.0, 0.75, 0.0], lower[::-1]]),
        "tongue": jaw + tongue,
    }
