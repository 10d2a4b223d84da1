"""Schedules of the learning rate: its factor from how much of the training is done."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["SCHEDULES", "constant", "cosine", "one_cycle"]

# Of the peak: where the one-cycle schedule starts and where it ends.
_START, _END = 1 / 25, 1e-4


def constant(progress: float, warm_up: float = 0.0) -> float:
    """Return one, after a linear rise from zero over the share `warm_up` of the training."""
    return min(1.0, progress / warm_up) if warm_up > 0 else 1.0


def cosine(progress: float, warm_up: float = 0.0) -> float:
    """Return a fall to zero along a cosine, after a linear rise (Loshchilov and Hutter 2017)."""
    if progress < warm_up:
        return progress / warm_up
    return _ease(1.0, 0.0, (progress - warm_up) / (1 - warm_up) if warm_up < 1 else 0.0)


def one_cycle(progress: float, warm_up: float = 0.3) -> float:
    """Return a rise from 1/25, then a fall to 1/10000, both along a cosine (Smith 2018)."""
    if progress < warm_up:
        return _ease(_START, 1.0, progress / warm_up)
    return _ease(1.0, _END, (progress - warm_up) / (1 - warm_up) if warm_up < 1 else 0.0)


def _ease(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


#: The schedules by name.
SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "cosine": cosine,
    "one_cycle": one_cycle,
}
