"""Training: grey profiles along the normals, and the landmarks on whose lines the normals stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["learn_profiles", "line_neighbours"]

# Share of the mean variance that is added to the profiles' covariance, and the least.
_RIDGE, _LEAST_VARIANCE = 0.05, 1e-6

Floats = NDArray[np.float32]


def learn_profiles(profiles: Floats) -> tuple[Floats, Floats]:
    """Return mean and inverse covariance of each landmark's profiles.

    Parameters
    ----------
    profiles : ndarray of float32, shape (n_faces, L, n)

    Returns
    -------
    means : ndarray of float32, shape (L, n)
    inverses : ndarray of float32, shape (L, n, n)
    """
    values = profiles.astype(np.float64)
    means = values.mean(axis=0)
    centered = (values - means).transpose(1, 2, 0)
    covariances = centered @ centered.transpose(0, 2, 1) / len(values)
    n = values.shape[2]
    floor = _RIDGE * np.trace(covariances, axis1=1, axis2=2) / n + _LEAST_VARIANCE
    inverses = np.linalg.inv(covariances + floor[:, None, None] * np.eye(n))
    return means.astype(np.float32), inverses.astype(np.float32)


def line_neighbours(
    lines: Sequence[tuple[Sequence[int], bool]], mean: NDArray[np.floating]
) -> NDArray[np.int32]:
    """Return for each landmark the two between which the line lies that its normal stands on.

    Those before and after it on its line; at an end, itself and the one beside it. A landmark on
    no line takes the two that are nearest to it on the mean shape.

    Parameters
    ----------
    lines : sequence of (indices, closed)
        As in `classicface.LandmarkScheme`.
    mean : ndarray, shape (L, 2)

    Returns
    -------
    ndarray of int32, shape (L, 2)
    """
    distances = np.linalg.norm(mean[:, None] - mean[None], axis=2)
    order = np.argsort(distances, axis=1, kind="stable")
    neighbours = order[:, [min(1, len(mean) - 1), min(2, len(mean) - 1)]].astype(np.int32)
    done: set[int] = set()
    for indices, closed in lines:
        last = len(indices) - 1
        for i, landmark in enumerate(indices):
            if landmark in done or last < 1:
                continue
            done.add(landmark)
            before = indices[i - 1] if i > 0 or closed else landmark
            after = indices[(i + 1) % (last + 1)] if i < last or closed else landmark
            neighbours[landmark] = before, after
    return neighbours
