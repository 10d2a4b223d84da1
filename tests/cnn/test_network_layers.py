"""Every layer that a network predicts with, against a slow twin that takes layer after layer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from classicface.cnn import planning
from classicface.cnn.bodies import regression_graph, unet_graph
from classicface.cnn.graph import INPUT, Graph, Node, initial_state
from classicface.cnn.network import Network


def window_sums(x, weight, stride, pad, out_shape):
    """Correlate with a filter (k, k, cin, cout)."""
    k = weight.shape[0]
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    y = np.zeros((len(x), *out_shape[:2], weight.shape[3]))
    for i in range(k):
        for j in range(k):
            rows = slice(i, i + stride * (out_shape[0] - 1) + 1, stride)
            columns = slice(j, j + stride * (out_shape[1] - 1) + 1, stride)
            y += padded[:, rows, columns] @ weight[i, j]
    return y


def transposed(x, weight, stride, out_shape):
    """Scatter each pixel of the input through the filter, and cut the border off."""
    n, h, w, _ = x.shape
    k = weight.shape[0]
    pad = (k - stride) // 2
    y = np.zeros((n, (h - 1) * stride + k, (w - 1) * stride + k, weight.shape[3]))
    for i in range(h):
        for j in range(w):
            patch = np.einsum("nc,ijcd->nijd", x[:, i, j], weight)
            y[:, i * stride : i * stride + k, j * stride : j * stride + k] += patch
    return y[:, pad : pad + out_shape[0], pad : pad + out_shape[1]]


def windows(x, k, stride, out_shape):
    return np.stack(
        [
            x[
                :,
                i : i + stride * (out_shape[0] - 1) + 1 : stride,
                j : j + stride * (out_shape[1] - 1) + 1 : stride,
            ]
            for i in range(k)
            for j in range(k)
        ]
    )


def enlarge(x, factor):
    n, h, w, c = x.shape
    places = np.meshgrid(
        np.arange(n),
        (np.arange(h * factor) + 0.5) / factor - 0.5,
        (np.arange(w * factor) + 0.5) / factor - 0.5,
        np.arange(c),
        indexing="ij",
    )
    return map_coordinates(x, places, order=1, mode="nearest", prefilter=False)


def layer(node, xs, params, shape):
    x = xs[0]
    op = node.op
    if op in ("conv", "depthwise", "conv_transpose"):
        weight = params["weight"].astype(float)
        if op == "depthwise":
            weight = weight[..., None] * np.eye(weight.shape[2])
        if op == "conv_transpose":
            y = transposed(x, weight, node.stride, shape)
        else:
            y = window_sums(x, weight, node.stride, (node.kernel - 1) // 2, shape)
        return y + params.get("bias", 0.0)
    if op == "dense":
        return (x.reshape(len(x), -1) @ params["weight"].astype(float) + params["bias"])[
            :, None, None
        ]
    if op == "batch_norm":
        scale = params["scale"] / np.sqrt(params["variance"].astype(float) + 1e-5)
        y = (x - params["mean"]) * scale + params["shift"]
        return np.maximum(y, 0) if node.relu else y
    if op == "add":
        y = sum(xs[1:], xs[0])
        return np.maximum(y, 0) if node.relu else y
    return {
        "relu": lambda: np.maximum(x, 0),
        "prelu": lambda: np.where(x > 0, x, x * params.get("slope", 0)),
        "max_pool": lambda: windows(x, node.kernel, node.stride, shape).max(0),
        "average_pool": lambda: windows(x, node.kernel, node.stride, shape).mean(0),
        "global_pool": lambda: x.mean((1, 2), keepdims=True),
        "upsample": lambda: enlarge(x, node.stride),
        "concat": lambda: np.concatenate(xs, axis=3),
        "dropout": lambda: x,
    }[op]()


def forward(graph, state, x):
    """Compute a network in float64, layer by layer."""
    shapes = graph.shapes()
    found = {INPUT: x.astype(float)}
    for node in graph.nodes:
        prefix = node.name + "."
        params = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        xs = [found[name] for name in node.inputs]
        found[node.name] = layer(node, xs, params, shapes[node.name])
        assert found[node.name].shape[1:] == shapes[node.name]
    return found[graph.nodes[-1].name]


def random_state(graph, rng):
    """Draw weights of which no batch norm, bias or slope is trivial."""
    state = initial_state(graph, rng)
    for name, values in state.items():
        kind = name.rpartition(".")[2]
        if kind in ("scale", "variance"):
            state[name] = rng.uniform(0.5, 2.0, values.shape).astype(np.float32)
        elif kind != "weight":
            state[name] = rng.normal(0, 0.5, values.shape).astype(np.float32)
    return state


def check(input_shape, *nodes, n=3):
    """Compare a network of these layers with the twin."""
    graph = Graph(input_shape, nodes)
    state = random_state(graph, np.random.default_rng(0))
    net = Network.build(graph, state)
    x = np.random.default_rng(1).standard_normal((n, *input_shape), np.float32)
    y = net.run(x)
    expected = forward(graph, state, x)
    assert y.dtype == np.float32
    assert y.shape == (n, *graph.output_shape)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5 * max(1, abs(expected).max()))


CHANNELS = st.sampled_from([1, 3, 5, 15, 16, 17, 32, 33, 68])


@settings(max_examples=60, deadline=None)
@given(
    op=st.sampled_from(["conv", "depthwise"]),
    size=st.tuples(st.integers(1, 11), st.integers(1, 11)),
    cin=CHANNELS,
    cout=CHANNELS,
    kernel=st.sampled_from([1, 2, 3, 4, 5]),
    stride=st.integers(1, 3),
    bias=st.booleans(),
)
def test_convolutions(op, size, cin, cout, kernel, stride, bias):
    if kernel in (2, 4):
        size = (size[0] + 1, size[1] + 1)
    channels = cout if op == "conv" else 0
    node = Node("a", op, (INPUT,), channels=channels, kernel=kernel, stride=stride, bias=bias)
    check((*size, cin), node)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    cin=CHANNELS,
    cout=CHANNELS,
    stride=st.integers(1, 3),
    more=st.sampled_from([0, 2, 4]),
    bias=st.booleans(),
)
def test_transposed_convolution(size, cin, cout, stride, more, bias):
    kernel = stride + more
    check(
        (*size, cin),
        Node("a", "conv_transpose", (INPUT,), cout, kernel=kernel, stride=stride, bias=bias),
    )


@settings(max_examples=40, deadline=None)
@given(
    op=st.sampled_from(["max_pool", "average_pool", "global_pool", "upsample"]),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    channels=CHANNELS,
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
)
def test_pools_and_enlarging(op, size, channels, kernel, stride):
    stride = 1 if op == "global_pool" else stride
    check((*size, channels), Node("a", op, (INPUT,), kernel=kernel, stride=stride))


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    cin=CHANNELS,
    cout=st.sampled_from([1, 16, 31, 40, 136, 170]),
    n=st.integers(1, 20),
)
def test_dense(size, cin, cout, n):
    check((*size, cin), Node("a", "dense", (INPUT,), channels=cout), n=n)


@pytest.mark.parametrize("op", ["conv", "depthwise", "conv_transpose", "dense", "add", "max_pool"])
@pytest.mark.parametrize("after", ["batch_norm", "prelu", "relu", "relu twice", "dropout"])
def test_layers_after_a_layer(op, after):
    """Batch norms and rectifiers in any order, foldable or not."""
    inputs = (INPUT, INPUT) if op == "add" else (INPUT,)
    first = Node("a", op, inputs, channels=21 if op in ("conv", "conv_transpose", "dense") else 0)
    rest = {
        "batch_norm": [("batch_norm", False)],
        "prelu": [("prelu", False), ("batch_norm", True), ("prelu", False)],
        "relu": [("batch_norm", False), ("batch_norm", False), ("relu", False)],
        "relu twice": [("batch_norm", True), ("batch_norm", True), ("relu", False)],
        "dropout": [("dropout", False), ("batch_norm", True), ("dropout", False)],
    }[after]
    nodes = [first]
    for i, (name, relu) in enumerate(rest):
        nodes.append(Node(f"n{i}", name, (nodes[-1].name,), relu=relu))
    check((6, 5, 7), *nodes)


def test_layer_before_a_batch_norm_used_twice():
    check(
        (6, 6, 3),
        Node("a", "conv", (INPUT,), 20, kernel=3),
        Node("b", "batch_norm", ("a",), relu=True),
        Node("drop", "dropout", ("a",)),
        Node("c", "batch_norm", ("drop",)),
        Node("d", "add", ("a", "b", "c", "a"), relu=True),
    )


def test_what_the_output_does_not_need_is_left_out():
    check(
        (6, 6, 3),
        Node("a", "conv", (INPUT,), 20, kernel=3),
        Node("b", "batch_norm", ("a",), relu=True),
        Node("unused", "conv", ("b",), 20, kernel=3),
        Node("c", "dropout", ("a",)),
    )


def test_input_without_layers():
    check((6, 6, 3), Node("a", "dropout", (INPUT,)))
    check((6, 6, 3), Node("a", "add", (INPUT,), relu=True))


def test_concatenations():
    """Parts in place, in two places, within another concatenation, twice, and the input."""
    check(
        (8, 8, 5),
        Node("a", "conv", (INPUT,), 17, kernel=3),
        Node("b", "depthwise", ("a",), kernel=3, bias=True),
        Node("c", "conv", (INPUT,), 3, kernel=1),
        Node("ab", "concat", ("a", "b")),
        Node("abc", "concat", ("c", "ab", "a")),
        Node("all", "concat", ("abc", INPUT, "abc")),
        Node("d", "conv", ("all",), 9, kernel=3),
        Node("e", "conv", ("a",), 9, kernel=5),
        Node("f", "conv_transpose", ("ab",), 9, kernel=3),
        Node("g", "max_pool", ("b",), kernel=3, stride=1),
        Node("h", "upsample", ("g",), stride=4),
        Node("i", "max_pool", ("h",), kernel=3, stride=3),
        Node("j", "concat", ("d", "e", "f", "i")),
        Node("k", "dense", ("j",), 7),
    )


def test_output_is_a_concatenation():
    check(
        (4, 4, 5),
        Node("a", "conv", (INPUT,), 17, kernel=3),
        Node("b", "concat", ("a", INPUT)),
        Node("c", "concat", ("b", "b")),
        Node("d", "dropout", ("b",)),
    )


OPS = [
    *("conv", "conv", "depthwise", "conv_transpose", "batch_norm", "relu", "prelu", "dropout"),
    *("add", "add", "concat", "concat", "max_pool"),
]


@st.composite
def random_graphs(draw):
    """Layers in any order, each reading any maps before it; all maps have the same size."""
    channels = {INPUT: 3}
    nodes = []
    for i in range(draw(st.integers(1, 12))):
        op = draw(st.sampled_from(OPS))
        name, source = f"n{i}", draw(st.sampled_from(sorted(channels)))
        inputs = (source,)
        if op == "add":
            like = sorted(other for other in channels if channels[other] == channels[source])
            inputs += tuple(draw(st.lists(st.sampled_from(like), min_size=1, max_size=2)))
        elif op == "concat":
            inputs += tuple(draw(st.lists(st.sampled_from(sorted(channels)), max_size=2)))
        written = draw(st.sampled_from([3, 17])) if op in ("conv", "conv_transpose") else 0
        kernel = draw(st.sampled_from([1, 3])) if op.startswith(("conv", "depth")) else 1
        relu = op in ("batch_norm", "add") and draw(st.booleans())
        nodes.append(Node(name, op, inputs, written, kernel=kernel, relu=relu))
        channels[name] = written or sum(channels[n] for n in inputs[: 9 if op == "concat" else 1])
        if channels[name] > 100:
            break
    return nodes


@settings(max_examples=80, deadline=None)
@given(nodes=random_graphs(), group_numbers=st.sampled_from([0, 700, 1500, 3000, 10**6]))
def test_random_graphs(nodes, group_numbers):
    """Maps that share memory or a concatenation never disturb each other, in groups or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_GROUP_NUMBERS", group_numbers)
        patch.setattr(planning, "_GROUP_WEIGHTS", 0)
        patch.setattr(planning, "GROUP", 2)
        check((5, 4, 3), *nodes, n=3)


@pytest.mark.parametrize(
    "graph",
    [
        regression_graph("mobile", 48, 10, 0.5, 1, 0.1),
        regression_graph("plain", 16, 10, 0.5, 1, 0.0),
        regression_graph("resnet", 24, 10, 0.5, 1, 0.0),
        unet_graph(32, 5, (8, 16), 8, 1, 2),
    ],
)
def test_bodies(graph):
    check(graph.input_shape, *graph.nodes, n=2)
