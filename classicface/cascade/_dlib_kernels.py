"""Compiled kernels that predict with a tree cascade of dlib's style; shapes as in `_kernels`.

Shapes are relative to the rectangle, a square here: (0, 0) is its upper left corner, (1, 1) the
lower right one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from classicface.cascade._kernels import add_leaves, find_leaves, move_shape, rotation_scale


@njit(cache=True, nogil=True)
def read_single_pixels(image, left, top, side, shape, a, b, anchors, offsets, out):
    """Read the pixels next to shape[anchor] + (a, b) * offset; outside the image they are 0.

    The places are relative to the rectangle (left, top, side), and rounded as dlib does.
    """
    height = np.float64(image.shape[0])
    width = np.float64(image.shape[1])
    for p in range(anchors.shape[0]):
        i = np.uint64(anchors[p])
        u = shape[i, 0] + (a * offsets[p, 0] - b * offsets[p, 1])
        v = shape[i, 1] + (b * offsets[p, 0] + a * offsets[p, 1])
        x = left + side * u + 0.5
        y = top + side * v + 0.5
        # NaN lies outside too, so that no model whatever reads beyond the image.
        if x >= 0.0 and x < width and y >= 0.0 and y < height:
            out[p] = image[np.uint64(y), np.uint64(x)]
        else:
            out[p] = 0


@njit(cache=True, nogil=True)
def add_exact_leaves(leaves, found, shape):
    """Add the found leaf of every tree, leaves (T, 2**depth, 2 L) float32, to shape (2 L,).

    Eight at a time: leaves come from far in memory, and the loads of one overlap those of others.
    """
    n_trees = leaves.shape[0]
    for t in range(0, n_trees - 7, 8):
        a = leaves[t, found[t]]
        b = leaves[t + 1, found[t + 1]]
        c = leaves[t + 2, found[t + 2]]
        d = leaves[t + 3, found[t + 3]]
        e = leaves[t + 4, found[t + 4]]
        f = leaves[t + 5, found[t + 5]]
        g = leaves[t + 6, found[t + 6]]
        h = leaves[t + 7, found[t + 7]]
        for j in range(shape.shape[0]):
            four = shape[j] + a[j] + b[j] + c[j] + d[j]  # in dlib's order: the same bits
            shape[j] = four + e[j] + f[j] + g[j] + h[j]
    for t in range(n_trees - n_trees % 8, n_trees):
        a = leaves[t, found[t]]
        for j in range(shape.shape[0]):
            shape[j] += a[j]


@njit(cache=True, nogil=True)
def find_stage_leaves(
    image, frame, shape, centered_mean, inverse_norm, anchors, offsets, splits, depth, pixels, found
):
    """Read the pixels (P,) of a stage under a shape in the rectangle `frame`; find its leaves.

    The similarity is computed in double precision, as dlib does: pixels next to a border between
    two are then the same.
    """
    cos, sin = rotation_scale(shape, centered_mean, inverse_norm)
    a, b = np.float32(cos), np.float32(sin)
    left, top, side = frame
    read_single_pixels(image, left, top, side, shape, a, b, anchors, offsets, pixels)
    find_leaves(pixels, splits, depth, found)


@njit(cache=True, nogil=True)
def predict_exact(
    image, frames, mean_shape, centered_mean, inverse_norm, anchors, offsets, splits, leaves, depth
):
    """Run the cascade in rectangles, frames (n, 3): left, top, side; leaves are float32.

    Returns the shapes (n, L, 2), relative to the rectangles. anchors (S, P), offsets (S, P, 2),
    splits (S, T, 2**depth - 1), leaves (S, T, 2**depth, 2 L).
    """
    pixels = np.empty(anchors.shape[1], np.uint8)
    found = np.empty(splits.shape[1], np.uint64)
    shapes = np.empty((frames.shape[0], mean_shape.shape[0], 2), np.float32)
    for n in range(frames.shape[0]):
        shape = shapes[n]
        shape[:] = mean_shape
        flat = shape.reshape(-1)
        for stage in range(splits.shape[0]):
            find_stage_leaves(
                image,
                frames[n],
                shape,
                centered_mean,
                inverse_norm,
                anchors[stage],
                offsets[stage],
                splits[stage],
                depth,
                pixels,
                found,
            )
            add_exact_leaves(leaves[stage], found, flat)
    return shapes


@njit(cache=True, nogil=True)
def predict_compressed(
    image,
    frames,
    mean_shape,
    centered_mean,
    inverse_norm,
    anchors,
    offsets,
    splits,
    leaves,
    depth,
    steps,
):
    """Run the cascade as `predict_exact`, with leaves int8 along directions.

    leaves (S, T, 2**depth, K), steps (S, K, 2 L).
    """
    pixels = np.empty(anchors.shape[1], np.uint8)
    found = np.empty(splits.shape[1], np.uint64)
    total = np.empty(leaves.shape[3], np.int32)
    step = np.empty(steps.shape[2], np.float32)
    shapes = np.empty((frames.shape[0], mean_shape.shape[0], 2), np.float32)
    for n in range(frames.shape[0]):
        shape = shapes[n]
        shape[:] = mean_shape
        for stage in range(splits.shape[0]):
            find_stage_leaves(
                image,
                frames[n],
                shape,
                centered_mean,
                inverse_norm,
                anchors[stage],
                offsets[stage],
                splits[stage],
                depth,
                pixels,
                found,
            )
            add_leaves(leaves[stage], found, total)
            move_shape(shape, np.float32(1), np.float32(0), steps[stage], total, step)
    return shapes
