"""Compiled kernels that train a tree cascade; shapes as in `_kernels`, with N samples.

Sums run in a fixed order inside one task, and tasks are shared out by (node, pixel pair), by leaf
or by block of samples, so the number of threads changes no bit of the result.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from classicface.cascade._kernels import read_pixels, rotation_scale

#: Leading residual directions that score a split: 16 float32 fill one 512-bit vector register.
SCORE_DIMS = 16

# Pixel differences, -255 to 255, fall into bins of 8 levels when thresholds are searched.
_BIN_SHIFT = 3
_N_BINS = 64


@njit(cache=True, parallel=True)
def rotations_scales(shapes, centered_mean, inverse_norm, out):
    """Write (a, b) of every sample's shape (N, L, 2) to out (N, 2)."""
    for s in prange(shapes.shape[0]):
        out[s, 0], out[s, 1] = rotation_scale(shapes[s], centered_mean, inverse_norm)


@njit(cache=True, parallel=True)
def read_sample_pixels(
    patches, heights, widths, faces, shapes, linear, gains, shifts, anchors, offsets, block, out
):
    """Read the pixels of all samples into out (P, N); a block of samples is one task.

    patches (n_faces, height, width) are padded below and to the right; linear (N, 2) holds
    (a, b); a sample's pixels are multiplied by its gain and shifted, then cut to 0 to 255.
    """
    n_samples = shapes.shape[0]
    n_pixels = anchors.shape[0]
    for task in prange((n_samples + block - 1) // block):
        rows = np.empty((block, n_pixels), np.uint8)
        start = task * block
        stop = min(n_samples, start + block)
        for s in range(start, stop):
            f = faces[s]
            patch = patches[f, : heights[f], : widths[f]]
            read_pixels(
                patch, shapes[s], linear[s, 0], linear[s, 1], anchors, offsets, rows[s - start]
            )
        for p in range(n_pixels):
            for s in range(start, stop):
                value = np.float32(rows[s - start, p]) * gains[s] + shifts[s]
                out[p, s] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


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


@njit(cache=True, parallel=True)
def split_level(
    pixels, residuals, pairs, order, bounds, scratch, node_samples, phase, min_leaf, splits
):
    """Split every node of one level of a tree; return the bounds of the next level's nodes.

    pixels (P, N) uint8; residuals (N, K) float32; pairs (n_nodes, n_candidates, 2); order (N,)
    holds the samples of node i in order[bounds[i]:bounds[i + 1]], ascending, and is rearranged;
    splits (n_nodes, 3) is written. A node larger than `node_samples` is scored on every so many
    of its samples, counted from `phase`.
    """
    n_nodes, n_candidates = pairs.shape[:2]
    samples = np.empty((n_nodes, node_samples), np.int32)
    targets = np.empty((n_nodes, node_samples, SCORE_DIMS), np.float32)
    totals = np.zeros((n_nodes, SCORE_DIMS), np.float32)
    for node in prange(n_nodes):
        size = bounds[node + 1] - bounds[node]
        used = min(size, node_samples)
        for i in range(used):
            s = order[bounds[node] + (i * size + phase % size) // used]
            samples[node, i] = s
            for k in range(SCORE_DIMS):
                targets[node, i, k] = residuals[s, k]
                totals[node, k] += residuals[s, k]

    scores = np.empty((n_candidates, n_nodes), np.float32)
    thresholds = np.empty((n_candidates, n_nodes), np.int16)
    for task in prange(n_candidates * n_nodes):
        c = task // n_nodes
        node = task - c * n_nodes
        size = bounds[node + 1] - bounds[node]
        used = min(size, node_samples)
        least = max(1, min_leaf * used // max(1, size))
        scores[c, node], thresholds[c, node] = score_pair(
            pixels[pairs[node, c, 0]],
            pixels[pairs[node, c, 1]],
            samples[node],
            targets[node],
            used,
            totals[node],
            least,
        )

    next_bounds = np.empty(2 * n_nodes + 1, np.int64)
    next_bounds[2 * n_nodes] = bounds[n_nodes]
    for node in prange(n_nodes):
        c = np.argmax(scores[:, node])
        a = pairs[node, c, 0]
        b = pairs[node, c, 1]
        threshold = thresholds[c, node]
        splits[node, 0] = a
        splits[node, 1] = b
        splits[node, 2] = threshold
        left = bounds[node]
        n_right = 0
        for i in range(bounds[node], bounds[node + 1]):
            s = order[i]
            if np.int32(pixels[a, s]) - np.int32(pixels[b, s]) > threshold:
                scratch[bounds[node] + n_right] = s
                n_right += 1
            else:
                order[left] = s
                left += 1
        for i in range(n_right):
            order[left + i] = scratch[bounds[node] + i]
        next_bounds[2 * node] = bounds[node]
        next_bounds[2 * node + 1] = left
    return next_bounds


@njit(cache=True, parallel=True)
def fill_leaves(residuals, order, bounds, shrinkage, scales, leaves):
    """Store the shrunk mean residual of each leaf as int8 and take it off the residuals.

    leaves (n_leaves, K) holds multiples of scales (K,). What rounding or clipping loses stays in
    the residuals, so the trees that follow make up for it.
    """
    n_dims = residuals.shape[1]
    for leaf in prange(leaves.shape[0]):
        total = np.zeros(n_dims, np.float32)
        for i in range(bounds[leaf], bounds[leaf + 1]):
            s = order[i]
            for k in range(n_dims):
                total[k] += residuals[s, k]
        weight = shrinkage / np.float32(max(1, bounds[leaf + 1] - bounds[leaf]))
        for k in range(n_dims):
            value = min(max(weight * total[k] / scales[k], np.float32(-127)), np.float32(127))
            leaves[leaf, k] = np.int8(np.rint(value))
            total[k] = np.float32(leaves[leaf, k]) * scales[k]
        for i in range(bounds[leaf], bounds[leaf + 1]):
            s = order[i]
            for k in range(n_dims):
                residuals[s, k] -= total[k]
