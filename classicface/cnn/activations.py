"""Rectifiers, and sums that a rectifier may follow."""

from __future__ import annotations

import numpy as np

from classicface.cnn import _map_kernels
from classicface.cnn.graph import Node
from classicface.cnn.layer import Array, Cache, Grads, Layer, Params, fold, lanes, tile
from classicface.cnn.memory import empty

__all__ = ["ADD", "PRELU", "RELU"]


def _relu(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    y = empty(xs[0].shape)
    _map_kernels.rectify(xs[0].reshape(-1), y.reshape(-1))
    return y, (y,)


def _relu_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    if not need_input:
        return (None,), {}
    dx = empty(dy.shape)
    _map_kernels.rectify_backward(dy.reshape(-1), cache[0].reshape(-1), dx.reshape(-1))
    return (dx,), {}


def _add(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    total = xs[0]
    for x in xs[1:-1]:
        total = total + x
    y = empty(total.shape)
    if node.relu:
        _map_kernels.rectify_sum(total.reshape(-1), xs[-1].reshape(-1), y.reshape(-1))
    else:
        np.add(total, xs[-1], out=y)
    return y, (len(xs), y if node.relu else None)


def _add_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    n_inputs, y = cache
    dx = dy if y is None else _relu_backward(dy, (y,), need_input)[0][0]
    return (dx,) * n_inputs, {}


def _prelu(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    """Multiply negative values by the slope of their channel (He et al. 2015)."""
    x, channels = xs[0], xs[0].shape[-1]
    together = lanes(x.size // channels, channels)
    slope = tile(params["slope"], together)
    y = empty(x.shape)
    shape = (-1, together * channels)
    _map_kernels.leak(x.reshape(shape), slope, y.reshape(shape))
    return y, (x, slope)


def _prelu_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    x, slope = cache
    dx = empty(x.shape)
    sums = np.zeros(len(slope))
    shape = (-1, len(slope))
    _map_kernels.leak_backward(dy.reshape(shape), x.reshape(shape), slope, dx.reshape(shape), sums)
    grads = {"slope": fold(sums, x.shape[-1]).astype(np.float32)}
    return (dx if need_input else None,), grads


RELU = Layer(_relu, _relu_backward)
ADD = Layer(_add, _add_backward)
PRELU = Layer(_prelu, _prelu_backward)
