"""Losses of coordinates and of heatmaps, with their gradients.

A coordinate loss is a function of predicted and true points (n, L, 2) and weights (n, L), zero for
points that are missing; it returns the weighted mean over the coordinates and its gradient. A
heatmap loss is one of logits (n, h, w, L), true points (n, L, 2) in pixels of the map, weights
(n, L) and the standard deviation `sigma` of the Gaussian in pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from classicface.cnn import _loss_kernels
from classicface.cnn.memory import empty

__all__ = [
    "COORDINATE_LOSSES",
    "HEATMAP_LOSSES",
    "expectation_loss",
    "heatmap_cross_entropy",
    "heatmap_loss_of",
    "heatmap_mse",
    "mae",
    "mse",
    "smooth_l1",
    "wing",
]

Array = NDArray[np.float32]
Loss = tuple[float, Array]

# Maps that learn a Gaussian of height 1 are the logits over this, so that a softmax has a peak.
_SHARPNESS = np.float32(10)


def mse(predicted: Array, target: Array, weights: Array) -> Loss:
    """Return the mean squared error of the coordinates, and its gradient."""
    difference = predicted - target
    return _weighted(difference * difference, 2 * difference, weights)


def mae(predicted: Array, target: Array, weights: Array) -> Loss:
    """Return the mean absolute error of the coordinates, and its gradient."""
    difference = predicted - target
    return _weighted(np.abs(difference), np.sign(difference), weights)


def smooth_l1(predicted: Array, target: Array, weights: Array, beta: float = 1.0) -> Loss:
    """Return the smooth L1 loss, and its gradient (Girshick, Fast R-CNN, ICCV 2015).

    It is d^2 / (2 beta) where the error d is below beta, and abs(d) - beta / 2 beyond.
    """
    return _weighted(*_huber(predicted - target, beta), weights)


def wing(
    predicted: Array, target: Array, weights: Array, width: float = 10.0, curvature: float = 2.0
) -> Loss:
    """Return the wing loss, and its gradient (Feng et al., CVPR 2018).

    It is width * ln(1 + abs(d) / curvature) where the error d is below width, in the unit of the
    points, and abs(d) minus a constant beyond.
    """
    difference = predicted - target
    size = np.abs(difference)
    near = size < width
    constant = width - width * np.log1p(width / curvature)
    values = np.where(near, width * np.log1p(size / curvature), size - constant)
    slope = np.where(near, width / (curvature + size), 1.0)
    return _weighted(values, np.sign(difference) * slope, weights)


def heatmap_cross_entropy(logits: Array, points: Array, weights: Array, sigma: float) -> Loss:
    """Return the cross-entropy of each map's softmax to a Gaussian of sum one, and its gradient.

    The mean over the points that are present.
    """
    gradient = empty(logits.shape)
    shares, values = _shares(weights), np.zeros(weights.shape)
    for i, maps in enumerate(logits):
        flat, slopes = _flat(maps), _flat(gradient[i])
        greatest, totals = _softmax(flat, slopes)
        vertical, horizontal = _axes(maps.shape, points[i], sigma)
        vertical /= vertical.sum(axis=0)
        horizontal /= horizontal.sum(axis=0)
        _loss_kernels.cross_entropy(
            flat, vertical, horizontal, greatest, totals, shares[i], slopes, values[i]
        )
    return float((values * shares).sum()), gradient


def heatmap_mse(logits: Array, points: Array, weights: Array, sigma: float) -> Loss:
    """Return the mean squared error of each map to a Gaussian of height one, and its gradient.

    The mean over the pixels of the maps whose points are present.
    """
    gradient = empty(logits.shape)
    n_pixels = logits.shape[1] * logits.shape[2]
    shares, values = _shares(weights) / np.float32(n_pixels), np.zeros(weights.shape)
    for i, maps in enumerate(logits):
        vertical, horizontal = _axes(maps.shape, points[i], sigma)
        _loss_kernels.squared_error(
            _flat(maps), vertical, horizontal, 2 * shares[i], _flat(gradient[i]), values[i]
        )
    return float((values * shares).sum()), gradient


def expectation_loss(logits: Array, points: Array, weights: Array, beta: float = 1.0) -> Loss:
    """Return the smooth L1 loss of the mean position under each map's softmax, and its gradient.

    "Integral regression" of Sun et al. (ECCV 2018), DSNT of Nibali et al. (2018). Positions and
    `beta` are in pixels of the map; the mean over the coordinates of the points that are present.
    """
    gradient = empty(logits.shape)
    shares, value = _shares(weights) / 2, 0.0
    mean = np.empty((2, logits.shape[3]))
    for i, maps in enumerate(logits):
        slopes = _flat(gradient[i])
        _, totals = _softmax(_flat(maps), slopes)
        _loss_kernels.expectation(slopes, maps.shape[1], totals, mean)
        values, by_mean = _huber(mean - points[i].T, beta)
        value += float((values * shares[i]).sum())
        _loss_kernels.expectation_backward(maps.shape[1], totals, mean, by_mean * shares[i], slopes)
    return value, gradient


#: The coordinate losses by name.
COORDINATE_LOSSES: dict[str, Callable[..., Loss]] = {
    "mse": mse,
    "mae": mae,
    "smooth_l1": smooth_l1,
    "wing": wing,
}

#: The losses of heatmaps against a Gaussian by name.
HEATMAP_LOSSES: dict[str, Callable[..., Loss]] = {
    "cross_entropy": heatmap_cross_entropy,
    "mse": heatmap_mse,
}


def heatmap_loss_of(name: str, sigma: float, position_weight: float) -> Callable[..., Loss]:
    """Return the loss that heatmaps are trained with.

    Parameters
    ----------
    name : str
        One of `HEATMAP_LOSSES`.
    sigma : float
        Standard deviation of the Gaussian, in pixels of the map.
    position_weight : float
        How much `expectation_loss`, with a beta of half a pixel, counts besides.

    Returns
    -------
    callable
        Takes logits, points and weights as `heatmap_cross_entropy` does. Points outside of the
        map count for nothing.
    """
    loss = _softened_mse if name == "mse" else HEATMAP_LOSSES[name]

    def combined(logits: Array, points: Array, weights: Array) -> Loss:
        last = np.array([logits.shape[2] - 1, logits.shape[1] - 1], np.float32)
        inside = ((points > -0.5) & (points < last + 0.5)).all(axis=2)
        present = weights * inside
        value, gradient = loss(logits, points, present, sigma)
        if position_weight > 0:
            distance, more = expectation_loss(logits, points, present, beta=0.5)
            value += position_weight * distance
            gradient += np.float32(position_weight) * more
        return value, gradient

    return combined


def _softened_mse(logits: Array, points: Array, weights: Array, sigma: float) -> Loss:
    """Return `heatmap_mse` of maps that are the logits over their sharpness."""
    value, gradient = heatmap_mse(logits / _SHARPNESS, points, weights, sigma)
    gradient /= _SHARPNESS
    return value, gradient


def _shares(weights: Array) -> Array:
    """Return the weights divided by their sum, all zero where no point is present."""
    total = float(weights.sum(dtype=np.float64))
    return np.asarray(weights / total if total > 0 else np.zeros_like(weights), np.float32)


def _weighted(values: NDArray[np.floating], slopes: NDArray[np.floating], weights: Array) -> Loss:
    """Return the weighted mean of the coordinates' values, and the gradient from their slopes."""
    shares = _shares(weights)[..., None] / 2
    value = float((values * shares).sum(dtype=np.float64))
    return value, np.asarray(slopes * shares, np.float32)


def _huber(
    difference: NDArray[np.floating], beta: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    size = np.abs(difference)
    near = size < beta
    values = np.where(near, difference * difference / (2 * beta), size - beta / 2)
    return values, np.where(near, difference / beta, np.sign(difference))


def _flat(maps: Array) -> Array:
    return maps.reshape(-1, maps.shape[-1])


def _softmax(logits: Array, out: Array) -> tuple[Array, NDArray[np.float64]]:
    """Write exp(logits - greatest) to out; return each map's greatest logit and the sums."""
    greatest = np.empty(logits.shape[1], np.float32)
    totals = np.empty(logits.shape[1])
    _loss_kernels.softmax(logits, out, greatest, totals)
    return greatest, totals


def _axes(shape: tuple[int, ...], points: Array, sigma: float) -> tuple[Array, Array]:
    """Return the two factors (h, L) and (w, L) of the Gaussians around the points (L, 2)."""
    vertical = np.empty((shape[0], shape[2]), np.float32)
    horizontal = np.empty((shape[1], shape[2]), np.float32)
    columns = np.ascontiguousarray(points.T)
    _loss_kernels.gaussians(columns[1], float(sigma), vertical)
    _loss_kernels.gaussians(columns[0], float(sigma), horizontal)
    return vertical, horizontal
