"""How faces differ and how they move: displacement fields over the mean head, one a parameter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._surface import smoothstep

__all__ = ["IDENTITY_MODES", "close_lids", "expression_fields", "expression_weights"]
__all__ += ["identity_fields"]

Floats = NDArray[np.float64]

#: What each identity value changes; a value of 1 is one standard deviation.
IDENTITY_MODES = (
    "face width",
    "face length",
    "jaw width",
    "chin length",
    "nose length",
    "nose width",
    "nose depth",
    "eye distance",
    "eye size",
    "eye tilt",
    "mouth width",
    "mouth height",
    "lip thickness",
    "brow height",
    "brow tilt",
    "asymmetry",
)

LIP_LINE = 7.47  # the height at which the lips meet
JAW_OPENING = np.radians(17.0)  # how far the jaw turns when the mouth is wide open


def _bell(values: Floats, center: float, width: float) -> Floats:
    return np.exp(-0.5 * ((values - center) / width) ** 2)


def identity_fields(points: Floats) -> Floats:
    """Return the displacement of each point for each identity value of 1.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Points of the mean head, in centimetres.

    Returns
    -------
    ndarray, shape (16, n, 3)
        In the order of `IDENTITY_MODES`.
    """
    x, y, z = points.T
    front = smoothstep(z, 2.0, 6.0)
    lower = smoothstep(y, 1.5, 9.0)
    nose = front * _bell(x, 0.0, 1.7)
    nostrils = nose * smoothstep(y, 2.6, 4.4) * (1.0 - smoothstep(y, 5.2, 6.4))
    tip = nose * smoothstep(y, 0.0, 4.2) * (1.0 - smoothstep(y, 5.0, 7.0))
    eyes = front * _bell(y, 0.0, 1.6)
    mouth = front * _bell(y, LIP_LINE, 1.3) * _bell(x, 0.0, 3.0)
    lips = front * _bell(y, LIP_LINE, 1.0) * _bell(x, 0.0, 2.2)
    brows = front * _bell(y, -2.2, 1.3)
    side = np.tanh(x / 1.2)
    lid = np.exp(-0.5 * ((np.abs(x) - 3.05) / 1.6) ** 2) * front * _bell(y, 0.0, 1.1)
    across = np.abs(x) - 3.05
    fields = np.zeros((len(IDENTITY_MODES), len(points), 3))
    fields[0, :, 0] = 0.045 * x
    fields[1, :, 1] = 0.045 * y
    fields[2, :, 0] = 0.06 * x * lower
    fields[3, :, 1] = 0.40 * smoothstep(y, 7.0, 11.5) * front
    fields[4, :, 1] = 0.30 * tip
    fields[5, :, 0] = 0.12 * x * nostrils
    fields[6, :, 2] = 0.35 * tip
    fields[7, :, 0] = 0.16 * side * front * _bell(y, -0.6, 2.2)
    fields[8, :, 0] = 0.07 * side * across * lid
    fields[8, :, 1] = 0.16 * y * lid
    fields[9, :, 1] = -0.10 * across * eyes
    fields[10, :, 0] = 0.09 * x * mouth
    fields[11, :, 1] = 0.25 * mouth
    fields[12, :, 1] = 0.22 * (y - LIP_LINE) * lips
    fields[13, :, 1] = -0.25 * brows
    fields[14, :, 1] = -0.08 * across * brows
    fields[15, :, 0] = 0.14 * smoothstep(y, 2.0, 11.0)
    return fields


def expression_fields(points: Floats) -> Floats:
    """Return the displacement of each point for each expression weight of 1.

    Parameters
    ----------
    points : ndarray, shape (n, 3)

    Returns
    -------
    ndarray, shape (5, n, 3)
        To be weighted by `expression_weights`.
    """
    x, y, z = points.T
    front = smoothstep(z, 2.0, 6.0)
    side = np.sign(x) * smoothstep(np.abs(x), 0.0, 2.0)
    fields = np.zeros((5, len(points), 3))
    # The lower jaw turns about the axis through the joints at y = 1, z = 1. Between the lips the
    # surface is cut, beside the mouth it stretches.
    blur = 0.02 + 0.9 * smoothstep(np.abs(x), 1.9, 3.6)
    jaw = 0.5 + 0.5 * np.tanh((y - LIP_LINE - 0.7 * smoothstep(np.abs(x), 2.0, 4.0)) / blur)
    jaw *= smoothstep(y + 0.35 * z, 4.0, 8.5)
    arm_y, arm_z = y - 1.0, z - 1.0
    fields[0, :, 1], fields[0, :, 2] = jaw * arm_z, -jaw * arm_y
    fields[1, :, 1], fields[1, :, 2] = jaw * arm_y, jaw * arm_z
    # A smile draws the corners of the mouth apart, up and back, and lifts the cheeks.
    corner = front * np.exp(-0.5 * (((np.abs(x) - 2.7) / 1.2) ** 2 + ((y - 7.4) / 1.2) ** 2))
    cheek = front * np.exp(-0.5 * (((np.abs(x) - 3.8) / 1.3) ** 2 + ((y - 4.2) / 1.4) ** 2))
    fields[2, :, 0] = 0.85 * side * corner
    fields[2, :, 1] = -0.9 * corner - 0.25 * cheek
    fields[2, :, 2] = -0.35 * corner + 0.30 * cheek
    # Pursed lips come together and forward.
    lips = front * _bell(y, LIP_LINE, 1.2) * _bell(x, 0.0, 2.6)
    fields[3, :, 0] = -0.30 * x * lips
    fields[3, :, 2] = 0.6 * lips * _bell(x, 0.0, 1.4)
    fields[4, :, 1] = -0.65 * front * _bell(y, -2.3, 1.1)
    return fields


def expression_weights(
    mouth_open: float, smile: float, pucker: float, brow_raise: float
) -> NDArray[np.float64]:
    """Return the weights of `expression_fields`; opening turns the jaw, so it is not linear."""
    angle = mouth_open * JAW_OPENING
    return np.array([np.sin(angle), np.cos(angle) - 1.0, smile, pucker, brow_raise])


def close_lids(inner: Floats, closed: tuple[float, float]) -> Floats:
    """Move the lids of the right and of the left eye (points 36 to 47) towards each other.

    Parameters
    ----------
    inner : ndarray, shape (51, 3)
        Points 17 to 67.
    closed : tuple of float
        0 leaves an eye as it is, 1 closes it; negative values open it wider.

    Returns
    -------
    ndarray, shape (51, 3)
    """
    moved = inner.copy()
    for start, amount in zip((19, 25), closed, strict=True):
        upper, lower = [start + 1, start + 2], [start + 5, start + 4]
        seam = 0.2 * inner[upper] + 0.8 * inner[lower]
        moved[upper] += amount * (seam - inner[upper])
        moved[lower] += amount * (seam - inner[lower])
    return moved
