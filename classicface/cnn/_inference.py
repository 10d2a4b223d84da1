"""The interpreter of prediction: one compiled call runs a network's program on many faces.

A program is a matrix of integers, one instruction a row. Its operands are positions in three flat
arrays: `memory` (the maps), `weights`, and `table` (positions of pixels within a map). A map
lies channels last, maybe within a border of zeros, maybe as a range of channels of a larger map.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit

from classicface.cnn._inference_tiles import (
    convolve_one,
    convolve_two,
    filter_depthwise,
    project_eight,
    project_one,
    project_two,
)
from classicface.cnn._inference_vectors import (
    LANES,
    ROWS,
    add,
    larger,
    load,
    multiply_add,
    rectify,
    spread,
    store,
)


class Code(IntEnum):
    """What an instruction does."""

    CONVOLVE = 0
    DEPTHWISE = 1
    ADD = 2
    COPY = 3
    LARGEST = 4
    UPSAMPLE = 5
    CLEAR = 6


class Field(IntEnum):
    """The operands in a row of a program.

    `PIXELS` counts those of one face, and `*_STEP` is the distance between the maps of two faces.
    `*_TABLE` is where the table lists the pixels; `SLABS` where it lists the slabs of a filter.
    The second input is that of an addition.
    """

    CODE = 0
    PIXELS = 1
    CHANNELS = 2
    INPUT = 3
    INPUT_STEP = 4
    INPUT_TABLE = 5
    OUTPUT = 6
    OUTPUT_STEP = 7
    OUTPUT_TABLE = 8
    SLABS = 9
    N_SLABS = 10
    DEPTH = 11
    WEIGHT = 12
    BIAS = 13
    SLOPE = 14
    SECOND = 15
    SECOND_STEP = 16
    SECOND_TABLE = 17
    HEIGHT = 18
    WIDTH = 19


N_FIELDS = len(Field)

# Plain numbers, which numba takes as constants.
_CONVOLVE, _DEPTHWISE, _ADD, _COPY, _LARGEST, _UPSAMPLE, _CLEAR = (int(code) for code in Code)
(
    _CODE, _PIXELS, _CHANNELS, _INPUT, _INPUT_STEP, _INPUT_TABLE, _OUTPUT, _OUTPUT_STEP,
    _OUTPUT_TABLE, _SLABS, _N_SLABS, _DEPTH, _WEIGHT, _BIAS, _SLOPE, _SECOND, _SECOND_STEP,
    _SECOND_TABLE, _HEIGHT, _WIDTH,
) = (int(field) for field in Field)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _tile(row, source, target, pixel, channel):
    """Return the tile of a convolution that begins at this pixel and output channel."""
    total = row[_N_SLABS] * row[_DEPTH]
    return (
        row[_INPUT_TABLE] + pixel, source, row[_SLABS], row[_N_SLABS], row[_DEPTH],
        total * 2 * LANES, row[_WEIGHT] + channel * total, row[_BIAS] + channel,
        row[_SLOPE] + channel, row[_OUTPUT_TABLE] + pixel, target + channel,
        row[_CHANNELS] - channel,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _convolve(row, memory, weights, table, source, target, n_pixels):
    """Convolve; panels of channels outside, so that their weights stay in the nearest cache."""
    for channel in range(0, row[_CHANNELS], 2 * LANES):
        for pixel in range(0, n_pixels, ROWS):
            tile = _tile(row, source, target, pixel, channel)
            if row[_CHANNELS] - channel > LANES:
                convolve_two(memory, weights, table, tile)
            else:
                convolve_one(memory, weights, table, tile)


@njit(cache=True, nogil=True, error_model="numpy")
def _project(row, memory, weights, table, source, target):
    """Convolve to a single pixel: many channels at a time instead of many pixels."""
    channel = 0
    while channel < row[_CHANNELS]:
        tile = _tile(row, source, target, 0, channel)
        left = row[_CHANNELS] - channel
        if left > 7 * LANES:
            project_eight(memory, weights, table, tile)
            channel += 8 * LANES
        elif left > LANES:
            project_two(memory, weights, table, tile)
            channel += 2 * LANES
        else:
            project_one(memory, weights, table, tile)
            channel += LANES


@njit(cache=True, nogil=True, error_model="numpy")
def _depthwise(row, memory, weights, table, source, target, n_pixels):
    """Filter each channel on its own; `DEPTH` is the distance between a filter's weights."""
    for done in range(0, row[_CHANNELS], LANES):
        for i in range(0, n_pixels, ROWS):
            tile = (
                row[_INPUT_TABLE] + i, source + done, row[_SLABS], row[_N_SLABS], row[_DEPTH], 0,
                row[_WEIGHT] + done, row[_BIAS] + done, row[_SLOPE] + done,
                row[_OUTPUT_TABLE] + i, target + done, row[_CHANNELS] - done,
            )  # fmt: skip
            filter_depthwise(memory, weights, table, tile)


@njit(cache=True, nogil=True, error_model="numpy")
def _add(row, memory, weights, table, source, second, target, n_pixels):
    """Add two maps and rectify."""
    for i in range(n_pixels):
        a = source + table[row[_INPUT_TABLE] + i]
        b = second + table[row[_SECOND_TABLE] + i]
        out = target + table[row[_OUTPUT_TABLE] + i]
        for j in range(0, row[_CHANNELS], LANES):
            total = add(load(memory, a + j), load(memory, b + j))
            value = rectify(total, load(weights, row[_SLOPE] + j))
            store(memory, out + j, value, row[_CHANNELS] - j)


@njit(cache=True, nogil=True, error_model="numpy")
def _largest(row, memory, table, source, target, n_pixels):
    """Take the largest number of each window; of one pixel this is a copy."""
    for i in range(n_pixels):
        pixel = source + table[row[_INPUT_TABLE] + i]
        out = target + table[row[_OUTPUT_TABLE] + i]
        for j in range(0, row[_CHANNELS], LANES):
            value = load(memory, pixel + table[row[_SLABS]] + j)
            for k in range(1, row[_N_SLABS]):
                value = larger(load(memory, pixel + table[row[_SLABS] + k] + j), value)
            store(memory, out + j, value, row[_CHANNELS] - j)


@njit(cache=True, nogil=True, error_model="numpy")
def _upsample(row, memory, weights, table, source, target):
    """Enlarge bilinearly.

    The input's table holds, for each row and then each column of the output, the positions of the
    two that it lies between, and `WEIGHT` the share of the second.
    """
    rows, columns = row[_INPUT_TABLE], row[_INPUT_TABLE] + 2 * row[_HEIGHT]
    one = np.float32(1)
    for y in range(row[_HEIGHT]):
        top, bottom = source + table[rows + 2 * y], source + table[rows + 2 * y + 1]
        down = weights[row[_WEIGHT] + y]
        for x in range(row[_WIDTH]):
            left, right = table[columns + 2 * x], table[columns + 2 * x + 1]
            along = weights[row[_WEIGHT] + row[_HEIGHT] + x]
            w00, w01 = spread((one - down) * (one - along)), spread((one - down) * along)
            w10, w11 = spread(down * (one - along)), spread(down * along)
            zero = spread(np.float32(0))
            out = target + table[row[_OUTPUT_TABLE] + y * row[_WIDTH] + x]
            for j in range(0, row[_CHANNELS], LANES):
                value = multiply_add(load(memory, top + left + j), w00, zero)
                value = multiply_add(load(memory, top + right + j), w01, value)
                value = multiply_add(load(memory, bottom + left + j), w10, value)
                value = multiply_add(load(memory, bottom + right + j), w11, value)
                store(memory, out + j, value, row[_CHANNELS] - j)


@njit(cache=True, nogil=True, error_model="numpy")
def _clear(row, memory, table, target, n_pixels):
    """Write zeros, the border of a map."""
    zero = spread(np.float32(0))
    for i in range(n_pixels):
        out = target + table[row[_OUTPUT_TABLE] + i]
        for j in range(0, row[_CHANNELS], LANES):
            store(memory, out + j, zero, row[_CHANNELS] - j)


@njit(cache=True, nogil=True, error_model="numpy")
def _execute(row, memory, weights, table, slot, count):
    """Execute an instruction for `count` faces, from the one in `slot` on."""
    source = row[_INPUT] + slot * row[_INPUT_STEP]
    target = row[_OUTPUT] + slot * row[_OUTPUT_STEP]
    n_pixels = count * row[_PIXELS]
    code = row[_CODE]
    if code == _CONVOLVE and n_pixels == 1:
        _project(row, memory, weights, table, source, target)
    elif code == _CONVOLVE:
        _convolve(row, memory, weights, table, source, target, n_pixels)
    elif code == _DEPTHWISE:
        _depthwise(row, memory, weights, table, source, target, n_pixels)
    elif code == _ADD:
        second = row[_SECOND] + slot * row[_SECOND_STEP]
        _add(row, memory, weights, table, source, second, target, n_pixels)
    elif code == _LARGEST:
        _largest(row, memory, table, source, target, n_pixels)
    elif code == _UPSAMPLE:
        for face in range(count):
            start, end = face * row[_INPUT_STEP], face * row[_OUTPUT_STEP]
            _upsample(row, memory, weights, table, source + start, target + end)
    else:
        _clear(row, memory, table, target, n_pixels)


@njit(cache=True, nogil=True, error_model="numpy")
def _copy_lines(source, source_step, target, target_step, n_lines, length):
    """Copy lines of numbers that lie `*_step` apart."""
    for i in range(n_lines):
        line, copy = source[i * source_step :], target[i * target_step :]
        for j in range(length):
            copy[j] = line[j]


@njit(cache=True, nogil=True, error_model="numpy")
def run_program(ends, program, table, weights, memory, faces, out, n_single):
    """Run a network on faces, (n, numbers of the input), into `out`, (n, numbers of the output).

    The first `n_single` instructions run face by face, as their maps are large; the others run on
    a group of faces at once, so that the weights are read once for the group. `ends` says where
    the input and the output lie: rows of (position, step from face to face, number of lines,
    length of a line, distance of lines), and in its last row the number of faces in a group.
    """
    first_in, step_in, lines_in = ends[0, 0], ends[0, 1], ends[0, 2]
    length_in, line_step_in = ends[0, 3], ends[0, 4]
    first_out, step_out, lines_out = ends[1, 0], ends[1, 1], ends[1, 2]
    length_out, line_step_out = ends[1, 3], ends[1, 4]
    group = ends[2, 0]
    for first in range(0, faces.shape[0], group):
        count = min(group, faces.shape[0] - first)
        for slot in range(count):
            place = memory[first_in + slot * step_in :]
            _copy_lines(faces[first + slot], length_in, place, line_step_in, lines_in, length_in)
            for i in range(n_single):
                _execute(program[i], memory, weights, table, slot, 1)
        for i in range(n_single, program.shape[0]):
            _execute(program[i], memory, weights, table, 0, count)
        for slot in range(count):
            place, result = memory[first_out + slot * step_out :], out[first + slot]
            _copy_lines(place, line_step_out, result, length_out, lines_out, length_out)
