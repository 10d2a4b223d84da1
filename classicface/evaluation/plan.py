"""How far a comparison is, by the time that its parts are expected to take."""

from __future__ import annotations

from collections.abc import Mapping

from classicface.predictor import Progress

__all__ = ["Plan"]


class Plan:
    """The parts of a comparison in their order, with the seconds that each is expected to take.

    What is expected may change as more becomes known; the fraction that is reported never falls.

    Parameters
    ----------
    expected : mapping of str to float
        Part -> seconds.
    progress : callable
    """

    def __init__(self, expected: Mapping[str, float], progress: Progress) -> None:
        self.expected = dict(expected)
        self.progress = progress
        self._fraction = 0.0

    def report(self, part: str, share: float, text: str) -> None:
        """Report that a share of a part is done, and with it all parts before."""
        names = list(self.expected)
        done = sum(self.expected[name] for name in names[: names.index(part)])
        done += share * self.expected[part]
        self._fraction = max(self._fraction, min(1.0, done / sum(self.expected.values())))
        self.progress(self._fraction, text)

    def part(self, name: str) -> Progress:
        """Return the progress callback of one part."""
        return lambda share, text: self.report(name, share, text)
