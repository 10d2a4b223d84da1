"""Where templates want the points of a face: published numbers, and a mean face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.shape.schemes import SCHEMES

__all__ = ["arcface_places", "dlib5_places", "dlib68_places", "mean_face"]

Floats = NDArray[np.float64]

#: insightface, ``utils/face_align.py``, ``arcface_dst``: eye centres, tip of the nose, corners of
#: the mouth, the right side first, in a picture of 112 x 112.
_ARCFACE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)

#: dlib, ``image_transforms/interpolation.h``, ``get_face_chip_details``: the five points of its
#: ``shape_predictor_5_face_landmarks``, in shares of the chip without padding.
_DLIB5 = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)

#: As there: points 27 to 54 of the 68, then 60 to 64. It leaves out jaw, brows and lower lip.
_DLIB68_X = (
    *(0.490127, 0.490127, 0.490127, 0.490127, 0.36688, 0.426036, 0.490127, 0.554217, 0.613373),
    *(0.121737, 0.187122, 0.265825, 0.334606, 0.260918, 0.182743, 0.645647, 0.714428, 0.793132),
    *(0.858516, 0.79751, 0.719335, 0.254149, 0.340985, 0.428858, 0.490127, 0.551395, 0.639268),
    *(0.726104, 0.290379, 0.428096, 0.490127, 0.552157, 0.689874),
)
_DLIB68_Y = (
    *(0.203352, 0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345, 0.587326),
    *(0.216423, 0.178758, 0.179852, 0.231733, 0.245099, 0.244077, 0.231733, 0.179852, 0.178758),
    *(0.216423, 0.244077, 0.245099, 0.780233, 0.745405, 0.727388, 0.742578, 0.727388, 0.745405),
    *(0.780233, 0.784792, 0.778746, 0.785343, 0.778746, 0.784792),
)

#: The right half and the middle of a mean face of ibug68, in runs from the landmark that is named:
#: that of the synthetic faces, seen from the front. In thousandths of the distance of the outer eye
#: corners, from the point between them.
_HALF_FACE = {
    0: (
        *((-783, 46), (-777, 262), (-752, 495), (-704, 707), (-595, 919), (-483, 1076)),
        *((-346, 1198), (-168, 1286), (0, 1311)),
    ),
    17: ((-592, -166), (-509, -263), (-395, -303), (-273, -291), (-148, -254)),
    27: ((0, -24), (0, 138), (0, 297), (0, 460)),
    31: ((-173, 552), (-92, 580), (0, 603)),
    36: ((-500, 0), (-409, -64), (-293, -65), (-186, 7), (-293, 39), (-403, 45)),
    48: ((-289, 830), (-183, 779), (-69, 749), (0, 766)),
    57: ((0, 955), (-85, 946), (-188, 909), (-255, 832), (-91, 830), (0, 833)),
    66: ((0, 844), (-91, 844)),
}


def arcface_places() -> Floats:
    """Return the five places of ArcFace, (5, 2), in a chip of 112 px."""
    return np.array(_ARCFACE)


def dlib5_places() -> Floats:
    """Return dlib's places of the scheme dlib5, (5, 2), in a chip of 150 px with padding 0.25."""
    return _dlib_chip(np.array(_DLIB5))


def dlib68_places() -> Floats:
    """Return dlib's places of ibug68, (68, 2), in the same chip; NaN where it reads no point."""
    places = np.full((68, 2), np.nan)
    places[[*range(27, 55), *range(60, 65)]] = np.column_stack([_DLIB68_X, _DLIB68_Y])
    return _dlib_chip(places)


def _dlib_chip(shares: Floats, size: int = 150, padding: float = 0.25) -> Floats:
    """Lay shares of a chip out, 0 and 1 being the outer edges of its first and last pixel.

    dlib itself lays them up to half a pixel of the picture nearer to the middle.
    """
    return size * (shares + padding) / (1 + 2 * padding) - 0.5


def mean_face() -> Floats:
    """Return the mean face of ibug68, (68, 2), symmetric; outer eye corners at -0.5 and 0.5."""
    points = np.full((68, 2), np.nan)
    for first, run in _HALF_FACE.items():
        for i, (x, y) in enumerate(run, first):
            points[i] = x / 1000, y / 1000
            points[SCHEMES["ibug68"].mirror[i]] = -x / 1000, y / 1000
    return points
