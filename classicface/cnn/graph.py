"""Network graphs: nodes in the order of computing, and the shapes of their outputs and weights.

A graph says what is computed and holds no number; the weights live apart in a *state*, a dict from
``"<node>.<weight>"`` to a float32 array. Maps are channels last, (n, height, width, channels).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError

__all__ = ["INPUT", "Graph", "Node", "State", "initial_state"]

#: The name by which nodes refer to the input of their network.
INPUT = "input"

State = dict[str, NDArray[np.float32]]

# The most numbers in a network's weights, and in one map.
_MAX_NUMBERS = 100_000_000


@dataclass(frozen=True)
class Node:
    """One layer of a network.

    Parameters
    ----------
    name : str
        Unique; the prefix of the layer's weights in a state.
    op : str
        ``conv``, ``depthwise``, ``conv_transpose``, ``batch_norm``, ``relu``, ``prelu``,
        ``max_pool``, ``average_pool``, ``global_pool``, ``upsample``, ``concat``, ``add``,
        ``dropout`` or ``dense``.
    inputs : tuple of str
        The nodes that it reads.
    channels : int
        Channels of the output; of ``conv``, ``conv_transpose`` and ``dense`` only.
    kernel, stride : int
        Of convolutions and pools. A convolution pads by ``(kernel - 1) // 2`` zeros on each
        side; a transposed one enlarges exactly by its stride and has a kernel of the stride
        plus an even number; a pool pads nothing; ``upsample`` enlarges by its stride.
    bias : bool
        Whether a convolution adds a bias; a dense layer always does.
    relu : bool
        Whether ``batch_norm`` or ``add`` is followed by a rectifier.
    rate : float
        The share of values that ``dropout`` sets to zero in training.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    channels: int = 0
    kernel: int = 1
    stride: int = 1
    bias: bool = False
    relu: bool = False
    rate: float = 0.0


@dataclass(frozen=True)
class Graph:
    """A network: nodes, each after those that it reads; the last one gives the output.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels.
    nodes : tuple of Node
    """

    input_shape: tuple[int, int, int]
    nodes: tuple[Node, ...]

    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Return the (height, width, channels) of the input and of every node's output."""
        found = {INPUT: self.input_shape}
        for node in self.nodes:
            found[node.name] = _output_shape(node, [found[name] for name in node.inputs])
            if min(found[node.name]) < 1 or math.prod(found[node.name]) > _MAX_NUMBERS:
                raise InvalidInputError(
                    f"layer {node.name} of the network has an output of shape"
                    f" {found[node.name]}; the input of {self.input_shape} does not suit it"
                )
        return found

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the output."""
        return self.shapes()[self.nodes[-1].name]

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array of the network's state."""
        shapes = self.shapes()
        found: dict[str, tuple[int, ...]] = {}
        for node in self.nodes:
            source = shapes[node.inputs[0]]
            for name, shape in _weight_shapes(node, source).items():
                found[f"{node.name}.{name}"] = shape
        if sum(math.prod(shape) for shape in found.values()) > _MAX_NUMBERS:
            raise InvalidInputError("the network would have more than 100 million weights")
        return found


def initial_state(graph: Graph, rng: np.random.Generator) -> State:
    """Draw the weights a network starts from.

    They are normal with variance 1 / (3 fan in), a sixth of what He et al. (ICCV 2015) take:
    batch normalisation makes up for the scale, and under Adam, whose steps have the size of the
    rate, smaller weights turn faster. The rest starts as the identity.
    """
    state: State = {}
    for name, shape in graph.weight_shapes().items():
        kind = name.rpartition(".")[2]
        if kind == "weight":
            fan_in = math.prod(shape[:-1]) if len(shape) != 3 else shape[0] * shape[1]
            state[name] = rng.standard_normal(shape, np.float32) * np.float32((3 * fan_in) ** -0.5)
        else:
            value = {"scale": 1.0, "variance": 1.0, "slope": 0.25}.get(kind, 0.0)
            state[name] = np.full(shape, value, np.float32)
    return state


def _output_shape(node: Node, sources: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    height, width, channels = sources[0]
    k, s = node.kernel, node.stride
    if node.op in ("conv", "depthwise"):
        pad = 2 * ((k - 1) // 2)
        size = ((height + pad - k) // s + 1, (width + pad - k) // s + 1)
        return (*size, node.channels if node.op == "conv" else channels)
    if node.op == "conv_transpose":
        return height * s, width * s, node.channels
    if node.op == "upsample":
        return height * s, width * s, channels
    if node.op in ("max_pool", "average_pool"):
        return (height - k) // s + 1, (width - k) // s + 1, channels
    if node.op == "global_pool":
        return 1, 1, channels
    if node.op == "dense":
        return 1, 1, node.channels
    if node.op == "concat":
        return height, width, sum(source[2] for source in sources)
    return sources[0]


def _weight_shapes(node: Node, source: tuple[int, int, int]) -> Mapping[str, tuple[int, ...]]:
    k, channels = node.kernel, source[2]
    bias = {"bias": (node.channels,)} if node.bias else {}
    if node.op in ("conv", "conv_transpose"):
        return {"weight": (k, k, channels, node.channels), **bias}
    if node.op == "depthwise":
        return {"weight": (k, k, channels), **({"bias": (channels,)} if node.bias else {})}
    if node.op == "dense":
        return {"weight": (math.prod(source), node.channels), "bias": (node.channels,)}
    if node.op == "batch_norm":
        return dict.fromkeys(("scale", "shift", "mean", "variance"), (channels,))
    if node.op == "prelu":
        return {"slope": (channels,)}
    return {}
