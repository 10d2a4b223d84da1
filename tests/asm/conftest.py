"""What the tests of the active shape models share: small models, and drawn faces for them."""

from typing import Any

import pytest

from classicface.asm.model import ASMFitter
from classicface.data.dataset import LandmarkDataset

#: Trains in a fraction of a second. Every parameter that matters is here: defaults may change.
SMALL_ASM: dict[str, Any] = {
    "face_sizes": (20.0, 40.0),
    "n_iterations": 2,
    "n_starts": 1,
    "patch_side": 3,
    "spacing": 4.0,
    "rings": (8.0,),
    "cell": 2,
    "profile_reach": 3,
    "search_reach": 3,
    "correlation": 0.5,
    "ridge": 0.003,
    "oversampling": 4,
    "n_folds": 4,
    "random_state": 0,
    "n_jobs": 1,
}


@pytest.fixture(scope="session")
def small_asm() -> Any:
    """Return what makes an unfitted small active shape model."""

    def make(**changes: Any) -> ASMFitter:
        return ASMFitter(**{**SMALL_ASM, **changes})

    return make


@pytest.fixture(scope="session")
def dozen(faces: LandmarkDataset) -> LandmarkDataset:
    """Return twelve drawn faces."""
    return faces.subset(range(12))


@pytest.fixture(scope="session")
def fitted_asm(small_asm: Any, dozen: LandmarkDataset) -> ASMFitter:
    """Return a fitted small active shape model; it is immutable."""
    fitter: ASMFitter = small_asm().fit(dozen)
    return fitter
