"""Make-up around the eyes: shadow on the lids, a line along them, colour in the brows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.apps.makeup._canvas import Canvas, Layer, Window, open_curve, ramp, smooth_loop
from classicface.apps.makeup._colors import Paint, to_lab
from classicface.apps.makeup._face import SIDES

__all__ = ["brows", "eyeshadow", "liner"]

Floats = NDArray[np.float32]


def eyeshadow(canvas: Canvas, paint: Paint) -> list[Layer]:
    """Return the layers of eye shadow: from the lid upward, fading before the brow."""
    layers = []
    for side in SIDES:
        lid, eye = (
            canvas.at(canvas.face.lids[side]),
            canvas.at(getattr(canvas.parts, f"{side}_eye")),
        )
        brow = canvas.at(getattr(canvas.parts, f"{side}_brow"))
        if lid is None or eye is None or brow is None:
            continue
        window = canvas.around(np.concatenate([lid, brow]), 0.1)
        if window is None:
            continue
        low = open_curve(lid)
        top = _toward(low, _brow_line(canvas, brow), 0.62)
        edge = canvas.soft(0.03)
        area = canvas.distance(np.concatenate([low, top[::-1]]), window, 0.05, loop=True)
        below, above = canvas.distance(low, window, 1.0), canvas.distance(top, window, 1.0)
        height = below / (below + above + np.float32(1e-3))
        weights = (1.0 - ramp(height, 0.1, 1.0)) * ramp(area, -edge, edge)
        ball = canvas.distance(smooth_loop(eye), window, 0.05, loop=True)
        soft = canvas.soft(0.012)
        weights *= 1.0 - ramp(ball, -soft, soft)
        layers.append(_tinted(canvas, window, weights, paint, f"{side} lid", 0.75))
    return layers


def liner(canvas: Canvas, paint: Paint) -> list[Layer]:
    """Return the layers of eye liner: along the upper lid, thicker and a little up outward."""
    layers = []
    color = to_lab(paint.color)
    for side in SIDES:
        lid, eye = (
            canvas.at(canvas.face.lids[side]),
            canvas.at(getattr(canvas.parts, f"{side}_eye")),
        )
        if lid is None or eye is None:
            continue
        line = open_curve(lid)
        across = line[-1] - line[0]
        rise = across[::-1] * [1, -1] if across[0] > 0 else across[::-1] * [-1, 1]
        tip = line[-1] + 0.1 * across + 0.07 * rise
        line = np.concatenate([line, tip[None]]).astype(np.float32)
        window = canvas.around(line, 0.1)
        if window is None:
            continue
        along = np.linspace(0.0, 1.0, len(line) - 1)
        half = canvas.unit * (0.008 + 0.016 * ramp(along.astype(np.float32), 0.0, 0.85))
        half = np.append(half, 0.0)
        edge = canvas.soft(0.012)
        # Half of the line lies on the lashes' root, the rest on the lid: not on the eyeball.
        ball = canvas.distance(smooth_loop(eye), window, 0.05, loop=True)
        weights = 1.0 - ramp(canvas.distance(line, window, 0.05, widths=half), -edge, edge)
        weights *= 1.0 - ramp(ball, 0.5 * edge, 2.5 * edge)
        ink = [0.9 * color[1], 0.9 * color[2], 45.0, 0.5 * color[0] + 8.0, 0.3, 0.3, 0.2, 0.0, 0.0]
        strength = np.float32(0.95 * paint.strength)
        layers.append(Layer(window, strength * weights, np.array(ink, np.float32)))
    return layers


def brows(canvas: Canvas, paint: Paint) -> list[Layer]:
    """Return the layers of the brows: within their band, only what is dark as hair is coloured."""
    import cv2

    layers = []
    color = to_lab(paint.color)
    for side in SIDES:
        points = canvas.at(getattr(canvas.parts, f"{side}_brow"))
        if points is None:
            continue
        line = open_curve(_brow_line(canvas, points))
        window = canvas.around(line, 0.35)
        if window is None:
            continue
        # Wide in the middle of a brow, narrow at its ends, where the hair of the temple is near.
        wave = np.sin(np.linspace(0.1, np.pi - 0.1, len(line)))
        half = (0.06 * canvas.unit * wave).astype(np.float32)
        away = canvas.distance(line, window, 0.3, widths=half)
        lightness = np.ascontiguousarray(canvas.lab[window][:, :, 0])
        lightness = cv2.GaussianBlur(lightness, (0, 0), max(0.4, 0.008 * canvas.unit))
        # A closing fills what is dark and thin, hairs and the brow as a whole, with the skin beside
        # it; shade and a fringe are neither, so that it leaves them as they are.
        size = 2 * max(1, round(0.11 * canvas.unit)) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
        darker = cv2.morphologyEx(lightness, cv2.MORPH_CLOSE, disc) - lightness
        band = away < 0.02 * canvas.unit
        measured = None
        if band.sum() > 8:
            most = float(np.percentile(darker[band], 90))
            hairs = lightness[band & (darker >= 0.5 * most)]
            measured = np.array([most, np.median(hairs)], np.float64)
        tones = canvas.steady(f"{side} brow", measured)
        if tones is None:
            continue
        most, hair = float(tones[0]), float(tones[1])
        # Without hairs darker than the skin there is nothing to colour.
        there = float(np.clip((most - 5.0) / 8.0, 0.0, 1.0))
        hairy = ramp(darker, 0.25 * most, 0.8 * most + 0.01)
        near = 1.0 - ramp(away, 0.02 * canvas.unit, 0.08 * canvas.unit)
        weights = np.float32(there * paint.strength) * hairy * near
        after = hair + float(np.clip(0.7 * (color[0] - hair), -20.0, 12.0))
        ink = [color[1], color[2], hair, after, 0.8, 0.85, 0.3, 0.0, 0.0]
        layers.append(Layer(window, weights, np.array(ink, np.float32)))
    return layers


def _tinted(
    canvas: Canvas, window: Window, weights: Floats, paint: Paint, name: str, cover: float
) -> Layer:
    """Return a layer of powder over skin: it takes colour and follows its lightness in part."""
    lab = canvas.lab[window]
    painted = lab[weights > 0.3]
    painted = painted[:: 1 + len(painted) // 400]
    measured = np.median(painted, axis=0).astype(np.float64) if len(painted) > 4 else None
    tone = canvas.steady(name, measured)
    if tone is None:
        tone = np.array([60.0, 10.0, 12.0])
    lightness, a, b = to_lab(paint.color)
    before = float(tone[0])
    after = before + float(np.clip(0.5 * (lightness - before), -22.0, 10.0))
    chroma = float(np.clip((after + 16.0) / (lightness + 16.0), 0.6, 1.1))
    ink = [chroma * a, chroma * b, before, after, 0.9, 1.0, 0.3, tone[1], tone[2]]
    return Layer(window, np.float32(cover * paint.strength) * weights, np.array(ink, np.float32))


def _brow_line(canvas: Canvas, brow: Floats) -> Floats:
    """Return a brow as one line; of an outline, the middle between its upper and lower edge."""
    if not canvas.parts.brows_closed or len(brow) % 2:
        return _middle_of_odd(brow) if canvas.parts.brows_closed else brow
    half = len(brow) // 2
    return 0.5 * (brow[: half + 1] + np.concatenate([brow[half:], brow[:1]])[::-1])


def _middle_of_odd(brow: Floats) -> Floats:
    """Return the middle line of an outline with an odd number of points, by its own ends."""
    far = np.linalg.norm(brow[:, None] - brow[None], axis=2)
    start, end = sorted(np.unravel_index(int(far.argmax()), far.shape))
    one = open_curve(brow[start : end + 1])
    two = open_curve(np.concatenate([brow[end:], brow[: start + 1]]))[::-1]
    t = np.linspace(0.0, 1.0, 5)
    pick = [line[np.round(t * (len(line) - 1)).astype(int)] for line in (one, two)]
    return (0.5 * (pick[0] + pick[1])).astype(np.float32)


def _toward(low: Floats, brow: Floats, share: float) -> Floats:
    """Return a line a share of the way from a lid to its brow, point by point."""
    line = open_curve(brow)
    if np.linalg.norm(line[0] - low[0]) > np.linalg.norm(line[-1] - low[0]):
        line = line[::-1]
    at = np.round(np.linspace(0, len(line) - 1, len(low))).astype(int)
    return (low + np.float32(share) * (line[at] - low)).astype(np.float32)
