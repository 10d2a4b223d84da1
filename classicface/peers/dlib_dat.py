"""Files of dlib's ``shape_predictor``, read and written without dlib.

Such a file is dlib's serialisation of a version, the mean shape, the trees of each stage, and the
pixels of each stage: the landmark that each is tied to, and where it lies from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from classicface.cascade.compression import compress
from classicface.cascade.dlib_forest import DlibCascade, repack_splits
from classicface.cascade.ert import ERTFitter
from classicface.cascade.forest import MAX_PIXELS
from classicface.cascade.parameters import LIMITS
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.peers import _kernels as kernels
from classicface.persistence import read_bytes, replacing
from classicface.predictor import LandmarkPredictor
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import BoxMap
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_integer

__all__ = ["read_dlib", "write_dlib"]

_VERSION = 1

_MAX_STAGES, _MAX_TREES, _MAX_LANDMARKS = 1000, 100_000, 32_767
_MAX_DEPTH, _MAX_PIXELS = LIMITS["dlib"]


def read_dlib(
    path: str | Path,
    *,
    scheme: LandmarkScheme | str | None = None,
    box_map: BoxMap = BOX_MAPS["hog"],
    n_directions: int | None = None,
) -> ERTFitter:
    """Read a file of dlib's ``shape_predictor``.

    The predictor gives the points that dlib gives, but does not round them to whole pixels. dlib
    itself is not needed.

    Parameters
    ----------
    path : path-like
    scheme : LandmarkScheme or str, optional
        The meaning of the points; by default told from their number.
    box_map : BoxMap, default that of dlib's face detector
        From the boxes that the model was trained with to landmark boxes.
    n_directions : int, optional
        Compress the trees: leaves become int8 steps in so many directions, at least 16, in which
        the leaves of a stage nearly lie. With 32, a model of 66 MB takes 3 MB, is about twice as
        fast and as accurate, but its points differ: on faces of 150 px by 1.4 px on the average.

    Returns
    -------
    ERTFitter
        Fitted, of the style ``"dlib"``. What the file does not tell of its parameters (how it was
        trained) is at its default.

    Raises
    ------
    InvalidInputError
        `n_directions` is out of range, or the scheme has another number of points.
    ModelFormatError
        No such file, or it is damaged, foreign, or holds what this library does not: trees of
        different sizes, or a single landmark.
    """
    if n_directions is not None:
        check_integer(n_directions, "n_directions", 16, 4096)
    cascade = _Reader(Path(path)).cascade(box_map)
    n_landmarks = len(cascade.mean_shape)
    chosen = get_scheme(n_landmarks if scheme is None else scheme)
    if chosen.n_landmarks != n_landmarks:
        raise InvalidInputError(
            f"scheme {chosen.name} has {chosen.n_landmarks} points, {path} has {n_landmarks}"
        )
    if n_directions is not None:
        cascade = compress(cascade, n_directions)
    n_stages, n_trees = cascade.splits.shape[:2]
    parameters = {"n_directions": n_directions} if n_directions is not None else {}
    fitter = ERTFitter.from_preset(
        "dlib",
        n_stages=n_stages,
        n_trees=n_trees,
        depth=cascade.depth,
        n_pixels=cascade.anchors.shape[1],
        **parameters,
    )
    fitter.check_params()
    fitter.cascade_ = cascade
    fitter.train_error_ = []
    fitter.scheme_ = chosen
    fitter.provenance_ = {"format": "dlib shape_predictor"}
    fitter.accuracy_ = {}
    return fitter


class _Reader:
    """The bytes of a file, and how far they have been read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = np.frombuffer(read_bytes(path), np.uint8)
        self.at = 0

    def cascade(self, box_map: BoxMap) -> DlibCascade:
        """Read the whole file."""
        version = self._whole()
        if version != _VERSION:
            self._refuse(f"version {version} of dlib's shape_predictor; {_VERSION} can be read")
        mean_shape = self._mean_shape()
        n_landmarks = len(mean_shape)
        splits, leaves = self._forests(2 * n_landmarks)
        anchors, offsets = self._pixels(len(splits), n_landmarks)
        if self.at != len(self.data):
            self._refuse(f"{len(self.data) - self.at} bytes follow the model")
        tensors: dict[str, NDArray[Any]] = {
            "mean_shape": mean_shape,
            "anchors": anchors,
            "offsets": offsets,
            "splits": splits,
            "leaves": leaves,
            "box_map": np.array([box_map.shift_x, box_map.shift_y, box_map.scale]),
        }
        try:
            cascade = DlibCascade.from_tensors(tensors, n_landmarks)
        except ModelFormatError as error:
            self._refuse(str(error))
        if anchors.shape[1] > MAX_PIXELS:
            return cascade
        return dataclasses.replace(cascade, splits=repack_splits(splits, wide=False))

    def _mean_shape(self) -> NDArray[np.float32]:
        size = abs(self._peek())
        if size == 2:
            self._refuse("a single landmark, which has no shape")
        if size % 2 != 0 or not 4 <= size <= 2 * _MAX_LANDMARKS:
            self._refuse(f"a mean shape of {size} numbers")
        self._expect(4 * size)
        flat = np.empty(size, np.float32)
        self._read(kernels.read_matrix, flat)
        return flat.reshape(-1, 2)

    def _forests(self, n_numbers: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Read the trees; how many and how large tells the first stage and its first tree."""
        n_stages = self._count("stages", _MAX_STAGES)
        start = self.at
        n_trees = self._count("trees", _MAX_TREES)
        n_splits = self._count("splits", (1 << _MAX_DEPTH) - 1)
        self.at = start
        if n_splits & (n_splits + 1):
            self._refuse(f"a tree of {n_splits} splits, which is no full binary tree")
        # A whole number takes two bytes at least, a real one four: no file makes us reserve more
        # than about its own size.
        self._expect(n_stages * n_trees * (8 * n_splits + 4 * n_numbers * (n_splits + 1)))
        splits = np.empty((n_stages, n_trees, n_splits), np.int64)
        leaves = np.empty((n_stages, n_trees, n_splits + 1, n_numbers), np.float32)
        for stage in range(n_stages):
            self._read(kernels.read_trees, splits[stage], leaves[stage])
        return splits, leaves

    def _pixels(
        self, n_stages: int, n_landmarks: int
    ) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        self._read(kernels.read_count, n_stages)
        start = self.at
        n_pixels = self._count("pixels", _MAX_PIXELS)
        self.at = start
        self._expect(n_stages * n_pixels * 2)
        anchors = np.empty((n_stages, n_pixels), np.int16)
        for stage in range(n_stages):
            self._read(kernels.read_anchors, n_landmarks, anchors[stage])
        self._read(kernels.read_count, n_stages)
        offsets = np.empty((n_stages, n_pixels, 2), np.float32)
        for stage in range(n_stages):
            self._read(kernels.read_count, n_pixels)
            self._read(kernels.read_reals, offsets[stage].reshape(-1))
        return anchors, offsets

    def _peek(self) -> int:
        start = self.at
        value = self._whole()
        self.at = start
        return value

    def _whole(self) -> int:
        value, self.at = kernels.read_whole(self.data, self.at)
        self._check()
        return int(value)

    def _count(self, name: str, most: int) -> int:
        value = self._whole()
        if not 1 <= value <= most:
            self._refuse(f"{value} {name}; expected from 1 to {most}")
        return value

    def _read(self, kernel: Callable[..., int], *arguments: Any) -> None:
        self.at = kernel(self.data, self.at, *arguments)
        self._check()

    def _check(self) -> None:
        if self.at < 0:
            self._refuse(_REASONS[self.at])

    def _expect(self, n_bytes: int) -> None:
        if n_bytes > len(self.data) - self.at:
            self._refuse(_REASONS[kernels.CUT])

    def _refuse(self, reason: str) -> NoReturn:
        raise ModelFormatError(f"{self.path}: no model file of dlib's shape_predictor: {reason}")


_REASONS = {
    kernels.CUT: "it ends too early",
    kernels.MALFORMED: "damaged, or foreign: no whole number of dlib's where there should be one",
    kernels.RANGE: f"a number is infinite, none, or beyond ±{kernels.MAX_REAL:g}",
    kernels.UNEVEN: "its stages, trees or leaves differ in size",
    kernels.INDEX: "a pixel or a landmark is not there",
    kernels.TEXT: "damaged, or of a version of dlib that wrote real numbers as text",
}


def write_dlib(
    fitter: LandmarkPredictor, path: str | Path, *, box_map: BoxMap = BOX_MAPS["hog"]
) -> None:
    """Write a tree cascade as a file that dlib's ``shape_predictor`` reads.

    dlib then gives the same points, rounded to whole pixels.

    Parameters
    ----------
    fitter : LandmarkPredictor
        A fitted `ERTFitter` of the style ``"dlib"``.
    path : path-like
    box_map : BoxMap, default that of dlib's face detector
        From the boxes that dlib will be given to landmark boxes.

    Raises
    ------
    InvalidInputError
        dlib's algorithm cannot do what the predictor does.
    DataFormatError
        The file cannot be written.
    """
    cascade = _dlib_cascade(fitter)
    with replacing(path) as partial, partial.open("wb") as file:
        for part in _parts(cascade, box_map):
            file.write(part)


def _dlib_cascade(fitter: LandmarkPredictor) -> DlibCascade:
    fitter.state()  # or NotFittedError
    cascade = getattr(fitter, "cascade_", None)
    if isinstance(cascade, DlibCascade):
        return cascade
    reason = f"a {type(fitter).__name__} is no tree cascade"
    if isinstance(fitter, ERTFitter):
        hindrances = ["smoothed pixels", "steps that turn with the shape"]
        if fitter.n_starts > 1:
            hindrances.append(f"n_starts={fitter.n_starts}")
        if fitter.flip:
            hindrances.append("flip=True")
        reason = f"this ERTFitter has style={fitter.style!r}: {', '.join(hindrances)}"
    raise InvalidInputError(
        f"dlib's shape_predictor cannot hold the model: {reason};"
        ' ERTFitter(style="dlib") trains one that it can'
    )


def _parts(cascade: DlibCascade, box_map: BoxMap) -> Iterator[bytes]:
    """Give the bytes of the file, part by part."""
    x, y, scale = cascade.box_map.tolist()
    # From rectangle to rectangle, both of which stand for the same landmark box.
    factor = box_map.scale / scale
    shift = 0.5 + np.array([box_map.shift_x, box_map.shift_y]) - factor * (0.5 + np.array([x, y]))
    n_stages = len(cascade.splits)
    splits = repack_splits(cascade.splits, wide=True)
    leaves = cascade.exact_leaves()
    mean_shape = cascade.mean_shape * factor + shift
    yield _written(kernels.write_whole, 1, _VERSION)
    flat = mean_shape.astype(np.float32).ravel()
    yield _written(kernels.write_matrix, len(flat), flat)
    yield _written(kernels.write_whole, 1, n_stages)
    for trees, values in zip(splits, leaves, strict=True):
        scaled = np.asarray(values * np.float32(factor))
        n_nodes = 4 * trees.size + 3 * values.shape[0] * values.shape[1]
        yield _written(kernels.write_trees, n_nodes + values.size, trees, scaled)
    yield _written(kernels.write_whole, 1, n_stages)
    for anchors in cascade.anchors:
        yield _written(kernels.write_anchors, anchors.size, anchors)
    yield _written(kernels.write_whole, 1, n_stages)
    for offsets in cascade.offsets:
        yield _written(kernels.write_whole, 1, len(offsets))
        yield _written(kernels.write_reals, offsets.size, (offsets * np.float32(factor)).ravel())


def _written(kernel: Callable[..., int], n_numbers: int, *values: Any) -> bytes:
    """Return what a kernel writes, which is of about so many numbers."""
    out = np.empty((n_numbers + 8) * kernels.MOST_BYTES, np.uint8)
    return out[: kernel(*values, out, 0)].tobytes()
