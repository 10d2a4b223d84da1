"""Compiled kernels that predict with a tree cascade.

Shapes: S stages, T trees a stage, L landmarks, P pixels, K residual directions. A tree of depth d
has 2**d - 1 splits in breadth-first order and 2**d leaves; a split is (a, b, threshold), and a
sample goes to the second child where pixel[a] - pixel[b] > threshold.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def rotation_scale(shape, centered_mean, inverse_norm):
    """Return (a, b) of the similarity that takes the centred mean shape to `shape`."""
    a = np.float32(0.0)
    b = np.float32(0.0)
    for i in range(shape.shape[0]):
        a += centered_mean[i, 0] * shape[i, 0] + centered_mean[i, 1] * shape[i, 1]
        b += centered_mean[i, 0] * shape[i, 1] - centered_mean[i, 1] * shape[i, 0]
    return a * inverse_norm, b * inverse_norm


@njit(cache=True, nogil=True)
def read_pixels(image, shape, a, b, anchors, offsets, out):
    """Read the pixels nearest to shape[anchor] + (a, b) * offset; outside, the border's count."""
    x_max = np.float32(image.shape[1] - 1)
    y_max = np.float32(image.shape[0] - 1)
    zero = np.float32(0.0)
    half = np.float32(0.5)
    for p in range(anchors.shape[0]):
        i = np.uint64(anchors[p])
        x = shape[i, 0] + a * offsets[p, 0] - b * offsets[p, 1]
        y = shape[i, 1] + b * offsets[p, 0] + a * offsets[p, 1]
        # In this order NaN turns to 0, so that no model whatever reads beyond the image.
        x = min(x_max, max(zero, x))
        y = min(y_max, max(zero, y))
        out[p] = image[np.uint64(y + half), np.uint64(x + half)]


@njit(cache=True, nogil=True)
def find_leaves(pixels, splits, depth, out):
    """Find the leaf of every tree; splits (T, 2**depth - 1, 3), out (T,).

    Unsigned indices spare the test for negative ones, and the trees' chains of loads
    overlap because none of them branches.
    """
    first_leaf = np.uint64((1 << depth) - 1)
    one = np.uint64(1)
    for t in range(splits.shape[0]):
        tree = splits[t]
        node = np.uint64(0)
        for _ in range(depth):
            difference = np.int32(pixels[np.uint64(tree[node, 0])]) - np.int32(
                pixels[np.uint64(tree[node, 1])]
            )
            node = node + node + one + np.uint64(difference > tree[node, 2])
        out[t] = node - first_leaf


@njit(cache=True, nogil=True)
def add_leaves(leaves, found, total):
    """Add the found leaf of every tree, leaves (T, 2**depth, K) int8, into total (K,) int32."""
    total[:] = 0
    for t in range(leaves.shape[0]):
        leaf = leaves[t, found[t]]
        for k in range(leaf.shape[0]):
            total[k] += leaf[k]


@njit(cache=True, nogil=True)
def move_shape(shape, a, b, directions, total):
    """Add (a, b) * (directions @ total) to `shape`; directions (2 L, K)."""
    for i in range(shape.shape[0]):
        x = np.float32(0.0)
        y = np.float32(0.0)
        for k in range(total.shape[0]):
            x += directions[2 * i, k] * total[k]
            y += directions[2 * i + 1, k] * total[k]
        shape[i, 0] += a * x - b * y
        shape[i, 1] += b * x + a * y


@njit(cache=True, nogil=True)
def predict_shapes(
    image, shapes, centered_mean, inverse_norm, anchors, offsets, splits, leaves, directions, depth
):
    """Run the cascade on one patch from several starts; `shapes` (n, L, 2) takes the results.

    anchors (S, P), offsets (S, P, 2), splits (S, T, 2**depth - 1, 3), leaves
    (S, T, 2**depth, K), directions (S, 2 L, K).
    """
    pixels = np.empty(anchors.shape[1], np.uint8)
    found = np.empty(splits.shape[1], np.uint64)
    total = np.empty(leaves.shape[3], np.int32)
    for stage in range(splits.shape[0]):
        for n in range(shapes.shape[0]):
            a, b = rotation_scale(shapes[n], centered_mean, inverse_norm)
            read_pixels(image, shapes[n], a, b, anchors[stage], offsets[stage], pixels)
            find_leaves(pixels, splits[stage], depth, found)
            add_leaves(leaves[stage], found, total)
            move_shape(shapes[n], a, b, directions[stage], total)
