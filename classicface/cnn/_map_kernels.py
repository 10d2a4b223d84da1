"""Compiled kernels of the layers without a matrix product: rectifiers, pools, up-sampling.

As in `_kernels`: float32 maps, channels last and contiguous, one thread, a fixed order.
"""

from __future__ import annotations

import numpy as np

from classicface.cnn._kernels import ONE, ZERO, kernel


@kernel
def rectify(x, out):
    """Write x (size,), with negative values cut to zero, to out."""
    for j in range(x.size):
        out[j] = ZERO if x[j] < ZERO else x[j]


@kernel
def rectify_sum(a, b, out):
    """Write a + b, with negative values cut to zero, to out; all (size,)."""
    for j in range(a.size):
        v = a[j] + b[j]
        out[j] = ZERO if v < ZERO else v


@kernel
def rectify_backward(dy, y, dx):
    """Write dy where y is positive, zero else, to dx; all (size,)."""
    for j in range(dy.size):
        dx[j] = dy[j] if y[j] > ZERO else ZERO


@kernel
def leak(rows, slope, out):
    """Write rows (m, width), with negative values times slope (width,), to out."""
    m, width = rows.shape
    for i in range(m):
        row, to = rows[i], out[i]
        for j in range(width):
            to[j] = row[j] * (slope[j] if row[j] < ZERO else ONE)


@kernel
def leak_backward(dy, rows, slope, dx, sums):
    """Write the gradient of `leak`, and add that of its slope to sums (width,) of float64."""
    m, width = rows.shape
    partial = np.zeros(width, np.float32)
    for i in range(m):
        row, g, to = rows[i], dy[i], dx[i]
        for j in range(width):
            to[j] = g[j] * (slope[j] if row[j] < ZERO else ONE)
            partial[j] += g[j] * (row[j] if row[j] < ZERO else ZERO)
        if i % 32 == 31 or i == m - 1:
            for j in range(width):
                sums[j] += partial[j]
                partial[j] = 0


@kernel
def max_pool(x, size, stride, out, taps):
    """Write the greatest of each window to out, and its place, the first of equals, to taps."""
    n, out_height, out_width, c = out.shape
    for image in range(n):
        for oy in range(out_height):
            for ox in range(out_width):
                to, place = out[image, oy, ox], taps[image, oy, ox]
                first = x[image, oy * stride, ox * stride]
                for j in range(c):
                    to[j] = first[j]
                    place[j] = 0
                for tap in range(1, size * size):
                    a = x[image, oy * stride + tap // size, ox * stride + tap % size]
                    number = np.uint8(tap)
                    for j in range(c):
                        better = a[j] > to[j]
                        to[j] = a[j] if better else to[j]
                        place[j] = number if better else place[j]


@kernel
def max_pool_backward(dy, taps, size, stride, dx):
    """Write dx: dy at the places that `max_pool` took, zero elsewhere."""
    n, out_height, out_width, c = dy.shape
    for image in range(n):
        dx[image] = ZERO
        for oy in range(out_height):
            for ox in range(out_width):
                g, place = dy[image, oy, ox], taps[image, oy, ox]
                for tap in range(size * size):
                    to = dx[image, oy * stride + tap // size, ox * stride + tap % size]
                    number = np.uint8(tap)
                    for j in range(c):
                        to[j] += g[j] if place[j] == number else ZERO


@kernel
def average_pool(x, size, stride, out):
    """Write the mean of each window to out."""
    n, out_height, out_width, c = out.shape
    share = np.float32(1 / (size * size))
    for image in range(n):
        for oy in range(out_height):
            for ox in range(out_width):
                to = out[image, oy, ox]
                to[:] = 0
                for tap in range(size * size):
                    a = x[image, oy * stride + tap // size, ox * stride + tap % size]
                    for j in range(c):
                        to[j] += a[j] * share


@kernel
def average_pool_backward(dy, size, stride, dx):
    """Write dx: the sum of dy's shares at each pixel."""
    n, out_height, out_width, c = dy.shape
    share = np.float32(1 / (size * size))
    for image in range(n):
        dx[image] = ZERO
        for oy in range(out_height):
            for ox in range(out_width):
                g = dy[image, oy, ox]
                for tap in range(size * size):
                    to = dx[image, oy * stride + tap // size, ox * stride + tap % size]
                    for j in range(c):
                        to[j] += g[j] * share


@kernel
def upsample(x, rows, row_shares, columns, column_shares, out):
    """Interpolate: output row i lies the share of the way from rows[i, 0] to rows[i, 1]."""
    n, out_height, out_width, c = out.shape
    width = x.shape[2]
    blend = np.empty((width, c), np.float32)
    flat = blend.reshape(-1)
    for image in range(n):
        for oy in range(out_height):
            a = x[image, rows[oy, 0]].reshape(-1)
            b = x[image, rows[oy, 1]].reshape(-1)
            share = row_shares[oy]
            for j in range(flat.size):
                flat[j] = a[j] + share * (b[j] - a[j])
            for ox in range(out_width):
                left, right = blend[columns[ox, 0]], blend[columns[ox, 1]]
                to = out[image, oy, ox]
                share = column_shares[ox]
                for j in range(c):
                    to[j] = left[j] + share * (right[j] - left[j])


@kernel
def upsample_backward(dy, rows, row_shares, columns, column_shares, dx):
    """Write the adjoint of `upsample` to dx."""
    n, out_height, out_width, c = dy.shape
    blend = np.empty((dx.shape[2], c), np.float32)
    flat = blend.reshape(-1)
    for image in range(n):
        dx[image] = ZERO
        for oy in range(out_height):
            blend[:] = 0
            for ox in range(out_width):
                left, right = blend[columns[ox, 0]], blend[columns[ox, 1]]
                g = dy[image, oy, ox]
                share = column_shares[ox]
                rest = ONE - share
                for j in range(c):
                    left[j] += rest * g[j]
                for j in range(c):
                    right[j] += share * g[j]
            a = dx[image, rows[oy, 0]].reshape(-1)
            b = dx[image, rows[oy, 1]].reshape(-1)
            share = row_shares[oy]
            rest = ONE - share
            for j in range(flat.size):
                a[j] += rest * flat[j]
            for j in range(flat.size):
                b[j] += share * flat[j]
