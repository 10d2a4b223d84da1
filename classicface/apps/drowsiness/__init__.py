"""Drowsiness over time: blinks, PERCLOS, yawns, nods, and the state that follows from them."""

from classicface.apps.drowsiness.limits import DrowsinessLimits
from classicface.apps.drowsiness.monitor import DrowsinessMonitor
from classicface.apps.drowsiness.record import DrowsinessRecord, measure_drowsiness
from classicface.apps.drowsiness.state import KINDS, STATES, DrowsinessEvent, DrowsinessState

__all__ = [
    "KINDS",
    "STATES",
    "DrowsinessEvent",
    "DrowsinessLimits",
    "DrowsinessMonitor",
    "DrowsinessRecord",
    "DrowsinessState",
    "measure_drowsiness",
]
