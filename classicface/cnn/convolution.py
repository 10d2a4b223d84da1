"""Convolutions and the dense layer: what is a matrix product at heart.

A convolution copies its windows block by block into a matrix that stays in the cache of the core,
and multiplies it with the weights ("im2col", Chellapilla et al. 2006); 1 by 1 kernels need no copy.
"""

from __future__ import annotations

import numpy as np

from classicface.cnn import _kernels
from classicface.cnn.graph import Node
from classicface.cnn.layer import Array, Cache, Grads, Layer, Params, fold, lanes
from classicface.cnn.memory import empty, zeros

__all__ = ["CONV", "CONV_TRANSPOSE", "DENSE", "DEPTHWISE"]

# Numbers in a block of windows (1 MB), and the bounds of its rows.
_BLOCK_SIZE = 2**18
_BLOCK_ROWS = (256, 2048)

# Maps of fewer channels are copied number by number.
_THIN = 8


class _Windows:
    """The windows of the pixels of a small map (n, h', w', .) in a larger one (n, h, w, c)."""

    def __init__(
        self, large: tuple[int, ...], small: tuple[int, ...], kernel: int, stride: int, pad: int
    ) -> None:
        self._geometry = (kernel, stride, pad, small[1], small[2])
        self._n_rows = small[0] * small[1] * small[2]
        self._width = kernel * kernel * large[3]
        self._gather = _kernels.gather_thin_windows if large[3] < _THIN else _kernels.gather_windows
        low, high = _BLOCK_ROWS
        self._block = min(self._n_rows, high, max(low, _BLOCK_SIZE // self._width))

    def buffer(self) -> Array:
        """Return room for one block of windows."""
        return empty((self._block, self._width))

    def blocks(self) -> list[tuple[int, int]]:
        """Return where the blocks of pixels start and stop."""
        starts = range(0, self._n_rows, self._block)
        return [(start, min(start + self._block, self._n_rows)) for start in starts]

    def gather(self, large: Array, block: tuple[int, int], buffer: Array) -> Array:
        """Copy a block of windows into the buffer and return the part it fills."""
        self._gather(large, *self._geometry, *block, buffer)
        return buffer[: block[1] - block[0]]

    def add(self, windows: Array, block: tuple[int, int], large: Array) -> None:
        """Add a block of windows to where they came from."""
        _kernels.add_windows(windows, *self._geometry, *block, large)


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _bias_gradient(dy: Array) -> Array:
    channels = dy.shape[-1]
    together = lanes(dy.size // channels, channels)
    sums = np.zeros(together * channels)
    _kernels.column_sums(dy.reshape(-1, together * channels), sums)
    return fold(sums, channels).astype(np.float32)


def _conv(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    x, weight = xs[0], params["weight"]
    k, stride, pad = node.kernel, node.stride, (node.kernel - 1) // 2
    height = (x.shape[1] + 2 * pad - k) // stride + 1
    width = (x.shape[2] + 2 * pad - k) // stride + 1
    y = empty((x.shape[0], height, width, weight.shape[3]))
    rows, matrix = _rows(y), _rows(weight)
    bias = params["bias"] if node.bias else None
    if k == stride == 1:
        np.dot(_rows(x), matrix, out=rows)
        if bias is not None:
            rows += bias
        return y, (x, weight, node)
    windows = _Windows(x.shape, y.shape, k, stride, pad)
    buffer = windows.buffer()
    for block in windows.blocks():
        part = rows[slice(*block)]
        np.dot(windows.gather(x, block, buffer), matrix, out=part)
        if bias is not None:
            part += bias
    return y, (x, weight, node)


def _conv_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, weight, node = cache
    grads = {"weight": np.zeros_like(weight)}
    if node.bias:
        grads["bias"] = _bias_gradient(dy)
    rows, matrix, total = _rows(dy), _rows(weight), _rows(grads["weight"])
    if node.kernel == node.stride == 1:
        np.dot(_rows(x).T, rows, out=total)
        dx = empty(x.shape) if need_input else None
        if dx is not None:
            np.dot(rows, matrix.T, out=_rows(dx))
        return (dx,), grads
    windows = _Windows(x.shape, dy.shape, node.kernel, node.stride, (node.kernel - 1) // 2)
    buffer = windows.buffer()
    dx = zeros(x.shape) if need_input else None
    for block in windows.blocks():
        part = rows[slice(*block)]
        total += np.dot(windows.gather(x, block, buffer).T, part)
        if dx is not None:
            np.dot(part, matrix.T, out=buffer[: len(part)])
            windows.add(buffer, block, dx)
    return (dx,), grads


def _conv_transpose(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    x, weight = xs[0], params["weight"]
    n, height, width, _ = x.shape
    y = empty((n, height * node.stride, width * node.stride, weight.shape[3]))
    y[:] = params["bias"] if node.bias else 0
    windows = _Windows(y.shape, x.shape, node.kernel, node.stride, (node.kernel - node.stride) // 2)
    buffer = windows.buffer()
    rows, matrix = _rows(x), _sources_first(weight)
    for block in windows.blocks():
        part = rows[slice(*block)]
        np.dot(part, matrix, out=buffer[: len(part)])
        windows.add(buffer, block, y)
    return y, (x, weight, node)


def _conv_transpose_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, weight, node = cache
    k, pad = node.kernel, (node.kernel - node.stride) // 2
    windows = _Windows(dy.shape, x.shape, k, node.stride, pad)
    buffer = windows.buffer()
    rows, matrix = _rows(x), _sources_first(weight)
    total = np.zeros_like(matrix)
    dx = empty(x.shape) if need_input else None
    for block in windows.blocks():
        part = windows.gather(dy, block, buffer)
        total += np.dot(rows[slice(*block)].T, part)
        if dx is not None:
            np.dot(part, matrix.T, out=_rows(dx)[slice(*block)])
    shape = (x.shape[3], k, k, dy.shape[3])
    grads = {"weight": np.ascontiguousarray(total.reshape(shape).transpose(1, 2, 0, 3))}
    if node.bias:
        grads["bias"] = _bias_gradient(dy)
    return (dx,), grads


def _sources_first(weight: Array) -> Array:
    """Return the weights (k, k, c, channels) as a matrix (c, k * k * channels)."""
    return np.ascontiguousarray(weight.transpose(2, 0, 1, 3)).reshape(weight.shape[2], -1)


def _depthwise(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    x, weight = xs[0], params["weight"]
    k, stride, pad = node.kernel, node.stride, (node.kernel - 1) // 2
    n, height, width, channels = x.shape
    out_height, out_width = (
        (height + 2 * pad - k) // stride + 1,
        (width + 2 * pad - k) // stride + 1,
    )
    taps = np.repeat(weight[:, :, None], out_width, axis=2)
    bias = np.zeros((out_width, channels), np.float32)
    if node.bias:
        bias += params["bias"]
    y = empty((n, out_height, out_width, channels))
    _kernels.depthwise(x, taps, stride, pad, bias, y)
    return y, (x, taps, node)


def _depthwise_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, taps, node = cache
    sums = np.zeros(taps.shape)
    dx = empty(x.shape if need_input else (0, 0, 0, 0))
    pad = (node.kernel - 1) // 2
    _kernels.depthwise_backward(dy, x, taps, node.stride, pad, need_input, dx, sums)
    grads = {"weight": sums.sum(axis=2).astype(np.float32)}
    if node.bias:
        grads["bias"] = _bias_gradient(dy)
    return (dx if need_input else None,), grads


def _dense(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    x, weight = xs[0], params["weight"]
    y = np.dot(x.reshape(len(x), -1), weight)
    y += params["bias"]
    return y.reshape(len(x), 1, 1, -1), (x, weight)


def _dense_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, weight = cache
    rows = _rows(dy)
    grads = {"weight": np.dot(x.reshape(len(x), -1).T, rows), "bias": rows.sum(axis=0)}
    dx = np.dot(rows, weight.T).reshape(x.shape) if need_input else None
    return (dx,), grads


CONV = Layer(_conv, _conv_backward)
CONV_TRANSPOSE = Layer(_conv_transpose, _conv_transpose_backward)
DEPTHWISE = Layer(_depthwise, _depthwise_backward)
DENSE = Layer(_dense, _dense_backward)
