"""Yawns and nods: the mouth's aspect ratio and the head's pitch over time."""

from __future__ import annotations

from typing import NamedTuple

from classicface.apps.drowsiness._running import RunningQuantile
from classicface.apps.drowsiness.limits import DrowsinessLimits

__all__ = ["Gesture", "Nods", "Yawns"]


class Gesture(NamedTuple):
    """What the face did, from when to when, and how far: a ratio, or degrees."""

    kind: str
    start: float
    end: float
    depth: float


class Yawns:
    """Mouths open wide for seconds. `wide` tells whether the mouth is now."""

    def __init__(self, limits: DrowsinessLimits) -> None:
        self._limits = limits
        self._start = self._seen = self._most = 0.0
        self.wide = False

    def update(self, time: float, ratio: float) -> Gesture | None:
        """Take the next frame that shows the mouth; return a yawn that is over."""
        over = self.miss(time)
        if not self.wide and ratio > self._limits.yawn_open:
            self.wide, self._start, self._most = True, time, ratio
        elif self.wide and ratio < self._limits.yawn_closed:
            self._seen = time
            over = self._end()
        self._most = max(self._most, ratio)
        self._seen = time
        return over

    def miss(self, time: float) -> Gesture | None:
        """Take a frame that does not show it."""
        return self._end() if self.wide and time - self._seen > self._limits.gap else None

    def finish(self) -> Gesture | None:
        """Return the yawn that the last frame left unfinished."""
        return self._end() if self.wide else None

    def _end(self) -> Gesture | None:
        self.wide = False
        long = self._seen - self._start >= self._limits.yawn_shortest
        return Gesture("yawn", self._start, self._seen, self._most) if long else None


class Nods:
    """Heads that drop and come up again, or stay down."""

    def __init__(self, limits: DrowsinessLimits) -> None:
        self._limits = limits
        self._usual = RunningQuantile(-90.0, 90.0, 180, limits.pitch_memory)
        self._up: float | None = None  # when the head was last up
        self._fell: float | None = None  # when it began to drop
        self._deepest = 0.0
        self._stays = False

    def update(self, time: float, pitch: float, seconds: float) -> Gesture | None:
        """Take the next frame that shows the head; return a nod that is over, or one that stays."""
        usual = self._usual.quantile(0.5)
        self._usual.add(pitch, seconds)
        drop = usual - pitch if usual == usual else 0.0
        limits = self._limits
        if drop < limits.nod_back:
            self._up = time
            fell, self._fell = self._fell, None
            stayed, self._stays = self._stays, False
            if fell is None or stayed:
                return None
            return Gesture("nod", fell, time, self._deepest)
        if self._fell is None:
            quick = self._up is not None and time - self._up <= limits.nod_fall
            if drop < limits.nod_angle or not quick:
                return None
            self._fell, self._deepest = self._up, drop
        self._deepest = max(self._deepest, drop)
        assert self._fell is not None
        if self._stays or time - self._fell <= limits.nod_longest:
            return None
        self._stays = True
        return Gesture("head down", self._fell, time, self._deepest)

    def miss(self) -> None:
        """Forget a fall that was not seen to its end."""
        self._up = self._fell = None
        self._stays = False
