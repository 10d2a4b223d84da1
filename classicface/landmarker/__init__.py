"""Landmarker: a detector, a predictor and a tracker in one object."""

from classicface.landmarker.faces import Faces
from classicface.landmarker.model import Landmarker
from classicface.landmarker.tracker import FaceTracker, TrackerOptions

__all__ = ["FaceTracker", "Faces", "Landmarker", "TrackerOptions"]
