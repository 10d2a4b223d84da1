"""Synthetic faces with exact landmarks: data for tests and demonstrations without a download."""

from classicface.data.synthetic._modes import IDENTITY_MODES
from classicface.data.synthetic.faces import draw_face, synthetic_faces
from classicface.data.synthetic.parameters import FaceParameters, random_face

__all__ = ["IDENTITY_MODES", "FaceParameters", "draw_face", "random_face", "synthetic_faces"]
