"""Alignment: face chips for recognition, and the frontal warp."""

from classicface.apps.align.chips import FaceChip, align_face, align_faces, check_alignment
from classicface.apps.align.frontal import FrontalFace, frontalize
from classicface.apps.align.templates import TEMPLATES, ChipTemplate

__all__ = [
    "TEMPLATES",
    "ChipTemplate",
    "FaceChip",
    "FrontalFace",
    "align_face",
    "align_faces",
    "check_alignment",
    "frontalize",
]
