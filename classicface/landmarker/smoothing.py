"""Smoothing of landmarks over time: still faces stand still, moving ones are not held back.

The 1 Euro filter of Casiez, Roussel, Vogel, *1 Euro Filter: A Simple Speed-based Low-pass Filter
for Noisy Input in Interactive Systems* (CHI 2012): a first-order low-pass whose cutoff rises with
speed. Here the points of a face are filtered together; equations and figures in
``docs/smoothing.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.landmarker._smoothing_kernels import filter_coordinates, filter_face
from classicface.validation import check_flag, check_landmarks, check_number

__all__ = ["MAX_GAP", "OneEuroFilter"]

#: After a gap of more seconds than this the filter begins anew: what lies behind says little.
MAX_GAP = 0.5


class OneEuroFilter:
    """A low-pass over time for the landmarks of one face, whose cutoff rises with speed.

    The step from the last points to the new ones is split in two: the similarity that fits all
    points best, and what each point moves beside it. The noise of single points averages out in the
    first, so a still head is told from a moving one although its points tremble; the second lets
    a blink or a lip through alone. Speeds are in face sizes a second and times in seconds, so one
    setting serves every resolution and frame rate.

    Parameters
    ----------
    min_cutoff : float, default 0.5
        Cutoff for a face that stands still, in Hz: lower is steadier.
    beta : float, default 40
        How fast the cutoff rises, in Hz for a speed of one face size a second: higher lags less.
    derivative_cutoff : float, default 0.7
        Cutoff of the speed of the face, in Hz: lower is surer, higher notices a start sooner.
    own_derivative_cutoff : float, default 4
        Cutoff of the speed of a point within the face, in Hz. Blinks are short.
    face_noise, point_noise : float, default 0.05 and 0.15
        Speeds up to this, in face sizes a second, do not raise the cutoff: noise has them too.
    coupled : bool, default True
        False gives the filter of the paper: each coordinate by itself, with `min_cutoff`, `beta`
        and `derivative_cutoff` alone.

    Raises
    ------
    InvalidInputError
        A parameter out of its range.

    Notes
    -----
    It holds the state of one face; threads must not share one.
    """

    def __init__(
        self,
        min_cutoff: float = 0.5,
        beta: float = 40.0,
        derivative_cutoff: float = 0.7,
        *,
        own_derivative_cutoff: float = 4.0,
        face_noise: float = 0.05,
        point_noise: float = 0.15,
        coupled: bool = True,
    ) -> None:
        check_flag(coupled, "coupled")
        self.coupled = coupled
        cutoffs = {
            "min_cutoff": min_cutoff,
            "derivative_cutoff": derivative_cutoff,
            "own_derivative_cutoff": own_derivative_cutoff,
        }
        speeds = {"beta": beta, "face_noise": face_noise, "point_noise": point_noise}
        values = {name: check_number(value, name, 1e-6, 1e6) for name, value in cutoffs.items()}
        values |= {name: check_number(value, name, 0.0, 1e6) for name, value in speeds.items()}
        names = ("min_cutoff", "beta", "derivative_cutoff", "own_derivative_cutoff")
        self._settings = np.array([values[name] for name in (*names, "face_noise", "point_noise")])
        self.reset()

    def reset(self) -> None:
        """Forget the face: the next points are taken as they are, whatever their number."""
        self._time = -np.inf
        self._points: NDArray[np.float64] | None = None
        self._velocities = np.zeros((2, 0, 2))

    def filter(self, time: float, values: ArrayLike, scale: float) -> NDArray[np.float32]:
        """Take the points of the next frame and return them smoothed.

        After a gap of more than `MAX_GAP` seconds the points are returned as they are, and the
        filter begins anew.

        Parameters
        ----------
        time : float
            In seconds, from any origin; later than that of the last frame. Uneven steps are right.
        values : array-like, shape (k, 2)
            (x, y) in pixels. A missing point (NaN) is returned as missing and forgotten: it is
            taken as it is when it comes back.
        scale : float
            The size of the face in pixels: the longer side of its landmark box.

        Returns
        -------
        ndarray of float32, shape (k, 2)

        Raises
        ------
        InvalidInputError
            Time that stands still or runs backwards, another number of points than before, a scale
            that is not above zero, points of another shape or infinite. The state stays as it was.
        """
        time = check_number(time, "time", -1e15, 1e15)
        scale = check_number(scale, "scale", 1e-6, 1e9)
        measured = check_landmarks(values)
        if measured.ndim != 2:
            raise InvalidInputError(
                f"values have shape {measured.shape}; expected (k, 2): a filter serves one face"
            )
        points = self._points
        if points is None:
            return self._begin(time, measured)
        if len(measured) != len(points):
            raise InvalidInputError(
                f"there are {len(measured)} points; the filter has seen {len(points)}"
                " (call reset() for another face)"
            )
        step = time - self._time
        if step <= 0:
            raise InvalidInputError(
                f"time is {time:g} s after {self._time:g} s; it must grow from frame to frame"
                " (call reset() to begin anew)"
            )
        if step > MAX_GAP:
            return self._begin(time, measured)
        self._time = time
        exact, own = measured.astype(np.float64), self._velocities[1]
        if self.coupled:
            filter_face(exact, step, scale, self._settings, self._velocities[0], own, points)
        else:
            low, beta, derivative = self._settings[:3]
            filter_coordinates(exact, step, low, beta / scale, derivative, own, points)
        return points.astype(np.float32)

    def _begin(self, time: float, points: NDArray[np.float32]) -> NDArray[np.float32]:
        self._time = time
        self._points = points.astype(np.float64)
        self._velocities = np.zeros((2, *points.shape))
        return points.copy()
