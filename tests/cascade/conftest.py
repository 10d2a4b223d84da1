"""What the tests of the tree cascade share: a tiny cascade, and a set of drawn faces for it."""

from typing import Any

import pytest

from classicface.cascade.ert import ERTFitter
from classicface.data.dataset import LandmarkDataset

#: Trains in some hundredths of a second. Every parameter is here, so that defaults may change.
TINY: dict[str, Any] = {
    "n_stages": 3,
    "n_trees": 8,
    "depth": 3,
    "oversampling": 6,
    "n_pixels": 40,
    "n_candidates": 8,
    "node_samples": 8192,
    "shrinkage": 0.1,
    "min_leaf": 1,
    "distance_prior": 0.1,
    "padding": 0.0,
    "n_directions": 16,
    "shift_jitter": 0.09,
    "scale_jitter": 0.09,
    "rotation_jitter": 10.0,
    "noise": 0.3,
    "light_jitter": 0.25,
    "face_size": 80,
    "margin": 0.5,
    "n_starts": 1,
    "flip": False,
    "random_state": 0,
    "n_jobs": 1,
}


@pytest.fixture(scope="session")
def tiny() -> Any:
    """Return what makes an unfitted tiny cascade."""

    def make(**changes: Any) -> ERTFitter:
        return ERTFitter(**{**TINY, **changes})

    return make


@pytest.fixture(scope="session")
def few(faces: LandmarkDataset) -> LandmarkDataset:
    """Return eight drawn faces."""
    return faces.subset(range(8))


@pytest.fixture(scope="session")
def fitted(tiny: Any, few: LandmarkDataset) -> ERTFitter:
    """Return a fitted tiny cascade; it is immutable."""
    fitter: ERTFitter = tiny().fit(few)
    return fitter
