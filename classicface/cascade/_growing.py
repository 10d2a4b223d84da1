"""Compiled kernels that train a tree cascade; shapes as in `_kernels`, with N samples.

Each call is one task for one thread: some samples, a node, or some pixel pairs of a node. A task
sums in a fixed order and writes what no other task does, so the number of threads changes no bit
of the result.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from classicface.cascade._dlib_kernels import read_single_pixels
from classicface.cascade._kernels import read_pixels, rotation_scale

#: Leading residual directions that score a split: 16 float32 fill one 512-bit vector register.
SCORE_DIMS = 16

# Pixel differences, -255 to 255, fall into bins of 8 levels when thresholds are searched.
_BIN_SHIFT = 3
_N_BINS = 64


@njit(cache=True, nogil=True)
def rotations_scales(shapes, centered_mean, inverse_norm, out):
    """Write (a, b) of every shape (n, L, 2) to out (n, 2)."""
    for s in range(shapes.shape[0]):
        out[s, 0], out[s, 1] = rotation_scale(shapes[s], centered_mean, inverse_norm)


@njit(cache=True, nogil=True)
def read_sample_pixels(
    patches,
    heights,
    widths,
    faces,
    shapes,
    linear,
    reach,
    single,
    gains,
    shifts,
    anchors,
    offsets,
    out,
):
    """Read the pixels of n samples into out (P, n), a part of a larger array.

    patches (n_faces, height, width) are padded below and to the right; linear (n, 2) holds
    (a, b); pixels are smoothed by reach, or single as in dlib's style. A sample's pixels are
    multiplied by its gain and shifted, then cut to 0 to 255.
    """
    row = np.empty(anchors.shape[0], np.uint8)
    for s in range(shapes.shape[0]):
        f = faces[s]
        patch = patches[f, : heights[f], : widths[f]]
        a, b = linear[s]
        if single:
            read_single_pixels(patch, 0.0, 0.0, 1.0, shapes[s], a, b, anchors, offsets, row)
        else:
            read_pixels(patch, shapes[s], a, b, reach, anchors, offsets, row)
        for p in range(anchors.shape[0]):
            value = np.float32(row[p]) * gains[s] + shifts[s]
            out[p, s] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


@njit(cache=True, nogil=True)
def gather_node(residuals, order, phase, samples, targets, total):
    """Pick the samples that score a node's splits; return their number.

    order (n,) holds the node's samples. Where there are more than fit in samples (M,), every so
    many of them is taken, counted from `phase`. Their leading residuals go to targets
    (M, SCORE_DIMS), the sum to total (SCORE_DIMS,).
    """
    size = order.shape[0]
    used = min(size, samples.shape[0])
    total[:] = 0.0
    for i in range(used):
        s = order[(i * size + phase % size) // used]
        samples[i] = s
        for k in range(SCORE_DIMS):
            targets[i, k] = residuals[s, k]
            total[k] += residuals[s, k]
    return used


@njit(cache=True, nogil=True)
def score_pair(pixel_a, pixel_b, samples, targets, size, total, min_leaf):
    """Find the best threshold of one pixel pair; return (score, threshold), score -1 for none.

    The score, |sum left|^2 / n left + |sum right|^2 / n right, is greatest where the squared error
    is least (Kazemi and Sullivan 2014, section 2.3.2).
    """
    sums = np.zeros((_N_BINS, SCORE_DIMS), np.float32)
    counts = np.zeros(_N_BINS, np.int32)
    for i in range(size):
        s = samples[i]
        level = np.uint64((np.int32(pixel_a[s]) - np.int32(pixel_b[s]) + 256) >> _BIN_SHIFT)
        counts[level] += 1
        for k in range(SCORE_DIMS):
            sums[level, k] += targets[i, k]
    best = np.float32(-1.0)
    threshold = 255
    left = np.zeros(SCORE_DIMS, np.float32)
    n_left = 0
    for level in range(_N_BINS - 1):
        if counts[level] == 0:
            continue
        n_left += counts[level]
        n_right = size - n_left
        square_left = np.float32(0.0)
        square_right = np.float32(0.0)
        for k in range(SCORE_DIMS):
            left[k] += sums[level, k]
            right = total[k] - left[k]
            square_left += left[k] * left[k]
            square_right += right * right
        if n_left < min_leaf or n_right < min_leaf:
            continue
        score = square_left / np.float32(n_left) + square_right / np.float32(n_right)
        if score > best:
            best = score
            threshold = ((level + 1) << _BIN_SHIFT) - 257
    return best, threshold


@njit(cache=True, nogil=True)
def score_pairs(pixels, pairs, samples, targets, total, min_leaf, scores, thresholds):
    """Score pixel pairs (n, 2) of one node on its samples; write scores (n,), thresholds (n,)."""
    for c in range(pairs.shape[0]):
        scores[c], thresholds[c] = score_pair(
            pixels[pairs[c, 0]],
            pixels[pairs[c, 1]],
            samples,
            targets,
            samples.shape[0],
            total,
            min_leaf,
        )


@njit(cache=True, nogil=True)
def partition_node(pixel_a, pixel_b, threshold, order, scratch):
    """Rearrange order (n,) so that the first child's samples come first; return their number.

    Both children keep the samples' order; scratch (n,) is written.
    """
    n_left = 0
    n_right = 0
    for i in range(order.shape[0]):
        s = order[i]
        if np.int32(pixel_a[s]) - np.int32(pixel_b[s]) > threshold:
            scratch[n_right] = s
            n_right += 1
        else:
            order[n_left] = s
            n_left += 1
    for i in range(n_right):
        order[n_left + i] = scratch[i]
    return n_left


@njit(cache=True, nogil=True)
def fill_leaf(residuals, order, shrinkage, scales, leaf):
    """Store the shrunk mean residual of the samples in order (n,) and take it off them.

    leaf (K,) int8 holds multiples of scales (K,). What rounding or clipping loses stays in the
    residuals (N, K), so the trees that follow make up for it.
    """
    n_dims = residuals.shape[1]
    total = np.zeros(n_dims, np.float32)
    for i in range(order.shape[0]):
        s = order[i]
        for k in range(n_dims):
            total[k] += residuals[s, k]
    weight = shrinkage / np.float32(max(1, order.shape[0]))
    for k in range(n_dims):
        value = min(max(weight * total[k] / scales[k], np.float32(-127)), np.float32(127))
        leaf[k] = np.int8(np.rint(value))
        total[k] = np.float32(leaf[k]) * scales[k]
    for i in range(order.shape[0]):
        s = order[i]
        for k in range(n_dims):
            residuals[s, k] -= total[k]
