"""From counts of the last minutes to a state, with hysteresis in seconds."""

from __future__ import annotations

from classicface.apps.drowsiness._running import SlidingSums
from classicface.apps.drowsiness.limits import DrowsinessLimits

__all__ = ["LEVELS", "Alertness", "Tally"]

#: States of a person whose eyes are seen, from the best to the worst.
LEVELS = ("awake", "tired", "drowsy", "asleep")


class Tally:
    """What was seen in the last minute (and of yawns, in the last five): sums, in fixed memory."""

    def __init__(self, limits: DrowsinessLimits) -> None:
        self._limits = limits
        self._eyes = SlidingSums(
            limits.window, "seen", "shut", "blink", "long closure", "microsleep"
        )
        self._gestures = {
            "nod": SlidingSums(limits.window, "nod"),
            "yawn": SlidingSums(limits.yawn_window, "yawn"),
        }

    def eyes(self, time: float, seconds: float, shut: bool) -> None:
        """Count a frame that shows the eyes."""
        self._eyes.advance(time)
        self._eyes.add("seen", seconds)
        if shut:
            self._eyes.add("shut", seconds)

    def advance(self, time: float) -> None:
        """Forget what is too old; the eyes' share only where `eyes` has begun."""
        for sums in self._gestures.values():
            sums.advance(time)

    def forget(self, time: float) -> None:
        """Forget what is too old, of the eyes too."""
        self._eyes.advance(time)

    def event(self, kind: str) -> None:
        """Count an event that is over."""
        if kind in self._gestures:
            self._gestures[kind].add(kind, 1.0)
        elif kind in ("blink", "long closure", "microsleep"):
            self._eyes.add(kind, 1.0)

    def count(self, kind: str) -> int:
        """Return how many events of a kind there were."""
        return round(self._gestures.get(kind, self._eyes).total(kind))

    def share(self, of: str = "shut") -> float:
        """Return PERCLOS; NaN where too little was seen."""
        seen = self._eyes.total("seen")
        return self._eyes.total(of) / seen if seen >= self._limits.window_least else float("nan")

    def blink_rate(self) -> float:
        """Return blinks a minute of what was seen; NaN where that is too little."""
        return 60.0 * self.share("blink")

    def level(self) -> tuple[int, str]:
        """Return what the counts speak for, an index of `LEVELS`, and why."""
        limits = self._limits
        perclos, closures = self.share(), self.count("long closure") + self.count("microsleep")
        window = f"in {limits.window:g} s"
        if perclos >= limits.perclos_drowsy:
            return 2, f"PERCLOS {100 * perclos:.0f} %"
        if self.count("microsleep"):
            return 2, f"{self.count('microsleep')} x microsleep {window}"
        if closures >= limits.closures_drowsy:
            return 2, f"{closures} long closures {window}"
        if perclos >= limits.perclos_tired:
            return 1, f"PERCLOS {100 * perclos:.0f} %"
        if closures >= limits.closures_tired:
            return 1, f"{closures} long closures {window}"
        if self.count("yawn") >= limits.yawns_tired:
            return 1, f"{self.count('yawn')} yawns in {limits.yawn_window:g} s"
        if self.count("nod") >= limits.nods_tired:
            return 1, f"{self.count('nod')} nods {window}"
        return 0, ""


class Alertness:
    """A level that rises at once, and falls when nothing has spoken for it for `recovery`."""

    def __init__(self, limits: DrowsinessLimits) -> None:
        self._limits = limits
        self._level, self._reason = 0, ""
        self._backed = self._shut = -float("inf")  # when something last spoke for the level
        self._asleep = False

    def update(self, time: float, closed_for: float, tally: Tally) -> tuple[int, str]:
        """Return the level, an index of `LEVELS`, and why."""
        limits = self._limits
        if closed_for >= limits.microsleep:
            self._asleep, self._shut = True, time
        elif closed_for > 0.0:
            self._shut = time
        elif time - self._shut >= limits.wake:
            self._asleep = False
        level, reason = tally.level()
        if level >= self._level or time - self._backed >= limits.recovery:
            self._level, self._reason, self._backed = level, reason, time
        if self._asleep:
            return 3, f"eyes closed for {closed_for:.1f} s" if closed_for > 0.0 else "waking"
        return self._level, self._reason
