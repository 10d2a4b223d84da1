"""Synthetic faces with exact landmarks: data for tests and demonstrations without a download."""

from classicface.data.synthetic._modes import IDENTITY_MODES
from classicface.data.synthetic.faces import draw_face, synthetic_faces
from classicface.data.synthetic.film import (
    Actor,
    FilmFrame,
    blink_lids,
    photograph_film,
    synthetic_film,
)
from classicface.data.synthetic.parameters import FaceParameters, random_face

__all__ = [
    "IDENTITY_MODES",
    "Actor",
    "FaceParameters",
    "FilmFrame",
    "blink_lids",
    "draw_face",
    "photograph_film",
    "random_face",
    "synthetic_faces",
    "synthetic_film",
]
