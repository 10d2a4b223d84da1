"""Track: one face over time; and which tracks a new face may continue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from classicface.landmarker.smoothing import OneEuroFilter
from classicface.shape.boxes import box_centers_sides, landmark_box

__all__ = ["Sighting", "Track", "match_lost", "overlaps"]

Floats = NDArray[np.floating]

#: Share of the new in a track's running velocity and appearance.
VELOCITY_RATE, TEMPLATE_RATE = 0.5, 0.1

#: A prediction starts at most so many sides from the last place: the velocity may be wrong.
MAX_LEAD = 0.3


@dataclass(frozen=True, eq=False)
class Sighting:
    """One face in one frame.

    Attributes
    ----------
    box : ndarray, shape (4,)
        Where the search for the points began.
    points : ndarray, shape (n_landmarks, 2)
    score : float
        The detector's, or NaN.
    fit, plausibility : float
        See `FaceVerifier`; NaN where the scheme cannot be judged.
    template : ndarray, shape (d,)
        Its appearance, of norm 1; all 0 where the scheme cannot be judged.
    """

    box: Floats
    points: Floats
    score: float
    fit: float
    plausibility: float
    template: Floats
    center: Floats = field(init=False)
    side: float = field(init=False)

    def __post_init__(self) -> None:
        center, side = box_centers_sides(landmark_box(self.points))
        object.__setattr__(self, "center", center)
        object.__setattr__(self, "side", float(side))


@dataclass(eq=False)
class Track:
    """One face over time.

    Attributes
    ----------
    identity : int
    last : Sighting
        The last time that it was seen.
    time : float
        When that was, in seconds.
    smoother : OneEuroFilter or None
    velocity : ndarray, shape (2,)
        Of the centre, in pixels a second.
    template : ndarray, shape (d,)
        The running mean of its appearance, of norm 1.
    unconfirmed : int
        How many searches of the detector in a row did not find it.
    """

    identity: int
    last: Sighting
    time: float
    smoother: OneEuroFilter | None
    velocity: Floats = field(default_factory=lambda: np.zeros(2))
    template: Floats = field(init=False)
    unconfirmed: int = 0

    def __post_init__(self) -> None:
        self.template = self.last.template

    def expected(self, time: float) -> Floats:
        """Return where the centre should be at a time."""
        lead = self.velocity * (time - self.time)
        length = float(np.hypot(*lead))
        return self.last.center + lead * min(1.0, MAX_LEAD * self.last.side / max(length, 1e-9))

    def box(self, time: float) -> Floats:
        """Return the landmark box in which to look for the face at a time."""
        return landmark_box(self.last.points) + np.tile(self.expected(time) - self.last.center, 2)

    def follow(self, sighting: Sighting, time: float, sure: float) -> None:
        """Take the face of a frame as this track's; learn from it if its likeness is `sure`."""
        passed = max(time - self.time, 1e-3)
        moved = (sighting.center - self.last.center) / passed
        self.velocity = self.velocity + VELOCITY_RATE * (moved - self.velocity)
        if self.likeness(sighting) >= sure:  # not from a face that is half covered
            mean = self.template + TEMPLATE_RATE * (sighting.template - self.template)
            self.template = mean / max(float(np.linalg.norm(mean)), 1e-9)
        self.last, self.time = sighting, time

    def resume(self, sighting: Sighting, time: float) -> None:
        """Take up the track again after it was lost: what moved in between is not known."""
        self.last, self.time, self.unconfirmed = sighting, time, 0
        self.velocity = np.zeros(2)
        if self.smoother is not None:
            self.smoother.reset()

    def likeness(self, sighting: Sighting) -> float:
        """Return how alike a face looks, up to 1: the correlation of the appearances."""
        return float(self.template @ sighting.template)


def overlaps(a: Sighting, b: Sighting) -> bool:
    """Return whether two faces lie on one another: centres nearer than a third of a side."""
    return float(np.hypot(*(a.center - b.center))) < 0.33 * max(a.side, b.side)


def match_lost(
    lost: Sequence[Track], found: Sequence[Sighting], time: float, same_likeness: float
) -> list[tuple[int, int]]:
    """Decide which lost tracks go on in which new faces, by place, size and appearance together.

    The Hungarian assignment of least cost; a face may have moved by half a side, and by two more
    a second since it was lost.

    Parameters
    ----------
    lost : sequence of Track
    found : sequence of Sighting
    time : float
    same_likeness : float
        Faces that look less alike than this are not the same; a face without an appearance (of a
        scheme that cannot be judged) is told by its place alone.

    Returns
    -------
    list of (int, int)
        Indices into `lost` and `found`.
    """
    if not lost or not found:
        return []
    from scipy.optimize import linear_sum_assignment

    impossible = 1e6
    cost = np.full((len(lost), len(found)), impossible)
    for i, track in enumerate(lost):
        reach = 0.5 + 2.0 * (time - track.time)
        for j, face in enumerate(found):
            likeness = track.likeness(face) if face.template.any() else 1.0
            side = max(track.last.side, face.side)
            far = float(np.hypot(*(face.center - track.expected(time)))) / side / reach
            grown = abs(float(np.log(face.side / track.last.side)))
            if far <= 1.0 and grown <= 0.7 and likeness >= same_likeness:
                cost[i, j] = 0.5 * far + grown + 2.0 * (1.0 - likeness)
    rows, columns = linear_sum_assignment(cost)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j) for i, j in pairs if cost[i, j] < impossible]
