"""The layers of a network as nodes of an ONNX graph, channels first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicface.cnn.folding import Step, fold
from classicface.cnn.graph import INPUT, Graph, State
from classicface.exceptions import InvalidInputError

__all__ = ["OnnxWriter", "write_network"]

Shape = tuple[int, int, int]


class OnnxWriter:
    """Collects the nodes and the constants of an ONNX graph.

    Parameters
    ----------
    onnx : module
    """

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant and return its name."""
        array = np.array(values, dtype, order="C")
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def split(self, source: str, names: list[str], sizes: list[int]) -> None:
        """Split an array along its last axis into arrays of these names."""
        inputs = [source, self.constant(f"{source}.sizes", sizes, np.int64)]
        make = self.onnx.helper.make_node
        self.nodes.append(make("Split", inputs, names, f"{source}/split", axis=-1))


def write_network(writer: OnnxWriter, graph: Graph, state: State, source: str) -> str:
    """Add every layer of a network, folded as this library computes it.

    Parameters
    ----------
    writer : OnnxWriter
    graph : Graph
    state : dict of str to ndarray
    source : str
        What the network reads, (N, channels, height, width).

    Returns
    -------
    str
        The name of the network's output, (N, channels, height, width).
    """
    shapes = graph.shapes()
    steps, last = fold(graph, state)
    names = {INPUT: source, **{step.output: f"network/{step.output}" for step in steps}}
    for step in steps:
        if step.op not in _LAYERS:
            raise InvalidInputError(f"layer {step.output}: {step.op!r} has no form in ONNX")
        inputs, output = [names[name] for name in step.inputs], names[step.output]
        linear = output if step.slope is None else f"{output}/linear"
        if step.slope is not None and _is_identity(step):
            linear = inputs[0]
        else:
            _LAYERS[step.op](writer, step, inputs, linear, shapes[step.inputs[0]])
        if step.slope is None:
            continue
        if np.any(step.slope != 0):
            slope = writer.constant(f"{output}.slope", step.slope[:, None, None])
            writer.add("PRelu", [linear, slope], output)
        else:
            writer.add("Relu", [linear], output)
    return names[last]


def _is_identity(step: Step) -> bool:
    """Tell whether a step does nothing but what its slope does."""
    return step.op == "affine" and bool(np.all(step.weight == 1) and np.all(step.bias == 0))


def _convolution(
    writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape
) -> None:
    assert step.weight is not None
    k, s = step.kernel, step.stride
    attributes: dict[str, Any] = {"kernel_shape": [k, k], "strides": [s, s]}
    if step.op == "depthwise":
        weight = step.weight.transpose(2, 0, 1)[:, None]
        attributes["group"] = len(weight)
    elif step.op == "conv":
        weight = step.weight.transpose(3, 2, 0, 1)
    else:
        weight = step.weight.transpose(2, 3, 0, 1)
    transposed = step.op == "conv_transpose"
    pad = (k - s) // 2 if transposed else (k - 1) // 2
    own = [
        writer.constant(f"{output}.weight", weight),
        writer.constant(f"{output}.bias", step.bias),
    ]
    op = "ConvTranspose" if transposed else "Conv"
    writer.add(op, [*inputs, *own], output, pads=[pad] * 4, **attributes)


def _dense(writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape) -> None:
    assert step.weight is not None
    n_outputs = step.weight.shape[1]
    # The rows stand for (height, width, channels); flattened here, maps are channels first.
    rows = step.weight.reshape(*source, n_outputs).transpose(2, 0, 1, 3)
    weight = writer.constant(f"{output}.weight", rows.reshape(-1, n_outputs))
    bias = writer.constant(f"{output}.bias", step.bias)
    flat = writer.add("Flatten", inputs, f"{output}/flat")
    numbers = writer.add("Gemm", [flat, weight, bias], f"{output}/numbers")
    shape = writer.constant(f"{output}.shape", [0, n_outputs, 1, 1], np.int64)
    writer.add("Reshape", [numbers, shape], output)


def _affine(writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape) -> None:
    assert step.weight is not None and step.bias is not None
    weight = writer.constant(f"{output}.weight", step.weight[:, None, None])
    bias = writer.constant(f"{output}.bias", step.bias[:, None, None])
    scaled = writer.add("Mul", [*inputs, weight], f"{output}/scaled")
    writer.add("Add", [scaled, bias], output)


def _pool(writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape) -> None:
    op = "MaxPool" if step.op == "max_pool" else "AveragePool"
    k, s = step.kernel, step.stride
    writer.add(op, inputs, output, kernel_shape=[k, k], strides=[s, s])


def _upsample(
    writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape
) -> None:
    scales = writer.constant(f"{output}.scales", [1, 1, step.stride, step.stride])
    kind = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    writer.add("Resize", [*inputs, "", scales], output, **kind)


def _add(writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape) -> None:
    # Two at a time: runtimes fuse that with the convolution before it, but no longer sum.
    first, *middle, last = inputs
    for i, name in enumerate(middle):
        first = writer.add("Add", [first, name], f"{output}/{i}")
    writer.add("Add", [first, last], output)


def _concat(writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape) -> None:
    writer.add("Concat", inputs, output, axis=1)


def _global_pool(
    writer: OnnxWriter, step: Step, inputs: list[str], output: str, source: Shape
) -> None:
    writer.add("GlobalAveragePool", inputs, output)


_LAYERS: dict[str, Callable[[OnnxWriter, Step, list[str], str, Shape], None]] = {
    "conv": _convolution,
    "depthwise": _convolution,
    "conv_transpose": _convolution,
    "dense": _dense,
    "affine": _affine,
    "max_pool": _pool,
    "average_pool": _pool,
    "global_pool": _global_pool,
    "upsample": _upsample,
    "add": _add,
    "concat": _concat,
}
