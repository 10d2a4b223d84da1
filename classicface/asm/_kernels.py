"""Compiled kernels of an active shape model: descriptors, searches, and the shape constraint.

Points are (x, y) in frame pixels; where a kernel reads beyond its picture, the border counts.
Feature images are (H, W, C) float32, at least two pixels high and wide.
"""

import numpy as np
from numba import njit

_ONE = np.float32(1.0)
_TINY = 1e-9


@njit(cache=True, nogil=True, fastmath=True)
def corner(x, last):
    """Return the pixel left of (or above) a coordinate, and how far beyond it that lies.

    The pixel is at most `last` - 1, so that its neighbour is there too.
    """
    x = min(max(x, np.float32(0.0)), np.float32(last))
    pixel = min(int(x), last - 1)
    return pixel, np.float32(x - np.float32(pixel))


@njit(cache=True, nogil=True, fastmath=True)
def describe(features, points, offsets, low, step, out):
    """Read the features around each landmark and store them in 8 bits, for training.

    features: (H, W, C); points: (L, 2) float32; offsets: (P, 2) float32; out: (L, P C) uint8, in
    steps of `step` from `low` on.
    """
    height, width, n_channels = features.shape
    half = np.float32(0.5)
    for landmark in range(len(points)):
        for j in range(len(offsets)):
            column, fx = corner(points[landmark, 0] + offsets[j, 0], width - 1)
            row, fy = corner(points[landmark, 1] + offsets[j, 1], height - 1)
            w00, w10 = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy)
            w01, w11 = (_ONE - fx) * fy, fx * fy
            for c in range(n_channels):
                value = (
                    w00 * features[row, column, c]
                    + w10 * features[row, column + 1, c]
                    + w01 * features[row + 1, column, c]
                    + w11 * features[row + 1, column + 1, c]
                )
                level = (value - low) / step + half
                out[landmark, j * n_channels + c] = np.uint8(
                    min(max(level, np.float32(0.0)), np.float32(255.0))
                )


@njit(cache=True, nogil=True, fastmath=True)
def regress(features, points, offsets, weights, biases, out):
    """Predict from the features around each landmark how far it has to go.

    features: (H, W, C); points: (L, 2) float32; offsets: (P, 2) float32; weights: (L, 2, P C)
    float32; biases: (L, 2) float32; out: (L, 2) float32.
    """
    height, width, n_channels = features.shape
    for landmark in range(len(points)):
        x, y = np.float32(0.0), np.float32(0.0)
        for j in range(len(offsets)):
            column, fx = corner(points[landmark, 0] + offsets[j, 0], width - 1)
            row, fy = corner(points[landmark, 1] + offsets[j, 1], height - 1)
            w00, w10 = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy)
            w01, w11 = (_ONE - fx) * fy, fx * fy
            first = j * n_channels
            for c in range(n_channels):
                value = (
                    w00 * features[row, column, c]
                    + w10 * features[row, column + 1, c]
                    + w01 * features[row + 1, column, c]
                    + w11 * features[row + 1, column + 1, c]
                )
                x += value * weights[landmark, 0, first + c]
                y += value * weights[landmark, 1, first + c]
        out[landmark, 0] = x + biases[landmark, 0]
        out[landmark, 1] = y + biases[landmark, 1]


@njit(cache=True, nogil=True)
def normal(points, neighbours, landmark):
    """Return the unit normal at a landmark: a quarter turn from the line between its neighbours."""
    before, after = neighbours[landmark, 0], neighbours[landmark, 1]
    dx = points[after, 0] - points[before, 0]
    dy = points[after, 1] - points[before, 1]
    length = np.sqrt(dx * dx + dy * dy)
    if length < np.float32(1e-6):
        return np.float32(1.0), np.float32(0.0)
    return -dy / length, dx / length


@njit(cache=True, nogil=True, fastmath=True)
def read_line(features, x, y, nx, ny, out):
    """Read the grey value's differences along a line: out[j] at j - n // 2 pixels from (x, y).

    features: (H, W, 1); out: (n,) float32, the value half a pixel further on less that half a
    pixel before.
    """
    height, width = features.shape[:2]
    before = np.float32(0.0)
    for j in range(len(out) + 1):
        along = np.float32(j - len(out) // 2) - np.float32(0.5)
        column, fx = corner(x + along * nx, width - 1)
        row, fy = corner(y + along * ny, height - 1)
        value = (_ONE - fy) * (
            (_ONE - fx) * features[row, column, 0] + fx * features[row, column + 1, 0]
        ) + fy * (
            (_ONE - fx) * features[row + 1, column, 0] + fx * features[row + 1, column + 1, 0]
        )
        if j > 0:
            out[j - 1] = value - before
        before = value


@njit(cache=True, nogil=True, fastmath=True)
def normalize_profile(line, first, out):
    """Write the profile that begins at line[first], divided by the sum of its absolute values."""
    total = np.float32(1e-6)
    for j in range(len(out)):
        total += abs(line[first + j])
    for j in range(len(out)):
        out[j] = line[first + j] / total


@njit(cache=True, nogil=True)
def read_profiles(features, points, neighbours, out):
    """Read the normalised profile through each landmark. out: (L, n) float32, n odd."""
    line = np.empty(out.shape[1], np.float32)
    for landmark in range(len(points)):
        nx, ny = normal(points, neighbours, landmark)
        read_line(features, points[landmark, 0], points[landmark, 1], nx, ny, line)
        normalize_profile(line, 0, out[landmark])


@njit(cache=True, nogil=True, fastmath=True)
def mahalanobis(profile, mean, inverse):
    """Return (profile - mean)^T inverse (profile - mean)."""
    total = np.float32(0.0)
    for i in range(len(profile)):
        product = np.float32(0.0)
        for j in range(len(profile)):
            product += inverse[i, j] * (profile[j] - mean[j])
        total += product * (profile[i] - mean[i])
    return total


@njit(cache=True, nogil=True)
def search_profiles(features, points, neighbours, means, inverses, reach, out):
    """Move each landmark along its normal to where the profile is most like those learnt.

    features: (H, W, 1); points: (L, 2) float32; neighbours: (L, 2) int32; means: (L, n) and
    inverses: (L, n, n) float32, of the profiles; reach: whole pixels searched to each side; out:
    (L, 2) float32, the moves. Of places that are alike the nearest is taken.
    """
    n = means.shape[1]
    line = np.empty(n + 2 * reach, np.float32)
    profile = np.empty(n, np.float32)
    for landmark in range(len(points)):
        nx, ny = normal(points, neighbours, landmark)
        read_line(features, points[landmark, 0], points[landmark, 1], nx, ny, line)
        best, least = 0, np.float32(np.inf)
        for i in range(2 * reach + 1):
            move = (i + 1) // 2 if i % 2 == 1 else -(i // 2)  # 0, 1, -1, 2, -2 ...
            normalize_profile(line, reach + move, profile)
            distance = mahalanobis(profile, means[landmark], inverses[landmark])
            if distance < least:
                best, least = move, distance
        out[landmark, 0] = np.float32(best) * nx
        out[landmark, 1] = np.float32(best) * ny


@njit(cache=True, nogil=True)
def project(points, mean, components, pose, b):
    """Write pose and parameters of a shape; return False, and zeros, where it has no size.

    points: (L, 2) float64; mean: (L, 2) float64, centred, sum of squares 1; components: (k, 2 L)
    float64; pose: (4,), from the mean's frame to the points'; b: (k,).
    """
    x, y = 0.0, 0.0
    for i in range(len(points)):
        x += points[i, 0]
        y += points[i, 1]
    x, y = x / len(points), y / len(points)
    a, c = 0.0, 0.0
    for i in range(len(points)):
        u, v = points[i, 0] - x, points[i, 1] - y
        a += mean[i, 0] * u + mean[i, 1] * v
        c += mean[i, 0] * v - mean[i, 1] * u
    pose[0], pose[1], pose[2], pose[3] = a, c, x, y
    square = a * a + c * c
    b[:] = 0.0
    if not square > _TINY:
        return False
    for i in range(len(points)):
        u, v = points[i, 0] - x, points[i, 1] - y
        dx = (a * u + c * v) / square - mean[i, 0]
        dy = (a * v - c * u) / square - mean[i, 1]
        for j in range(len(components)):
            b[j] += components[j, 2 * i] * dx + components[j, 2 * i + 1] * dy
    return True


@njit(cache=True, nogil=True)
def transform(similarity, points, back, out):
    """Apply a similarity (4,) to points (L, 2), or with `back` its inverse; all float64."""
    a, b, tx, ty = similarity[0], similarity[1], similarity[2], similarity[3]
    square = a * a + b * b
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        if back:
            x, y = x - tx, y - ty
            out[i, 0], out[i, 1] = (a * x + b * y) / square, (a * y - b * x) / square
        else:
            out[i, 0], out[i, 1] = a * x - b * y + tx, b * x + a * y + ty


@njit(cache=True, nogil=True)
def limit(b, deviations, n_std, radius):
    """Limit parameters in place: each to n_std deviations, or (radius > 0) to an ellipsoid."""
    if radius > 0:
        square = 0.0
        for j in range(len(b)):
            square += (b[j] / deviations[j]) ** 2
        if square > radius * radius:
            b *= radius / np.sqrt(square)
        return
    for j in range(len(b)):
        bound = n_std * deviations[j]
        b[j] = min(max(b[j], -bound), bound)


@njit(cache=True, nogil=True)
def advance(points, moves, scale, mean, directions, gain, deviations, n_std, radius, out):
    """Move a shape as the landmarks suggest, as far as the shape model allows.

    points, out: (L, 2) float64, may be one array; moves: (L, 2) float32; scale: frame pixels per
    unit of the shape model; mean: (L, 2); directions: (4 + k, 2 L), the similarities of the mean
    and the components; gain: (4 + k, 2 L + k), from moves and parameters to the most probable step
    along the directions, or (0, 0): every landmark goes where it wants to.
    """
    n_landmarks, k = len(points), len(deviations)
    pose, b = np.empty(4), np.empty(k)
    moved = np.empty((n_landmarks, 2))
    if len(gain) > 0:
        project(points, mean, directions[4:], pose, b)
        moved[:] = points
        for j in range(len(gain)):
            step = 0.0
            for i in range(n_landmarks):
                step += gain[j, 2 * i] * moves[i, 0] + gain[j, 2 * i + 1] * moves[i, 1]
            for i in range(k):
                step += gain[j, 2 * n_landmarks + i] * b[i] * scale
            for i in range(n_landmarks):
                moved[i, 0] += step * directions[j, 2 * i]
                moved[i, 1] += step * directions[j, 2 * i + 1]
    else:
        for i in range(n_landmarks):
            moved[i, 0] = points[i, 0] + moves[i, 0]
            moved[i, 1] = points[i, 1] + moves[i, 1]
    if not project(moved, mean, directions[4:], pose, b):
        out[:] = points
        return
    limit(b, deviations, n_std, radius)
    for i in range(n_landmarks):
        x, y = mean[i, 0], mean[i, 1]
        for j in range(k):
            x += b[j] * directions[4 + j, 2 * i]
            y += b[j] * directions[4 + j, 2 * i + 1]
        out[i, 0] = pose[0] * x - pose[1] * y + pose[2]
        out[i, 1] = pose[1] * x + pose[0] * y + pose[3]
