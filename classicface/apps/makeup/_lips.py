"""Lipstick: where the lips are, by the points and by their colour, and the teeth spared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.apps.makeup._canvas import Canvas, Layer, Window, open_curve, ramp, smooth_loop
from classicface.apps.makeup._colors import Paint, to_lab

__all__ = ["lip_weights", "lipstick"]

Floats = NDArray[np.float32]
Tone = NDArray[np.float64]

#: How far predicted points may lie from the edge of the lips, in units of the face: within this
#: the colour decides, beyond it the points alone.
INNER_ERROR, OUTER_ERROR = 0.075, 0.045

#: Skin and lips near their edge may look the same, so colour moves the outer edge outward by no
#: more than this share of the error; what looks like lips within the mouth may be the tongue, and
#: what is dark may be a shadow on the lips.
_OUTWARD, _ALIKE, _DARK = 0.5, 0.1, 0.5

#: The half width of the soft edges of lips, in units.
EDGE = 0.018

#: Fewer pixels than this say nothing about a colour.
_ENOUGH = 12

#: Spreads (of L, a, b) below these are the noise of a camera.
_LEAST_SPREAD = np.array([4.0, 2.0, 2.0])


def lipstick(canvas: Canvas, paint: Paint, gloss: float) -> list[Layer]:
    """Return the layer of lipstick; none where points of the lips are missing."""
    found = lip_weights(canvas)
    if found is None:
        return []
    window, weights, tone = found
    lightness, a, b = to_lab(paint.color)
    before = float(tone[0])
    # A dark colour darkens, a light one lightens less: pigment covers, but has no light of its own.
    after = before + float(np.clip(0.8 * (lightness - before), -32.0, 12.0))
    slope = float(np.clip(after / max(before, 1.0), 0.75, 1.1))
    chroma = float(np.clip((after + 16.0) / (lightness + 16.0), 0.8, 1.0))
    ink = [chroma * a, chroma * b, before, after, slope, slope * (1 + gloss), 0.3, *tone[1:3]]
    return [Layer(window, np.float32(paint.strength) * weights, np.array(ink, np.float32))]


def lip_weights(canvas: Canvas) -> tuple[Window, Floats, Tone] | None:
    """Find the lips.

    The points say where their edges are, give or take an error of a few pixels. Within this error
    the colour decides: outside the lips it is that of the skin around, between them it is that of
    teeth (bright, not red) or of the dark of the mouth.

    Returns
    -------
    window : Window
    weights : ndarray of float32, shape (h, w)
        1 on the lips, 0 elsewhere.
    tone : ndarray, shape (3,)
        The mean L, a, b of the lips.
    """
    outer = canvas.at(canvas.parts.outer_lips)
    inner = canvas.at(canvas.parts.inner_lips)
    if outer is None or (canvas.parts.inner_lips and inner is None):
        return None
    window = canvas.around(outer, 0.3)
    if window is None or np.ptp(outer, axis=0).max() < 1.0:
        return None
    unit, edge = canvas.unit, canvas.soft(EDGE)
    lab = _calm(canvas, window)
    depth = canvas.distance(smooth_loop(outer), window, 0.25, loop=True)
    if inner is not None:
        gap = canvas.distance(smooth_loop(inner), window, 0.15, loop=True)
    else:
        gap = -canvas.distance(_middle(outer), window, 0.15)
    lips = (depth > 0.02 * unit) & (gap < -0.03 * unit)
    around = (depth < -0.09 * unit) & (depth > -0.24 * unit)
    tone = canvas.steady("lips", _tone(lab, lips))
    skin = canvas.steady("around the lips", _tone(lab, around))
    if tone is None:
        tone = _tone(lab, depth > -edge, 1)
        return None if tone is None else (window, ramp(depth, -edge, edge), tone[:3])
    if skin is not None:
        sides = _skin_or_lips(lab, tone, skin)
        # Skin near the lips may be as red as they are, so the edge moves inward more than outward.
        depth = depth + np.float32(OUTER_ERROR * unit) * np.clip(sides, -1.0, _OUTWARD)
    cover = ramp(depth, -0.85 * edge, 1.15 * edge)
    return window, cover * (1.0 - _mouth(lab, gap, tone, unit, edge)), tone[:3]


def _mouth(lab: Floats, gap: Floats, tone: Tone, unit: float, edge: float) -> Floats:
    """Return 1 where the inside of the mouth is, 0 on the lips.

    `gap` is the distance to the inner edge of the lips, positive within the mouth.
    """
    lightness, a = lab[:, :, 0], lab[:, :, 1]
    # Lips in colour are red; teeth are less so, in whatever light. In a grey picture light tells.
    colored = float(np.clip((tone[1] - 5.0) / 5.0, 0.0, 1.0))
    pale = 1.0 - ramp(a / np.float32(max(tone[1], 1.0)), 0.4, 0.75)
    bright = ramp(lightness - np.float32(tone[0]), -8.0, 6.0)
    glaring = ramp(lightness - np.float32(tone[0]), 8.0, 20.0)
    teeth = np.float32(colored) * pale * bright + np.float32(1.0 - colored) * glaring
    # A shut mouth has a dark line too; it counts as a gap only where the points leave one.
    ajar = float(ramp(np.float32(gap.max(initial=0.0)), 0.012 * unit, 0.03 * unit))
    dark = np.float32(ajar) * (1.0 - ramp(lightness / np.float32(max(tone[0], 1.0)), 0.45, 0.7))
    away = np.maximum(teeth, np.float32(_DARK) * dark)
    off = (lab - tone[:3].astype(np.float32)) / (tone[3:] + _LEAST_SPREAD).astype(np.float32)
    alike = 1.0 - ramp(np.sqrt((off * off).sum(axis=2)), 1.2, 2.6)
    evidence = away - np.float32(_ALIKE) * alike * (1.0 - away)
    place = gap + np.float32(INNER_ERROR * unit) * evidence
    return ramp(place, -1.3 * edge, 0.7 * edge) * np.maximum(teeth, np.float32(ajar))


def _skin_or_lips(lab: Floats, lips: Tone, skin: Tone) -> Floats:
    """Return 1 on the colour of lips and -1 on that of the skin around, by a linear discriminant.

    Shadows lie on lips and skin alike, so lightness counts little. Where the two colours hardly
    differ, neither does the answer from 0.
    """
    spread = 0.5 * (lips[3:] + skin[3:]) + _LEAST_SPREAD
    step = (lips[:3] - skin[:3]) * [0.35, 1.0, 1.0]
    far = float(np.sqrt(((step / spread) ** 2).sum()))
    trust = np.clip((far - 0.8) / 1.5, 0.0, 1.0)
    if trust == 0.0:
        return np.zeros(lab.shape[:2], np.float32)
    direction = step / spread**2
    middle = float((0.5 * (lips[:3] + skin[:3])) @ direction)
    half = 0.5 * float((lips[:3] - skin[:3]) @ direction)
    answer = (lab @ direction.astype(np.float32) - np.float32(middle)) / np.float32(half)
    return np.float32(trust) * np.clip(answer, -1.0, 1.0)


def _calm(canvas: Canvas, window: Window) -> Floats:
    """Return the Lab of a window without its finest grain, which is noise and JPEG's blocks."""
    import cv2

    return cv2.GaussianBlur(canvas.lab[window], (0, 0), max(0.4, 0.012 * canvas.unit))


def _tone(lab: Floats, mask: NDArray[np.bool_], least: int = _ENOUGH) -> Tone | None:
    """Return the median of L, a, b and their spread (as a standard deviation), shape (6,)."""
    pixels = lab[mask]
    if len(pixels) < least:
        return None
    low, middle, high = np.percentile(pixels[:: 1 + len(pixels) // 500], (16, 50, 84), axis=0)
    return np.concatenate([middle, 0.5 * (high - low)]).astype(np.float64)


def _middle(outer: Floats) -> Floats:
    """Return the line where the lips of a closed mouth meet, half way between their outer edges."""
    half = len(outer) // 2
    upper = outer[: half + 1]
    lower = np.concatenate([outer[half:], outer[:1]])[::-1]
    return open_curve(0.5 * (upper + lower))
