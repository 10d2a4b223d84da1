"""What a landmark network in an ONNX file takes and gives, and where that is written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import IDENTITY, BoxMap
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_choice, check_integer, check_number

__all__ = ["OnnxFormat", "read_format"]

#: A JSON file beyond this is refused before it is read: 1 MiB.
MAX_JSON_BYTES = 1 << 20

# Numbers of a landmark that a network may give; only x and y are used.
_NUMBERS = {"xy": 2, "xyz": 3, "xxyy": 2}


@dataclass(frozen=True)
class OnnxFormat:
    """What a landmark network takes and gives.

    Parameters
    ----------
    input_size : int, optional
        Pixels along a side of the square crop that the network sees; told by most networks.
    channels : int, optional
        1 or 3; told by most networks. Pictures are grey here, so three channels get the same.
    layout : {"nchw", "nhwc"}, optional
        Whether channels come before or after the rows; by default told from where the network
        has 1 or 3, else "nchw".
    mean, std : float or sequence of float, one a channel
        A network of floats gets (grey value - `mean`) / `std`, with grey values from 0 to 255.
    margin : float
        How much the crop shows around the face's box on each side, in sides of the box.
    output : str or int, optional
        The output that holds the landmarks, by name or by place; by default the first.
    points : {"xy", "xyz", "xxyy", "heatmaps"}
        ``xy``: x and y of each landmark in turn; ``xyz``: with a third number, which is left out;
        ``xxyy``: all x, then all y; ``heatmaps``: one map for each landmark, whose peak is taken,
        moved by a quarter of a pixel to the higher neighbour (Newell et al., ECCV 2016).
    range : {"unit", "symmetric", "pixels"}
        Whether coordinates run from 0 to 1 over the crop, from -1 to 1, or in its pixels.
    offset : float or pair of float
        Added to x and y, in pixels of the crop. The centre of the first pixel is 0; -0.5 suits
        networks whose 0 is its edge.
    scheme : LandmarkScheme, str or mapping, optional
        The meaning of the points; by default told from their number.
    box_map : BoxMap, str or sequence of three float
        From the boxes that the network was trained with to landmark boxes: a map, the name of a
        built-in face detector, or shift_x, shift_y and scale.

    Raises
    ------
    InvalidInputError
        A parameter is out of range, or the margin is missing.
    """

    input_size: int | None = None
    channels: int | None = None
    layout: str | None = None
    mean: Any = 0.0
    std: Any = 1.0
    margin: float | None = None
    output: str | int | None = None
    points: str = "xy"
    range: str = "unit"
    offset: Any = 0.0
    scheme: Any = None
    box_map: Any = IDENTITY

    def __post_init__(self) -> None:
        if self.input_size is not None:
            check_integer(self.input_size, "input_size", 1, 4096)
        if self.channels is not None:
            check_integer(self.channels, "channels", 1, 3)
        if self.layout is not None:
            check_choice(self.layout, "layout", ("nchw", "nhwc"))
        if self.margin is None:
            raise InvalidInputError(
                "the network does not tell its margin; give margin, what its crops show around the"
                " face's box on each side, in sides of the box"
            )
        check_number(self.margin, "margin", 0.0, 10.0)
        check_choice(self.points, "points", (*_NUMBERS, "heatmaps"))
        check_choice(self.range, "range", ("unit", "symmetric", "pixels"))
        checked = {
            "mean": _numbers(self.mean, "mean", (1, 3), -1e6),
            "std": _numbers(self.std, "std", (1, 3), 1e-6),
            "offset": _numbers(self.offset, "offset", (1, 2), -1e6),
            "box_map": _box_map(self.box_map),
        }
        if isinstance(self.scheme, Mapping):
            checked["scheme"] = LandmarkScheme.from_dict(self.scheme)
        elif self.scheme is not None:
            checked["scheme"] = get_scheme(self.scheme)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def decode(
        self, output: NDArray[Any], size: int, channels_first: bool, n: int
    ) -> NDArray[np.floating]:
        """Turn an output of the network into points.

        Parameters
        ----------
        output : ndarray
            Of `n` faces.
        size : int
            The side of the crop in pixels.
        channels_first : bool
            Whether heatmaps are (n, landmarks, height, width).
        n : int

        Returns
        -------
        ndarray, shape (n, n_landmarks, 2)
            In pixels of the crop; NaN where the network gave no finite numbers.

        Raises
        ------
        InvalidInputError
            The output has another shape.
        """
        if self.points == "heatmaps":
            points = self._from_maps(output, size, channels_first, n)
        else:
            points = self._from_numbers(output, size, n)
        points = points + self.offset
        points[~np.isfinite(points).all(axis=-1)] = np.nan
        return points

    def _from_maps(
        self, output: NDArray[Any], size: int, channels_first: bool, n: int
    ) -> NDArray[np.floating]:
        if output.ndim != 4 or len(output) != n or 0 in output.shape:
            raise InvalidInputError(f"shape {output.shape}; expected one map a landmark")
        maps = output if channels_first else output.transpose(0, 3, 1, 2)
        return (_peaks(maps) + 0.5) * (size / np.array(maps.shape[:1:-1])) - 0.5

    def _from_numbers(self, output: NDArray[Any], size: int, n: int) -> NDArray[np.floating]:
        numbers = _NUMBERS[self.points]
        if output.size == 0 or len(output) != n or output.size % (n * numbers):
            raise InvalidInputError(
                f"shape {output.shape}; expected {numbers} numbers a landmark for {n} faces"
            )
        if self.points == "xxyy":
            points = output.reshape(n, 2, -1).transpose(0, 2, 1)
        else:
            points = output.reshape(n, -1, numbers)[..., :2]
        if self.range == "unit":
            return points * np.float32(size)
        if self.range == "symmetric":
            return (points + np.float32(1)) * np.float32(size / 2)
        return points


def read_format(path: Path, notes: Mapping[str, str], parameters: Mapping[str, Any]) -> OnnxFormat:
    """Collect what is known of a network.

    Parameters
    ----------
    path : Path
        Of the network.
    notes : mapping of str to str
        The metadata in it; those that this library wrote are read.
    parameters : mapping
        What the user gave, which goes before what the files say.

    Raises
    ------
    DataFormatError
        The JSON file beside the network is none, or says what cannot be.
    InvalidInputError
        A parameter is unknown, missing or out of range.
    """
    names = [field.name for field in fields(OnnxFormat)]
    for name in parameters:
        if name not in names:
            raise InvalidInputError(f"no parameter {name!r}; there are {', '.join(names)}")
    ours = notes.get("library", "").startswith("classicface ")
    known = {name: _value(notes[name]) for name in names if ours and name in notes}
    beside = path.with_suffix(".json")
    if beside.is_file():
        known.update(_read_json(beside, names))
    try:
        return OnnxFormat(**{**known, **parameters})
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def _read_json(path: Path, names: list[str]) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_JSON_BYTES + 1)
        if len(data) > MAX_JSON_BYTES:
            raise DataFormatError("larger than 1 MiB; not the description of a network", path)
        content = json.loads(data.decode("utf-8"))
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror}", path) from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataFormatError(f"not JSON: {error}", path) from None
    if not isinstance(content, dict):
        raise DataFormatError('expected names with values, such as {"margin": 0.25}', path)
    for name in content:
        if name not in names:
            raise DataFormatError(f"no parameter {name!r:.60}; there are {', '.join(names)}", path)
    return content


def _value(text: str) -> Any:
    """Read a note of the export: texts stand as they are, anything else as JSON."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return text


def _numbers(value: Any, name: str, counts: tuple[int, int], low: float) -> NDArray[np.float32]:
    """Return a number, or several, as an array that broadcasts over its last axis."""
    values = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    if len(values) not in counts:
        raise InvalidInputError(f"{name} holds {len(values)} numbers; expected 1 or {counts[1]}")
    return np.array([check_number(v, name, low, 1e6) for v in values], np.float32)


def _box_map(value: Any) -> BoxMap:
    if isinstance(value, BoxMap):
        return value
    if isinstance(value, str):
        check_choice(value, "box_map", BOX_MAPS)
        return BOX_MAPS[value]
    if isinstance(value, (list, tuple)) and len(value) == 3:
        x, y = (check_number(v, "a shift of box_map", -10.0, 10.0) for v in value[:2])
        return BoxMap(x, y, check_number(value[2], "the scale of box_map", 1e-3, 1e3))
    raise InvalidInputError(
        f"box_map is {value!r:.100}; expected a BoxMap, one of {', '.join(BOX_MAPS)}, or three"
        " numbers: shift_x, shift_y, scale"
    )


def _peaks(maps: NDArray[Any]) -> NDArray[np.float64]:
    """Return the peaks of maps, (n, landmarks, height, width), as x and y in pixels of the map.

    Each is moved by a quarter of a pixel to its higher neighbour along x and y, but at the rim.
    """
    height, width = maps.shape[2:]
    row, column = np.divmod(maps.reshape(*maps.shape[:2], -1).argmax(axis=2), width)
    face, landmark = np.ogrid[: maps.shape[0], : maps.shape[1]]

    def value(dy: int, dx: int) -> NDArray[np.float64]:
        rows, columns = (row + dy).clip(0, height - 1), (column + dx).clip(0, width - 1)
        return maps[face, landmark, rows, columns].astype(np.float64)

    right, down = np.sign(value(0, 1) - value(0, -1)), np.sign(value(1, 0) - value(-1, 0))
    x = column + 0.25 * right * ((column > 0) & (column < width - 1))
    y = row + 0.25 * down * ((row > 0) & (row < height - 1))
    return np.stack([x, y], axis=-1)
