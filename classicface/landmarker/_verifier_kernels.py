"""Compiled kernels of the face verifier: alignment, descriptors at points, a small network.

Points are (x, y). Maps are (S, S, 8) float32, the smoothed gradients of an aligned crop by
direction: direction c points to 45 c degrees, x to the right and y downward.
"""

import numpy as np
from numba import njit

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TWO = np.float32(2.0)
_THREE = np.float32(3.0)
_ROOT = np.float32(np.sqrt(2.0))

#: What the units of the network keep of a negative input.
LEAK = np.float32(0.1)

# How far the smoothing reaches.
_REACH = 2

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
def split(pixels, out):
    """Split each pixel's gradient among the two nearest of eight directions, without a branch.

    A gradient between an axis and a diagonal is a sum of the two: the larger of its parts less the
    smaller along the axis, sqrt(2) times the smaller along the diagonal.

    pixels: (S, S) uint8; out: (S + 4, S + 4, 8) float32, with the border repeated around.
    """
    last = len(pixels) - 1
    for row in range(len(out)):
        y = min(max(row - _REACH, 0), last)
        above, below = pixels[max(y - 1, 0)], pixels[min(y + 1, last)]
        for column in range(len(out)):
            x = min(max(column - _REACH, 0), last)
            gx = np.float32(pixels[y, min(x + 1, last)]) - np.float32(pixels[y, max(x - 1, 0)])
            gy = np.float32(below[x]) - np.float32(above[x])
            right, left, down, up = max(gx, _ZERO), max(-gx, _ZERO), max(gy, _ZERO), max(-gy, _ZERO)
            cell = out[row, column]
            cell[0] = max(right - down - up, _ZERO)
            cell[1] = _ROOT * min(right, down)
            cell[2] = max(down - right - left, _ZERO)
            cell[3] = _ROOT * min(left, down)
            cell[4] = max(left - down - up, _ZERO)
            cell[5] = _ROOT * min(left, up)
            cell[6] = max(up - right - left, _ZERO)
            cell[7] = _ROOT * min(right, up)


@njit(cache=True, nogil=True, fastmath=True)
def smooth(wide, total, out):
    """Smooth by the triangle 1, 2, 3, 2, 1 down and across, unnormalised.

    wide: (S + 4, S + 4, 8) float32; total: (8 (S + 4),) float32, overwritten; out: (S, S, 8)
    float32.
    """
    for y in range(len(out)):
        r0, r1 = wide[y].reshape(-1), wide[y + 1].reshape(-1)
        r2, r3 = wide[y + 2].reshape(-1), wide[y + 3].reshape(-1)
        r4 = wide[y + 4].reshape(-1)
        for i in range(len(total)):
            total[i] = r0[i] + r4[i] + _TWO * (r1[i] + r3[i]) + _THREE * r2[i]
        line = out[y].reshape(-1)
        for i in range(len(line)):
            line[i] = (
                total[i]
                + total[i + 32]
                + _TWO * (total[i + 8] + total[i + 24])
                + _THREE * total[i + 16]
            )


@njit(cache=True, nogil=True, fastmath=True)
def read(maps, x, y, out):
    """Read maps bilinearly at a point; beyond them their border counts. out: (8,) float32."""
    last = len(maps) - 1
    x = min(max(x, _ZERO), np.float32(last))
    y = min(max(y, _ZERO), np.float32(last))
    column, row = min(int(x), last - 1), min(int(y), last - 1)
    fx, fy = x - np.float32(column), y - np.float32(row)
    w00, w10 = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy)
    w01, w11 = (_ONE - fx) * fy, fx * fy
    for c in range(8):
        out[c] = (
            w00 * maps[row, column, c]
            + w10 * maps[row, column + 1, c]
            + w01 * maps[row + 1, column, c]
            + w11 * maps[row + 1, column + 1, c]
        )


@njit(cache=True, nogil=True, fastmath=True)
def describe(maps, points, offsets, floor, out):
    """Describe the surroundings of points by histograms of gradient directions.

    The histograms around a point, one at each offset, are divided by their common norm and
    square-rooted, as SIFT's and HOG's are.

    points: (L, 2) float32; offsets: (P, 2) float32; floor: float32, the norm of noise; out:
    (L, 8 P) float32.
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


@njit(cache=True, nogil=True, fastmath=True)
def shape_parameters(aligned, mean, components, variances, noise_variance, most, out):
    """Write the shape parameters in standard deviations, and return the shape's plausibility.

    The plausibility is the Mahalanobis distance of probabilistic principal component analysis
    (Tipping and Bishop, J. R. Stat. Soc. B 1999) over the square root of the number of dimensions.

    aligned, mean: (L, 2) float32; components: (k, L, 2) float32, orthonormal; variances: (k,)
    float32; noise_variance: float32, that of every other direction; out: (k,) float32, held within
    `most`.
    """
    rest = np.float64(0.0)
    for i in range(len(mean)):
        dx, dy = aligned[i, 0] - mean[i, 0], aligned[i, 1] - mean[i, 1]
        rest += np.float64(dx * dx + dy * dy)
    distance = np.float64(0.0)
    for j in range(len(components)):
        b = _ZERO
        for i in range(len(mean)):
            b += components[j, i, 0] * (aligned[i, 0] - mean[i, 0])
            b += components[j, i, 1] * (aligned[i, 1] - mean[i, 1])
        rest -= np.float64(b * b)
        distance += np.float64(b * b / variances[j])
        out[j] = min(max(b / np.sqrt(variances[j]), -most), most)
    distance += max(rest, 0.0) / noise_variance
    return np.sqrt(distance / (2 * len(mean) - 4))


@njit(cache=True, nogil=True)
def describe_face(
    pixels, aligned, mean, offsets, floor, components, variances, noise_variance, most, out
):
    """Describe an aligned face: histograms at its points, then its shape.

    Returns the plausibility; see `describe` and `shape_parameters`. out: (8 L P + k,) float32.
    """
    size, width = len(pixels), 8 * len(offsets)
    wide = np.empty((size + 2 * _REACH, size + 2 * _REACH, 8), np.float32)
    total = np.empty(8 * (size + 2 * _REACH), np.float32)
    maps = np.empty((size, size, 8), np.float32)
    split(pixels, wide)
    smooth(wide, total, maps)
    described = out[: len(aligned) * width]
    describe(maps, aligned, offsets, floor, described.reshape(-1, width))
    rest = out[len(described) :]
    return shape_parameters(aligned, mean, components, variances, noise_variance, most, rest)


@njit(cache=True, nogil=True, fastmath=True)
def network(inputs, weights, biases, last_weights, last_bias):
    """Return the output of a network with one hidden layer, before its sigmoid.

    The units are leaky rectifiers (Maas, Hannun and Ng, ICML workshop 2013): what is surely a face
    still tells how well the points lie.

    inputs: (F,) float32; weights: (H, F) float32; biases, last_weights: (H,) float32.
    """
    result = last_bias
    for unit in range(len(weights)):
        row = weights[unit]
        total = _ZERO
        for k in range(len(inputs)):
            total += row[k] * inputs[k]
        total += biases[unit]
        result += max(total, LEAK * total) * last_weights[unit]
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
