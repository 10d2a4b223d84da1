"""Writing a network with what comes before and after it as an ONNX model, for other runtimes.

The model takes face crops as grey values and gives landmarks in pixels of the crop, so nothing of
this library is needed to run it but the crop. Maps are channels first there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from classicface._version import __version__
from classicface.cnn._onnx_layers import OnnxWriter, write_network
from classicface.cnn.graph import Graph, State
from classicface.exceptions import DataFormatError, InvalidInputError, MissingDependencyError
from classicface.persistence import replacing
from classicface.validation import check_choice, check_integer, check_number

__all__ = ["Head", "export_graph"]

#: The version of ONNX's operators, and the format that came with it; ONNX Runtime reads both since
#: version 1.14.
OPSET = 17
IR_VERSION = 8


@dataclass(frozen=True)
class Head:
    """What turns grey values into a network's input, and its output into landmarks.

    Parameters
    ----------
    kind : {"coordinates", "heatmap"}
        What the network gives: 1 x 1 x 2 L numbers, x and y of each landmark in turn, or one map of
        logits for each landmark.
    scale : float
    offset : float or ndarray of shape (L, 2)
        Pixel of the crop = number (or pixel of the map) times `scale` plus `offset`.
    radius : int, default 0
        Of ``heatmap``: the landmark is the mean place in the square of 2 radius + 1 pixels around
        the highest logit, weighted by the softmax (a local soft-argmax).
    mean, deviation : float
        The network's input is (grey value - `mean`) / `deviation`.

    Raises
    ------
    InvalidInputError
        A value out of range.
    """

    kind: Literal["coordinates", "heatmap"]
    scale: float
    offset: float | NDArray[np.floating]
    radius: int = 0
    mean: float = 127.5
    deviation: float = 64.0

    def __post_init__(self) -> None:
        check_choice(self.kind, "kind", ("coordinates", "heatmap"))
        check_number(self.scale, "scale", -1e6, 1e6)
        if not (np.abs(self.offset) < 1e6).all():
            raise InvalidInputError("offset is no number of pixels")
        check_integer(self.radius, "radius", 0, 1000)
        check_number(self.mean, "mean", -1e6, 1e6)
        check_number(self.deviation, "deviation", 1e-6, 1e6)


def export_graph(
    graph: Graph,
    state: State,
    path: str | Path,
    *,
    head: Head,
    margin: float,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a network with its weights as an ONNX model; the same content gives the same bytes.

    The model has one input, ``crop``, uint8 of shape (N, size, size) with any N, and the outputs
    ``landmarks``, float32 of shape (N, L, 2) in pixels of the crop, and for heatmaps
    ``confidence``, float32 of shape (N, L): the share of a map's softmax within the square.

    Parameters
    ----------
    graph : Graph
        Takes a square of one channel.
    state : dict of str to ndarray
        Its weights.
    path : path-like
        Ends in ``.onnx``.
    head : Head
    margin : float
        How much of the surroundings a crop shows on each side, in sides of the face's box; the
        model's description says how to make the crop.
    metadata : mapping, optional
        Kept in the model: texts as they are, anything else as JSON. The library's version and what
        `classicface.peers.onnx_predictor` needs to know of crops and landmarks are added.

    Raises
    ------
    MissingDependencyError
        The package ``onnx`` is not installed.
    InvalidInputError
        A graph, weights and a head that do not belong together.
    DataFormatError
        Another ending, or the file cannot be written; nothing is left behind.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise DataFormatError("unknown ending; use .onnx", path)
    margin = check_number(margin, "margin", 0.0, 10.0)
    onnx = _import_onnx()
    n_landmarks = _check(graph, head)
    size = graph.input_shape[0]
    writer = OnnxWriter(onnx)
    output = write_network(writer, graph, state, _write_input(writer, head))
    outputs: dict[str, tuple[Any, ...]] = {"landmarks": ("N", n_landmarks, 2)}
    if head.kind == "coordinates":
        _write_coordinates(writer, output, n_landmarks, head)
    else:
        _write_heatmaps(writer, output, graph.output_shape, head)
        outputs["confidence"] = ("N", n_landmarks)
    make = onnx.helper
    pixels, numbers = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT
    model = make.make_model(
        make.make_graph(
            writer.nodes,
            "classicface",
            [make.make_tensor_value_info("crop", pixels, ("N", size, size))],
            [make.make_tensor_value_info(*(n, numbers, s)) for n, s in outputs.items()],
            writer.constants,
        ),
        producer_name="classicface",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[make.make_opsetid("", OPSET)],
        doc_string=_description(size, margin),
    )
    notes = {
        "library": f"classicface {__version__}",
        "input_size": size,
        "margin": margin,
        "output": "landmarks",
        "points": "xy",
        "range": "pixels",
    }
    for name, value in sorted({**(metadata or {}), **notes}.items()):
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        model.metadata_props.add(key=name, value=text)
    with replacing(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))


def _import_onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise MissingDependencyError(
            'the export needs the package onnx: pip install "classicface[onnx]"'
        ) from None
    return onnx


def _check(graph: Graph, head: Head) -> int:
    """Refuse a graph and a head that do not belong together; return the number of landmarks."""
    height, width, channels = graph.input_shape
    if height != width or channels != 1:
        raise InvalidInputError(
            f"the network takes {graph.input_shape}; expected a square of one channel"
        )
    output = graph.output_shape
    if head.kind == "heatmap":
        return output[2]
    if output[:2] != (1, 1) or output[2] % 2:
        raise InvalidInputError(f"the network gives {output}; coordinates are (1, 1, 2 L)")
    return output[2] // 2


def _description(size: int, margin: float) -> str:
    middle, span = (size - 1) / 2, size / (1 + 2 * margin)
    return (
        f"Facial landmarks by classicface {__version__}. The input 'crop' holds grey faces, uint8,"
        f" {size} x {size}. To make a crop, take the tight box of a face's landmarks, as the"
        " library's detectors estimate it. Scale the picture such that the box's longer side spans"
        f" {span:.6g} pixels, put the box's centre at ({middle:g}, {middle:g}), and repeat the"
        " picture's border where the crop passes it; large faces are halved by averaging before"
        " the bilinear sampling. The output 'landmarks' holds x and y in pixels of the crop;"
        " the centre of its first pixel is (0, 0)."
    )


def _write_input(writer: OnnxWriter, head: Head) -> str:
    numbers = writer.add("Cast", ["crop"], "grey", to=writer.onnx.TensorProto.FLOAT)
    mean = writer.constant("grey.mean", head.mean)
    deviation = writer.constant("grey.deviation", head.deviation)
    centered = writer.add("Sub", [numbers, mean], "centered")
    scaled = writer.add("Div", [centered, deviation], "scaled")
    axis = writer.constant("channel_axis", [1], np.int64)
    return writer.add("Unsqueeze", [scaled, axis], "input")


def _write_coordinates(writer: OnnxWriter, raw: str, n_landmarks: int, head: Head) -> None:
    shape = writer.constant("points.shape", [0, n_landmarks, 2], np.int64)
    _write_points(writer, writer.add("Reshape", [raw, shape], "points"), head)


def _write_heatmaps(
    writer: OnnxWriter, logits: str, shape: tuple[int, int, int], head: Head
) -> None:
    """Decode by local soft-argmax: only the squares around the peaks are looked at."""
    height, width, n_landmarks = shape
    steps = np.arange(-head.radius, head.radius + 1)
    dy, dx = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    flat = writer.constant("maps.shape", [0, n_landmarks, height * width], np.int64)
    maps = writer.add("Reshape", [logits, flat], "maps")
    shares = writer.add("Softmax", [maps], "shares", axis=2)
    peak = writer.add("ArgMax", [maps], "peak", axis=2, keepdims=1)
    wide = writer.constant("width", width, np.int64)
    peak_y = writer.add("Div", [peak, wide], "peak.y")
    peak_x = writer.add("Mod", [peak, wide], "peak.x")
    y, y_inside = _write_steps(writer, peak_y, dy, height, "y")
    x, x_inside = _write_steps(writer, peak_x, dx, width, "x")
    row = writer.add("Mul", [y, wide], "row")
    index = writer.add("Add", [row, x], "index")
    taken = writer.add("GatherElements", [shares, index], "taken", axis=2)
    inside = writer.add("And", [y_inside, x_inside], "inside")
    square = writer.add("Where", [inside, taken, writer.constant("zero", 0.0)], "square")
    # The sums of the shares times their steps in x, in y, and of the shares themselves.
    moments = writer.constant("moments", np.stack([dx, dy, np.ones_like(dx)], axis=1))
    sums = writer.add("MatMul", [square, moments], "sums")
    writer.split(sums, ["sum.steps", "sum.shares"], [2, 1])
    step = writer.add("Div", ["sum.steps", "sum.shares"], "step")
    whole = writer.add("Concat", [peak_x, peak_y], "peak.place", axis=2)
    whole = writer.add("Cast", [whole], "peak.point", to=writer.onnx.TensorProto.FLOAT)
    _write_points(writer, writer.add("Add", [whole, step], "points"), head)
    axis = writer.constant("share_axis", [2], np.int64)
    writer.add("Squeeze", ["sum.shares", axis], "confidence")


def _write_steps(
    writer: OnnxWriter, peak: str, steps: Any, size: int, name: str
) -> tuple[str, str]:
    """Add steps to the peak along one axis; return the places, clipped, and which were inside."""
    offsets = writer.constant(f"{name}.steps", steps, np.int64)
    places = writer.add("Add", [peak, offsets], f"{name}.place")
    low = writer.constant(f"{name}.low", 0, np.int64)
    high = writer.constant(f"{name}.high", size - 1, np.int64)
    clipped = writer.add("Clip", [places, low, high], f"{name}.clipped")
    return clipped, writer.add("Equal", [clipped, places], f"{name}.inside")


def _write_points(writer: OnnxWriter, points: str, head: Head) -> None:
    scale = writer.constant("points.scale", head.scale)
    offset = writer.constant("points.offset", head.offset)
    scaled = writer.add("Mul", [points, scale], "points.scaled")
    writer.add("Add", [scaled, offset], "landmarks")
