"""Layers that change the size of maps, pools and up-sampling, and the one that stacks maps."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from classicface.cnn import _map_kernels
from classicface.cnn.graph import Node
from classicface.cnn.layer import Array, Cache, Grads, Layer, Params
from classicface.cnn.memory import empty

__all__ = ["AVERAGE_POOL", "CONCAT", "GLOBAL_POOL", "MAX_POOL", "UPSAMPLE", "interpolation"]


def _pooled(x: Array, node: Node) -> tuple[int, int, int, int]:
    n, height, width, channels = x.shape
    k, stride = node.kernel, node.stride
    return n, (height - k) // stride + 1, (width - k) // stride + 1, channels


def _max_pool(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    shape = _pooled(xs[0], node)
    y, taps = empty(shape), empty(shape, np.uint8)
    _map_kernels.max_pool(xs[0], node.kernel, node.stride, y, taps)
    return y, (xs[0].shape, taps, node)


def _max_pool_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    shape, taps, node = cache
    if not need_input:
        return (None,), {}
    dx = empty(shape)
    _map_kernels.max_pool_backward(dy, taps, node.kernel, node.stride, dx)
    return (dx,), {}


def _average_pool(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    y = empty(_pooled(xs[0], node))
    _map_kernels.average_pool(xs[0], node.kernel, node.stride, y)
    return y, (xs[0].shape, node)


def _average_pool_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    shape, node = cache
    if not need_input:
        return (None,), {}
    dx = empty(shape)
    _map_kernels.average_pool_backward(dy, node.kernel, node.stride, dx)
    return (dx,), {}


def _global_pool(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    return np.asarray(xs[0].mean(axis=(1, 2), keepdims=True)), (xs[0].shape,)


def _global_pool_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    shape = cache[0]
    if not need_input:
        return (None,), {}
    dx = empty(shape)
    dx[:] = dy * np.float32(1 / (shape[1] * shape[2]))
    return (dx,), {}


@functools.lru_cache(maxsize=64)
def interpolation(size: int, factor: int) -> tuple[NDArray[np.int64], Array]:
    """Return how an axis is enlarged linearly, half-pixel centres, edges clamped.

    Returns
    -------
    sources : ndarray of int64, shape (size * factor, 2)
        The two pixels that each output pixel lies between.
    shares : ndarray of float32, shape (size * factor,)
        The second one's share.
    """
    position = (np.arange(size * factor) + 0.5) / factor - 0.5
    low = np.floor(position)
    sources = np.clip(np.stack([low, low + 1], axis=1), 0, size - 1).astype(np.int64)
    return sources, (position - low).astype(np.float32)


def _upsample(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    n, height, width, channels = xs[0].shape
    factor = node.stride
    y = empty((n, height * factor, width * factor, channels))
    axes = (*interpolation(height, factor), *interpolation(width, factor))
    _map_kernels.upsample(xs[0], *axes, y)
    return y, (xs[0].shape, axes)


def _upsample_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    shape, axes = cache
    if not need_input:
        return (None,), {}
    dx = empty(shape)
    _map_kernels.upsample_backward(dy, *axes, dx)
    return (dx,), {}


def _concat(
    xs: tuple[Array, ...], params: Params, node: Node, training: bool, rng: object
) -> tuple[Array, Cache]:
    channels = tuple(x.shape[-1] for x in xs)
    y = empty((*xs[0].shape[:-1], sum(channels)))
    return np.concatenate(xs, axis=-1, out=y), channels


def _concat_backward(dy: Array, cache: Cache, need_input: bool = True) -> Grads:
    if not need_input:
        return (None,) * len(cache), {}
    dxs = tuple(empty((*dy.shape[:-1], channels)) for channels in cache)
    for dx, part in zip(dxs, np.split(dy, np.cumsum(cache[:-1]), axis=-1), strict=True):
        dx[:] = part
    return dxs, {}


MAX_POOL = Layer(_max_pool, _max_pool_backward)
AVERAGE_POOL = Layer(_average_pool, _average_pool_backward)
GLOBAL_POOL = Layer(_global_pool, _global_pool_backward)
UPSAMPLE = Layer(_upsample, _upsample_backward)
CONCAT = Layer(_concat, _concat_backward)
