"""The three sums over the windows of maps that (transposed) convolutions and their gradients are.

They are reckoned by register tiles, which read a map where it lies or from a copy with a border;
the windows are never laid out as a matrix.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classicface.cnn._inference_vectors import LANES, ROWS
from classicface.cnn._training_maps import PANEL, convolve_maps, correlate_maps
from classicface.cnn.layer import Array
from classicface.cnn.memory import empty

__all__ = ["Windows"]

# Maps are taken together until they have so many pixels.
_PIXELS = 256

# Numbers in a line of the cache.
_LINE = 16

# Numbers behind a copy that tiles may read, and do not use.
_SLACK = max(ROWS, PANEL)

_Place = tuple[bool, int, int, int, int, int]


class Windows(NamedTuple):
    """The window of each pixel of small maps (n, h', w', s) in large ones (n, h, w, c).

    Weights are (kernel, kernel, c, s) throughout.

    Parameters
    ----------
    large, small : tuple of int
        Heights and widths.
    kernel, stride, pad : int
        The window of pixel (i, j) begins at (i, j) * stride - pad; outside the map are zeros.
    """

    large: tuple[int, int]
    small: tuple[int, int]
    kernel: int
    stride: int
    pad: int

    def gather(self, large: Array, weight: Array, bias: Array | None, small: Array) -> None:
        """Write the sum of each window, weighted, to its pixel of the small maps."""
        plan = _gathering(self, *large.shape[::3], small.shape[3])
        _convolve(plan, large, [weight], bias, small)

    def scatter(self, small: Array, weight: Array, bias: Array | None, large: Array) -> None:
        """Write to the large maps what the pixels of the small ones, weighted, add to windows."""
        plan = _scattering(self, *small.shape[::3], large.shape[3])
        turned = [
            weight[y :: self.stride, x :: self.stride][::-1, ::-1].transpose(0, 1, 3, 2)
            for y, x in plan.taps
        ]
        _convolve(plan, small, turned, bias, large)

    def correlate(self, large: Array, small: Array) -> Array:
        """Return the sum of the products of windows and pixels, an array like the weights."""
        k, c, s = self.kernel, large.shape[3], small.shape[3]
        large, small = np.ascontiguousarray(large), np.ascontiguousarray(small)
        plan = _gathering(self, *large.shape[::3], s)
        width = _whole(s, LANES)
        totals = _aligned(k * _whole(k * c, ROWS) * width, fill=True).reshape(k, -1, width)
        place = (k * c % ROWS != 0 or plan.place[0], *plan.place[1:])
        place_small = (s % LANES != 0, 0, 0, *self.small, width)
        correlate_maps(
            *(large, small, plan.group),
            *(place, _buffer(plan.group, place), place_small, _buffer(plan.group, place_small)),
            *(plan.table, tuple(plan.jobs[0].tolist()), totals),
        )
        return np.ascontiguousarray(totals[:, : k * c, :s]).reshape(k, k, c, s)


class _Plan(NamedTuple):
    """How maps are read, see `convolve_maps`; taps: the first of each job."""

    group: int
    place: _Place
    table: NDArray[np.int32]
    jobs: NDArray[np.int64]
    taps: tuple[tuple[int, int], ...]


class _Planner:
    """Collects the table and the jobs of a plan."""

    def __init__(self, n: int, n_pixels: int, place: _Place, channels: int) -> None:
        self.group = max(1, min(n, -(-_PIXELS // n_pixels)))
        self._place, self._channels = place, channels
        self._table: list[NDArray[np.int64]] = []
        self._jobs: list[list[int]] = []
        self._taps: list[tuple[int, int]] = []

    def pixels(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, ...]
    ) -> int:
        """List the pixels in these rows and columns of maps of a shape (h, w, c)."""
        maps = np.arange(self.group)[:, None, None]
        found = ((maps * shape[0] + rows[:, None]) * shape[1] + columns).ravel() * shape[2]
        return self._list(np.pad(found, (0, max(0, ROWS - found.size)), mode="edge"))

    def job(
        self, n_pixels: int, pixels: tuple[int, int], size: tuple[int, int], tap: tuple[int, int]
    ) -> None:
        """Add the pixels whose windows have this size, in pixels, and begin at this tap."""
        *_, columns, channels = self._place
        done = sum(job[4] * job[5] for job in self._jobs) * _whole(self._channels, LANES)
        slabs = self._list(np.arange(size[0]) * (columns * channels))
        depth = size[1] * channels
        self._jobs.append([self.group * n_pixels, *pixels, slabs, size[0], depth, done])
        self._taps.append(tap)

    def plan(self) -> _Plan:
        """Return what was collected."""
        table = np.concatenate(self._table).astype(np.int32)
        return _Plan(
            self.group, self._place, table, np.array(self._jobs, np.int64), tuple(self._taps)
        )

    def _list(self, positions: NDArray[np.int64]) -> int:
        self._table.append(positions)
        return sum(part.size for part in self._table[:-1])


class _Phase(NamedTuple):
    """Along one axis: the pixels of the large map a stride apart, which the same taps reach."""

    pixels: NDArray[np.int64]
    tap: int  # the first
    n_taps: int
    first: int  # the first pixel of the small map that reaches the first of the large one


class _Axis(NamedTuple):
    """An axis of the small map within a border that all windows of its phases need."""

    phases: list[_Phase]
    before: int
    size: int


@lru_cache(maxsize=256)
def _gathering(windows: Windows, n: int, channels_in: int, channels_out: int) -> _Plan:
    k, stride, pad = windows.kernel, windows.stride, windows.pad
    rows_in, columns_in = (
        max(pad + large, (small - 1) * stride + k)
        for large, small in zip(windows.large, windows.small, strict=True)
    )
    place = (pad > 0, pad, pad, rows_in, columns_in, channels_in)
    height, width = windows.small
    planner = _Planner(n, height * width, place, channels_out)
    rows, columns = np.arange(height), np.arange(width)
    pixels = (
        planner.pixels(rows * stride, columns * stride, place[3:]),
        planner.pixels(rows, columns, (height, width, channels_out)),
    )
    planner.job(height * width, pixels, (k, k), (0, 0))
    return planner.plan()


@lru_cache(maxsize=256)
def _scattering(windows: Windows, n: int, channels_in: int, channels_out: int) -> _Plan:
    height, width = (_axis(windows, *sizes) for sizes in zip(*windows[:2], strict=True))
    copied = (height.size, width.size) != windows.small
    place = (copied, height.before, width.before, height.size, width.size, channels_in)
    planner = _Planner(n, windows.small[0] * windows.small[1], place, channels_out)
    for y in height.phases:
        for x in width.phases:
            rows, columns = np.arange(y.pixels.size), np.arange(x.pixels.size)
            pixels = (
                planner.pixels(
                    rows + (height.before + y.first), columns + (width.before + x.first), place[3:]
                ),
                planner.pixels(y.pixels, x.pixels, (*windows.large, channels_out)),
            )
            size, tap = (y.n_taps, x.n_taps), (y.tap, x.tap)
            planner.job(rows.size * columns.size, pixels, size, tap)
    return planner.plan()


def _axis(windows: Windows, large: int, small: int) -> _Axis:
    k, stride, pad = windows.kernel, windows.stride, windows.pad
    phases = []
    for start in range(min(stride, large)):
        tap = (start + pad) % stride
        n_taps = len(range(tap, k, stride))
        first = (start + pad) // stride - (n_taps - 1)
        phases.append(_Phase(np.arange(start, large, stride), tap, n_taps, first))
    before = max(0, *(-phase.first for phase in phases))
    ends = (phase.first + phase.pixels.size + phase.n_taps - 1 for phase in phases)
    return _Axis(phases, before, before + max(small, *ends))


def _convolve(plan: _Plan, x: Array, weights: list[Array], bias: Array | None, out: Array) -> None:
    """Write the convolution of x with the weights (h, w, c, channels) of each job to out."""
    channels = out.shape[3]
    packed = _packed(weights, channels, bias)
    buffer = _buffer(plan.group, plan.place)
    x = np.ascontiguousarray(x)
    convolve_maps(x, plan.group, plan.place, buffer, packed, plan.table, plan.jobs, out)


def _packed(weights: list[Array], channels: int, bias: Array | None) -> Array:
    """Return the panels of the weights, each (h, w, c, PANEL), and the biases."""
    width = _whole(channels, LANES)
    packed = _aligned((sum(w.size for w in weights) // channels + 1) * width, fill=width > channels)
    start = 0
    for weight in weights:
        for channel in range(0, channels, PANEL):
            part = weight[..., channel : channel + PANEL]
            shape = (*part.shape[:3], min(PANEL, width - channel))
            stop = start + int(np.prod(shape))
            packed[start:stop].reshape(shape)[..., : part.shape[3]] = part
            start = stop
    packed[start : start + channels] = 0 if bias is None else bias
    return packed


def _buffer(group: int, place: _Place) -> Array:
    """Return zeros for the copies of a group of maps; nothing where none are made."""
    copied, *_, height, width, channels = place
    return _aligned((group * height * width * channels if copied else 0) + _SLACK, fill=True)


def _aligned(size: int, *, fill: bool) -> Array:
    """Return an array that begins with a line of the cache; of zeros where `fill`."""
    array = empty((size + _LINE,))
    start = -array.ctypes.data // array.itemsize % _LINE
    if fill:
        array.fill(0)
    return np.asarray(array[start : start + size])


def _whole(size: int, step: int) -> int:
    return -(-size // step) * step
