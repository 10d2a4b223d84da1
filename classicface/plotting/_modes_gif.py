"""The frames of an animation of shapes: ink on paper, drawn fine and averaged down."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classicface.shape.schemes import LandmarkScheme

__all__ = ["PALETTE", "draw_frame"]

_CELL = 180  # pixels of a shape
_LABEL = 18  # pixels of the text below it
_FINE = 4  # drawn so many times larger
_LEVELS = 32  # shades, to keep the file small

#: The colours of the shades: from white paper to blue ink; red, green, blue in turn.
PALETTE: list[int] = (
    np.linspace([255, 255, 255], [31, 78, 121], _LEVELS).round().astype(int).ravel().tolist()
)


def draw_frame(
    shapes: NDArray[np.float64], scheme: LandmarkScheme, labels: list[str]
) -> NDArray[np.uint8]:
    """Draw shapes side by side, each with its label.

    Parameters
    ----------
    shapes : ndarray, shape (n, n_landmarks, 2)
        In cells from (0, 0) to (1, 1).
    scheme : LandmarkScheme
    labels : list of str

    Returns
    -------
    ndarray of uint8, shape (height, width)
        Indices into `PALETTE`.
    """
    import cv2

    cells = [_draw_cell(shape, scheme) for shape in shapes]
    for cell, label in zip(cells, labels, strict=True):
        (width, _), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        place = ((_CELL - width) // 2, _CELL + 8)
        cv2.putText(cell, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1, cv2.LINE_AA)
    return np.hstack(cells) // np.uint8(256 // _LEVELS)


def _draw_cell(shape: NDArray[np.float64], scheme: LandmarkScheme) -> NDArray[np.uint8]:
    """Draw a shape on paper of 0 with ink of 255, with room for the label below."""
    import cv2

    fine = np.zeros(((_CELL + _LABEL) * _FINE, _CELL * _FINE), np.uint8)
    places = np.round(shape * _CELL * _FINE).astype(np.int32)
    for line, closed in scheme.lines:
        cv2.polylines(fine, [places[list(line)]], closed, 200, _FINE)
    for x, y in places.tolist():
        cv2.circle(fine, (x, y), round(1.6 * _FINE), 255, -1)
    size = (fine.shape[1] // _FINE, fine.shape[0] // _FINE)
    return cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
