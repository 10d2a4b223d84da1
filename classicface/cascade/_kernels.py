"""Compiled kernels that predict with a tree cascade.

Shapes: S stages, T trees a stage, L landmarks, P pixels, K residual directions. A tree of depth d
has 2**d - 1 splits in breadth-first order and 2**d leaves; a split is (a, b, threshold), and a
sample goes to the second child where pixel[a] - pixel[b] > threshold.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Bits of a split that hold the index of a pixel: of int32, and of int64.
PIXEL_BITS = 10
PIXEL_MASK = (1 << PIXEL_BITS) - 1
WIDE_PIXEL_BITS = 16


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
def read_pixels(image, shape, a, b, reach, anchors, offsets, out):
    """Read the pixels at shape[anchor] + (a, b) * offset, each as the mean of four around it.

    The four lie `reach` mean-shape units to both sides in x and y, so they smooth over the same
    part of the face at any resolution. Outside the image, its border counts.
    """
    x_max = np.float32(image.shape[1] - 1)
    y_max = np.float32(image.shape[0] - 1)
    zero = np.float32(0.0)
    half = np.float32(0.5)
    step = reach * np.sqrt(a * a + b * b)
    for p in range(anchors.shape[0]):
        i = np.uint64(anchors[p])
        x = shape[i, 0] + a * offsets[p, 0] - b * offsets[p, 1] + half
        y = shape[i, 1] + b * offsets[p, 0] + a * offsets[p, 1] + half
        # In this order NaN turns to 0, so that no model whatever reads beyond the image.
        x0 = np.uint64(min(x_max, max(zero, x - step)))
        x1 = np.uint64(min(x_max, max(zero, x + step)))
        y0 = np.uint64(min(y_max, max(zero, y - step)))
        y1 = np.uint64(min(y_max, max(zero, y + step)))
        upper = np.uint32(image[y0, x0]) + np.uint32(image[y0, x1])
        lower = np.uint32(image[y1, x0]) + np.uint32(image[y1, x1])
        out[p] = (upper + lower + np.uint32(2)) >> np.uint32(2)


@njit(cache=True, nogil=True)
def next_node(tree, node, pixels, bits):
    """Go from a node of one tree, splits (2**depth - 1,), to one of its two children.

    Unsigned indices spare the test for negative ones.
    """
    split = np.int64(tree[node])
    mask = (np.int64(1) << bits) - np.int64(1)
    first = np.int32(pixels[np.uint64(split & mask)])
    second = np.int32(pixels[np.uint64((split >> bits) & mask)])
    above = np.uint64(first - second > split >> (bits + bits))
    return node + node + np.uint64(1) + above


@njit(cache=True, nogil=True)
def find_leaves(pixels, splits, depth, out):
    """Find the leaf of every tree; splits (T, 2**depth - 1) int32 or int64, out (T,).

    Four trees go in step: the loads of one overlap those of the others.
    """
    bits = np.int64(PIXEL_BITS if splits.itemsize == 4 else WIDE_PIXEL_BITS)
    first_leaf = np.uint64((1 << depth) - 1)
    n_trees = splits.shape[0]
    for t in range(0, n_trees - 3, 4):
        p = q = r = s = np.uint64(0)
        for _ in range(depth):
            p = next_node(splits[t], p, pixels, bits)
            q = next_node(splits[t + 1], q, pixels, bits)
            r = next_node(splits[t + 2], r, pixels, bits)
            s = next_node(splits[t + 3], s, pixels, bits)
        out[t] = p - first_leaf
        out[t + 1] = q - first_leaf
        out[t + 2] = r - first_leaf
        out[t + 3] = s - first_leaf
    for t in range(n_trees - n_trees % 4, n_trees):
        p = np.uint64(0)
        for _ in range(depth):
            p = next_node(splits[t], p, pixels, bits)
        out[t] = p - first_leaf


@njit(cache=True, nogil=True)
def add_leaves(leaves, found, total):
    """Add the found leaf of every tree, leaves (T, 2**depth, K) int8, into total (K,) int32.

    Four at a time: their sum fits in 16 bits, and the total is read and written less often.
    """
    total[:] = 0
    n_trees = leaves.shape[0]
    for t in range(0, n_trees - 3, 4):
        p = leaves[t, found[t]]
        q = leaves[t + 1, found[t + 1]]
        r = leaves[t + 2, found[t + 2]]
        s = leaves[t + 3, found[t + 3]]
        for k in range(total.shape[0]):
            total[k] += np.int16(p[k]) + np.int16(q[k]) + np.int16(r[k]) + np.int16(s[k])
    for t in range(n_trees - n_trees % 4, n_trees):
        p = leaves[t, found[t]]
        for k in range(total.shape[0]):
            total[k] += p[k]


@njit(cache=True, nogil=True)
def move_shape(shape, a, b, steps, total, step):
    """Add (a, b) * (total @ steps) to `shape`; steps (K, 2 L), step (2 L,) is scratch."""
    step[:] = 0.0
    for k in range(total.shape[0]):
        weight = np.float32(total[k])
        for j in range(step.shape[0]):
            step[j] += weight * steps[k, j]
    for i in range(shape.shape[0]):
        x = step[2 * i]
        y = step[2 * i + 1]
        shape[i, 0] += a * x - b * y
        shape[i, 1] += b * x + a * y


@njit(cache=True, nogil=True)
def refine_shapes(
    image,
    shapes,
    centered_mean,
    inverse_norm,
    reach,
    anchors,
    offsets,
    splits,
    leaves,
    steps,
    depth,
):
    """Run the cascade on an image from shapes (n, L, 2), in place.

    anchors (S, P), offsets (S, P, 2), splits (S, T, 2**depth - 1), leaves (S, T, 2**depth, K),
    steps (S, K, 2 L).
    """
    pixels = np.empty(anchors.shape[1], np.uint8)
    found = np.empty(splits.shape[1], np.uint64)
    total = np.empty(leaves.shape[3], np.int32)
    step = np.empty(steps.shape[2], np.float32)
    for n in range(shapes.shape[0]):
        shape = shapes[n]
        for stage in range(splits.shape[0]):
            a, b = rotation_scale(shape, centered_mean, inverse_norm)
            read_pixels(image, shape, a, b, reach, anchors[stage], offsets[stage], pixels)
            find_leaves(pixels, splits[stage], depth, found)
            add_leaves(leaves[stage], found, total)
            move_shape(shape, a, b, steps[stage], total, step)


@njit(cache=True, nogil=True)
def predict_shapes(
    image,
    x,
    y,
    side,
    spread,
    mean_shape,
    centered_mean,
    inverse_norm,
    reach,
    anchors,
    offsets,
    splits,
    leaves,
    steps,
    depth,
):
    """Run the cascade on an image from several starts; return the shapes (n, L, 2).

    The box has its centre at (x, y); the mean shape starts from the places spread (n, 3) around
    it: shift in sides, factor of the side. The other arguments are those of `refine_shapes`.
    """
    shapes = np.empty((spread.shape[0], mean_shape.shape[0], 2), np.float32)
    for n in range(spread.shape[0]):
        for i in range(mean_shape.shape[0]):
            shapes[n, i, 0] = x + side * (spread[n, 0] + spread[n, 2] * mean_shape[i, 0])
            shapes[n, i, 1] = y + side * (spread[n, 1] + spread[n, 2] * mean_shape[i, 1])
    refine_shapes(
        image,
        shapes,
        centered_mean,
        inverse_norm,
        reach,
        anchors,
        offsets,
        splits,
        leaves,
        steps,
        depth,
    )
    return shapes
