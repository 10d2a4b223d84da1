"""Model files: safetensors with a JSON header. Nothing in a file is ever executed.

The safetensors metadata holds two entries: ``classicface`` is JSON with the format version, the
class, its parameters and whatever the class adds (landmark scheme, box statistics, provenance,
accuracy); ``crc32`` covers that text and every tensor, so that damage is told from data.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import DataFormatError, InvalidInputError, ModelFormatError

__all__ = [
    "FORMAT_VERSION",
    "check_model_file",
    "read_bytes",
    "read_checkpoint",
    "read_model",
    "replacing",
    "write_model",
]

FORMAT_VERSION = 1

#: A model file beyond this is refused before it is read: 1 GiB.
MAX_MODEL_BYTES = 1 << 30

#: A header beyond this is refused before it is parsed: 16 MiB, far above what any model needs.
MAX_HEADER_BYTES = 1 << 24


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, then rename it over `path`.

    On any error the temporary file is removed and `path` keeps what it had.

    Raises
    ------
    DataFormatError
        The file cannot be written.
    """
    path = Path(path)
    if not path.name or "\0" in path.name:
        raise DataFormatError("cannot be written: not the name of a file", path)
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataFormatError(f"cannot be written: {reason}", path) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def write_model(path: str | Path, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
    """Write a model file; the same content gives the same bytes.

    Parameters
    ----------
    path : path-like
    header : dict
        JSON-serialisable, NumPy's numbers too; ``format_version`` is added.
    tensors : dict of str to ndarray

    Raises
    ------
    InvalidInputError
        The header holds what JSON cannot: NaN, a generator, any other object.
    DataFormatError
        The file cannot be written.
    """
    from safetensors.numpy import save

    tensors = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    header = {**header, "format_version": FORMAT_VERSION}
    try:
        text = json.dumps(header, sort_keys=True, allow_nan=False, default=_plain_number)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"the model cannot be saved: {error}; its parameters must be plain numbers, texts,"
            " lists or None (a seed rather than a generator)"
        ) from None
    data = save(tensors, metadata={"classicface": text, "crc32": _checksum(text, tensors)})
    with replacing(path) as partial:
        partial.write_bytes(_in_fixed_order(data))


def _in_fixed_order(data: bytes) -> bytes:
    """Sort the entries of a safetensors header, which the library writes in random order."""
    (length,) = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + length])
    header = json.dumps(entries, sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the tensors start at a multiple of 8
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _plain_number(value: object) -> int | float | bool:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a plain value")


def read_model(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a model file.

    Returns
    -------
    header : dict
    tensors : dict of str to ndarray

    Raises
    ------
    ModelFormatError
        The file is missing, too large, cut, damaged, foreign, or newer than this version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = read_bytes(path)
    try:
        (length,) = struct.unpack("<Q", data[:8])
        if length > MAX_HEADER_BYTES:
            raise ValueError("no model has such a header")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        text, checksum = metadata["classicface"], metadata["crc32"]
        header = json.loads(text)
        version = header["format_version"]
    except (struct.error, ValueError, KeyError, TypeError, RecursionError):
        raise ModelFormatError(f"{path}: not a classicface model, or damaged") from None
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelFormatError(
            f"{path}: model format {version!r}; this version reads up to {FORMAT_VERSION}"
        )
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelFormatError(f"{path}: damaged model file ({error})") from None
    if _checksum(text, tensors) != checksum:
        raise ModelFormatError(f"{path}: damaged model file (checksum differs)")
    return header, tensors


def read_checkpoint(
    path: str | Path, kind: str, digest: str
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the checkpoint of a training.

    Parameters
    ----------
    path : path-like
    kind : str
        What the header's ``class`` must be.
    digest : str
        What tells the training from others; the header's ``digest`` must be the same.

    Raises
    ------
    ModelFormatError
        As `read_model`; or the checkpoint is that of another training.
    """
    header, tensors = read_model(path)
    if header.get("class") != kind or header.get("digest") != digest:
        raise ModelFormatError(
            f"{path}: the checkpoint of another training (other data, parameters or seed);"
            " remove it, or name another file"
        )
    return header, tensors


def check_model_file(path: str | Path) -> Path:
    """Return the path of a model file, of whatever library.

    Raises
    ------
    ModelFormatError
        There is no such file, or it is larger than any model.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ModelFormatError(f"{path}: no such file")
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelFormatError(f"{path}: larger than {MAX_MODEL_BYTES >> 20} MiB; not a model")
    except OSError as error:
        raise ModelFormatError(f"{path}: cannot be read: {error.strerror}") from None
    return path


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a model file, of whatever library.

    Raises
    ------
    ModelFormatError
        There is no such file, it is larger than any model, or it cannot be read.
    """
    try:
        return check_model_file(path).read_bytes()
    except OSError as error:
        raise ModelFormatError(f"{path}: cannot be read: {error.strerror}") from None


def _checksum(text: str, tensors: dict[str, NDArray[Any]]) -> str:
    value = zlib.crc32(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        value = zlib.crc32(f"{name} {tensor.dtype.str} {tensor.shape}".encode(), value)
        value = zlib.crc32(np.ascontiguousarray(tensor).tobytes(), value)
    return f"{value:08x}"
