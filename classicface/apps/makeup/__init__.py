"""Virtual make-up by landmarks."""

from classicface.apps.makeup._colors import Paint
from classicface.apps.makeup.paint import MovingMakeup, apply_makeup, makeup_masks
from classicface.apps.makeup.settings import LOOKS, Makeup

__all__ = [
    "LOOKS",
    "Makeup",
    "MovingMakeup",
    "Paint",
    "apply_makeup",
    "makeup_masks",
]
