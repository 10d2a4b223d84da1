"""The presets of `ERTFitter` and the ranges of its parameters."""

from __future__ import annotations

from typing import Any

from classicface.cascade.dlib_forest import MAX_WIDE_PIXELS
from classicface.cascade.forest import MAX_PIXELS

__all__ = ["INTEGERS", "LIMITS", "NUMBERS", "PRESETS"]

#: What the presets change of the defaults of `ERTFitter`.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "n_pixels": 400,
        "n_candidates": 20,
        "node_samples": 4096,
        "n_starts": 1,
        "flip": False,
    },
    "default": {},
    "accurate": {"n_trees": 1000, "shrinkage": 0.05, "n_candidates": 120, "n_starts": 9},
    # The size and the search of dlib/image_processing/shape_predictor_trainer.h.
    "dlib": {
        "style": "dlib",
        "n_pixels": 400,
        "n_candidates": 20,
        "node_samples": 4096,
        "n_starts": 1,
        "flip": False,
    },
}

#: Style -> the most levels of a tree and the most pixels of a stage that it can predict with. What
#: can be trained are those of the first.
LIMITS: dict[str, tuple[int, int]] = {
    "classicface": (10, MAX_PIXELS),
    "dlib": (15, MAX_WIDE_PIXELS),
}

#: Name, least, most.
INTEGERS = [
    ("n_stages", 1, 1000),
    ("n_trees", 1, 100_000),
    ("oversampling", 1, 10_000),
    ("n_candidates", 1, 10_000),
    ("node_samples", 1, 10_000_000),
    ("min_leaf", 1, 1_000_000),
    ("n_directions", 16, 4096),
    ("face_size", 8, 1024),
    ("n_starts", 1, 25),
]

#: Name, least, most.
NUMBERS = [
    ("shrinkage", 1e-6, 1.0),
    ("distance_prior", 1e-3, 1e3),
    ("padding", 0.0, 1.0),
    ("shift_jitter", 0.0, 0.4),
    ("scale_jitter", 0.0, 0.4),
    ("rotation_jitter", 0.0, 60.0),
    ("noise", 0.0, 1.0),
    ("light_jitter", 0.0, 1.0),
    ("margin", 0.0, 2.0),
]
