"""Convolutions and the dense layer."""

from __future__ import annotations

import numpy as np

from classicface.cnn import _kernels
from classicface.cnn.graph import Node
from classicface.cnn.layer import Array, Cache, Grads, Layer, Params, fold, lanes
from classicface.cnn.memory import empty
from classicface.cnn.windows import Windows

__all__ = ["CONV", "CONV_TRANSPOSE", "DENSE", "DEPTHWISE"]


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _bias_gradient(dy: Array) -> Array:
    channels = dy.shape[-1]
    together = lanes(dy.size // channels, channels)
    sums = np.zeros(together * channels)
    _kernels.column_sums(dy.reshape(-1, together * channels), sums)
    return fold(sums, channels).astype(np.float32)


def _windows(node: Node, large: tuple[int, ...], small: tuple[int, ...]) -> Windows:
    """Return the windows that tie the larger maps of a convolution to its smaller ones."""
    _, rows, columns, _ = large
    _, height, width, _ = small
    pad = (node.kernel - (1 if node.op == "conv" else node.stride)) // 2
    return Windows((rows, columns), (height, width), node.kernel, node.stride, pad)


def _conv(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    x, weight = xs[0], params["weight"]
    k, stride, pad = node.kernel, node.stride, (node.kernel - 1) // 2
    height = (x.shape[1] + 2 * pad - k) // stride + 1
    width = (x.shape[2] + 2 * pad - k) // stride + 1
    y = empty((x.shape[0], height, width, weight.shape[3]))
    _windows(node, x.shape, y.shape).gather(x, weight, params.get("bias"), y)
    return y, (x, weight, node)


def _conv_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, weight, node = cache
    windows = _windows(node, x.shape, dy.shape)
    grads = {"weight": windows.correlate(x, dy)}
    if node.bias:
        grads["bias"] = _bias_gradient(dy)
    dx = empty(x.shape) if need_input else None
    if dx is not None:
        windows.scatter(dy, weight, None, dx)
    return (dx,), grads


def _conv_transpose(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    x, weight = xs[0], params["weight"]
    n, height, width, _ = x.shape
    y = empty((n, height * node.stride, width * node.stride, weight.shape[3]))
    turned = weight.transpose(0, 1, 3, 2)
    _windows(node, y.shape, x.shape).scatter(x, turned, params.get("bias"), y)
    return y, (x, turned, node)


def _conv_transpose_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, turned, node = cache
    windows = _windows(node, dy.shape, x.shape)
    gradient = windows.correlate(dy, x).transpose(0, 1, 3, 2)
    grads = {"weight": np.ascontiguousarray(gradient)}
    if node.bias:
        grads["bias"] = _bias_gradient(dy)
    dx = empty(x.shape) if need_input else None
    if dx is not None:
        windows.gather(dy, turned, None, dx)
    return (dx,), grads


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
