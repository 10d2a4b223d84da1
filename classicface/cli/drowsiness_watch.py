"""The people before a camera, each with a monitor of its own; the one that the report is of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classicface.apps.drowsiness import DrowsinessLimits, DrowsinessMonitor, DrowsinessRecord
from classicface.shape.boxes import box_centers_sides

if TYPE_CHECKING:
    from classicface.apps.drowsiness import DrowsinessState
    from classicface.landmarker import Faces
    from classicface.shape.schemes import LandmarkScheme

__all__ = ["People", "Person"]

#: More people than this are not remembered: who was seen least is forgotten.
MOST_PEOPLE = 16


@dataclass
class Person:
    """One identity.

    Attributes
    ----------
    seconds : float
        For how long the face was seen.
    area : float
        The sum over these seconds of the face's area in square pixels: large faces that stay.
    """

    identity: int
    monitor: DrowsinessMonitor
    record: DrowsinessRecord
    seconds: float = 0.0
    area: float = 0.0
    state: DrowsinessState | None = None


class People:
    """Gives each face of a tracker to the monitor of its identity.

    Parameters
    ----------
    scheme : LandmarkScheme
    limits : DrowsinessLimits
    """

    def __init__(self, scheme: LandmarkScheme, limits: DrowsinessLimits) -> None:
        self._scheme, self._limits = scheme, limits
        self._people: dict[int, Person] = {}
        self._time = math.nan
        self.n_seen = 0

    def update(self, time: float, faces: Faces) -> dict[int, DrowsinessState]:
        """Take the faces of the next frame; return the states of those that are in it."""
        step = time - self._time if time - self._time <= self._limits.gap else 0.0
        self._time = time
        sides = box_centers_sides(faces.boxes)[1] if len(faces) else np.zeros(0)
        present = {}
        for row, identity in enumerate(faces.ids.tolist()):
            person = self._person(identity)
            person.seconds += step
            person.area += step * float(sides[row]) ** 2
            # The points before smoothing, which would make blinks shallow and late.
            person.state = person.monitor.update(time, faces.measured[row])
            present[identity] = person.state
        for identity, person in self._people.items():
            if identity not in present:
                person.state = person.monitor.update(time, None)
            assert person.state is not None
            person.record.add(person.state)
        return present

    def chosen(self) -> Person | None:
        """Return who was the largest for the longest; None where there was no face."""
        for person in self._people.values():
            person.record.close(person.monitor.finish())
        return max(self._people.values(), key=lambda person: person.area, default=None)

    def _person(self, identity: int) -> Person:
        if identity not in self._people:
            if len(self._people) >= MOST_PEOPLE:
                least = min(self._people.values(), key=lambda person: person.area)
                del self._people[least.identity]
            monitor = DrowsinessMonitor(self._scheme, self._limits)
            record = DrowsinessRecord(self._limits)
            self._people[identity] = Person(identity, monitor, record)
            self.n_seen += 1
        return self._people[identity]
