"""The maps from the boxes of the built-in face detectors to landmark boxes, measured on data.

The 870 faces of the HELEN training set, each at a random size (50 to 100 % of the crop), as
``benchmarks/measure_box_maps.py`` prints them.
"""

from __future__ import annotations

from classicface.shape.boxes import IDENTITY, BoxMap

__all__ = ["BOX_MAPS"]

#: Detector name -> map. ``landmarks`` is for boxes that already are landmark boxes.
BOX_MAPS: dict[str, BoxMap] = {
    "landmarks": IDENTITY,
    "hog": BoxMap(0.006, 0.080, 0.986, (0.084, 0.053, 0.090)),
    "haar": BoxMap(0.007, 0.148, 0.888, (0.083, 0.046, 0.108)),
    "lbp": BoxMap(0.003, 0.145, 0.869, (0.079, 0.042, 0.092)),
}
