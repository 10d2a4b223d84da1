"""Batch normalisation, with the rectifier that follows it, and dropout."""

from __future__ import annotations

import numpy as np

from classicface.cnn import _kernels
from classicface.cnn.graph import Node
from classicface.cnn.layer import Array, Cache, Grads, Layer, Params, fold, lanes, tile
from classicface.cnn.memory import empty

__all__ = ["BATCH_NORM", "DROPOUT", "EPSILON", "batch_norm_statistics"]

#: Added to variances before their root is taken.
EPSILON = 1e-5


def _batch_norm(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    """Normalise each channel (Ioffe and Szegedy 2015), by the statistics of x in training."""
    x = xs[0]
    channels = x.shape[-1]
    n_pixels = x.size // channels
    together = lanes(n_pixels, channels)
    rows = x.reshape(-1, together * channels)
    if training:
        mean, variance = _moments(rows, channels, n_pixels)
    else:
        mean = params["mean"].astype(np.float64)
        variance = params["variance"].astype(np.float64)
    inverse = 1 / np.sqrt(variance + EPSILON)
    gain = params["scale"] * inverse
    offset = params["shift"] - mean * gain
    wide = tile(gain, together), tile(offset, together)
    y = empty(x.shape)
    _kernels.affine(rows, *wide, node.relu, y.reshape(rows.shape))
    return y, (x, mean, variance, gain, wide, node.relu, training)


def _moments(rows: Array, channels: int, n_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the means and the variances of the channels, in float64.

    The squares are taken around the first pixel, so that nothing cancels where a mean is large.
    """
    together = rows.shape[1] // channels
    center = rows[0, :channels]
    sums = np.zeros((2, rows.shape[1]))
    _kernels.moments(rows, tile(center, together), sums)
    first, second = fold(sums, channels) / n_pixels
    return center + first, np.maximum(second - first * first, 0.0)


def _batch_norm_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, mean, variance, gain, wide, relu, training = cache
    channels = x.shape[-1]
    n_pixels = x.size // channels
    together = len(wide[0]) // channels
    rows = x.reshape(-1, together * channels)
    rows_dy = dy.reshape(rows.shape)
    sums = np.zeros((2, rows.shape[1]))
    _kernels.affine_sums(rows_dy, rows, *wide, tile(mean, together), relu, sums)
    first, second = fold(sums, channels)
    inverse = 1 / np.sqrt(variance + EPSILON)
    grads = {
        "scale": (second * inverse).astype(np.float32),
        "shift": first.astype(np.float32),
    }
    if not need_input:
        return (None,), grads
    slope = -gain * inverse * inverse * second / n_pixels if training else np.zeros(channels)
    constant = -gain * first / n_pixels - slope * mean if training else np.zeros(channels)
    dx = empty(x.shape)
    _kernels.affine_backward(
        rows_dy,
        rows,
        *wide,
        tile(slope, together),
        tile(constant, together),
        relu,
        dx.reshape(rows.shape),
    )
    return (dx,), grads


def batch_norm_statistics(cache: Cache) -> tuple[Array, Array]:
    """Return the mean and the unbiased variance of each channel that a pass in training saw."""
    x, mean, variance = cache[:3]
    n_pixels = x.size // x.shape[-1]
    unbiased = variance * (n_pixels / max(n_pixels - 1, 1))
    return mean.astype(np.float32), unbiased.astype(np.float32)


def _dropout(
    xs: tuple[Array, ...],
    params: Params,
    node: Node,
    training: bool,
    rng: np.random.Generator | None,
) -> tuple[Array, Cache]:
    """Set a share of the values to zero and enlarge the others (Srivastava et al. 2014)."""
    x = xs[0]
    if not training or node.rate == 0 or rng is None:
        return x, (None,)
    keep = 1 - node.rate
    mask = (rng.random(x.shape, np.float32) < keep) * np.float32(1 / keep)
    return x * mask, (mask,)


def _dropout_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    mask = cache[0]
    return (dy if mask is None else dy * mask,), {}


BATCH_NORM = Layer(_batch_norm, _batch_norm_backward)
DROPOUT = Layer(_dropout, _dropout_backward)
