"""Head pose from landmarks: a deformable head fitted to them."""

from classicface.apps.pose.fit import HeadPose, PinholeCamera, head_pose
from classicface.shape.rotations import rotation_angles, rotation_matrix

__all__ = [
    "HeadPose",
    "PinholeCamera",
    "head_pose",
    "rotation_angles",
    "rotation_matrix",
]
