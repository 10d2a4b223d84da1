"""A network's graph made shorter for prediction.

Batch norms and rectifiers move into the layer before them, dropout vanishes, and so does what the
output does not need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.graph import Graph, Node, State
from classicface.exceptions import InvalidInputError

__all__ = ["Step", "fold"]

# What batch norm adds to the variance.
_EPSILON = 1e-5

# The operations that can take up a factor and a bias for each channel.
_LINEAR = ("conv", "depthwise", "conv_transpose", "dense", "affine")

Array = NDArray[np.float64]


@dataclass
class Step:
    """What remains of one or more layers.

    Parameters
    ----------
    op : str
        An operation of `Node`, or ``affine``: each channel times its weight plus its bias.
    output : str
        The name of what it computes: that of its first layer.
    inputs : tuple of str
        Outputs of other steps, or the network's input.
    kernel, stride : int
        As in `Node`.
    weight, bias : ndarray of float64, optional
        As in the state; `bias` is never missing where `weight` is there.
    slope : ndarray of float64, optional
        What numbers that are not positive are multiplied with in the end, for each channel:
        zeros for a rectifier. None for a step without.
    """

    op: str
    output: str
    inputs: tuple[str, ...]
    kernel: int = 1
    stride: int = 1
    weight: Array | None = None
    bias: Array | None = None
    slope: Array | None = None


def fold(graph: Graph, state: State) -> tuple[list[Step], str]:
    """Return the steps of a network in the order of computing, and the name of its output.

    Raises
    ------
    InvalidInputError
        If the state does not fit the graph, or maps of unlike shapes are joined.
    """
    _check(graph, state)
    channels = {name: shape[2] for name, shape in graph.shapes().items()}
    sources = {node.name: node.inputs[0] for node in graph.nodes if node.op == "dropout"}
    nodes, output = _needed(graph, sources)
    uses = Counter(name for node, inputs in nodes for name in inputs)
    steps: dict[str, Step] = {}
    names: dict[str, str] = {}  # of the layers that went into a step, and that step's output
    for node, raw in nodes:
        inputs = tuple(names.get(name, name) for name in raw)
        layer = _step(node, inputs, channels[node.name], state)
        before = steps.get(inputs[0]) if uses[raw[0]] == 1 else None
        if before is not None and _merge(layer, before):
            names[node.name] = before.output
        else:
            steps[node.name] = layer
    return list(steps.values()), names.get(output, output)


def _check(graph: Graph, state: State) -> None:
    for name, shape in graph.weight_shapes().items():
        if name not in state or state[name].shape != shape:
            found = f"of shape {state[name].shape}" if name in state else "missing"
            raise InvalidInputError(f"weights {name} of the network are {found}, not {shape}")
    shapes = graph.shapes()
    for node in graph.nodes:
        parts = [shapes[name] for name in node.inputs]
        same = 2 if node.op == "concat" else 3
        if node.op in ("add", "concat") and len({part[:same] for part in parts}) != 1:
            raise InvalidInputError(f"layer {node.name} joins maps of unlike shapes {parts}")
        enlarged = node.kernel - node.stride
        if node.op == "conv_transpose" and (enlarged < 0 or enlarged % 2):
            raise InvalidInputError(
                f"layer {node.name} has a kernel of {node.kernel} and a stride of {node.stride};"
                " a transposed convolution needs the stride plus an even number"
            )


def _needed(
    graph: Graph, sources: Mapping[str, str]
) -> tuple[list[tuple[Node, tuple[str, ...]]], str]:
    """Return the layers that the output needs, with their inputs; dropout is stepped over."""

    def source(name: str) -> str:
        while name in sources:
            name = sources[name]
        return name

    output = source(graph.nodes[-1].name)
    wanted, found = {output}, []
    for node in reversed(graph.nodes):
        if node.op != "dropout" and node.name in wanted:
            inputs = tuple(source(name) for name in node.inputs)
            wanted.update(inputs)
            found.append((node, inputs))
    return found[::-1], output


def _step(node: Node, inputs: tuple[str, ...], channels: int, state: State) -> Step:
    """Return the step of a layer on its own."""
    weights = {
        name.rpartition(".")[2]: values.astype(np.float64)
        for name, values in state.items()
        if name.rpartition(".")[0] == node.name
    }
    step = Step(node.op, node.name, inputs, node.kernel, node.stride)
    if node.op == "batch_norm":
        step.op = "affine"
        step.weight = weights["scale"] / np.sqrt(weights["variance"] + _EPSILON)
        step.bias = weights["shift"] - weights["mean"] * step.weight
    elif node.op in ("relu", "prelu") or (node.op == "add" and len(inputs) == 1):
        step.op, step.weight, step.bias = "affine", np.ones(channels), np.zeros(channels)
    elif "weight" in weights:
        step.weight, step.bias = weights["weight"], weights.get("bias", np.zeros(channels))
    if node.op == "prelu":
        step.slope = weights["slope"]
    elif node.op == "relu" or node.relu:
        step.slope = np.zeros(channels)
    return step


def _merge(layer: Step, before: Step) -> bool:
    """Move a layer into the step before it; return whether this was possible."""
    if layer.op != "affine" or before.slope is not None:
        return False
    assert layer.weight is not None and layer.bias is not None
    if before.op in _LINEAR:
        assert before.weight is not None and before.bias is not None
        before.weight = before.weight * layer.weight
        before.bias = before.bias * layer.weight + layer.bias
    elif before.op != "add" or np.any(layer.weight != 1) or np.any(layer.bias != 0):
        return False
    before.slope = layer.slope
    return True
