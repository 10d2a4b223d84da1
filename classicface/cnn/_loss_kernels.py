"""Compiled kernels of the heatmap losses: maps (n, h, w, L), the landmarks innermost.

Each works in two or three passes over one picture's maps, which stay in the cache of the core, and
sums a row in float32, rows in float64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from classicface.cnn._kernels import ONE, ZERO, kernel

_LOG2_E = np.float32(1.44269504)
_HALF = np.float32(0.5)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_SMALLEST = np.float32(-87.0)
_BIAS = np.int32(127)
_MANTISSA = np.int32(23)
_C = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1)
)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _exp(x):
    """Return exp(x) for x <= 0 to one unit in the last place; unlike np.exp it vectorises.

    The polynomial is that of expf in the Cephes library (Moshier).
    """
    x = max(x, _SMALLEST)
    power = np.floor(x * _LOG2_E + _HALF)
    r = x - power * _LN2_HIGH - power * _LN2_LOW
    p = (((_C[0] * r + _C[1]) * r + _C[2]) * r + _C[3]) * r + _C[4]
    p = (p * r + _HALF) * r * r + r + ONE
    return p * np.int32((np.int32(power) + _BIAS) << _MANTISSA).view(np.float32)


@kernel
def gaussians(centers, sigma, out):
    """Write exp(-(i - center)^2 / (2 sigma^2)) of every pixel i of an axis to out (size, L)."""
    size, n_points = out.shape
    scale = np.float32(-0.5 / (sigma * sigma))
    for i in range(size):
        row = out[i]
        place = np.float32(i)
        for j in range(n_points):
            d = place - centers[j]
            row[j] = _exp(d * d * scale)


@kernel
def softmax(logits, out, greatest, totals):
    """Write exp(logits - greatest) of maps (h * w, L) to out, its sums to totals (L,) float64."""
    size, n_points = logits.shape
    for j in range(n_points):
        greatest[j] = logits[0, j]
        totals[j] = 0.0
    for i in range(1, size):
        row = logits[i]
        for j in range(n_points):
            greatest[j] = row[j] if row[j] > greatest[j] else greatest[j]
    partial = np.zeros(n_points, np.float32)
    for start in range(0, size, 32):
        for i in range(start, min(start + 32, size)):
            row, to = logits[i], out[i]
            for j in range(n_points):
                e = _exp(row[j] - greatest[j])
                to[j] = e
                partial[j] += e
        for j in range(n_points):
            totals[j] += partial[j]
            partial[j] = ZERO


@kernel
def cross_entropy(logits, vertical, horizontal, greatest, totals, weights, gradient, values):
    """Turn gradient, which holds what `softmax` wrote, into weights * (softmax - target).

    The target is vertical (h, L) * horizontal (w, L), both of sum one. Adds the cross-entropy of
    every map to values (L,).
    """
    height, n_points = vertical.shape
    width = horizontal.shape[0]
    scale = np.empty(n_points, np.float32)
    partial = np.zeros(n_points, np.float32)
    for j in range(n_points):
        scale[j] = weights[j] / totals[j]
        values[j] += np.log(totals[j]) + greatest[j]
    for y in range(height):
        v = vertical[y]
        for x in range(width):
            u, z, to = horizontal[x], logits[y * width + x], gradient[y * width + x]
            for j in range(n_points):
                target = v[j] * u[j]
                partial[j] += target * z[j]
                to[j] = to[j] * scale[j] - weights[j] * target
        for j in range(n_points):
            values[j] -= partial[j]
            partial[j] = ZERO


@kernel
def squared_error(logits, vertical, horizontal, weights, gradient, values):
    """Write weights * (logits - target) to gradient, add the squared errors to values (L,)."""
    height, n_points = vertical.shape
    width = horizontal.shape[0]
    partial = np.zeros(n_points, np.float32)
    for y in range(height):
        v = vertical[y]
        for x in range(width):
            u, z, to = horizontal[x], logits[y * width + x], gradient[y * width + x]
            for j in range(n_points):
                d = z[j] - v[j] * u[j]
                partial[j] += d * d
                to[j] = weights[j] * d
        for j in range(n_points):
            values[j] += partial[j]
            partial[j] = ZERO


@kernel
def expectation(exponentials, width, totals, out):
    """Write the mean position (x, y) under each map to out (2, L) of float64."""
    size, n_points = exponentials.shape
    across = np.zeros(n_points, np.float32)
    along = np.zeros(n_points, np.float32)
    out[:] = 0.0
    for y in range(size // width):
        for x in range(width):
            e = exponentials[y * width + x]
            column = np.float32(x)
            for j in range(n_points):
                across[j] += column * e[j]
                along[j] += e[j]
        for j in range(n_points):
            out[0, j] += across[j]
            out[1, j] += y * np.float64(along[j])
            across[j] = ZERO
            along[j] = ZERO
    for j in range(n_points):
        out[0, j] /= totals[j]
        out[1, j] /= totals[j]


@kernel
def expectation_backward(width, totals, mean, slopes, gradient):
    """Turn gradient, which holds what `softmax` wrote, into that of a function of the mean.

    slopes (2, L) is the function's gradient by the mean (2, L).
    """
    size, n_points = gradient.shape
    across = np.empty(n_points, np.float32)
    constant = np.empty(n_points, np.float32)
    for j in range(n_points):
        across[j] = slopes[0, j] / totals[j]
    for y in range(size // width):
        for j in range(n_points):
            constant[j] = (slopes[1, j] * (y - mean[1, j]) - slopes[0, j] * mean[0, j]) / totals[j]
        for x in range(width):
            to = gradient[y * width + x]
            column = np.float32(x)
            for j in range(n_points):
                to[j] *= column * across[j] + constant[j]
