"""Face detectors behind one interface: each gives landmark boxes, whatever boxes it draws."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any

from classicface.detect.base import Detections, Detector, non_maximum_suppression
from classicface.detect.calibration import calibrate
from classicface.detect.custom import CustomDetector
from classicface.detect.hog import HogDetector
from classicface.detect.viola_jones import HaarDetector, LBPDetector
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import BoxMap

__all__ = [
    "CustomDetector",
    "Detections",
    "Detector",
    "HaarDetector",
    "HogDetector",
    "LBPDetector",
    "available_detectors",
    "calibrate",
    "get_detector",
    "non_maximum_suppression",
]

# The best first.
_DETECTORS: dict[str, type[Detector]] = {
    "hog": HogDetector,
    "haar": HaarDetector,
    "lbp": LBPDetector,
}


def available_detectors() -> tuple[str, ...]:
    """Return the names of the detectors that can be used here, the best first."""
    has_dlib = importlib.util.find_spec("dlib") is not None
    return tuple(name for name in _DETECTORS if name != "hog" or has_dlib)


def get_detector(
    detector: str | Detector | Callable[[Any], Any] | None = None,
    box_map: BoxMap | None = None,
    **parameters: Any,
) -> Detector:
    """Return a face detector.

    Parameters
    ----------
    detector : str, Detector, callable or None
        ``"hog"`` (needs dlib), ``"haar"`` or ``"lbp"``; a detector; a function that takes a
        picture and returns boxes (see `CustomDetector`); None for the best that is installed.
    box_map : BoxMap, optional
        From the detector's boxes to landmark boxes, in place of its own.
    **parameters
        What the detector takes, such as ``min_face``, ``max_side``.

    Raises
    ------
    InvalidInputError
        An unknown name or parameter.
    MissingDependencyError
        The detector's library is not installed.

    Examples
    --------
    >>> from classicface.detect import get_detector
    >>> get_detector("haar", min_face=80).name
    'haar'
    """
    if detector is None:
        detector = available_detectors()[0]
    if box_map is not None:
        parameters["box_map"] = box_map
    try:
        if isinstance(detector, Detector):
            return dataclasses.replace(detector, **parameters) if parameters else detector  # type: ignore[type-var]
        if isinstance(detector, str) and detector in _DETECTORS:
            return _DETECTORS[detector](**parameters)
        if callable(detector):
            return CustomDetector(detector, **parameters)
    except TypeError as error:
        raise InvalidInputError(f"unknown parameter of the face detector: {error}") from None
    raise InvalidInputError(
        f"unknown face detector {detector!r}; known are {', '.join(_DETECTORS)}, or pass a function"
    )
