"""A person's eyes over time: what open and closed look like, and when they close."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from classicface.apps.drowsiness._running import RunningQuantile
from classicface.apps.drowsiness.limits import DrowsinessLimits

__all__ = ["Closure", "Closures", "OpenEyes"]

#: The closed level is learned from so many of the last closures, once there are `LEAST`.
KEPT, LEAST = 16, 3

#: The quantile of their lowest ratios: a slow camera misses the lowest point of most blinks.
CLOSED_QUANTILE = 0.25

#: Eyes that hover between `closing` and `reopening` for so long are open, in seconds.
SETTLE = 0.2

#: Two closures nearer than this are one: the points of some models part again as the lids meet.
JOIN = 0.1

#: The median difference of two frames, over the standard deviation of the noise in each.
DIFFERENCE = 0.954

#: Bins of the histograms of the aspect ratio, from 0 to 1.
N_BINS = 250


class OpenEyes:
    """The aspect ratios of one person's open and closed eyes, learned as they are watched.

    Attributes
    ----------
    baseline : float
        The ratio of open eyes; NaN until it is known.
    closed_level : float
        The ratio of closed eyes, over the baseline.
    doubtful : bool
        Watched for long enough, but not seen open.
    """

    def __init__(self, limits: DrowsinessLimits) -> None:
        self._limits = limits
        self._samples = RunningQuantile(0.0, 1.0, N_BINS, limits.calibration)
        self._changes = RunningQuantile(0.0, 0.5, N_BINS, limits.adaptation)
        self._watched = self._wide = 0.0
        self._last = math.nan
        self._least = math.nan
        self._lowest: deque[float] = deque(maxlen=KEPT)
        self.baseline = math.nan
        self.closed_level = limits.closed_level
        self.doubtful = False

    def openness(self, ear: float) -> float:
        """Return how far eyes are open: 0 closed, 1 as usual; NaN without a baseline."""
        closed = self.closed_level * self.baseline
        openness = (ear - closed) / (self.baseline - closed)
        return min(max(openness, 0.0), 2.0) if openness == openness else math.nan

    def learn(self, ear: float, seconds: float) -> bool:
        """Watch eyes whose baseline is not known yet; tell whether it is now."""
        self._samples.add(ear, seconds)
        self._watched += seconds
        if self._watched < self._limits.calibration:
            return False
        found = self._samples.quantile(self._limits.open_quantile)
        self.doubtful = not found >= self._limits.open_least
        if self.doubtful:
            return False
        self._samples = RunningQuantile(0.0, 1.0, N_BINS, self._limits.adaptation)
        self._samples.add(found, self._limits.calibration)
        self._settle(found)
        return True

    def closing(self) -> float:
        """Return the openness below which a closure begins: lower where the points are noisy."""
        noise = self._changes.quantile(0.5) / (DIFFERENCE * self.baseline * (1 - self.closed_level))
        limits = self._limits
        clear = 1.0 - limits.noise_margin * (noise if noise == noise else 0.0)
        return max(min(limits.closing, clear), min(limits.closing, limits.closing_least))

    def follow(self, ear: float, seconds: float) -> None:
        """Adapt to open eyes; the caller keeps closed ones away."""
        if self._last == self._last:
            self._changes.add(abs(ear - self._last), seconds)
        self._last = ear
        self._samples.add(ear, seconds)
        found = self._samples.quantile(self._limits.open_quantile)
        self.baseline = max(found, self._least)
        wide = ear > self._limits.wider * self.baseline
        self._wide = max(0.0, self._wide + (seconds if wide else -seconds))
        if self._wide >= self._limits.wider_for:
            self._samples.forget_below(0.5 * (1.0 + self._limits.wider) * self.baseline)
            self._settle(self._samples.quantile(self._limits.open_quantile))

    def closed(self, lowest: float) -> None:
        """Learn from the lowest aspect ratio of a closure."""
        self._last = math.nan
        if not self._limits.learn_closed:
            return
        self._lowest.append(lowest / self.baseline)
        if len(self._lowest) >= LEAST:
            level = float(np.quantile(list(self._lowest), CLOSED_QUANTILE))
            self.closed_level = min(level, self._limits.closed_most)

    def _settle(self, baseline: float) -> None:
        self.baseline = baseline
        self._least = self._limits.baseline_fall * baseline
        self._wide = 0.0


@dataclass(frozen=True)
class Closure:
    """Eyes that closed: from when to when, the least openness, the least aspect ratio."""

    start: float
    end: float
    openness: float
    ear: float


class Closures:
    """Finds closures in the openness over time, with hysteresis, between the frames too.

    `start` is when the eyes that are closed now did so; None while they are open.
    """

    def __init__(self, limits: DrowsinessLimits) -> None:
        self._limits = limits
        self._last: tuple[float, float] | None = None  # time and openness
        self._before = self._after = self._openness = self._ear = self._level = 0.0
        self._end: float | None = None
        self.start: float | None = None

    def closed_for(self, time: float) -> float:
        """Return for how many seconds the eyes have been closed."""
        if self.start is None or self._end is not None:
            return 0.0
        return max(0.0, time - self.start)

    def update(self, time: float, openness: float, ear: float, closing: float) -> Closure | None:
        """Take the next frame; return a closure that is over.

        `closing` is the openness at which a closure begins, see `OpenEyes.closing`.
        """
        last, self._last = self._last, (time, openness)
        limits = self._limits
        if self.start is None:
            if openness >= closing:
                return None
            self._level = closing
            self.start = time if last is None else _crossing(last, self._last, closing)
            self._before = self.start if last is None else last[0]
            self._openness, self._ear, self._end = openness, ear, None
            return None
        self._openness, self._ear = min(self._openness, openness), min(self._ear, ear)
        if openness < self._level:
            self._end = None
            return None
        if self._end is None:
            assert last is not None
            self._end, self._after = _crossing(last, self._last, self._level), time
        if time - self._end < (JOIN if openness > limits.reopening else SETTLE):
            return None
        span = self._after - self._before
        shallow = self._openness > min(limits.closing_least, self._level)
        noise = span < (limits.blink_brief if shallow else limits.blink_shortest)
        closure = self._over(self._end)
        return None if noise else closure

    def finish(self) -> Closure | None:
        """Return the closure that the last frame left open: nothing is known after it."""
        last, self._last = self._last, None
        if self.start is None or last is None:
            return None
        return self._over(last[0] if self._end is None else self._end)

    def _over(self, end: float) -> Closure:
        assert self.start is not None
        closure = Closure(self.start, max(end, self.start), self._openness, self._ear)
        self.start = self._end = None
        return closure


def _crossing(a: tuple[float, float], b: tuple[float, float], level: float) -> float:
    """Return when the line from a to b, (time, openness), crosses a level."""
    share = (a[1] - level) / (a[1] - b[1]) if a[1] != b[1] else 1.0
    return a[0] + min(max(share, 0.0), 1.0) * (b[0] - a[0])
