"""Compiled kernels of the layers: maps are float32, channels last and contiguous.

Each kernel runs in one thread, frees the interpreter and sums in a fixed order, so results do not
depend on how many threads run kernels side by side. Where a kernel reads *rows*, the caller has
laid several pixels of a map into one row, so that the innermost loops are long however few the
channels; arrays for each channel are then repeated to the width of a row.
"""

from __future__ import annotations

import numpy as np
from numba import njit

kernel = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"}
)

#: Of the maps' type: a plain 0 or 1 beside a float32 would make numba reckon in float64.
ZERO, ONE = np.float32(0), np.float32(1)

# Rows that are summed in float32 before the sum goes to a float64 one.
_BLOCK = 32


@kernel
def _reach(tap, pad, stride, size, n_out):
    """Return the first output pixel, and the one after the last, whose tap lies inside."""
    low = max(0, (pad - tap + stride - 1) // stride)
    high = min(n_out, (size - 1 + pad - tap) // stride + 1)
    return low, high


@kernel
def depthwise(x, taps, stride, pad, bias, out):
    """Filter every channel of x (n, h, w, c) with its own kernel; writes out (n, h', w', c).

    taps (k, k, w', c) repeats the weights for every pixel of a row; bias (w', c) too.
    """
    n, height, width, c = x.shape
    k = taps.shape[0]
    out_height, out_width = out.shape[1:3]
    rows = x.reshape(n, height, -1)
    flat_bias = bias.reshape(-1)
    weights = taps.reshape(k, k, -1)
    for image in range(n):
        for oy in range(out_height):
            to = out[image, oy].reshape(-1)
            for j in range(to.size):
                to[j] = flat_bias[j]
            for ky in range(k):
                y = oy * stride + ky - pad
                if y < 0 or y >= height:
                    continue
                for kx in range(k):
                    low, high = _reach(kx, pad, stride, width, out_width)
                    run = (high - low) * c if stride == 1 else c
                    for ox in range(low, high, max(high - low, 1) if stride == 1 else 1):
                        a = rows[image, y, (ox * stride + kx - pad) * c :]
                        b = weights[ky, kx, ox * c :]
                        o = to[ox * c :]
                        for j in range(run):
                            o[j] += a[j] * b[j]


@kernel
def depthwise_backward(dy, x, taps, stride, pad, need_input, dx, sums):
    """Write dx where needed, and add the gradient of the taps to sums (k, k, w', c) of float64."""
    n, height, width, c = x.shape
    k = taps.shape[0]
    out_height, out_width = dy.shape[1:3]
    rows = x.reshape(n, height, -1)
    weights = taps.reshape(k, k, -1)
    totals = sums.reshape(k, k, -1)
    partial = np.zeros((k, k, out_width * c), np.float32)
    for image in range(n):
        if need_input:
            dx[image] = ZERO
        for oy in range(out_height):
            g = dy[image, oy].reshape(-1)
            for ky in range(k):
                y = oy * stride + ky - pad
                if y < 0 or y >= height:
                    continue
                row = dx[image, y].reshape(-1) if need_input else g
                for kx in range(k):
                    low, high = _reach(kx, pad, stride, width, out_width)
                    run = (high - low) * c if stride == 1 else c
                    for ox in range(low, high, max(high - low, 1) if stride == 1 else 1):
                        left = (ox * stride + kx - pad) * c
                        a = rows[image, y, left:]
                        b = weights[ky, kx, ox * c :]
                        s = partial[ky, kx, ox * c :]
                        o = g[ox * c :]
                        if need_input:
                            to = row[left:]
                            for j in range(run):
                                to[j] += o[j] * b[j]
                        for j in range(run):
                            s[j] += o[j] * a[j]
        for ky in range(k):
            for kx in range(k):
                for j in range(out_width * c):
                    totals[ky, kx, j] += partial[ky, kx, j]
                    partial[ky, kx, j] = 0


@kernel
def column_sums(rows, sums):
    """Add the columns of rows (m, width) to sums (width,) of float64."""
    m, width = rows.shape
    partial = np.zeros(width, np.float32)
    for start in range(0, m, _BLOCK):
        for i in range(start, min(start + _BLOCK, m)):
            row = rows[i]
            for j in range(width):
                partial[j] += row[j]
        for j in range(width):
            sums[j] += partial[j]
            partial[j] = 0


@kernel
def moments(rows, center, sums):
    """Add sum and sum of squares of rows - center to sums (2, width) of float64."""
    m, width = rows.shape
    first = np.zeros(width, np.float32)
    second = np.zeros(width, np.float32)
    for start in range(0, m, _BLOCK):
        for i in range(start, min(start + _BLOCK, m)):
            row = rows[i]
            for j in range(width):
                d = row[j] - center[j]
                first[j] += d
                second[j] += d * d
        for j in range(width):
            sums[0, j] += first[j]
            sums[1, j] += second[j]
            first[j] = 0
            second[j] = 0


@kernel
def affine(rows, gain, offset, rectify, out):
    """Write rows * gain + offset to out, with negative values cut to zero where asked."""
    m, width = rows.shape
    for i in range(m):
        row, to = rows[i], out[i]
        if rectify:
            for j in range(width):
                v = row[j] * gain[j] + offset[j]
                to[j] = ZERO if v < ZERO else v
        else:
            for j in range(width):
                to[j] = row[j] * gain[j] + offset[j]


@kernel
def affine_sums(dy, rows, gain, offset, center, rectify, sums):
    """Add to sums (2, width) of float64: dy, and dy * (rows - center), behind the rectifier."""
    m, width = rows.shape
    first = np.zeros(width, np.float32)
    second = np.zeros(width, np.float32)
    for start in range(0, m, _BLOCK):
        for i in range(start, min(start + _BLOCK, m)):
            row, g = rows[i], dy[i]
            for j in range(width):
                v = row[j] * gain[j] + offset[j]
                d = ZERO if rectify and v <= ZERO else g[j]
                first[j] += d
                second[j] += d * (row[j] - center[j])
        for j in range(width):
            sums[0, j] += first[j]
            sums[1, j] += second[j]
            first[j] = 0
            second[j] = 0


@kernel
def affine_backward(dy, rows, gain, offset, slope, constant, rectify, dx):
    """Write gain * dy behind the rectifier + slope * rows + constant to dx."""
    m, width = rows.shape
    for i in range(m):
        row, g, to = rows[i], dy[i], dx[i]
        for j in range(width):
            v = row[j] * gain[j] + offset[j]
            d = ZERO if rectify and v <= ZERO else gain[j] * g[j]
            to[j] = d + slope[j] * row[j] + constant[j]
