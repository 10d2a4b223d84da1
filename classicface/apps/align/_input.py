"""What is checked before chips are made: sizes, borders, faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.align.templates import MAX_SIZE, MIN_SIZE, ChipTemplate, Reading
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_integer, check_landmarks, check_number

__all__ = [
    "check_border",
    "check_face",
    "check_margin",
    "check_size",
    "fit_template",
]

Floats = NDArray[np.float64]

#: Points that spread by less than this, in pixels, make no face.
_SPREAD = 0.1

#: Chips that enlarge or shrink a face more than this are refused.
_MOST_SCALE = 1e4


def check_size(size: int | tuple[int, int] | None, default: int) -> tuple[int, int]:
    """Return the width and the height of a chip.

    Raises
    ------
    InvalidInputError
        Neither a side nor width and height, or out of range.
    """
    sides = (default, default) if size is None else size
    if not isinstance(sides, (tuple, list)):
        sides = (sides, sides)
    if len(sides) != 2:
        raise InvalidInputError(f"size is {size!r}; expected a side, or width and height")
    width, height = (check_integer(side, "size of the chip", MIN_SIZE, MAX_SIZE) for side in sides)
    return width, height


def check_border(border: int | str) -> int | None:
    """Return what lies beyond the picture: a grey level, or None for its border repeated.

    Raises
    ------
    InvalidInputError
    """
    if isinstance(border, str):
        if border != "repeat":
            raise InvalidInputError(f"border is {border!r}; expected 'repeat' or a grey level")
        return None
    return check_integer(border, "border", 0, 255)


def check_margin(margin: object) -> float:
    """Return a margin, in sides of the chip."""
    return check_number(margin, "margin", -0.45, 10.0)


def check_face(landmarks: ArrayLike, scheme: LandmarkScheme) -> Floats:
    """Return one face's points as float64, (n_landmarks, 2); NaN where one is missing.

    Raises
    ------
    InvalidInputError
        Not one face of this scheme.
    """
    points = check_landmarks(landmarks, scheme.n_landmarks)
    if points.ndim != 2:
        raise InvalidInputError(
            f"landmarks have shape {points.shape}; expected one face, ({scheme.n_landmarks}, 2);"
            " align_faces takes several"
        )
    return np.asarray(landmarks, np.float64)


def fit_template(
    template: ChipTemplate, reading: Reading, face: Floats, places: Floats
) -> tuple[Floats, Floats, float]:
    """Lay a face on the places of a template by the similarity of the least squares.

    Parameters
    ----------
    template : ChipTemplate
        Where it reads more than five points, up to half of them may be missing.
    reading : Reading
    face : ndarray of float64, shape (n_landmarks, 2)
    places : ndarray of float64, shape (n_points, 2)
        Where the points are wanted in the chip.

    Returns
    -------
    transform : ndarray of float64, shape (4,)
        From the picture to the chip.
    points : ndarray of float64, shape (n_points, 2)
        Those that were read of the face, in the picture.
    residual : float
        The root of the mean squared distance of the points from their places, in chip pixels.

    Raises
    ------
    InvalidInputError
        Points are missing, coincide, or have nothing of the template's form.
    """
    points = reading.points(face)
    there = ~np.isnan(points[:, 0])
    least = len(points) if len(points) <= 5 else len(points) // 2
    if there.sum() < least:
        absent = [i for group in reading.groups for i in group if np.isnan(face[i, 0])]
        raise InvalidInputError(
            f"template {template.name} needs landmarks that are missing (NaN): {absent[:10]}"
        )
    known = points[there]
    if np.ptp(known, axis=0).max() < _SPREAD:
        raise InvalidInputError("the landmarks all lie in one place; there is no face to align")
    # As complex numbers a similarity is z -> m z + t, and its least squares are three products.
    z, w = _complex(known), _complex(places[there])
    if template.in_picture:
        outward, shift = _fit(w, z)
        m = 1 / outward if outward else 0j
        t = -shift * m
    else:
        m, t = _fit(z, w)
    if not 1 / _MOST_SCALE < abs(m) < _MOST_SCALE:
        raise InvalidInputError(
            f"the chip would show the face at a scale of {abs(m):.2g}; are the landmarks those of a"
            " face, in the order of their scheme?"
        )
    misses = m * z + t - w
    residual = float(np.sqrt(np.vdot(misses, misses).real / len(misses)))
    return np.array([m.real, m.imag, t.real, t.imag]), points, residual


def _complex(points: Floats) -> NDArray[np.complex128]:
    return np.ascontiguousarray(points).view(np.complex128)[:, 0]


def _fit(source: NDArray[np.complex128], target: NDArray[np.complex128]) -> tuple[complex, complex]:
    """Fit target = m source + t; `fit_similarity` for one face, at a fraction of its cost."""
    source_mean, target_mean = complex(source.mean()), complex(target.mean())
    p = source - source_mean
    m = complex(np.vdot(p, target) / np.vdot(p, p).real)
    return m, target_mean - m * source_mean
