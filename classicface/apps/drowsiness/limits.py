"""Every threshold of the drowsiness monitor, by name, with its source or its reason."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from classicface.exceptions import InvalidInputError
from classicface.validation import check_flag, check_integer, check_number

__all__ = ["DrowsinessLimits"]

# The limits of every number.
_RANGES = {
    "calibration": (0.5, 600.0),
    "open_quantile": (0.3, 0.99),
    "open_least": (0.0, 1.0),
    "adaptation": (5.0, 36_000.0),
    "baseline_fall": (0.1, 1.0),
    "wider": (1.05, 10.0),
    "wider_for": (0.1, 60.0),
    "closed_level": (0.0, 0.9),
    "closed_most": (0.0, 0.9),
    "closing": (0.05, 0.95),
    "reopening": (0.05, 0.98),
    "noise_margin": (0.0, 100.0),
    "closing_least": (0.01, 0.95),
    "shut": (0.01, 0.9),
    "blink_shortest": (0.0, 0.5),
    "blink_brief": (0.0, 0.5),
    "blink_longest": (0.05, 5.0),
    "microsleep": (0.1, 60.0),
    "wake": (0.0, 60.0),
    "gap": (0.05, 10.0),
    "window": (10.0, 3600.0),
    "window_least": (1.0, 3600.0),
    "perclos_tired": (0.0, 1.0),
    "perclos_drowsy": (0.0, 1.0),
    "yawn_open": (0.05, 3.0),
    "yawn_closed": (0.0, 3.0),
    "yawn_shortest": (0.2, 30.0),
    "yawn_window": (10.0, 7200.0),
    "nod_angle": (2.0, 60.0),
    "nod_back": (0.5, 60.0),
    "nod_fall": (0.1, 10.0),
    "nod_longest": (0.5, 60.0),
    "pitch_memory": (2.0, 3600.0),
    "absent_after": (0.05, 600.0),
    "recovery": (0.0, 3600.0),
}
_COUNTS = ("closures_tired", "closures_drowsy", "yawns_tired", "nods_tired")

# Pairs of which the first must be the smaller, or equal to the second.
_ORDER = (
    ("closed_level", "closed_most"),
    ("shut", "closing"),
    ("closing", "reopening"),
    ("blink_shortest", "blink_brief"),
    ("blink_brief", "blink_longest"),
    ("blink_longest", "microsleep"),
    ("window_least", "window"),
    ("perclos_tired", "perclos_drowsy"),
    ("closures_tired", "closures_drowsy"),
    ("yawn_closed", "yawn_open"),
    ("nod_back", "nod_angle"),
)


@dataclass(frozen=True)
class DrowsinessLimits:
    """The thresholds of `DrowsinessMonitor`. Times are in seconds, openness is from 0 to 1.

    Parameters
    ----------
    calibration : float, default 4
        How long the eyes are watched before their open state is taken as known.
    open_quantile : float, default 0.7
        The quantile of the eye aspect ratio that is the baseline: eyes that are open for a third of
        the time are enough, and blinks or a single bad frame do not move it.
    open_least : float, default 0.16
        A baseline below this is not one of open eyes: of the 330 faces of HELEN's test set, 96 %
        have a larger ratio.
    adaptation : float, default 120
        How fast the baseline follows open eyes (light, distance, glasses put on).
    baseline_fall : float, default 0.7
        The baseline never sinks below this share of what was learned first: lids that sink slowly
        are drowsiness, not a new baseline.
    wider, wider_for : float, default 1.25 and 2
        Eyes that are so many times wider open than the baseline for so long show that it was
        learned from eyes half closed; it then follows at once.
    closed_level : float, default 0.3
        The ratio of closed eyes over that of open ones, before closed eyes were seen. Points never
        quite meet: annotators and models leave the lids' edges between them.
    closed_most : float, default 0.45
        The monitor learns the closed level from the blinks that it sees, up to here. A model whose
        closed eyes have a larger ratio does not see eyes close.
    learn_closed : bool, default True
        Whether it does.
    closing, reopening : float, default 0.55 and 0.7
        A closure begins when the openness falls below the first and is over when it rises above the
        second: about half way, where the lids are fastest.
    noise_margin, closing_least : float, default 4 and 0.35
        Where the points tremble, a closure begins only so many standard deviations of the openness
        (from differences of successive frames) below open eyes, but never lower than the second.
    shut : float, default 0.2
        Eyes at most this open, at least 80 % closed, count for PERCLOS (P80, Wierwille et al.,
        1994).
    blink_shortest, blink_brief : float, default 0.045 and 0.08
        A closure between two open frames nearer than the first is noise: blinks take 0.1 s and
        more. One between frames nearer than the second (a single frame, from 25 a second on) is
        noise unless its openness falls to `closing_least`.
    blink_longest : float, default 0.5
        Longer closures are no blinks. The longest spontaneous blinks last 0.5 s (after Stern,
        Walrath and Goldstein, 1984).
    microsleep : float, default 1.5
        Eyes closed for so long: asleep. Studies put microsleeps at 1 s and more; 1.5 leaves room
        for eyes that are shut on purpose.
    wake : float, default 0.5
        Asleep ends when the eyes have been open for so long.
    gap : float, default 0.5
        Frames farther apart than this say nothing about the time between them.
    window, window_least : float, default 60 and 20
        PERCLOS and the blink rate are of the last minute (Wierwille et al., 1994); before the eyes
        were seen for 20 s of it there is neither.
    perclos_tired, perclos_drowsy : float, default 0.075 and 0.15
        The limits between awake, questionable and drowsy that are customary since Wierwille's work.
    closures_tired, closures_drowsy : int, default 2 and 4
        Long closures in the window. Their share rises with drowsiness (Caffier et al., 2003).
    yawn_open, yawn_closed : float, default 0.45 and 0.3
        A yawn begins when the mouth's aspect ratio is above the first and ends below the second.
    yawn_shortest : float, default 2
        Words and laughter open the mouth for less; a yawn lasts some 6 s.
    yawns_tired : int, default 2
        Yawns within `yawn_window`.
    yawn_window : float, default 300
    nod_angle, nod_back : float, default 12 and 6
        Degrees below the usual pitch at which the head has dropped, and is up again.
    nod_fall : float, default 1
        A nod falls from the one to the other within this; looking down on purpose is no faster, but
        comes back later.
    nod_longest : float, default 3
        A head that stays down longer is an event of its own.
    nods_tired : int, default 2
        Nods within the window.
    pitch_memory : float, default 20
        The usual pitch is the median of about so long.
    absent_after : float, default 1
        No face, or no eyes, for so long.
    recovery : float, default 15
        A state becomes better only when nothing has spoken for the worse one for so long.

    Raises
    ------
    InvalidInputError
        A number out of its range, or two in the wrong order.
    """

    calibration: float = 4.0
    open_quantile: float = 0.7
    open_least: float = 0.16
    adaptation: float = 120.0
    baseline_fall: float = 0.7
    wider: float = 1.25
    wider_for: float = 2.0
    closed_level: float = 0.3
    closed_most: float = 0.45
    learn_closed: bool = True
    closing: float = 0.55
    reopening: float = 0.7
    noise_margin: float = 4.0
    closing_least: float = 0.35
    shut: float = 0.2
    blink_shortest: float = 0.045
    blink_brief: float = 0.08
    blink_longest: float = 0.5
    microsleep: float = 1.5
    wake: float = 0.5
    gap: float = 0.5
    window: float = 60.0
    window_least: float = 20.0
    perclos_tired: float = 0.075
    perclos_drowsy: float = 0.15
    closures_tired: int = 2
    closures_drowsy: int = 4
    yawn_open: float = 0.45
    yawn_closed: float = 0.3
    yawn_shortest: float = 2.0
    yawns_tired: int = 2
    yawn_window: float = 300.0
    nod_angle: float = 12.0
    nod_back: float = 6.0
    nod_fall: float = 1.0
    nod_longest: float = 3.0
    nods_tired: int = 2
    pitch_memory: float = 20.0
    absent_after: float = 1.0
    recovery: float = 15.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            object.__setattr__(self, name, check_number(getattr(self, name), name, low, high))
        for name in _COUNTS:
            object.__setattr__(self, name, check_integer(getattr(self, name), name, 1, 10_000))
        check_flag(self.learn_closed, "learn_closed")
        for small, large in _ORDER:
            if getattr(self, small) > getattr(self, large):
                raise InvalidInputError(
                    f"{small} is {getattr(self, small):g} and {large} {getattr(self, large):g};"
                    " expected the first to be at most the second"
                )

    def to_dict(self) -> dict[str, float]:
        """Return the thresholds by name."""
        return dataclasses.asdict(self)
