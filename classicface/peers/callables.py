"""Any other model, given as a function."""

from __future__ import annotations

from classicface.peers.base import PeerFunction, PeerPredictor
from classicface.shape.boxes import IDENTITY, BoxMap
from classicface.shape.schemes import LandmarkScheme

__all__ = ["from_callable"]


def from_callable(
    function: PeerFunction,
    scheme: LandmarkScheme | str | int,
    *,
    box_map: BoxMap = IDENTITY,
    name: str | None = None,
) -> PeerPredictor:
    """Make a predictor of a function.

    Parameters
    ----------
    function : callable
        ``function(image, boxes)``: a grey picture, uint8 of shape (height, width), and square
        boxes, float32 of shape (n, 4), to points in pixels of the picture, an array-like of shape
        (n, n_landmarks, 2). It is called from as many threads as use the predictor.
    scheme : LandmarkScheme, str or int
        The meaning of the points.
    box_map : BoxMap, default IDENTITY
        From the boxes that the function wants to landmark boxes; by default it gets landmark boxes.
        `classicface.calibrate` measures the map of a detector.
    name : str, optional
        What reports call it; by default the function's own name.

    Raises
    ------
    InvalidInputError
        A parameter is not what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> from classicface.peers import from_callable
    >>> def middle(image, boxes):
    ...     return (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    >>> from_callable(middle, "points1").predict(np.zeros((9, 9)), [0, 0, 8, 8])
    array([[[4., 4.]]], dtype=float32)
    """
    if name is None:
        name = str(getattr(function, "__qualname__", type(function).__qualname__))
    return PeerPredictor(function, scheme, box_map=box_map, library=name)
