"""What the tests of the appearance models share: small shape models, smooth pictures, a scale."""

from typing import Any

import numpy as np
import pytest

from classicface.aam.fitting import Scale
from classicface.aam.pattern import holistic_pattern, patch_pattern
from classicface.image.frame import ReferenceFrame
from classicface.shape.pdm import PointDistributionModel

#: The parameters that `Scale` goes by; every one is here, so that defaults may change.
PARAMS: dict[str, Any] = {
    "features": "hog",
    "cell": 2,
    "algorithm": "wiberg",
    "shape_prior": 0.0,
    "n_std": 3.0,
    "max_iterations": 60,
    "tolerance": 1e-4,
}

# Nine points, far enough from one another for patches that do not overlap.
GRID = np.stack(np.meshgrid([-1.0, 0.05, 1.0], [-1.0, 0.0, 0.9], indexing="ij"), -1).reshape(9, 2)


class Waves:
    """Smooth feature images: a few slow plane waves a channel, of any two coordinates."""

    def __init__(self, seed: int, n_channels: int, size: float, shortest: float) -> None:
        rng = np.random.default_rng(seed)
        angles = rng.uniform(0, 2 * np.pi, (n_channels, 4))
        lengths = rng.uniform(shortest, 2 * shortest, (n_channels, 4)) * size
        self.across = 2 * np.pi / lengths * np.cos(angles)
        self.down = 2 * np.pi / lengths * np.sin(angles)
        self.phases = rng.uniform(0, 2 * np.pi, (n_channels, 4))

    def __call__(self, x: Any, y: Any) -> Any:
        """Return (..., C) for coordinates of shape (...)."""
        x, y = np.asarray(x)[..., None, None], np.asarray(y)[..., None, None]
        return np.sin(self.across * x + self.down * y + self.phases).sum(axis=-1)

    def image(self, size: int) -> Any:
        """Return the feature image (size, size, C)."""
        y, x = np.mgrid[:size, :size]
        return np.ascontiguousarray(self(x, y), dtype=np.float32)


def make_scale(
    parts: bool,
    appearance: Any = None,
    *,
    face_size: float = 100.0,
    spacing: float = 3.0,
    side: int = 6,
    n_components: int = 3,
    **changes: Any,
) -> tuple[Scale, PointDistributionModel]:
    """Build a scale on nine points; `appearance(pattern, frame)` gives template and basis."""
    rng = np.random.default_rng(3)
    shapes = GRID + 0.04 * rng.standard_normal((30, 9, 2))
    model = PointDistributionModel.fit(shapes, n_components)
    frame = ReferenceFrame.build(model.mean, face_size, 0.3)
    pattern = patch_pattern(9, side, spacing) if parts else holistic_pattern(frame, spacing)
    if appearance is None:
        template, basis = np.zeros(pattern.n_samples, np.float32), np.zeros((0, pattern.n_samples))
    else:
        template, basis = appearance(pattern, frame)
    scale = Scale.build(
        *(frame, pattern, model, (template, basis.astype(np.float32), 0.01)),
        *({**PARAMS, **changes}, face_size),
    )
    return scale, model


@pytest.fixture(scope="session")
def waves() -> type[Waves]:
    """Return what makes smooth feature images."""
    return Waves


@pytest.fixture(scope="session")
def scale_of() -> Any:
    """Return what makes a scale on nine points."""
    return make_scale
