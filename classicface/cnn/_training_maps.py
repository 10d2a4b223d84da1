"""The loops of the training convolutions: maps in, maps or gradients of weights out."""

from __future__ import annotations

from numba import njit

from classicface.cnn._inference_vectors import LANES, ROWS
from classicface.cnn._training_tiles import convolve_one, convolve_two, outer_one, outer_two

kernel = njit(cache=True, nogil=True, error_model="numpy")

#: Channels of a panel: what a tile computes at once.
PANEL = 2 * LANES

# Pixels that a tile of a gradient sums: what it reads of them stays in the nearest cache.
_BLOCK = 256


@kernel
def _insert(x, first, group, place, buffer):
    """Copy `group` maps of x (n, h, w, c) into larger ones.

    place: whether to do so at all, the row and the column where the copies begin, and the height,
    the width and the channels of the larger maps.
    """
    _, height, width, c = x.shape
    _, top, left, rows, columns, channels = place
    source = x.reshape(-1)
    n_runs, run = (1, width * c) if channels == c else (width, c)
    for i in range(group):
        for y in range(height):
            start = ((first + i) * height + y) * width * c
            target = ((i * rows + top + y) * columns + left) * channels
            for k in range(n_runs):
                to = buffer[target + k * channels :]
                row = source[start + k * c :]
                for j in range(run):
                    to[j] = row[j]


@kernel
def _convolve(job, source, base_in, weights, table, target, base_out, channels):
    """Convolve the pixels of a job; panels outside, so that their weights stay in the cache."""
    n_pixels, pixels_in, pixels_out, slabs, n_slabs, depth, start = job
    bias = weights.size - -(-channels // LANES) * LANES
    for channel in range(0, channels, PANEL):
        for i in range(0, n_pixels, ROWS):
            pixel = max(0, min(i, n_pixels - ROWS))
            tile = (
                pixels_in + pixel, base_in, slabs, n_slabs, depth,
                start + channel * n_slabs * depth, bias + channel, pixels_out + pixel,
                base_out + channel, channels - channel,
            )  # fmt: skip
            if channels - channel > LANES:
                convolve_two(source, weights, table, target, tile)
            else:
                convolve_one(source, weights, table, target, tile)


@kernel
def convolve_maps(x, group, place, buffer, weights, table, jobs, out):
    """Convolve maps x (n, h, w, c), `group` at a time, to out (n, h', w', channels).

    Parameters
    ----------
    x : array, shape (n, h, w, c)
    group : int
        At most n.
    place : tuple of int
        Of the copies in the buffer that are read instead of x; see `_insert`.
    buffer : array
        Zero around the copies.
    weights : array
        The panels of each job, and at last the biases; both filled up to whole vectors.
    table : array of int32
    jobs : array of int64, shape (n_jobs, 7)
        Pixels that are written, where the table lists them in x and in out and the slabs,
        the number of slabs and of the numbers in each, and where the panels begin.
    out : array, shape (n, h', w', channels)
    """
    n = x.shape[0]
    for begin in range(0, n, group):
        first = min(begin, n - group)
        source, base_in = x.reshape(-1), first * x[0].size
        if place[0]:
            _insert(x, first, group, place, buffer)
            source, base_in = buffer, 0
        for j in range(len(jobs)):
            job = (
                jobs[j, 0], jobs[j, 1], jobs[j, 2], jobs[j, 3], jobs[j, 4], jobs[j, 5], jobs[j, 6]
            )  # fmt: skip
            _convolve(
                job, source, base_in, weights, table, out.reshape(-1), first * out[0].size,
                out.shape[3],
            )  # fmt: skip


@kernel
def correlate_maps(x, dy, group, place, buffer, place_dy, buffer_dy, table, job, totals):
    """Add to totals (n_slabs, rows, channels) what x and dy have to do with each other.

    That is the product of each number of a pixel's slabs in x (n, h, w, c) with each channel of
    the pixel in dy (n, h', w', channels). The other parameters are as those of `convolve_maps`;
    rows and channels of the totals are filled up to whole tiles.
    """
    n = x.shape[0]
    _, pixels_in, _, slabs, n_slabs, depth, _ = job
    n_pixels = dy.shape[1] * dy.shape[2]
    rows, channels = totals.shape[1:]
    for begin in range(0, n, group):
        first = min(begin, n - group)
        source, base_in = x.reshape(-1), first * x[0].size
        gradient, base_out = dy.reshape(-1), first * dy[0].size
        if place[0]:
            _insert(x, first, group, place, buffer)
            source, base_in = buffer, 0
        if place_dy[0]:
            _insert(dy, first, group, place_dy, buffer_dy)
            gradient, base_out = buffer_dy, 0
        for start in range((begin - first) * n_pixels, group * n_pixels, _BLOCK):
            count = min(_BLOCK, group * n_pixels - start)
            for channel in range(0, channels, PANEL):
                for slab in range(n_slabs):
                    for row in range(0, depth, ROWS):
                        tile = (
                            pixels_in + start, base_in + table[slabs + slab] + row,
                            base_out + start * channels + channel, channels, count,
                            (slab * rows + row) * channels + channel, channels,
                        )  # fmt: skip
                        if channels - channel > LANES:
                            outer_two(source, gradient, table, totals.reshape(-1), tile)
                        else:
                            outer_one(source, gradient, table, totals.reshape(-1), tile)
