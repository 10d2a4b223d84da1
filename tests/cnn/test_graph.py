"""Graphs: shapes of maps and weights, what does not fit, and the initial weights."""

import math

import numpy as np
import pytest

from classicface.cnn.bodies import BODIES, regression_graph, unet_graph
from classicface.cnn.graph import INPUT, Graph, Node, initial_state
from classicface.exceptions import InvalidInputError

ODD = (11, 7, 3)


def one(op: str, **options: object) -> Graph:
    """Return a graph of one node on an odd input."""
    return Graph(ODD, (Node("a", op, (INPUT,), **options),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("graph", "output", "weights"),
    [
        (one("conv", channels=5, kernel=3, stride=2, bias=True), (6, 4, 5), {"weight", "bias"}),
        (one("conv", channels=5, kernel=4), (10, 6, 5), {"weight"}),
        (one("depthwise", kernel=5, stride=3), (4, 3, 3), {"weight"}),
        (one("conv_transpose", channels=2, kernel=4, stride=2), (22, 14, 2), {"weight"}),
        (one("batch_norm"), ODD, {"scale", "shift", "mean", "variance"}),
        (one("prelu"), ODD, {"slope"}),
        (one("max_pool", kernel=3, stride=2), (5, 3, 3), set()),
        (one("global_pool"), (1, 1, 3), set()),
        (one("upsample", stride=3), (33, 21, 3), set()),
        (one("dense", channels=9), (1, 1, 9), {"weight", "bias"}),
        (one("dropout", rate=0.5), ODD, set()),
    ],
)
def test_shapes(graph: Graph, output: tuple[int, ...], weights: set[str]) -> None:
    assert graph.output_shape == output
    assert set(graph.weight_shapes()) == {f"a.{name}" for name in weights}


def test_concat_adds_channels_up() -> None:
    nodes = (
        Node("a", "conv", (INPUT,), channels=4),
        Node("b", "concat", ("a", INPUT)),
        Node("c", "add", ("b", "b")),
    )
    assert Graph(ODD, nodes).output_shape == (11, 7, 7)


def test_a_layer_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidInputError, match="layer a of the network"):
        one("max_pool", kernel=8, stride=1).shapes()
    with pytest.raises(InvalidInputError, match="layer a of the network"):
        one("upsample", stride=10_000).shapes()
    with pytest.raises(InvalidInputError, match="100 million weights"):
        one("dense", channels=1_000_000).weight_shapes()


def test_initial_weights_have_a_third_of_the_inverse_fan_in_for_variance() -> None:
    graph = Graph(
        (8, 8, 64),
        (Node("a", "conv", (INPUT,), channels=256, kernel=3), Node("b", "batch_norm", ("a",))),
    )
    state = initial_state(graph, np.random.default_rng(0))
    assert state["a.weight"].dtype == np.float32
    assert abs(state["a.weight"].std() * math.sqrt(3 * 9 * 64) - 1) < 0.01
    assert np.array_equal(state["b.scale"], np.ones(256))
    assert np.array_equal(state["b.variance"], np.ones(256))
    assert not state["b.shift"].any()
    again = initial_state(graph, np.random.default_rng(0))
    assert all(np.array_equal(state[name], again[name]) for name in state)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [16, 48, 96, 112])
def test_bodies_end_in_the_numbers_asked_for(body: str, size: int) -> None:
    graph = regression_graph(body, size, 136, 0.5, 2, 0.2)
    assert graph.output_shape == (1, 1, 136)
    dense = graph.weight_shapes()[f"{graph.nodes[-1].name}.weight"]
    assert dense[0] <= 7 * 7 * 16
    assert graph.nodes[-2].op == "dropout"
    assert regression_graph(body, size, 136, 0.5, 2, 0.0).nodes[-2].op != "dropout"


@pytest.mark.parametrize("map_stride", [1, 2, 4])
def test_unet_draws_one_map_a_landmark(map_stride: int) -> None:
    graph = unet_graph(64, 5, (16, 24, 32), 24, 2, map_stride)
    assert graph.output_shape == (64 // map_stride, 64 // map_stride, 5)
    assert sum(node.op == "upsample" for node in graph.nodes) == 2
