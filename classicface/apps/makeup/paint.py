"""Virtual make-up: lipstick, blush, eye shadow, eye liner, brows and smoother skin.

Colour is changed in Lab with the light that falls on the skin kept (as Guo and Sim, CVPR 2009, keep
the lightness of a face while they exchange its colour). Only the window of the face is worked on.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.makeup._canvas import Steady
from classicface.apps.makeup._studio import Studio, spread
from classicface.apps.makeup.settings import Makeup
from classicface.exceptions import InvalidInputError
from classicface.image.colors import rgb_copy
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_landmarks, check_number

__all__ = ["MovingMakeup", "apply_makeup", "makeup_masks"]

Picture = NDArray[np.uint8]


def apply_makeup(
    image: ArrayLike, landmarks: ArrayLike, makeup: Makeup, scheme: LandmarkScheme | str
) -> Picture:
    """Put make-up on the faces of a picture.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA (alpha is dropped); see `classicface.validation.check_image`. It is left
        as it is.
    landmarks : array-like, shape (n_landmarks, 2) or (n, n_landmarks, 2)
        Of one face or of several. Where points that a layer needs are missing (NaN), this face goes
        without the layer; eyes and brows go one by one.
    makeup : Makeup
    scheme : LandmarkScheme or str
        The meaning of the points.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB. Pixels that no layer reaches are those of the picture, bit for bit.

    Raises
    ------
    InvalidInputError
        The scheme lacks a part that the make-up needs; or the picture or the points are none.
    """
    return Studio(makeup, scheme).paint(image, landmarks, lambda face: _as_measured)


def makeup_masks(
    image: ArrayLike, landmarks: ArrayLike, makeup: Makeup, scheme: LandmarkScheme | str
) -> dict[str, NDArray[np.float32]]:
    """Return where each kind of make-up would lie on one face, and how densely.

    Parameters
    ----------
    image, makeup, scheme
        As `apply_makeup` takes them.
    landmarks : array-like, shape (n_landmarks, 2)

    Returns
    -------
    dict of str to ndarray of float32, shape (height, width)
        By the names of `Makeup`'s fields, 0 to 1; for ``smooth``, the skin.

    Raises
    ------
    InvalidInputError
        As `apply_makeup`.
    """
    studio = Studio(makeup, scheme)
    picture = rgb_copy(image)
    points = check_landmarks(landmarks, studio.scheme.n_landmarks)
    if points.ndim != 2:
        raise InvalidInputError(f"landmarks have shape {points.shape}; expected those of one face")
    masks = {kind: np.zeros(picture.shape[:2], np.float32) for kind in makeup.kinds}
    for canvas, kind, layers in studio.layers(picture, points, _as_measured):
        x, y = canvas.origin
        part = masks[kind][y : y + canvas.size[1], x : x + canvas.size[0]]
        for layer in layers:
            spread(canvas, layer, part)
    return masks


class MovingMakeup:
    """Make-up for a video: the colours that are measured on a face are kept steady over time.

    What a layer measures (the colour of lips, of skin, of brows) is noisy from frame to frame, and
    a layer that obeyed it at once would flicker.

    Parameters
    ----------
    makeup : Makeup
    scheme : LandmarkScheme or str
    memory : float, default 0.5
        The time constant in seconds of the exponential mean; a face that is not seen for ten times
        as long is forgotten.

    Raises
    ------
    InvalidInputError
        The scheme lacks a part that the make-up needs.

    Examples
    --------
    >>> paint = MovingMakeup(Makeup(lipstick="crimson"), "ibug68")
    >>> with open_video("in.mp4") as video:                            # doctest: +SKIP
    ...     for frame, faces in Landmarker().track(video):
    ...         show(paint(frame.image, faces.landmarks, faces.ids, frame.time))
    """

    def __init__(
        self, makeup: Makeup, scheme: LandmarkScheme | str, *, memory: float = 0.5
    ) -> None:
        self._studio = Studio(makeup, scheme)
        self._memory = check_number(memory, "memory", 1e-3, 60.0)
        self._tones: dict[int, dict[str, NDArray[np.float64]]] = {}
        self._seen: dict[int, float] = {}

    def __call__(
        self, image: ArrayLike, landmarks: ArrayLike, ids: ArrayLike, time: float
    ) -> Picture:
        """Put make-up on the faces of one frame.

        Parameters
        ----------
        image : array-like
        landmarks : array-like, shape (n, n_landmarks, 2)
        ids : array-like of int, shape (n,)
            The identity of each face.
        time : float
            In seconds; it must not run backward.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)

        Raises
        ------
        InvalidInputError
            As `apply_makeup`; or as many identities as faces are expected, and others came.
        """
        time = check_number(time, "time", -math.inf)
        numbers = np.asarray(ids).reshape(-1).tolist()
        count = len(np.reshape(landmarks, (-1, self._studio.scheme.n_landmarks, 2)))
        if len(numbers) != count:
            raise InvalidInputError(f"there are {len(numbers)} ids for {count} faces")
        for known, last in list(self._seen.items()):
            if time - last > 10 * self._memory:
                del self._seen[known], self._tones[known]
        steady = [self._steady(number, time) for number in numbers]
        picture = self._studio.paint(image, landmarks, lambda face: steady[face])
        self._seen.update(dict.fromkeys(numbers, time))
        return picture

    def _steady(self, number: int, time: float) -> Steady:
        tones = self._tones.setdefault(number, {})
        passed = max(0.0, time - self._seen.get(number, -math.inf))
        share = -math.expm1(-passed / self._memory)

        def steady(name: str, now: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
            before = tones.get(name)
            if now is not None:
                tones[name] = now if before is None else before + share * (now - before)
            return tones.get(name)

        return steady


def _as_measured(name: str, now: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Return a colour statistic as it is in this picture; see `MovingMakeup`."""
    return now
