"""Forward and backward passes through a graph, and the flat weights that training changes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.graph import INPUT, Graph, State
from classicface.cnn.layers import LAYERS, batch_norm_statistics

__all__ = ["Weights", "backward", "forward"]

# Weights of a state that are measured, not learnt.
_MEASURED = ("mean", "variance")

_NOTHING = np.empty(0, np.float32)

Caches = dict[str, Any]


class Weights:
    """The weights of a network in training: the learnt ones in one flat vector.

    Parameters
    ----------
    graph : Graph
    state : dict of str to ndarray
        Copied.

    Attributes
    ----------
    vector : ndarray of float32, shape (n_learnt,)
    learnt : dict of str to ndarray
        Views into the vector.
    statistics : ndarray of float32
        The means and variances of the batch normalisations, one after the other.
    measured : dict of str to ndarray
        Views into the statistics.
    decay_mask : ndarray of float32, shape (n_learnt,)
        1 for the weights of convolutions and dense layers, which weight decay shrinks, else 0.
    """

    def __init__(self, graph: Graph, state: State) -> None:
        self.graph = graph
        shapes = graph.weight_shapes()
        self._slices: dict[str, tuple[slice, tuple[int, ...]]] = {}
        end = 0
        for name, shape in shapes.items():
            if name.rpartition(".")[2] not in _MEASURED:
                start, end = end, end + math.prod(shape)
                self._slices[name] = (slice(start, end), shape)
        self.vector = np.empty(end, np.float32)
        self.decay_mask = np.zeros(end, np.float32)
        self.learnt = self.views(self.vector)
        for name, view in self.learnt.items():
            view[...] = state[name]
            self.decay_mask[self._slices[name][0]] = name.endswith(".weight")
        names = [name for name in shapes if name not in self._slices]
        self.statistics = np.concatenate([state[name] for name in names] or [_NOTHING])
        parts = np.split(self.statistics, np.cumsum([len(state[name]) for name in names])[:-1])
        self.measured = dict(zip(names, parts, strict=False))

    def views(self, vector: NDArray[np.float32]) -> State:
        """Return the arrays of the state as views into a vector like `vector`."""
        return {name: vector[where].reshape(shape) for name, (where, shape) in self._slices.items()}

    def joined(self, statistics: State) -> NDArray[np.float32]:
        """Return means and variances like `measured` as a vector like `statistics`."""
        return np.concatenate([statistics[name] for name in self.measured] or [_NOTHING])


def forward(
    graph: Graph,
    state: State,
    x: NDArray[np.float32],
    training: bool = True,
    rng: np.random.Generator | None = None,
) -> tuple[NDArray[np.float32], Caches, State]:
    """Run a network on a batch.

    Parameters
    ----------
    graph : Graph
    state : dict of str to ndarray
    x : ndarray of float32, shape (n, height, width, channels)
    training : bool
        Whether batch normalisation takes the statistics of this batch, and dropout drops.
    rng : numpy.random.Generator, optional
        For dropout.

    Returns
    -------
    output : ndarray of float32, shape (n, height, width, channels)
    caches : dict
        What `backward` needs.
    statistics : dict of str to ndarray
        In training, the mean and variance that each batch normalisation saw.
    """
    values = {INPUT: x}
    caches: Caches = {}
    statistics: State = {}
    uses = _last_uses(graph)
    for i, node in enumerate(graph.nodes):
        layer = LAYERS[node.op]
        sources = tuple(values[name] for name in node.inputs)
        values[node.name], caches[node.name] = layer.forward(
            sources, _weights_of(node.name, state), node, training, rng
        )
        if training and node.op == "batch_norm":
            mean, variance = batch_norm_statistics(caches[node.name])
            statistics |= {f"{node.name}.mean": mean, f"{node.name}.variance": variance}
        for name in node.inputs:
            if uses[name] == i:
                values.pop(name, None)  # frees what no cache holds
    return values[graph.nodes[-1].name], caches, statistics


def backward(graph: Graph, caches: Caches, gradient: NDArray[np.float32], result: State) -> None:
    """Take the gradient of the loss back through a network.

    Parameters
    ----------
    graph : Graph
    caches : dict
        From `forward`; emptied on the way.
    gradient : ndarray of float32
        Of the loss with respect to the network's output.
    result : dict of str to ndarray
        The gradients of the learnt weights are written into these arrays.
    """
    flowing: dict[str, NDArray[np.float32]] = {graph.nodes[-1].name: gradient}
    for node in reversed(graph.nodes):
        arriving = flowing.pop(node.name)
        need_input = any(name != INPUT for name in node.inputs)
        sources, gradients = LAYERS[node.op].backward(arriving, caches.pop(node.name), need_input)
        for name, value in gradients.items():
            result[f"{node.name}.{name}"][...] = value
        for name, flow in zip(node.inputs, sources, strict=True):
            if flow is not None and name != INPUT:
                flowing[name] = flowing[name] + flow if name in flowing else flow


def _weights_of(name: str, state: State) -> State:
    """Return the weights of one node, by their short names."""
    return {
        kind: state[f"{name}.{kind}"]
        for kind in ("weight", "bias", "scale", "shift", "mean", "variance", "slope")
        if f"{name}.{kind}" in state
    }


def _last_uses(graph: Graph) -> dict[str, int]:
    """Return the index of the last node that reads each value."""
    return {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
