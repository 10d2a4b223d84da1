"""A network in a model file: its tensors packed in the precision asked for, checked, unpacked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.graph import Graph, State
from classicface.exceptions import ModelFormatError

__all__ = ["check_array", "checked_history", "pack_state", "rounded", "unpack_state"]

_PREFIX = "network."

# The largest number that float16 holds.
_LARGEST_HALF = 65504.0


def _dtype(name: str, half: bool) -> type[np.floating]:
    """Return the type in which an array is saved; only the large ones halve."""
    return np.float16 if half and name.endswith(".weight") else np.float32


def rounded(state: State, half: bool) -> State:
    """Return a state in the precision in which it is saved, so that saving changes nothing."""
    return {
        name: np.clip(array, -_LARGEST_HALF, _LARGEST_HALF)
        .astype(_dtype(name, half))
        .astype(np.float32)
        for name, array in state.items()
    }


def pack_state(state: State, half: bool) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state that was `rounded`."""
    return {_PREFIX + name: array.astype(_dtype(name, half)) for name, array in state.items()}


def unpack_state(graph: Graph, tensors: dict[str, NDArray[Any]], half: bool) -> State:
    """Return the state that `pack_state` packed.

    Raises
    ------
    ModelFormatError
        The tensors are not those of the graph.
    """
    shapes = graph.weight_shapes()
    if tensors.keys() != {_PREFIX + name for name in shapes}:
        raise ModelFormatError("damaged network: its tensors are not those of its parameters")
    state = {}
    for name, shape in shapes.items():
        array = tensors[_PREFIX + name]
        check_array(name, array, shape, _dtype(name, half))
        if name.endswith(".variance") and array.min() < 0:
            raise ModelFormatError(f"damaged network: {name}")
        state[name] = array.astype(np.float32)
    return state


def check_array(
    name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: type[np.floating]
) -> None:
    """Refuse an array of another shape or type, or with numbers that are none."""
    if array.shape != shape or array.dtype != dtype or not np.isfinite(array).all():
        raise ModelFormatError(f"damaged network: {name}")


def checked_history(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a saved history, its numbers made sure of."""
    return [
        {
            "epoch": int(row["epoch"]),
            **{name: float(row[name]) for name in ("rate", "loss")},
            "validation": None if row["validation"] is None else float(row["validation"]),
            "seconds": None,
        }
        for row in rows
    ]
