"""Drawing: landmarks on pictures, sheets of pictures, curves of errors."""

from classicface.plotting.curves import plot_ced, plot_nme_curve, save_figure
from classicface.plotting.drawing import draw_landmarks, grid

__all__ = ["draw_landmarks", "grid", "plot_ced", "plot_nme_curve", "save_figure"]
