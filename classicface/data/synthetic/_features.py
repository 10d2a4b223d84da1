"""Painting the features of a synthetic face over its shaded head: eyes, brows, nose, mouth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._paint import (
    SHIFT,
    Picture,
    blend,
    curve,
    fill,
    polygon_mask,
    stroke,
    tint,
)
from classicface.data.synthetic._shading import skin_color
from classicface.data.synthetic.parameters import FaceParameters

__all__ = ["Sketch", "paint_features", "paint_glasses"]

Floats = NDArray[np.float64]

_ANGLES = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)])


@dataclass(frozen=True)
class Sketch:
    """What the painter needs to know of a face.

    Attributes
    ----------
    points : ndarray, shape (68, 2)
        Landmarks in pixels of the picture.
    extra : dict of str to ndarray, shape (n, 2)
        Further points in pixels: pupils, nostrils, upper_teeth, lower_teeth, tongue.
    light : ndarray, shape (68,)
        The light on the skin at each landmark.
    scale : float
        Pixels a centimetre.
    face : FaceParameters
    """

    points: Floats
    extra: dict[str, Floats]
    light: Floats
    scale: float
    face: FaceParameters

    @property
    def up(self) -> Floats:
        """The direction from the chin to the forehead in the picture."""
        roll = np.radians(self.face.roll)
        return np.array([np.sin(roll), -np.cos(roll)])

    @property
    def right(self) -> Floats:
        """The direction from the subject's right eye to the left one in the picture."""
        return np.array([-self.up[1], self.up[0]])


def paint_features(picture: Picture, sketch: Sketch) -> None:
    """Paint nose, mouth, eyes and brows of a face over its shaded head, in place."""
    _paint_nose(picture, sketch)
    _paint_mouth(picture, sketch)
    for side in (0, 1):
        _paint_eye(picture, sketch, side)
        _paint_brow(picture, sketch, side)


def _upper_lower(sketch: Sketch, side: int) -> tuple[Floats, Floats]:
    """Return the upper and the lower lid of an eye as smooth lines from left to right."""
    first = (36, 42)[side]
    p = sketch.points
    return curve(p[first : first + 4]), curve(p[[first, first + 5, first + 4, first + 3]])


def _paint_eye(picture: Picture, sketch: Sketch, side: int) -> None:
    upper, lower = _upper_lower(sketch, side)
    px, face = sketch.scale, sketch.face
    up = sketch.up
    skin = skin_color(face.skin)
    fold = upper + up * px * (0.28 + 0.15 * max(0.0, face.eyes_closed[side]))
    stroke(picture, fold[1:-1], 0.13 * px, [0.72, 0.68, 0.66], 0.7, 0.06 * px)
    opening = polygon_mask(picture.shape, np.concatenate([upper, lower[::-1]]))
    if opening is not None and face.eyes_closed[side] < 0.97:
        patch = _eye_ball(sketch, side, opening[0])
        blend(picture, opening, patch)
        # The upper lid casts a shadow on the eye.
        shadow = polygon_mask(
            picture.shape, np.concatenate([upper, upper[::-1] - up * px * 0.16]), 0.05 * px
        )
        tint(picture, shadow, [0.55, 0.52, 0.52], 0.75)
    lash = np.clip(np.array([34.0, 26.0, 24.0]) / skin, 0.12, 0.6)
    stroke(picture, upper, 0.14 * px, lash, 0.95)
    stroke(picture, lower[2:-2], 0.07 * px, (0.45 + lash) / 1.45, 0.6)


def _eye_ball(sketch: Sketch, side: int, window: tuple[slice, slice]) -> Picture:
    """Return the white, the iris, the pupil and the highlight in a window of the picture."""
    face, px = sketch.face, sketch.scale
    light = float(np.clip(sketch.light[[36, 42][side] : [42, 48][side]].mean() * 1.15, 0.25, 1.15))
    height, width = window[0].stop - window[0].start, window[1].stop - window[1].start
    patch = np.empty((height, width, 3), np.uint8)
    patch[:] = np.clip(np.array([226, 218, 212]) * light, 0, 255).astype(np.uint8)
    center = sketch.extra["pupils"][side] - [window[1].start, window[0].start]
    shrink = np.cos(np.radians([face.yaw + 30 * face.gaze[0], face.pitch + 20 * face.gaze[1]]))

    axes = np.stack([sketch.right * shrink[0], -sketch.up * shrink[1]]) * px

    def disc(radius: float, color: Floats, shift: Floats | float = 0.0) -> None:
        outline = center + shift + max(radius, 0.4 / px) * _CIRCLE @ axes
        fixed = np.round(outline * (1 << SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(patch, fixed, np.clip(color, 0, 255).tolist(), cv2.LINE_AA, SHIFT)

    iris = np.array(face.iris_color) * light
    disc(0.62, iris * 0.45)
    disc(0.54, iris)
    disc(0.26, np.array([14.0, 12.0, 12.0]))
    azimuth, elevation = np.radians(face.light)
    glint = 0.24 * px * np.array([np.sin(azimuth), -0.4 - 0.6 * np.sin(elevation)])
    disc(0.10, np.array([255.0, 255.0, 255.0]) * min(1.0, light + 0.2), glint)
    return patch.astype(np.float32)


def _paint_brow(picture: Picture, sketch: Sketch, side: int) -> None:
    face, px = sketch.face, sketch.scale
    if face.brow_density == 0.0:
        return
    line = curve(sketch.points[17 + 5 * side : 22 + 5 * side], 20)
    t = np.linspace(0.0, 1.0, 20) if side == 0 else np.linspace(1.0, 0.0, 20)
    # Thin at the temple, full towards the nose; the points run along the upper half.
    half = (0.1 + 0.34 * np.sqrt(t) * np.clip(6.0 * (1.0 - t) + 0.55, 0.0, 1.0))[:, None]
    half = half * (0.55 + 0.6 * face.brow_density) * px
    up = sketch.up
    outline = np.concatenate([line + up * half * 0.8, (line - up * half)[::-1]])
    tone = np.clip(0.75 * np.array(face.hair_color) / skin_color(face.skin), 0.12, 0.8)
    mask = polygon_mask(picture.shape, outline, 0.1 * px)
    tint(picture, mask, tone, 0.35 + 0.6 * face.brow_density)


def _paint_nose(picture: Picture, sketch: Sketch) -> None:
    p, px, face = sketch.points, sketch.scale, sketch.face
    up, right = sketch.up, sketch.right
    open_to = np.clip(0.75 + face.pitch / 40.0, 0.25, 1.3)
    angle = np.linspace(0.0, 2 * np.pi, 13)[:-1, None]
    for i, nostril in enumerate(sketch.extra["nostrils"]):
        lean = (-0.25 if i == 0 else 0.25) * np.cos(angle)
        oval = np.cos(angle) * right * 0.36 + (np.sin(angle) + lean) * up * 0.17 * open_to
        mask = polygon_mask(picture.shape, nostril + px * oval, 0.07 * px)
        tint(picture, mask, [0.34, 0.25, 0.23], 0.8)
    for wing, inner, out in ((31, 32, -1.0), (35, 34, 1.0)):
        side = p[wing] + px * (0.22 * out * right)
        crease = curve(np.array([side + px * (0.75 * up), side + px * 0.3 * up, p[wing], p[inner]]))
        crease[:5] += px * 0.06 * out * right
        stroke(picture, crease, 0.16 * px, [0.66, 0.58, 0.55], 0.75, 0.07 * px)
    stroke(picture, curve(p[31:36], 12), 0.14 * px, [0.72, 0.62, 0.6], 0.6, 0.1 * px)


def _paint_mouth(picture: Picture, sketch: Sketch) -> None:
    p, px, face = sketch.points, sketch.scale, sketch.face
    top, bottom = curve(p[48:55], 28), curve(p[[48, 59, 58, 57, 56, 55, 54]], 28)
    inner_top, inner_bottom = curve(p[60:65], 20), curve(p[[60, 67, 66, 65, 64]], 20)
    for corner, wing, out in ((48, 31, -1.0), (54, 35, 1.0)):
        away = sketch.right * out * px
        fold = curve(
            np.array(
                [
                    p[wing] + 0.5 * away,
                    p[corner] * 0.5 + p[wing] * 0.5 + 0.85 * away,
                    p[corner] + 0.6 * away,
                ]
            ),
            12,
        )
        depth = 0.16 + 0.4 * max(0.0, face.smile)
        stroke(picture, fold, 0.2 * px, [0.62, 0.55, 0.53], depth, 0.14 * px)
    skin = skin_color(face.skin)
    lips = np.array([196.0, 96.0, 96.0]) * (0.45 + 0.55 * skin[0] / 238.0)
    ratio = np.clip(1.0 + (0.35 + 0.65 * face.lip_color) * (lips / skin - 1.0), 0.3, 1.0)
    upper = np.concatenate([top, inner_top[::-1]])
    lower = np.concatenate([inner_bottom, bottom[::-1]])
    tint(picture, polygon_mask(picture.shape, upper, 0.04 * px), ratio * 0.84)
    tint(picture, polygon_mask(picture.shape, lower, 0.04 * px), ratio * 0.97)
    _paint_inner_mouth(picture, sketch, np.concatenate([inner_top, inner_bottom[::-1]]))
    stroke(picture, inner_top, 0.12 * px, [0.42, 0.3, 0.3], 0.85, 0.04 * px)
    stroke(picture, bottom[6:-6], 0.2 * px, [0.75, 0.68, 0.66], 0.5, 0.12 * px)


def _paint_inner_mouth(picture: Picture, sketch: Sketch, outline: Floats) -> None:
    """Paint teeth, tongue and the dark behind them where the lips are apart."""
    px = sketch.scale
    gap = np.linalg.norm(sketch.points[66] - sketch.points[62]) / px
    mask = polygon_mask(picture.shape, outline)
    if mask is None or gap < 0.12:
        return
    window = mask[0]
    corner = np.array([window[1].start, window[0].start])
    light = float(np.clip(sketch.light[[61, 62, 63, 65, 66, 67]].mean(), 0.3, 1.1))
    patch = np.empty((*mask[1].shape, 3), np.float32)
    patch[:] = np.array([62.0, 22.0, 22.0]) * light
    fill(
        patch, sketch.extra["tongue"] - corner, np.array([168.0, 78.0, 76.0]) * light, 0.8, 0.1 * px
    )
    for row, tone in (("lower_teeth", 0.72), ("upper_teeth", 0.95)):
        teeth = sketch.extra[row] - corner
        fill(patch, teeth, np.array([236.0, 228.0, 212.0]) * light * tone, 1.0, 0.03 * px)
        half = len(teeth) // 2
        for k in range(1, half - 1):
            gum = np.array([teeth[k], teeth[-1 - k]])
            stroke(patch, gum, 0.05 * px, [0.7, 0.66, 0.62], 0.6)
    blend(picture, mask, patch)
    tint(picture, mask, [0.8, 0.75, 0.75], 0.4)


def paint_glasses(picture: Picture, sketch: Sketch) -> None:
    """Paint glasses over the eyes, in place."""
    p, px, face = sketch.points, sketch.scale, sketch.face
    up, right = sketch.up, sketch.right
    angle = np.linspace(0.0, 2 * np.pi, 33)[:, None]
    round_x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.7
    round_y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.7
    ink = np.full(3, 0.45 - 0.35 * face.glasses)
    width = (0.12 + 0.3 * face.glasses) * px
    rims = []
    for eye, temple in ((slice(36, 42), 0), (slice(42, 48), 16)):
        center = p[eye].mean(axis=0) - 0.25 * px * up
        squeeze = max(0.4, float(np.cos(np.radians(face.yaw))))
        rim = center + px * (2.3 * squeeze * round_x * right + 1.75 * round_y * up)
        fill(picture, rim, [235.0, 240.0, 245.0], 0.05)
        stroke(picture, rim, width, ink)
        out = 16 if temple == 0 else 0
        stroke(picture, np.array([rim[out], p[temple] + 0.8 * px * up]), width, ink)
        rims.append(rim)
    stroke(picture, curve(np.array([rims[0][1], p[27], rims[1][15]]), 9), width, ink)
