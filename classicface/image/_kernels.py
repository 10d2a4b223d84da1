"""Compiled kernels of the descriptors; see `classicface.image.descriptors`."""

import numpy as np
from numba import njit

# Lengths along an axis and along a diagonal, as whole numbers in the ratio 1 : sqrt(2).
AXIS, DIAGONAL = 128, 181
_TINY = np.float32(1e-3)


@njit(cache=True, nogil=True)
def split_gradient(pixels, out):
    """Split each pixel's gradient among the two nearest of eight directions.

    A gradient between an axis and a diagonal is a sum of the two with weights that need no angle:
    (larger - smaller) along the axis, sqrt(2) smaller along the diagonal. Direction c points to
    45 c degrees, x to the right and y downward.

    pixels: (H, W) uint8; out: (H, W, 8) int32, in units of 1 / AXIS of a grey level.
    """
    height, width = pixels.shape
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            gx = np.int32(pixels[y, right]) - np.int32(pixels[y, left])
            gy = np.int32(pixels[below, x]) - np.int32(pixels[above, x])
            larger, smaller = max(abs(gx), abs(gy)), min(abs(gx), abs(gy))
            if gx >= 0:
                horizontal, diagonal = 0, (1 if gy >= 0 else 7)
            else:
                horizontal, diagonal = 4, (3 if gy >= 0 else 5)
            vertical = 2 if gy >= 0 else 6
            for c in range(8):
                out[y, x, c] = 0
            out[y, x, horizontal if abs(gx) >= abs(gy) else vertical] = (larger - smaller) * AXIS
            out[y, x, diagonal] = smaller * DIAGONAL


@njit(cache=True, nogil=True)
def box_down(values, radius, total, out):
    """Sum over 2 radius + 1 rows by a running sum; the first and last row are repeated.

    values, out: (H, n) of one type; total: (n,), overwritten.
    """
    height, n = values.shape
    for i in range(n):
        total[i] = values[0, i] * (radius + 1)
    for y in range(1, radius + 1):
        row = min(y, height - 1)
        for i in range(n):
            total[i] += values[row, i]
    for y in range(height):
        enters, leaves = min(y + radius + 1, height - 1), max(y - radius, 0)
        for i in range(n):
            now = total[i]
            out[y, i] = now
            total[i] = now + values[enters, i] - values[leaves, i]


@njit(cache=True, nogil=True)
def box_across(values, radius, total, out):
    """Sum over 2 radius + 1 columns by a running sum; the first and last column are repeated.

    Several rows advance in step, so that their sums need not wait for each other.

    values, out: (H, W, C) of one type; total: (n, C), overwritten, for n rows in step.
    """
    height, width, n_channels = values.shape
    for first in range(0, height, len(total)):
        n_rows = min(len(total), height - first)
        block, sums = values[first : first + n_rows], out[first : first + n_rows]
        for r in range(n_rows):
            for c in range(n_channels):
                total[r, c] = block[r, 0, c] * (radius + 1)
            for x in range(1, radius + 1):
                for c in range(n_channels):
                    total[r, c] += block[r, min(x, width - 1), c]
        for x in range(width):
            enters, leaves = min(x + radius + 1, width - 1), max(x - radius, 0)
            for r in range(n_rows):
                for c in range(n_channels):
                    now = total[r, c]
                    sums[r, x, c] = now
                    total[r, c] = now + block[r, enters, c] - block[r, leaves, c]


@njit(cache=True, nogil=True)
def triangle(values, radius, work, total):
    """Smooth by a triangle of 4 radius + 1 pixels along both axes, unnormalised: a box, twice.

    The triangle is the bilinear spatial binning of SIFT; its variance is
    ((2 radius + 1)^2 - 1) / 6 and its sum (2 radius + 1)^4. Whole numbers stay exact.

    values, work: (H, W, C); total: (max(W, 8) C,). `values` is changed in place.
    """
    height, _, n_channels = values.shape
    rows, other = values.reshape(height, -1), work.reshape(height, -1)
    box_down(rows, radius, total, other)
    box_down(other, radius, total, rows)
    totals = total[: 8 * n_channels].reshape(8, n_channels)
    box_across(values, radius, totals, work)
    box_across(work, radius, totals, values)


@njit(cache=True, nogil=True, fastmath=True)
def energy(channels, scale, out):
    """Sum the squares of scaled channels.

    channels: (H, W, C) int32; out: (H, W, 1) float64.
    """
    height, width, n_channels = channels.shape
    for y in range(height):
        for x in range(width):
            total = np.float32(0.0)
            for c in range(n_channels):
                value = np.float32(channels[y, x, c]) * scale
                total += value * value
            out[y, x, 0] = total


@njit(cache=True, nogil=True, fastmath=True)
def normalize(channels, scale, squares, square_scale, floor, out):
    """Write sqrt(channel / sqrt(squares + floor^2)).

    channels: (H, W, C) int32, not negative; squares: (H, W, 1) float64; out: (H, W, C) float32.
    """
    height, width, n_channels = channels.shape
    for y in range(height):
        for x in range(width):
            square = np.float32(squares[y, x, 0]) * square_scale + floor * floor
            norm = scale / np.sqrt(square)
            for c in range(n_channels):
                out[y, x, c] = np.sqrt(np.float32(channels[y, x, c]) * norm)


@njit(cache=True, nogil=True)
def unit_gradient(pixels, out):
    """Write the cosine and the sine of each pixel's gradient direction.

    pixels: (H, W) uint8; out: (H, W, 2) float32.
    """
    height, width = pixels.shape
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            gx = np.float32(pixels[y, right]) - np.float32(pixels[y, left])
            gy = np.float32(pixels[below, x]) - np.float32(pixels[above, x])
            norm = np.float32(1.0) / (np.sqrt(gx * gx + gy * gy) + _TINY)
            out[y, x, 0] = gx * norm
            out[y, x, 1] = gy * norm
