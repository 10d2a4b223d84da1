"""Data sets in NumPy's .npz: pictures, landmarks, boxes in one file, nothing ever unpickled."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from classicface.data.dataset import LandmarkDataset
from classicface.exceptions import ClassicFaceError, DataFormatError
from classicface.persistence import replacing
from classicface.shape.schemes import LandmarkScheme

__all__ = ["read_npz", "write_npz"]

#: Archives that would unpack to more than this are refused: 4 GiB.
MAX_NPZ_BYTES = 4 << 30

#: No member of an archive may unpack to more than this many times its packed size; JPEG-like
#: content stays near 1, and deflate cannot exceed 1032.
MAX_RATIO = 200

_MEMBERS = ("images", "shapes", "landmarks", "boxes", "names", "groups", "origins", "scheme")


def write_npz(path: str | Path, dataset: LandmarkDataset) -> None:
    """Write a data set, pictures included, to an .npz file.

    The arrays: ``images`` (all pixels in one row), ``shapes`` (n, 2), ``landmarks``
    (n, n_landmarks, 2), ``boxes`` (n, 4), ``names``, ``groups`` (empty where none), ``origins``
    (n, 3), ``scheme`` (JSON).

    Raises
    ------
    DataFormatError
        The file cannot be written.
    """
    arrays = {
        "images": np.concatenate([image.ravel() for image in dataset.images]),
        "shapes": np.array([image.shape for image in dataset.images], np.int32),
        "landmarks": dataset.landmarks,
        "boxes": dataset.boxes,
        "names": np.array(dataset.names, dtype=np.str_),
        "groups": np.array([group or "" for group in dataset.groups], dtype=np.str_),
        "origins": dataset.origins,
        "scheme": np.array(json.dumps(dataset.scheme.to_dict())),
    }
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_npz(path: str | Path) -> LandmarkDataset:
    """Read a data set from an .npz file.

    ``images`` and ``landmarks`` are needed. ``images`` is what `write_npz` makes of it, or one
    array of pictures of equal size, (n, height, width) or (n, height, width, 3).

    Raises
    ------
    DataFormatError
        The file is no archive, would unpack to more than `MAX_NPZ_BYTES`, holds objects, or its
        arrays do not fit together.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_NPZ_BYTES:
            raise DataFormatError(f"larger than {MAX_NPZ_BYTES >> 20} MiB; refused", path)
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            arrays = _members(archive, path)
        return _dataset(arrays, path)
    except ClassicFaceError as error:
        if isinstance(error, DataFormatError):
            raise
        raise DataFormatError(str(error), path) from None
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror or error}", path) from None
    # zipfile, zlib and the parser of array headers meet damage with whatever they happen to hit.
    except Exception as error:
        raise DataFormatError(f"no .npz archive, or a damaged one: {error}", path) from None


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, NDArray[Any]]:
    infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    chosen = {name: infos[name] for name in _MEMBERS if name in infos}
    for name in ("images", "landmarks"):
        if name not in chosen:
            raise DataFormatError(f"no array {name!r}; expected images and landmarks", path)
    total = sum(info.file_size for info in chosen.values())
    if total > MAX_NPZ_BYTES:
        raise DataFormatError(
            f"unpacks to {total >> 20} MiB; at most {MAX_NPZ_BYTES >> 20} are accepted", path
        )
    for name, info in chosen.items():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataFormatError(f"array {name!r} is packed in an unknown way", path)
        if info.file_size > (1 << 20) + MAX_RATIO * info.compress_size:
            raise DataFormatError(f"array {name!r} unpacks to an absurd size; refused", path)
    result = {}
    for name, info in chosen.items():
        with archive.open(info) as stream:
            result[name] = _array(stream, info.file_size, name, path)
    return result


def _array(stream: IO[bytes], size: int, name: str, path: Path) -> NDArray[Any]:
    """Read one .npy of known size; unlike numpy.load, believe no shape beyond that size."""
    content = stream.read()
    head = io.BytesIO(content)
    version = np.lib.format.read_magic(head)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(head)
    else:
        raise DataFormatError(f"array {name!r} has .npy format {version}; expected 1 or 2", path)
    if dtype.hasobject or dtype.names is not None:
        raise DataFormatError(f"array {name!r} holds objects; save plain numbers or text", path)
    count = 1
    for length in shape:
        count *= int(length)
    start = head.tell()
    if count < 0 or dtype.itemsize == 0 or count * dtype.itemsize != size - start:
        raise DataFormatError(f"array {name!r}: {shape} of {dtype} is not what follows", path)
    flat = np.frombuffer(content, dtype, count, start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _dataset(arrays: dict[str, NDArray[Any]], path: Path) -> LandmarkDataset:
    images = arrays["images"]
    names, groups = arrays.get("names"), arrays.get("groups")
    for key, text in (("names", names), ("groups", groups), ("scheme", arrays.get("scheme"))):
        if text is not None and text.dtype.kind != "U":
            raise DataFormatError(f"array {key!r} must hold text, not {text.dtype}", path)
    scheme = None
    if "scheme" in arrays:
        scheme = LandmarkScheme.from_dict(json.loads(str(arrays["scheme"][()])))
    return LandmarkDataset(
        _pictures(images, arrays["shapes"], path) if "shapes" in arrays else list(images),
        arrays["landmarks"],
        arrays.get("boxes"),
        None if names is None else names.ravel().tolist(),
        None if groups is None else [group or None for group in groups.ravel().tolist()],
        scheme,
        arrays.get("origins"),
    )


def _pictures(flat: NDArray[Any], shapes: NDArray[Any], path: Path) -> list[NDArray[np.uint8]]:
    sound = shapes.ndim == 2 and shapes.shape[1] == 2 and shapes.dtype.kind in "iu"
    if not sound or flat.ndim != 1 or flat.dtype != np.uint8 or (shapes <= 0).any():
        raise DataFormatError(
            "images and shapes: expected a row of uint8 pixels and (n, 2) heights and widths", path
        )
    sizes = [int(height) * int(width) for height, width in shapes]
    if sum(sizes) != len(flat):
        raise DataFormatError(f"{len(flat)} pixels; the shapes need {sum(sizes)}", path)
    ends = np.cumsum(sizes)
    return [
        flat[end - size : end].reshape(int(height), int(width))
        for end, size, (height, width) in zip(ends, sizes, shapes, strict=True)
    ]
