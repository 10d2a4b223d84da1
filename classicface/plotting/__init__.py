"""Drawing: landmarks, tracks, regions and poses on pictures, sheets of pictures, error curves."""

from classicface.plotting.curves import plot_ced, plot_nme_curve, save_figure
from classicface.plotting.drawing import draw_landmarks, grid
from classicface.plotting.labels import draw_boxes, draw_tracks, identity_color
from classicface.plotting.overlays import draw_pose, draw_regions
from classicface.plotting.sheets import before_after, labelled_grid

__all__ = [
    "before_after",
    "draw_boxes",
    "draw_landmarks",
    "draw_pose",
    "draw_regions",
    "draw_tracks",
    "grid",
    "identity_color",
    "labelled_grid",
    "plot_ced",
    "plot_nme_curve",
    "save_figure",
]
