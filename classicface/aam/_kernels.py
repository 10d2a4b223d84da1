"""Compiled kernels of an active appearance model: appearance, its gradient, normal equations.

The appearance depends on the shape through the landmarks alone, so gradient and Hessian are first
gathered at the 2 L coordinates of the landmarks (`gather`, `structure`), whose number does not
grow with the number of samples, and only then taken to the parameters of the shape model.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True)
def sample(features, shape, starts, anchors, weights, offsets, out):
    """Read the feature image bilinearly at the samples of a shape; outside, its border.

    features: (H, W, C) float32; shape: (L, 2) float64; out: (m, C) float32.
    """
    height, width, n_channels = features.shape
    for segment in range(len(starts) - 1):
        for j in range(starts[segment], starts[segment + 1]):
            x, y = np.float64(offsets[j, 0]), np.float64(offsets[j, 1])
            for v in range(anchors.shape[1]):
                x += weights[v, j] * shape[anchors[segment, v], 0]
                y += weights[v, j] * shape[anchors[segment, v], 1]
            x = min(max(x, 0.0), width - 1.0)
            y = min(max(y, 0.0), height - 1.0)
            column, row = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
            right, below = min(column + 1, width - 1), min(row + 1, height - 1)
            fx, fy = np.float32(x - column), np.float32(y - row)
            w00 = (np.float32(1) - fx) * (np.float32(1) - fy)
            w10, w01, w11 = fx * (np.float32(1) - fy), (np.float32(1) - fx) * fy, fx * fy
            for c in range(n_channels):
                out[j, c] = (
                    w00 * features[row, column, c]
                    + w10 * features[row, right, c]
                    + w01 * features[below, column, c]
                    + w11 * features[below, right, c]
                )


@njit(cache=True, nogil=True, fastmath=True)
def coefficients(basis, values, out):
    """Project values onto the rows of a basis: out = basis @ values.

    basis: (k, D) float32; values: (D,) float32; out: (k,) float64.
    """
    for k in range(len(basis)):
        total = np.float32(0.0)
        row = basis[k]
        for i in range(len(row)):
            total += row[i] * values[i]
        out[k] = total


@njit(cache=True, nogil=True, fastmath=True)
def synthesize(template, basis, weights, out):
    """Make the appearance of weights: out = template + weights @ basis.

    template, out: (D,) float32; basis: (k, D) float32; weights: (k,) float64.
    """
    size = len(template)
    for i in range(size):
        out[i] = template[i]
    whole = len(basis) - len(basis) % 4
    for k in range(0, whole, 4):  # four rows a pass: `out` is read and written once for them
        w0, w1 = np.float32(weights[k]), np.float32(weights[k + 1])
        w2, w3 = np.float32(weights[k + 2]), np.float32(weights[k + 3])
        r0, r1, r2, r3 = basis[k], basis[k + 1], basis[k + 2], basis[k + 3]
        for i in range(size):
            out[i] += w0 * r0[i] + w1 * r1[i] + w2 * r2[i] + w3 * r3[i]
    for k in range(whole, len(basis)):
        weight, row = np.float32(weights[k]), basis[k]
        for i in range(size):
            out[i] += weight * row[i]


@njit(cache=True, nogil=True, fastmath=True)
def anchored_gradients(template, neighbours, rates, weights, out):
    """Differentiate an appearance by x and y, weighted for each landmark that a sample hangs on.

    template: (m, C) float32; neighbours: (4, m); rates: (2, m); weights: (v, m);
    out: (v, 2, m, C) float32.
    """
    n_samples, n_channels = template.shape
    for v in range(len(weights)):
        for j in range(n_samples):
            left, right = neighbours[0, j], neighbours[1, j]
            above, below = neighbours[2, j], neighbours[3, j]
            rate_x, rate_y = rates[0, j] * weights[v, j], rates[1, j] * weights[v, j]
            for c in range(n_channels):
                out[v, 0, j, c] = (template[right, c] - template[left, c]) * rate_x
                out[v, 1, j, c] = (template[below, c] - template[above, c]) * rate_y


@njit(cache=True, nogil=True, fastmath=True)
def gather(gradients, starts, anchors, values, out):
    """Bring the product of gradients and values to the landmarks' coordinates: J^T values.

    gradients: (v, 2, D) float32; values: (D,) float32, D = m C; out: (2 L,) float64.
    """
    n_channels = gradients.shape[2] // starts[-1]
    for i in range(len(out)):
        out[i] = 0.0
    for segment in range(len(starts) - 1):
        first, last = starts[segment] * n_channels, starts[segment + 1] * n_channels
        part = values[first:last]  # indices that count from 0 let the loops be vectorised
        for v in range(anchors.shape[1]):
            along_x, along_y = gradients[v, 0, first:last], gradients[v, 1, first:last]
            x, y = np.float32(0.0), np.float32(0.0)
            for i in range(len(part)):
                x += along_x[i] * part[i]
                y += along_y[i] * part[i]
            out[2 * anchors[segment, v]] += x
            out[2 * anchors[segment, v] + 1] += y


@njit(cache=True, nogil=True, fastmath=True)
def structure(gradients, starts, anchors, out):
    """Gather the gradients' products at pairs of landmarks: J_landmarks^T J_landmarks.

    gradients: (v, 2, D) float32; out: (2 L, 2 L) float64.
    """
    n_channels = gradients.shape[2] // starts[-1]
    out[:] = 0.0
    n_anchors = anchors.shape[1]
    for segment in range(len(starts) - 1):
        first, last = starts[segment] * n_channels, starts[segment + 1] * n_channels
        for p in range(2 * n_anchors):
            one = gradients[p // 2, p % 2, first:last]
            row = 2 * anchors[segment, p // 2] + p % 2
            for q in range(p + 1):
                other = gradients[q // 2, q % 2, first:last]
                column = 2 * anchors[segment, q // 2] + q % 2
                total = np.float32(0.0)
                for i in range(len(one)):
                    total += one[i] * other[i]
                out[row, column] += total
                if p != q:
                    out[column, row] += total


@njit(cache=True, nogil=True, fastmath=True)
def to_parameters(moves, matrix, work, out):
    """Take a matrix between coordinates to the parameters: out = moves^T matrix moves.

    Rows are added to rows throughout, which fills vector registers.

    moves: (2 L, n); matrix: (2 L, 2 L), symmetric, mostly zero; work: (2 L, n); out: (n, n).
    """
    size, n = moves.shape
    work[:] = 0.0
    out[:] = 0.0
    for i in range(size):
        row = work[i]
        for j in range(size):
            value = matrix[i, j]
            if value != 0.0:
                for p in range(n):
                    row[p] += value * moves[j, p]
        for p in range(n):
            value = moves[i, p]
            for q in range(p + 1):
                out[p, q] += value * row[q]
    for p in range(n):
        for q in range(p):
            out[q, p] = out[p, q]


@njit(cache=True, nogil=True, fastmath=True)
def times_directions(vectors, directions, out):
    """Take rows from coordinates to parameters: out = vectors directions^T.

    vectors: (k, 2 L); directions: (n, 2 L); out: (k, n); all float64.
    """
    for k in range(len(vectors)):
        for p in range(len(directions)):
            total = 0.0
            for i in range(vectors.shape[1]):
                total += vectors[k, i] * directions[p, i]
            out[k, p] = total
