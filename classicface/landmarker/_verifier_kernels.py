"""Compiled kernels of the face verifier: alignment, descriptors at points, a small network.

Points are (x, y). Maps are (S, S, 8), the smoothed gradients of an aligned crop by direction.
"""

import numpy as np
from numba import njit

from classicface.image._kernels import split_gradient, triangle

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)

# Similarities that make a face this much larger or smaller are taken for damage.
_SMALLEST, _LARGEST = 1e-5, 1e4


@njit(cache=True, nogil=True)
def align(points, mean, pose, out):
    """Take points to the mean shape by the similarity of least squares (Umeyama, PAMI 1991).

    points, mean: (L, 2) float32; pose: (4,) float64, overwritten: a, b, tx, ty of
    `classicface.shape.similarity`; out: (L, 2) float32, the points in the mean shape's frame, and
    the mean shape's where a point is missing (NaN). Returns how many points are there, or -1 where
    they give no similarity, because they coincide or lie too far apart.
    """
    count = 0
    px, py, qx, qy = 0.0, 0.0, 0.0, 0.0
    for i in range(len(points)):
        if not np.isnan(points[i, 0]):
            count += 1
            px += points[i, 0]
            py += points[i, 1]
            qx += mean[i, 0]
            qy += mean[i, 1]
    if count < 2:
        return count
    px, py, qx, qy = px / count, py / count, qx / count, qy / count
    norm, along, across = 0.0, 0.0, 0.0
    for i in range(len(points)):
        if not np.isnan(points[i, 0]):
            x, y = points[i, 0] - px, points[i, 1] - py
            u, v = mean[i, 0] - qx, mean[i, 1] - qy
            norm += x * x + y * y
            along += x * u + y * v
            across += x * v - y * u
    if norm < 1e-9 * (1.0 + px * px + py * py):
        return -1
    a, b = along / norm, across / norm
    scale = np.sqrt(a * a + b * b)
    if not _SMALLEST < scale < _LARGEST:
        return -1
    pose[0], pose[1] = a, b
    pose[2], pose[3] = qx - a * px + b * py, qy - b * px - a * py
    for i in range(len(points)):
        if np.isnan(points[i, 0]):
            out[i, 0], out[i, 1] = mean[i, 0], mean[i, 1]
        else:
            out[i, 0] = a * points[i, 0] - b * points[i, 1] + pose[2]
            out[i, 1] = b * points[i, 0] + a * points[i, 1] + pose[3]
    return count


@njit(cache=True, nogil=True, fastmath=True)
def read(maps, x, y, out):
    """Read the maps bilinearly at a point; beyond them their border.

    maps: (S, S, 8) int32; out: (8,) float32.
    """
    last = len(maps) - 1
    x = min(max(x, _ZERO), np.float32(last))
    y = min(max(y, _ZERO), np.float32(last))
    column, row = min(int(x), last - 1), min(int(y), last - 1)
    fx, fy = x - np.float32(column), y - np.float32(row)
    w00, w10 = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy)
    w01, w11 = (_ONE - fx) * fy, fx * fy
    for c in range(8):
        out[c] = (
            w00 * np.float32(maps[row, column, c])
            + w10 * np.float32(maps[row, column + 1, c])
            + w01 * np.float32(maps[row + 1, column, c])
            + w11 * np.float32(maps[row + 1, column + 1, c])
        )


@njit(cache=True, nogil=True, fastmath=True)
def describe(maps, points, offsets, floor, out):
    """Describe the surroundings of points by histograms of gradient directions.

    The histograms around a point, one at each offset, are divided by their common norm and
    square-rooted, as SIFT's and HOG's are.

    maps: (S, S, 8) int32, not negative; points: (L, 2) float32; offsets: (P, 2) float32;
    floor: float32, the norm of noise; out: (L, 8 P) float32.
    """
    for i in range(len(points)):
        square = _ZERO
        for j in range(len(offsets)):
            part = out[i, 8 * j : 8 * j + 8]
            read(maps, points[i, 0] + offsets[j, 0], points[i, 1] + offsets[j, 1], part)
            for c in range(8):
                square += part[c] * part[c]
        factor = _ONE / (np.sqrt(square) + floor)
        for k in range(out.shape[1]):
            out[i, k] = np.sqrt(out[i, k] * factor)


@njit(cache=True, nogil=True)
def gradient_maps(pixels, cell, work, total, out):
    """Split a crop's gradients by direction and smooth each direction over cells.

    pixels: (S, S) uint8; cell: the radius, see `classicface.image._kernels.triangle`; work, out:
    (S, S, 8) int32; total: (8 max(S, 8),) int32.
    """
    split_gradient(pixels, out)
    triangle(out, cell, work, total)


@njit(cache=True, nogil=True, fastmath=True)
def network(inputs, weights, biases, last_weights, last_bias):
    """Return the output of a network with one hidden layer of rectifiers, before its sigmoid.

    inputs: (F,) float32; weights: (H, F) float32; biases, last_weights: (H,) float32.
    """
    result = last_bias
    for unit in range(len(weights)):
        row = weights[unit]
        total = _ZERO
        for k in range(len(inputs)):
            total += row[k] * inputs[k]
        result += max(total + biases[unit], _ZERO) * last_weights[unit]
    return result


@njit(cache=True, nogil=True, fastmath=True)
def project(inputs, mean, projection, out):
    """Project inputs less their mean, and bring the result to norm 1.

    inputs: (F,) float32, of which the first L are taken; mean: (L,) float32; projection: (d, L)
    float32; out: (d,) float32, zeros where the projection is.
    """
    square = _ZERO
    for i in range(len(projection)):
        row = projection[i]
        total = _ZERO
        for k in range(len(mean)):
            total += row[k] * (inputs[k] - mean[k])
        out[i] = total
        square += total * total
    if square > _ZERO:
        factor = _ONE / np.sqrt(square)
        for i in range(len(out)):
            out[i] *= factor
