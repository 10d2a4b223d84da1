"""Alignment: faces turned upright and brought to one size and place, as recognition wants them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.align._input import (
    check_border,
    check_face,
    check_margin,
    check_size,
    fit_template,
)
from classicface.apps.align.templates import ChipTemplate, get_template, read_face
from classicface.exceptions import InvalidInputError
from classicface.image.colors import check_colors
from classicface.image.crop import Size, crop_face
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.shape.similarity import apply_similarity, invert_similarity

__all__ = ["FaceChip", "align_face", "align_faces", "check_alignment"]


@dataclass(frozen=True, eq=False)
class FaceChip:
    """A face turned upright and brought to a size, and the way back into its picture.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey where the picture is grey, RGB where it is in colour.
    transform : ndarray of float64, shape (4,)
        The similarity (see `classicface.shape.similarity`) from the picture to the chip. Pixel
        centres are whole numbers in both.
    landmarks : ndarray of float32, shape (n_landmarks, 2)
        All points of the face, in the chip.
    residual : float
        How far the points that the template reads are from their places, in chip pixels: the root
        of the mean squared distance. Large for a face that looks aside, up or down.
    inside : float
        The share of the chip that the picture covers; beyond it lies the border.
    """

    pixels: NDArray[np.uint8]
    transform: NDArray[np.float64]
    landmarks: NDArray[np.float32]
    residual: float
    inside: float

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The transform as a matrix, (2, 3): chip = matrix @ (x, y, 1)."""
        a, b, tx, ty = self.transform
        return np.array([[a, -b, tx], [b, a, ty]])

    @property
    def scale(self) -> float:
        """Chip pixels per picture pixel; over 1 the chip shows more pixels than were taken."""
        return float(np.hypot(*self.transform[:2]))

    def to_chip(self, points: ArrayLike) -> NDArray[np.float64]:
        """Take points, shape (..., 2), from the picture to the chip."""
        return _transformed(self.transform, points)

    def to_image(self, points: ArrayLike) -> NDArray[np.float64]:
        """Take points, shape (..., 2), from the chip to the picture."""
        return _transformed(invert_similarity(self.transform), points)


def align_face(
    image: ArrayLike,
    landmarks: ArrayLike,
    scheme: LandmarkScheme | str,
    template: ChipTemplate | str = "arcface112",
    *,
    size: Size | None = None,
    margin: float = 0.0,
    border: int | str = "repeat",
) -> FaceChip:
    """Cut a face out of a picture, turned upright and brought to the size of a template.

    The chip is a similarity of the picture, the one that brings the points of the face nearest to
    the places of the template (least squares, Umeyama, PAMI 1991): it turns in the plane, shifts
    and scales, and keeps every form. A face that is larger than in the chip is halved as often as
    needed before it is resampled, so that it does not alias.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA; see `classicface.validation.check_image`.
    landmarks : array-like, shape (n_landmarks, 2)
        NaN where a point is missing.
    scheme : LandmarkScheme or str
        What the points are.
    template : ChipTemplate or str, default "arcface112"
        ``"arcface112"``: eye centres, nose tip and corners of the mouth near insightface's five
        places; ``"dlib150"``: as dlib's ``get_face_chip``; ``"eyes"``: the eye centres exactly on
        ArcFace's two places; ``"all"``: all points near a mean face. Or one of your own.
    size : int or tuple of two int, optional
        The side of the chip, or its width and height, 8 to 2048 px; by default the template's. The
        height sets the scale; a chip that is wider than high shows more beside the face.
    margin : float, default 0.0
        What the chip shows beyond the template's on each side, in sides of that; -0.45 to 10.
    border : int or "repeat", default "repeat"
        What lies beyond the picture: its border repeated, or a grey level, 0 to 255.

    Returns
    -------
    FaceChip

    Raises
    ------
    InvalidInputError
        The scheme lacks what the template needs, points that it needs are missing or all lie in
        one place, the face lies wholly outside the picture, or an input is none.

    Examples
    --------
    >>> chip = align_face(picture, points, "ibug68", "arcface112")  # doctest: +SKIP
    >>> chip.pixels.shape, chip.to_image(chip.landmarks)  # doctest: +SKIP
    """
    return _align(
        check_colors(image), landmarks, get_scheme(scheme), template, size, margin, border
    )


def align_faces(
    image: ArrayLike,
    faces_landmarks: Iterable[ArrayLike],
    scheme: LandmarkScheme | str,
    template: ChipTemplate | str = "arcface112",
    *,
    size: Size | None = None,
    margin: float = 0.0,
    border: int | str = "repeat",
) -> list[FaceChip]:
    """Cut several faces out of a picture; see `align_face`.

    Parameters
    ----------
    image : array-like
    faces_landmarks : array-like, shape (n_faces, n_landmarks, 2), or iterable of faces
    scheme, template, size, margin, border
        As in `align_face`.

    Returns
    -------
    list of FaceChip
        One a face, in the same order.

    Raises
    ------
    InvalidInputError
        As `align_face`; says which face.
    """
    picture, chosen = check_colors(image), get_scheme(scheme)

    def align(number: int, landmarks: ArrayLike) -> FaceChip:
        try:
            return _align(picture, landmarks, chosen, template, size, margin, border)
        except InvalidInputError as error:
            raise InvalidInputError(f"face {number}: {error}") from None

    return [align(i, landmarks) for i, landmarks in enumerate(faces_landmarks)]


def check_alignment(
    scheme: LandmarkScheme | str,
    template: ChipTemplate | str = "arcface112",
    size: Size | None = None,
    margin: float = 0.0,
) -> None:
    """Refuse, before there is a picture, what no face of a scheme could be aligned with.

    Raises
    ------
    InvalidInputError
        The scheme lacks what the template needs, or the size or the margin is none.
    """
    chosen = get_template(template)
    read_face(chosen, get_scheme(scheme))
    check_size(size, chosen.size)
    check_margin(margin)


def _align(
    picture: NDArray[np.uint8],
    landmarks: ArrayLike,
    scheme: LandmarkScheme,
    template: ChipTemplate | str,
    size: Size | None,
    margin: float,
    border: int | str,
) -> FaceChip:
    chosen = get_template(template)
    width, height = check_size(size, chosen.size)
    margin, beyond = check_margin(margin), check_border(border)
    face = check_face(landmarks, scheme)
    reading = read_face(chosen, scheme)
    places = chosen.resized(reading.places, width, height, margin)
    transform, _, residual = fit_template(chosen, reading, face, places)
    inside = _inside(transform, width, height, picture.shape)
    if inside == 0:
        raise InvalidInputError(
            f"the face lies wholly outside the {picture.shape[1]} x {picture.shape[0]} picture"
        )
    pixels = crop_face(picture, transform, (width, height), beyond)
    in_chip = apply_similarity(transform, face).astype(np.float32)
    return FaceChip(pixels, transform, in_chip, residual, inside)


def _transformed(transform: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(points, np.float64)
    if array.ndim == 0 or array.shape[-1] != 2:
        raise InvalidInputError(f"points have shape {array.shape}; expected (..., 2)")
    if array.ndim == 1:
        return apply_similarity(transform, array[None])[0]
    return apply_similarity(transform, array)


def _inside(
    transform: NDArray[np.float64], width: int, height: int, shape: tuple[int, ...]
) -> float:
    """Return the share of a chip that lies within the picture."""
    a, b, tx, ty = transform.tolist()
    m, t = complex(a, b), complex(tx, ty)
    right, bottom = width - 0.5, height - 0.5
    ends = (
        complex(-0.5, -0.5),
        complex(right, -0.5),
        complex(right, bottom),
        complex(-0.5, bottom),
    )
    corners = [(end - t) / m for end in ends]
    last_x, last_y = shape[1] - 0.5, shape[0] - 0.5
    if all(-0.5 <= z.real <= last_x and -0.5 <= z.imag <= last_y for z in corners):
        return 1.0
    import cv2

    chip = np.array([(z.real, z.imag) for z in corners], np.float32)
    edges = ((-0.5, -0.5), (last_x, -0.5), (last_x, last_y), (-0.5, last_y))
    area, _ = cv2.intersectConvexConvex(chip, np.array(edges, np.float32))
    return float(min(area * abs(m) ** 2 / (width * height), 1.0))
