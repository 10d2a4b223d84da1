"""What prediction with a network promises beside the right numbers."""

from __future__ import annotations

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from classicface.cnn.graph import INPUT, Graph, Node, initial_state
from classicface.cnn.network import Network
from classicface.exceptions import InvalidInputError


def network(input_shape, *nodes):
    graph = Graph(input_shape, nodes)
    state = initial_state(graph, np.random.default_rng(0))
    return graph, state, Network.build(graph, state)


def mobile_nodes(stem):
    """A network like those that the library trains, scaled down."""
    nodes = [
        Node("stem", "conv", (INPUT,), stem, kernel=3, stride=2),
        Node("stem_norm", "batch_norm", ("stem",), relu=True),
    ]
    last = "stem_norm"
    for i, (channels, stride) in enumerate([(2 * stem, 2), (4 * stem, 2), (8 * stem, 1)]):
        nodes += [
            Node(f"d{i}", "depthwise", (last,), kernel=3, stride=stride),
            Node(f"dn{i}", "batch_norm", (f"d{i}",), relu=True),
            Node(f"p{i}", "conv", (f"dn{i}",), channels),
            Node(f"pn{i}", "batch_norm", (f"p{i}",), relu=True),
        ]
        last = f"pn{i}"
    return [*nodes, Node("out", "dense", (last,), 136)]


def u_net_nodes(c=12):
    def block(name, source, channels):
        return [
            Node(name, "conv", (source,), channels, kernel=3),
            Node(f"{name}_norm", "batch_norm", (name,), relu=True),
        ]

    return [
        *block("a", INPUT, c),
        Node("a_pool", "max_pool", ("a_norm",), kernel=2, stride=2),
        *block("b", "a_pool", 2 * c),
        Node("b_pool", "max_pool", ("b_norm",), kernel=2, stride=2),
        *block("c", "b_pool", 2 * c),
        Node("c_up", "upsample", ("c_norm",), stride=2),
        Node("bc", "concat", ("b_norm", "c_up")),
        *block("d", "bc", 2 * c),
        Node("d_up", "conv_transpose", ("d_norm",), c, kernel=4, stride=2),
        Node("ad", "add", ("a_norm", "d_up")),
        Node("maps", "conv", ("ad",), 68, bias=True),
    ]


SIDE = 8 if numba.config.DISABLE_JIT else 64


def test_first_layers_run_face_by_face_and_the_others_in_groups():
    _, _, net = network((64, 64, 1), *mobile_nodes(32))
    assert 0 < net._program.n_single < len(net._program.program)


@pytest.mark.parametrize("nodes", [mobile_nodes(SIDE // 2), u_net_nodes(5)])
def test_one_face_is_the_same_in_any_batch(nodes):
    _, _, net = network((SIDE, SIDE, 1), *nodes)
    x = np.random.default_rng(1).standard_normal((19, SIDE, SIDE, 1), np.float32)
    batch = net.run(x)
    assert len(np.unique(batch[:, 0, 0, 0])) == len(x)
    for i in range(0, len(x), 3):
        np.testing.assert_array_equal(net.run(x[i : i + 1])[0], batch[i])


def test_threads_do_not_disturb_each_other():
    _, _, net = network((SIDE, SIDE, 1), *u_net_nodes(5))
    n = 6 if numba.config.DISABLE_JIT else 24
    x = np.random.default_rng(1).standard_normal((n, SIDE, SIDE, 1), np.float32)
    expected = net.run(x)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: net.run(x[i % n : i % n + 1])[0], range(5 * n)))
    for i, y in enumerate(found):
        np.testing.assert_array_equal(y, expected[i % n])


def test_nothing_is_allocated_beside_the_output():
    _, _, net = network((SIDE, SIDE, 1), *u_net_nodes(3))
    x = np.zeros((2, SIDE, SIDE, 1), np.float32)
    out = np.empty((2, *net.output_shape), np.float32)
    assert net.run(x, out) is out
    memory = net._memory()
    tracemalloc.start()
    try:
        for _ in range(2 if numba.config.DISABLE_JIT else 20):
            net.run(x, out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000
    assert net._memory() is memory


def test_each_thread_has_its_own_memory_and_keeps_it():
    _, _, net = network((8, 8, 1), Node("a", "conv", (INPUT,), 4, kernel=3))
    found = []

    def work():
        found.append([net._memory() for _ in range(2)])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(a is b for a, b in found)
    assert len({id(a) for a, _ in found}) == 3


def test_memory_is_shared_by_maps_that_live_one_after_the_other():
    nodes = [Node("c0", "conv", (INPUT,), 16, kernel=3)]
    nodes += [Node(f"c{i}", "conv", (f"c{i - 1}",), 16, kernel=3) for i in range(1, 12)]
    _, _, net = network((32, 32, 16), *nodes)
    assert net._memory().size < 2.1 * 34 * 34 * 16


def test_weights_are_copied():
    _, state, net = network((8, 8, 1), Node("a", "conv", (INPUT,), 4, kernel=3))
    x = np.ones((1, 8, 8, 1), np.float32)
    before = net.run(x)
    state["a.weight"][:] = 0
    np.testing.assert_array_equal(net.run(x), before)


def test_batch_of_none():
    _, _, net = network((8, 8, 1), Node("a", "conv", (INPUT,), 4, kernel=3))
    assert net.run(np.empty((0, 8, 8, 1), np.float32)).shape == (0, 8, 8, 4)


def test_other_types_and_orders_of_numbers_are_converted():
    _, _, net = network((8, 9, 2), Node("a", "conv", (INPUT,), 4, kernel=3))
    x = np.arange(288, dtype=np.float64).reshape(2, 8, 9, 2)
    expected = net.run(x.astype(np.float32))
    np.testing.assert_array_equal(net.run(np.asfortranarray(x)), expected)
    np.testing.assert_array_equal(net.run(x.tolist()), expected)


@pytest.mark.parametrize("shape", [(8, 8, 1), (1, 8, 8), (1, 8, 7, 1), (1, 8, 8, 2), (0,)])
def test_wrong_input(shape):
    _, _, net = network((8, 8, 1), Node("a", "conv", (INPUT,), 4, kernel=3))
    with pytest.raises(InvalidInputError, match=r"takes faces of shape \(n, 8, 8, 1\)"):
        net.run(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "out",
    [
        np.empty((2, 8, 8, 4), np.float32),
        np.empty((1, 8, 8, 4), np.float64),
        np.empty((1, 4, 8, 8), np.float32).transpose(0, 2, 3, 1),
    ],
)
def test_wrong_output(out):
    _, _, net = network((8, 8, 1), Node("a", "conv", (INPUT,), 4, kernel=3))
    with pytest.raises(InvalidInputError, match="the output needs"):
        net.run(np.zeros((1, 8, 8, 1), np.float32), out)


def test_wrong_state():
    graph, state, _ = network((8, 8, 1), Node("a", "conv", (INPUT,), 4, kernel=3, bias=True))
    with pytest.raises(InvalidInputError, match=r"a\.bias of the network are missing"):
        Network.build(graph, {"a.weight": state["a.weight"]})
    with pytest.raises(InvalidInputError, match=r"a\.bias of the network are of shape \(3,\)"):
        Network.build(graph, {**state, "a.bias": np.zeros(3, np.float32)})


@pytest.mark.parametrize("op", ["add", "concat"])
def test_joining_unlike_maps(op):
    nodes = (
        Node("a", "max_pool", (INPUT,), kernel=2, stride=2),
        Node("b", op, ("a", INPUT)),
    )
    with pytest.raises(InvalidInputError, match="joins maps of unlike shapes"):
        network((8, 8, 1), *nodes)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 2), (3, 2)])
def test_transposed_convolution_of_an_odd_enlargement(kernel, stride):
    node = Node("a", "conv_transpose", (INPUT,), 4, kernel=kernel, stride=stride)
    with pytest.raises(InvalidInputError, match="the stride plus an even number"):
        network((8, 8, 1), node)


def test_part_of_a_concatenation_never_takes_the_name_of_a_layer():
    nodes = (
        Node("all", "concat", (INPUT, INPUT)),
        Node("all[0]", "conv", ("all",), 30),
        Node("last", "concat", ("all[0]", "all")),
    )
    _, _, net = network((4, 4, 2), *nodes)
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 2), np.float32)
    np.testing.assert_array_equal(net.run(x)[..., 30:], np.concatenate([x, x], axis=3))


def test_absurd_memory_is_refused():
    nodes = [Node("a0", "conv", (INPUT,), 100)]
    nodes += [Node(f"a{i}", "relu", (f"a{i - 1}",)) for i in range(1, 10)]
    nodes += [Node("sum", "add", tuple(f"a{i}" for i in range(10)))]
    nodes += [Node("pool", "global_pool", ("sum",))]
    graph = Graph((800, 800, 1), tuple(nodes))
    with pytest.raises(InvalidInputError, match=r"numbers of memory for its maps; at most"):
        Network.build(graph, initial_state(graph, np.random.default_rng(0)))
