"""Compiled kernels: from heatmaps to points and confidences."""

import math

import numba as nb
import numpy as np

_FAST = {"contract", "nsz", "arcp"}


@nb.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def find_peaks(logits, top, row, column):
    """Find the largest value of every map, and where it stands; the first of equals.

    Parameters
    ----------
    logits : float32, (height, width, L)
    top : float32, (L,)
    row, column : int32, (L,)
        Outputs.
    """
    height, width, n = logits.shape
    top[:] = -np.inf
    row[:] = 0
    column[:] = 0
    for y in range(height):
        for x in range(width):
            values = logits[y, x]
            for i in range(n):
                larger = values[i] > top[i]
                top[i] = values[i] if larger else top[i]
                row[i] = y if larger else row[i]
                column[i] = x if larger else column[i]


@nb.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def exponential_sums(logits, top, exponents, powers, total):
    """Sum exp(logits - top) over every map.

    exp(x) is 2**k times a polynomial of what is left, so that the loop over landmarks becomes
    vector instructions; the relative error is below 3e-6. Terms below exp(-80) count as that.

    Parameters
    ----------
    logits : float32, (height, width, L)
    top : float32, (L,)
    exponents : int32, (L,)
    powers : float32, (L,)
        A view of the memory of `exponents`; both are scratch.
    total : float32, (L,)
        Output.
    """
    height, width, n = logits.shape
    total[:] = 0
    for y in range(height):
        for x in range(width):
            values = logits[y, x]
            for i in range(n):
                t = max(values[i] - top[i], np.float32(-80.0)) * np.float32(1.4426950408889634)
                exponents[i] = (np.int32(t) + np.int32(126)) << 23  # t <= 0: the ceiling
            for i in range(n):
                t = max(values[i] - top[i], np.float32(-80.0)) * np.float32(1.4426950408889634)
                f = t - np.float32(np.int32(t)) + np.float32(1.0)  # in (0, 1]
                p = np.float32(1.8775767e-3)
                p = p * f + np.float32(8.9893397e-3)
                p = p * f + np.float32(5.5826318e-2)
                p = p * f + np.float32(2.4015361e-1)
                p = p * f + np.float32(6.9315308e-1)
                p = p * f + np.float32(9.9999994e-1)
                total[i] += powers[i] * p


@nb.njit(cache=True, nogil=True, error_model="numpy")
def local_expectation(logits, top, row, column, total, radius, points, confidence):
    """Take the mean position under the softmax within a square window around each peak.

    Parameters
    ----------
    logits : float32, (height, width, L)
    top, total : float32, (L,)
    row, column : int32, (L,)
    radius : int
    points : float32, (L, 2)
        Output: x, y in heatmap pixels.
    confidence : float32, (L,)
        Output: the share of the softmax's mass that lies in the window.
    """
    height, width, n = logits.shape
    for i in range(n):
        mass = sum_x = sum_y = 0.0
        for y in range(max(row[i] - radius, 0), min(row[i] + radius + 1, height)):
            for x in range(max(column[i] - radius, 0), min(column[i] + radius + 1, width)):
                weight = math.exp(logits[y, x, i] - top[i])
                mass += weight
                sum_x += weight * x
                sum_y += weight * y
        points[i, 0] = sum_x / mass
        points[i, 1] = sum_y / mass
        confidence[i] = min(mass / total[i], 1.0)
