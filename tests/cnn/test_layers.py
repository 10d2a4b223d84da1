"""Every layer beside a naive twin in float64, and its gradients beside finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.cnn.graph import INPUT, Graph, Node
from classicface.cnn.layers import LAYERS

Twin = Callable[..., Any]


def twin_conv(xs: Any, params: Any, node: Node) -> Any:
    x, weight = xs[0], params["weight"]
    n, height, width, _ = x.shape
    k, s, pad = node.kernel, node.stride, (node.kernel - 1) // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    rows, columns = (height + 2 * pad - k) // s + 1, (width + 2 * pad - k) // s + 1
    y = np.zeros((n, rows, columns, weight.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, i * s : i * s + k, j * s : j * s + k]
            if node.op == "depthwise":
                y[:, i, j] = (window * weight).sum(axis=(1, 2))
            else:
                y[:, i, j] = np.tensordot(window, weight, 3)
    return y + params.get("bias", 0)


def twin_conv_transpose(xs: Any, params: Any, node: Node) -> Any:
    x, weight = xs[0], params["weight"]
    n, height, width, _ = x.shape
    k, s, pad = node.kernel, node.stride, (node.kernel - node.stride) // 2
    full = np.zeros((n, (height - 1) * s + k, (width - 1) * s + k, weight.shape[3]))
    for i in range(height):
        for j in range(width):
            full[:, i * s : i * s + k, j * s : j * s + k] += np.tensordot(
                x[:, i, j], weight, ((1,), (2,))
            )
    return full[:, pad : pad + height * s, pad : pad + width * s] + params.get("bias", 0)


def twin_dense(xs: Any, params: Any, node: Node) -> Any:
    return (xs[0].reshape(len(xs[0]), -1) @ params["weight"] + params["bias"])[:, None, None]


def twin_batch_norm(xs: Any, params: Any, node: Node) -> Any:
    x = xs[0]
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    y = (x - mean) / np.sqrt(variance + 1e-5) * params["scale"] + params["shift"]
    return np.maximum(y, 0) if node.relu else y


def twin_pool(xs: Any, params: Any, node: Node) -> Any:
    x, k, s = xs[0], node.kernel, node.stride
    rows, columns = (x.shape[1] - k) // s + 1, (x.shape[2] - k) // s + 1
    y = np.zeros((len(x), rows, columns, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * s : i * s + k, j * s : j * s + k]
            y[:, i, j] = (window.max if node.op == "max_pool" else window.mean)(axis=(1, 2))
    return y


def twin_upsample(xs: Any, params: Any, node: Node) -> Any:
    def axis(x: Any, number: int) -> Any:
        size = x.shape[number]
        position = np.clip((np.arange(size * node.stride) + 0.5) / node.stride - 0.5, 0, size - 1)
        matrix = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(size)))
        return np.moveaxis(np.tensordot(matrix, x, ((1,), (number,))), 0, number)

    return axis(axis(xs[0], 1), 2)


def twin_add(xs: Any, params: Any, node: Node) -> Any:
    y = sum(xs)
    return np.maximum(y, 0) if node.relu else y


TWINS: dict[str, Twin] = {
    "conv": twin_conv,
    "depthwise": twin_conv,
    "conv_transpose": twin_conv_transpose,
    "dense": twin_dense,
    "batch_norm": twin_batch_norm,
    "relu": lambda xs, params, node: np.maximum(xs[0], 0),
    "prelu": lambda xs, params, node: np.where(xs[0] < 0, params["slope"], 1) * xs[0],
    "add": twin_add,
    "max_pool": twin_pool,
    "average_pool": twin_pool,
    "global_pool": lambda xs, params, node: xs[0].mean(axis=(1, 2), keepdims=True),
    "upsample": twin_upsample,
    "concat": lambda xs, params, node: np.concatenate(xs, axis=3),
    "dropout": lambda xs, params, node: xs[0],
}


def draw_case(
    node: Node, shapes: list[tuple[int, ...]], seed: int
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Draw inputs and weights that keep clear of the kinks of rectifiers and maxima."""
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> Any:
        values = rng.permutation(np.prod(shape, dtype=int)) - np.prod(shape) // 2 + 0.5
        return (values.reshape(shape) * (3 / max(values.size, 1))).astype(np.float32)

    xs = tuple(draw(shape) for shape in shapes)
    graph = Graph(shapes[0][1:], (node,))
    params = {
        name.partition(".")[2]: rng.uniform(0.2, 1.2, shape).astype(np.float32)
        * rng.choice([-1, 1], shape).astype(np.float32)
        for name, shape in graph.weight_shapes().items()
    }
    return xs, params


def check(node: Node, shapes: list[tuple[int, ...]], seed: int = 0) -> None:
    """Compare a layer with its twin, and its gradients with central differences of the twin."""
    xs, params = draw_case(node, shapes, seed)
    kept = [x.copy() for x in xs]
    y, cache = LAYERS[node.op].forward(xs, params, node, True, np.random.default_rng(seed))
    doubles = [x.astype(np.float64) for x in xs]
    weights = {name: value.astype(np.float64) for name, value in params.items()}
    expected = TWINS[node.op](doubles, weights, node)
    assert y.dtype == np.float32
    assert y.shape == expected.shape
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(y, expected, atol=3e-6 * scale)

    rng = np.random.default_rng(seed + 1)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    if node.relu or node.op in ("relu", "prelu"):  # no slope at the rectifier's bend
        bend = doubles[0]
        if node.relu:
            bend = TWINS[node.op](doubles, weights, replace(node, relu=False))
        dy[np.abs(bend) < 1e-3] = 0
    kept_dy = dy.copy()
    dxs, grads = LAYERS[node.op].backward(dy, cache)
    assert all((x == copy).all() for x, copy in zip(xs, kept, strict=True))
    assert (dy == kept_dy).all()
    learned = {name for name in params if name not in ("mean", "variance")}
    assert set(grads) == learned
    for array, gradient in [
        *zip(doubles, dxs, strict=True),
        *((weights[name], grads[name]) for name in learned),
    ]:
        assert gradient.dtype == np.float32
        assert gradient.shape == array.shape
        numeric = differences(lambda: TWINS[node.op](doubles, weights, node), array, dy, rng)
        for index, slope in numeric.items():
            size = 1 + abs(slope) + np.abs(gradient).max()
            assert abs(gradient[index] - slope) < 2e-5 * size, (node, index)
    none, same = LAYERS[node.op].backward(dy, cache, need_input=False)
    assert len(none) == len(xs)
    for name, gradient in grads.items():
        np.testing.assert_array_equal(same[name], gradient)


def differences(
    function: Callable[[], Any], array: Any, dy: Any, rng: np.random.Generator
) -> dict[tuple[int, ...], float]:
    """Return the slope of sum(dy * function()) by up to 12 numbers of the array."""
    found = {}
    step = 1e-5
    for flat in rng.permutation(array.size)[:12]:
        index = tuple(int(i) for i in np.unravel_index(flat, array.shape))
        value = array[index]
        array[index] = value + step
        above = (function() * dy).sum()
        array[index] = value - step
        below = (function() * dy).sum()
        array[index] = value
        found[index] = float((above - below) / (2 * step))
    return found


def node_of(op: str, **options: Any) -> Node:
    return Node("layer", op, (INPUT,), **options)


sizes = st.integers(1, 7)
few = st.integers(1, 3)


@settings(max_examples=40)
@given(few, sizes, sizes, st.sampled_from([1, 2, 5, 8, 9]), st.data())
def test_conv(n: int, height: int, width: int, channels: int, data: Any) -> None:
    kernel = data.draw(st.sampled_from([1, 2, 3, 5]))
    pad = (kernel - 1) // 2
    if min(height, width) + 2 * pad < kernel:
        kernel = 1
    node = node_of(
        data.draw(st.sampled_from(["conv", "depthwise"])),
        channels=data.draw(st.integers(1, 9)),
        kernel=kernel,
        stride=data.draw(few),
        bias=data.draw(st.booleans()),
    )
    check(node, [(n, height, width, channels)], data.draw(st.integers(0, 99)))


@settings(max_examples=25)
@given(few, st.integers(1, 5), st.integers(1, 5), few, st.data())
def test_conv_transpose(n: int, height: int, width: int, channels: int, data: Any) -> None:
    stride = data.draw(few)
    node = node_of(
        "conv_transpose",
        channels=data.draw(st.integers(1, 9)),
        kernel=stride + data.draw(st.sampled_from([0, 2])),
        stride=stride,
        bias=data.draw(st.booleans()),
    )
    check(node, [(n, height, width, channels)], data.draw(st.integers(0, 99)))


@settings(max_examples=25)
@given(few, sizes, sizes, st.integers(1, 9), st.data())
def test_pools(n: int, height: int, width: int, channels: int, data: Any) -> None:
    node = node_of(
        data.draw(st.sampled_from(["max_pool", "average_pool"])),
        kernel=data.draw(st.integers(1, min(3, height, width))),
        stride=data.draw(few),
    )
    check(node, [(n, height, width, channels)], data.draw(st.integers(0, 99)))


@settings(max_examples=25)
@given(few, st.integers(2, 7), sizes, st.sampled_from([1, 3, 16, 130]), st.booleans())
def test_batch_norm(n: int, height: int, width: int, channels: int, relu: bool) -> None:
    check(node_of("batch_norm", relu=relu), [(n, height, width, channels)])


@settings(max_examples=40)
@given(
    few,
    sizes,
    sizes,
    st.integers(1, 20),
    st.sampled_from(["relu", "prelu", "global_pool", "upsample", "dense", "dropout"]),
    few,
)
def test_the_rest(n: int, height: int, width: int, channels: int, op: str, stride: int) -> None:
    shape = (n, height, width, channels)
    check(node_of(op, stride=stride, channels=5 if op == "dense" else 0), [shape])


@pytest.mark.parametrize("n_inputs", [2, 3])
@pytest.mark.parametrize("relu", [False, True])
def test_add(n_inputs: int, relu: bool) -> None:
    check(node_of("add", relu=relu), [(2, 3, 5, 4)] * n_inputs)


def test_concat() -> None:
    check(node_of("concat"), [(2, 3, 5, 4), (2, 3, 5, 1), (2, 3, 5, 7)])


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(32, 3, 1), (7, 5, 2), (40, 1, 2)])
def test_convolution_of_several_groups_of_maps(channels: int, kernel: int, stride: int) -> None:
    node = node_of("conv", channels=4, kernel=kernel, stride=stride)
    check(node, [(3, 44, 61, channels)])


def test_first_of_equal_maxima_takes_the_gradient() -> None:
    x = np.zeros((1, 2, 2, 1), np.float32)
    layer, node = LAYERS["max_pool"], node_of("max_pool", kernel=2, stride=2)
    (dx,), _ = layer.backward(
        np.ones((1, 1, 1, 1), np.float32), layer.forward((x,), {}, node, True, None)[1]
    )
    np.testing.assert_array_equal(dx.ravel(), [1, 0, 0, 0])


def test_no_number_stays_none() -> None:
    x = np.array([np.nan, -1.0, 1.0], np.float32).reshape(1, 1, 3, 1)
    for op in ("relu", "prelu", "add"):
        inputs = (x, x) if op == "add" else (x,)
        params = {"slope": np.ones(1, np.float32)}
        y, _ = LAYERS[op].forward(inputs, params, node_of(op, relu=True), True, None)
        assert np.isnan(y[0, 0, 0, 0])
