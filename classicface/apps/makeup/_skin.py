"""Make-up of the skin: blush on the cheeks, and smoothing that keeps edges and some grain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.apps.makeup._canvas import Canvas, Layer, Window, ramp
from classicface.apps.makeup._colors import Paint, to_lab
from classicface.apps.makeup._face import SIDES
from classicface.apps.makeup._kernels import likeness

__all__ = ["Skin", "blush", "find_skin", "smoothing"]

Floats = NDArray[np.float32]

#: What skin may differ from its median in L, a, b, besides its own spread.
_REACH = np.array([16.0, 5.5, 6.5])

#: Variances of L, a, b on the canvas below which an unevenness is smoothed away.
_FAINT = np.array([4.0, 2.5, 2.5], np.float32) ** 2

#: How far above the brows the face ends, in units.
FOREHEAD = 0.45


@dataclass(frozen=True, eq=False)
class Skin:
    """Where the skin of a face is on its canvas.

    Attributes
    ----------
    weights : ndarray of float32, shape (height, width)
        1 on skin; 0 on eyes, brows, lips, nostrils, hair, and outside the face.
    tone : ndarray, shape (6,)
        Median of L, a, b and their spread.
    """

    weights: Floats
    tone: NDArray[np.float64]


def find_skin(canvas: Canvas) -> Skin | None:
    """Find the skin by the points and by its colour; None where the points do not suffice."""
    import cv2

    parts = canvas.parts
    needed = [canvas.at(line) for line in (parts.right_eye, parts.left_eye, parts.outer_lips)]
    right, left, mouth = needed
    if right is None or left is None or mouth is None:
        return None
    face = _face_region(canvas)
    kept = _spared(canvas)
    core = np.zeros(face.shape, np.float32)
    _fill(core, cv2.convexHull(np.concatenate([right, left, mouth]))[:, 0], 0.0, True)
    pixels = canvas.lab[(core > 0) & (kept > 0.9)]
    tone = None
    if len(pixels) > 20:
        sample = pixels[:: 1 + len(pixels) // 500]
        low, middle, high = np.percentile(sample, (16, 50, 84), axis=0)
        tone = np.concatenate([middle, 0.5 * (high - low)]).astype(np.float64)
    tone = canvas.steady("skin", tone)
    if tone is None:
        return None
    alike = np.empty(face.shape, np.float32)
    # A side of the face may lie in shade: lightness may fall by half.
    reach = 1.5 * tone[3:] + np.maximum(_REACH, [0.3 * tone[0], 0.0, 0.0])
    likeness(canvas.lab, tone[:3].astype(np.float32), reach.astype(np.float32), alike)
    alike = cv2.GaussianBlur(alike, (0, 0), max(0.4, 0.015 * canvas.unit))
    return Skin(face * kept * alike, tone)


def blush(canvas: Canvas, paint: Paint, skin: Skin) -> list[Layer]:
    """Return the layers of blush: an ellipse on each cheek, small and faint on the far one."""
    mouth, nose = canvas.at(canvas.parts.outer_lips), canvas.at(canvas.parts.nose)
    if mouth is None or nose is None:
        return []
    beside = canvas.face.beside
    middle = nose.mean(axis=0)
    lids = {side: canvas.at(canvas.face.lids[side]) for side in SIDES}
    widths = {
        side: float((lid[-1] - middle) @ (beside if side == "left" else -beside))
        for side, lid in lids.items()
        if lid is not None
    }
    layers = []
    lightness, a, b = to_lab(paint.color)
    for side, lid in lids.items():
        if lid is None:
            continue
        # A cheek that turns away is seen at a slant: its blush narrows with the eye, and fades.
        turn = widths[side] / max(*widths.values(), 1e-3)
        fade = float(ramp(np.float32(turn), 0.25, 0.65))
        corner = mouth[0 if side == "right" else len(mouth) // 2]
        outward, down = lid[-1] - lid[0], corner - lid[-1]
        center = lid[-1] + 0.52 * down + 0.2 * outward
        along = 1.0 * outward - 0.22 * down
        over = 0.14 * outward + 0.36 * down
        tips = np.stack([center + sign * axis for sign in (-1, 1) for axis in (along, over)])
        window = canvas.around(tips, 0.25)
        if window is None or fade == 0.0:
            continue
        weights = _ellipse(window, center, along, over) * skin.weights[window] * np.float32(fade)
        before = float(skin.tone[0])
        after = before + float(np.clip(0.15 * (lightness - before), -5.0, 2.0))
        chroma = float(np.clip((after + 16.0) / (lightness + 16.0), 0.6, 1.1))
        ink = [chroma * a, chroma * b, before, after, 1.0, 1.0, 0.6, *skin.tone[1:3]]
        strength = np.float32(0.55 * paint.strength)
        layers.append(Layer(window, strength * weights, np.array(ink, np.float32)))
    return layers


def smoothing(canvas: Canvas, strength: float, skin: Skin) -> list[Layer]:
    """Return the layer that smooths the skin.

    A guided filter whose guide is the picture itself (He, Sun and Tang, PAMI 2013, equations 5 and
    6), each pixel counted as far as it is skin, so that hair and lips do not bleed into it. Its
    linear maps are found on the coarse canvas and applied to every pixel of the picture (He and
    Sun, "Fast guided filter", 2015).
    """
    import cv2

    radius = max(1, round(0.085 * canvas.unit))
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(values: Floats) -> Floats:
        return cv2.boxFilter(values, -1, size, borderType=cv2.BORDER_REFLECT)

    counted = (skin.weights + np.float32(1e-3))[:, :, None]
    total = mean(counted)[:, :, None]
    average = mean(counted * canvas.lab) / total
    variance = mean(counted * canvas.lab * canvas.lab) / total - average * average
    slope = np.maximum(variance, 0.0)
    slope /= slope + _FAINT
    offset = average * (1.0 - slope)
    weights = np.float32(strength) * skin.weights
    maps = [mean(slope * counted) / total, mean(offset * counted) / total, weights[:, :, None]]
    return [Layer(canvas.whole, np.concatenate(maps, axis=2))]


def _face_region(canvas: Canvas) -> Floats:
    """Return 1 within the face and 0 outside, with a soft edge that lies inside of it.

    The outline is the jaw, closed by an arc over the brows; without a jaw it is a
    band around the hull of the points.
    """
    import cv2

    down = canvas.face.down
    jaw = canvas.at(canvas.parts.jaw) if len(canvas.parts.jaw) > 4 else None
    present = canvas.points[~np.isnan(canvas.points[:, 0])]
    filled = np.zeros(canvas.lab.shape[:2], np.float32)
    if jaw is None:
        _fill(filled, cv2.convexHull(present)[:, 0], 0.3 * canvas.unit, True)
    else:
        middle, half = 0.5 * (jaw[-1] + jaw[0]), 0.5 * (jaw[-1] - jaw[0])
        rise = float(middle @ down - (present @ down).min()) + FOREHEAD * canvas.unit
        t = np.linspace(0.0, np.pi, 13)[1:-1, None]
        arc = middle + np.cos(t) * half - np.sin(t) * rise * down
        _fill(filled, np.concatenate([jaw, arc.astype(np.float32)]), 0.0, True)
    soft = cv2.GaussianBlur(filled, (0, 0), max(0.6, 0.03 * canvas.unit))
    return np.clip(2.0 * soft - 1.0, 0.0, 1.0)


def _spared(canvas: Canvas) -> Floats:
    """Return 0 over eyes, brows, lips and nostrils, 1 elsewhere, with soft edges."""
    import cv2

    parts, down = canvas.parts, canvas.face.down
    mask = np.zeros(canvas.lab.shape[:2], np.float32)
    for line, pad in (
        (parts.right_eye, 0.07),
        (parts.left_eye, 0.07),
        (parts.right_brow, 0.09),
        (parts.left_brow, 0.09),
        (parts.outer_lips, 0.05),
        (parts.nose, 0.07),
    ):
        points = canvas.at(line)
        if points is None:
            continue
        if line == parts.nose:  # nostrils: the lowest points
            height = points @ down
            points = points[height >= height.max() - 0.12 * canvas.unit]
        hull = cv2.convexHull(points)[:, 0]
        closed = line != parts.nose
        _fill(mask, hull, pad * canvas.unit, closed)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.025 * canvas.unit))
    return 1.0 - np.clip(2.0 * soft, 0.0, 1.0)


def _fill(mask: Floats, outline: Floats, pad: float, closed: bool) -> None:
    """Fill an outline where it is closed, and draw it as wide as twice `pad` pixels."""
    import cv2

    fixed = _fixed(outline)
    if closed and len(fixed) > 2:
        cv2.fillPoly(mask, [fixed], 1.0, cv2.LINE_8, 4)
    if pad > 0.0:
        cv2.polylines(mask, [fixed], closed, 1.0, max(1, round(2 * pad)), cv2.LINE_8, 4)


def _fixed(outline: Floats) -> NDArray[np.int32]:
    """Return points in OpenCV's fixed point of 4 bits, far ones drawn in so that none overflows."""
    return np.round(np.clip(outline, -4000.0, 4000.0) * 16.0).astype(np.int32)


def _ellipse(window: Window, center: Floats, along: Floats, over: Floats) -> Floats:
    """Return (1 - r^2)^2 within an ellipse of two half axes, which need not be at right angles."""
    rows, columns = window
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None] - np.float32(center[0])
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(center[1])
    area = float(along[0] * over[1] - along[1] * over[0])
    if abs(area) < 0.5:
        return np.zeros((y.size, x.size), np.float32)
    p = (x * np.float32(over[1]) - y * np.float32(over[0])) / np.float32(area)
    q = (y * np.float32(along[0]) - x * np.float32(along[1])) / np.float32(area)
    inside = np.maximum(1.0 - p * p - q * q, 0.0)
    return inside * inside
