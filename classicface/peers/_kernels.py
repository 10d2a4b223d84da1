"""Compiled kernels that take the numbers of dlib's serialised objects from bytes, and back.

dlib writes a whole number as a control byte (0x80: negative; low four bits: how many bytes follow)
and that many bytes, the lowest first; a real number as two whole ones, mantissa and exponent, for
mantissa * 2**exponent. Kernels that read return the place behind what they read, or one of the
errors below; they read nothing beyond the data and write nothing beyond the output.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from classicface.cascade._kernels import WIDE_PIXEL_BITS

#: Errors, negative where a place in the data is not: the data end too early; no whole number of
#: dlib's; no finite number that a cascade may hold; another count than that of the parts before;
#: an index out of range; reals written as text, as old versions did.
CUT, MALFORMED, RANGE, UNEVEN, INDEX, TEXT = -1, -2, -3, -4, -5, -6

#: Reals beyond this are refused: far above what training can give, far below what overflows.
MAX_REAL = 1e10

#: Bytes that a number takes at most: a whole one of 63 bits, or a real one.
MOST_BYTES = 9

# Exponents of float32 lie well within: -173 to 104.
_MAX_EXPONENT = 500
_POWERS = 2.0 ** np.arange(-_MAX_EXPONENT, _MAX_EXPONENT + 1)


@njit(cache=True, nogil=True)
def read_whole(data, at):
    """Return the whole number at a place in data (n,) uint8, and the place behind it."""
    if at >= data.shape[0]:
        return np.int64(0), np.int64(CUT)
    control = np.int64(data[at])
    size = control & 15
    if control & 0x70 or size == 0 or size > 8:
        return np.int64(0), np.int64(MALFORMED)
    stop = at + 1 + size
    if stop > data.shape[0]:
        return np.int64(0), np.int64(CUT)
    value = np.int64(0)
    for i in range(stop - 1, at, -1):
        value = (value << 8) | np.int64(data[i])
    if value < 0:  # beyond 63 bits
        return np.int64(0), np.int64(MALFORMED)
    return -value if control & 0x80 else value, np.int64(stop)


@njit(cache=True, nogil=True)
def read_real(data, at):
    """Return the real number at a place in data, and the place behind it."""
    if at < data.shape[0] and data[at] & 0x70:
        return 0.0, np.int64(TEXT)
    mantissa, at = read_whole(data, at)
    if at < 0:
        return 0.0, at
    exponent, at = read_whole(data, at)
    if at < 0:
        return 0.0, at
    if abs(exponent) > _MAX_EXPONENT:  # infinity and NaN are exponents of 32000 and more
        return 0.0, np.int64(RANGE)
    value = np.float64(mantissa) * _POWERS[exponent + _MAX_EXPONENT]
    if abs(value) > MAX_REAL:
        return 0.0, np.int64(RANGE)
    return value, at


@njit(cache=True, nogil=True)
def read_reals(data, at, out):
    """Read as many reals as out (m,) float32 holds."""
    for i in range(out.shape[0]):
        value, at = read_real(data, at)
        if at < 0:
            return at
        out[i] = value
    return at


@njit(cache=True, nogil=True)
def read_count(data, at, expected):
    """Read a count that must be the expected one."""
    value, at = read_whole(data, at)
    if at >= 0 and value != expected:
        return np.int64(UNEVEN)
    return at


@njit(cache=True, nogil=True)
def read_matrix(data, at, out):
    """Read a column of as many reals as out (m,) holds.

    Its sizes are negative in the newer layout and positive in the older one.
    """
    rows, at = read_whole(data, at)
    if at < 0:
        return at
    columns, at = read_whole(data, at)
    if at < 0:
        return at
    if abs(rows) != out.shape[0] or abs(columns) != 1:
        return np.int64(UNEVEN)
    return read_reals(data, at, out)


@njit(cache=True, nogil=True)
def read_trees(data, at, splits, leaves):
    """Read a stage into splits (T, 2**depth - 1) int64 and leaves (T, 2**depth, 2 L) float32.

    dlib goes to the first child where pixel[a] - pixel[b] > t, we to the second. Of whole pixel
    values, pixel[b] - pixel[a] > -floor(t) - 1 says the opposite, so that is what is kept.
    """
    at = read_count(data, at, splits.shape[0])
    if at < 0:
        return at
    for t in range(splits.shape[0]):
        at = read_count(data, at, splits.shape[1])
        if at < 0:
            return at
        for i in range(splits.shape[1]):
            b, at = read_whole(data, at)
            if at < 0:
                return at
            a, at = read_whole(data, at)
            if at < 0:
                return at
            if min(a, b) < 0 or max(a, b) >> WIDE_PIXEL_BITS > 0:
                return np.int64(INDEX)
            threshold, at = read_real(data, at)
            if at < 0:
                return at
            level = -np.int64(min(max(math.floor(threshold), -256.0), 255.0)) - 1
            splits[t, i] = (level << (2 * WIDE_PIXEL_BITS)) | (b << WIDE_PIXEL_BITS) | a
        at = read_count(data, at, leaves.shape[1])
        if at < 0:
            return at
        for i in range(leaves.shape[1]):
            at = read_matrix(data, at, leaves[t, i])
            if at < 0:
                return at
    return at


@njit(cache=True, nogil=True)
def read_anchors(data, at, n_landmarks, out):
    """Read the landmarks that the pixels of a stage are tied to into out (P,) int16."""
    at = read_count(data, at, out.shape[0])
    if at < 0:
        return at
    for i in range(out.shape[0]):
        value, at = read_whole(data, at)
        if at < 0:
            return at
        if value < 0 or value >= n_landmarks:
            return np.int64(INDEX)
        out[i] = value
    return at


@njit(cache=True, nogil=True)
def write_whole(value, out, at):
    """Write a whole number at a place in out (n,) uint8; return the place behind it."""
    left = abs(np.int64(value))
    start = at
    while True:
        at += 1
        out[at] = left & 255
        left >>= 8
        if left == 0:
            break
    out[start] = (at - start) | (0x80 if value < 0 else 0)
    return at + 1


@njit(cache=True, nogil=True)
def write_real(value, out, at):
    """Write a real number of single precision, in the fewest bytes as dlib does."""
    fraction, exponent = math.frexp(np.float64(value))
    mantissa = np.int64(fraction * 16777216.0)  # 2**24: all digits of float32
    power = np.int64(exponent) - 24
    shifts = 0
    while shifts < 8 and mantissa & 255 == 0:
        mantissa >>= 8
        power += 8
        shifts += 1
    return write_whole(power, out, write_whole(mantissa, out, at))


@njit(cache=True, nogil=True)
def write_reals(values, out, at):
    """Write the reals of values (m,)."""
    for i in range(values.shape[0]):
        at = write_real(values[i], out, at)
    return at


@njit(cache=True, nogil=True)
def write_matrix(values, out, at):
    """Write a column (m,) of reals."""
    at = write_whole(-1, out, write_whole(-values.shape[0], out, at))
    return write_reals(values, out, at)


@njit(cache=True, nogil=True)
def write_trees(splits, leaves, out, at):
    """Write a stage, the opposite of `read_trees`."""
    mask = (1 << WIDE_PIXEL_BITS) - 1
    at = write_whole(splits.shape[0], out, at)
    for t in range(splits.shape[0]):
        at = write_whole(splits.shape[1], out, at)
        for i in range(splits.shape[1]):
            split = splits[t, i]
            at = write_whole((split >> WIDE_PIXEL_BITS) & mask, out, at)
            at = write_whole(split & mask, out, at)
            at = write_real(-(split >> (2 * WIDE_PIXEL_BITS)) - 1, out, at)
        at = write_whole(leaves.shape[1], out, at)
        for i in range(leaves.shape[1]):
            at = write_matrix(leaves[t, i], out, at)
    return at


@njit(cache=True, nogil=True)
def write_anchors(anchors, out, at):
    """Write the landmarks (P,) that the pixels of a stage are tied to."""
    at = write_whole(anchors.shape[0], out, at)
    for i in range(anchors.shape[0]):
        at = write_whole(anchors[i], out, at)
    return at
