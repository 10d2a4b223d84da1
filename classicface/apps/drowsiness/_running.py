"""Running statistics of a stream that never ends, in bounded memory: quantiles, sliding sums."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["RunningQuantile", "SlidingSums"]

#: The weight of new samples grows in place of the old ones' decay; beyond this all are scaled down.
MOST_GROWTH = 1e12


class RunningQuantile:
    """A quantile of the samples of late, each weighted by the time that it stands for.

    A histogram whose weights fade with time: any number of samples in a fixed memory, and no single
    sample moves the quantile far.

    Parameters
    ----------
    low, high : float
        Samples outside are counted at the ends.
    n_bins : int
    fade : float
        After this many seconds *of samples* the weight of one has fallen to 1 / e. Time without
        samples does not count.
    """

    def __init__(self, low: float, high: float, n_bins: int, fade: float) -> None:
        self._low, self._width, self._fade = low, (high - low) / n_bins, fade
        self._weights = np.zeros(n_bins)
        self._growth = 1.0

    def add(self, value: float, weight: float) -> None:
        """Count a sample that stands for `weight` seconds."""
        if weight <= 0.0:
            return
        self._growth *= math.exp(min(weight / self._fade, 20.0))
        self._weights[self._bin(value)] += weight * self._growth
        if self._growth > MOST_GROWTH:
            self._weights /= self._growth
            self._growth = 1.0

    def forget_below(self, value: float) -> None:
        """Drop the samples that were lower."""
        self._weights[: self._bin(value)] = 0.0

    def quantile(self, share: float) -> float:
        """Return the value that this share of the weight lies below; NaN without samples."""
        total = np.cumsum(self._weights)
        if total[-1] <= 0.0:
            return math.nan
        i = int(np.searchsorted(total, share * total[-1]))
        before = total[i - 1] if i else 0.0
        inside = (share * total[-1] - before) / self._weights[i]
        return float(self._low + (i + inside) * self._width)

    def _bin(self, value: float) -> int:
        return min(max(int((value - self._low) / self._width), 0), len(self._weights) - 1)


class SlidingSums:
    """Sums of several quantities over the last seconds, to a hundred-and-twentieth of the window.

    Parameters
    ----------
    window : float
        Seconds.
    names : str
        The quantities.
    """

    N_BINS = 120

    def __init__(self, window: float, *names: str) -> None:
        self._width = window / self.N_BINS
        self._sums = {name: np.zeros(self.N_BINS) for name in names}
        self._last: int | None = None

    def advance(self, time: float) -> None:
        """Forget what is older than the window; `time` never runs backwards."""
        now = math.floor(time / self._width)
        if self._last is not None and now > self._last:
            stale = min(now - self._last, self.N_BINS)
            places = (self._last + 1 + np.arange(stale)) % self.N_BINS
            for sums in self._sums.values():
                sums[places] = 0.0
        self._last = now

    def add(self, name: str, amount: float) -> None:
        """Add to a quantity at the time of the last `advance`."""
        assert self._last is not None
        self._sums[name][self._last % self.N_BINS] += amount

    def total(self, name: str) -> float:
        """Return the sum over the window."""
        return float(self._sums[name].sum())
