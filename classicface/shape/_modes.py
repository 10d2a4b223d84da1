"""Principal components of aligned shapes: learnt at once, or merged with older ones."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from classicface.shape.missing import complete_landmarks
from classicface.shape.procrustes import (
    check_spread,
    mean_poses,
    procrustes_analysis,
    similarity_basis,
)
from classicface.shape.similarity import apply_similarity, invert_similarity
from classicface.validation import check_integer, check_number

__all__ = ["Modes", "check_n_components", "learn_modes", "merge_modes"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

#: Variances below this, of shapes of size 1, are the rounding of float32 coordinates.
_FLOOR = 1e-12


class Modes(NamedTuple):
    """The numbers of a point distribution model, its components as rows of 2 n_landmarks."""

    mean: Floats
    rows: Floats
    variances: Floats
    noise_variance: float
    n_samples: int


def check_n_components(n_components: int | float | None) -> None:
    """Refuse what is neither a count, nor a share of the variance, nor None."""
    if isinstance(n_components, (float, np.floating)):
        check_number(n_components, "n_components", 1e-6, 1.0)
    elif n_components is not None:
        check_integer(n_components, "n_components", 0)


def learn_modes(shapes: Floats, n_components: int | float | None) -> Modes:
    """Align shapes, (n, n_landmarks, 2), and return their mean and principal components."""
    with threadpool_limits(1, user_api="blas"):  # the sums run in the same order on any machine
        if np.isnan(shapes).any():
            shapes = complete_landmarks(shapes).astype(np.float64)
        result = procrustes_analysis(shapes)
        rows = result.aligned.reshape(len(shapes), -1)
        rows = rows - rows.mean(axis=0)
        none = np.zeros((0, rows.shape[1]))
        return _principal(result.mean, rows, none, 0.0, len(shapes), n_components)


def merge_modes(old: Modes, shapes: Floats, n_components: int | float | None) -> Modes:
    """Return the modes of the old shapes and of new, complete ones (Ross et al., IJCV 2008).

    With N old shapes and n new ones, in the tangent plane of the old mean: the mean moves by
    n / (N + n) of the way to the mean of the new shapes, and the scatter matrix is that of the old
    components, plus that of the new shapes about their own mean, plus N n / (N + n) of the square
    of the way between the means (equation 3 there).
    """
    with threadpool_limits(1, user_api="blas"):
        check_spread(shapes)
        aligned = apply_similarity(invert_similarity(mean_poses(shapes, old.mean)), shapes)
        offsets = (aligned - old.mean).reshape(len(shapes), -1)
        way = offsets.mean(axis=0)
        n_old, n_new = old.n_samples, len(shapes)
        moved = old.mean + (n_new / (n_old + n_new) * way).reshape(old.mean.shape)
        size = float(np.linalg.norm(moved))
        scatter = np.concatenate(
            [
                np.sqrt((n_old - 1) * old.variances)[:, None] * old.rows,
                offsets - way,
                np.sqrt(n_old * n_new / (n_old + n_new)) * way[None],
            ]
        )
        lost = (n_old - 1) * old.noise_variance / size**2
        return _principal(moved / size, scatter / size, old.rows, lost, n_old + n_new, n_components)


def _principal(
    mean: Floats,
    scatter: Floats,
    held: Floats,
    lost: float,
    n_samples: int,
    n_components: int | float | None,
) -> Modes:
    """Return the principal components of a scatter matrix, free of similarities of the mean.

    The scatter matrix is ``scatter.T @ scatter``, plus `lost` in every direction that is
    orthogonal to the rows of `held` and to the similarities.
    """
    basis = similarity_basis(mean)
    freedom = max(1, n_samples - 1)
    n_dimensions = max(0, mean.size - 4)
    scatter = scatter - (scatter @ basis.T) @ basis
    _, values, rows = np.linalg.svd(scatter, full_matrices=False)
    real = values**2 > _FLOOR * freedom
    open_share = 1.0 - np.sum((rows @ held.T) ** 2, axis=1)
    variances = (values**2 + lost * np.clip(open_share, 0.0, 1.0))[real] / freedom
    order = np.argsort(-variances, kind="stable")[:n_dimensions]
    variances, rows = variances[order], rows[real][order]
    n_lost = max(0, n_dimensions - len(held))
    total = (float(np.sum(values**2)) + lost * n_lost) / freedom
    k = _count(variances, total, n_components)
    rest = max(0.0, total - float(variances[:k].sum()))
    noise = rest / (n_dimensions - k) if k < n_dimensions else 0.0
    return Modes(mean, _tidied(rows[:k], basis), variances[:k], noise, n_samples)


def _count(variances: Floats, total: float, n_components: int | float | None) -> int:
    """Return how many of the components to keep."""
    available = len(variances)
    if n_components is None or available == 0:
        return available
    if isinstance(n_components, (float, np.floating)):
        reached = np.cumsum(variances) >= n_components * total * (1 - 1e-9)
        return int(reached.argmax()) + 1 if reached.any() else available
    if n_components > available:
        logger.info("the shapes vary in %d ways; %d were asked for", available, n_components)
    return min(int(n_components), available)


def _tidied(rows: Floats, basis: Floats) -> Floats:
    """Return rows made orthogonal to the basis and to each other, with signs that are settled."""
    rows = rows - (rows @ basis.T) @ basis
    if len(rows) == 0:
        return rows
    q, r = np.linalg.qr(rows.T)
    rows = (q * np.sign(np.diag(r))).T
    # The first of the largest coordinates is positive. In a symmetric mode two are the largest, but
    # for rounding, which must not choose.
    size = np.abs(rows)
    first = (size > 0.999 * size.max(axis=1, keepdims=True)).argmax(axis=1)
    return rows * np.sign(rows[np.arange(len(rows)), first])[:, None]
