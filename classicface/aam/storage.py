"""How an appearance model is stored: packed into tensors, checked and unpacked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import ModelFormatError

__all__ = ["MAX_APPEARANCES", "is_sane", "pack_appearance", "unpack_appearance"]

#: The most components of an appearance model; more would slow a step and gain nothing.
MAX_APPEARANCES = 500

# Beyond any value of a descriptor, and any variance of one.
_MOST = 1e6


def is_sane(start: NDArray[np.float64]) -> bool:
    """Say whether a similarity is finite and neither shrinks nor blows up beyond all measure."""
    return bool((np.abs(start) < 1e9).all()) and math.hypot(start[0], start[1]) > 1e-9


def pack_appearance(
    prefix: str, mean: NDArray[np.float32], basis: NDArray[np.float32], noise: float
) -> dict[str, NDArray[Any]]:
    """Return an appearance model as tensors; the basis in 8 bits, scaled row by row."""
    largest = np.abs(basis).max(axis=1, initial=1e-12, keepdims=True)
    return {
        f"{prefix}template": mean,
        f"{prefix}basis": np.rint(basis / largest * 127).astype(np.int8),
        f"{prefix}noise": np.array([noise]),
    }


def unpack_appearance(
    prefix: str, tensors: dict[str, NDArray[Any]], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Check and return template, basis and noise."""
    template, basis = tensors[f"{prefix}template"], tensors[f"{prefix}basis"]
    noise = tensors[f"{prefix}noise"]
    sound = (
        template.shape == (size,)
        and template.dtype == np.float32
        and basis.ndim == 2
        and basis.shape[1] == size
        and basis.dtype == np.int8
        and len(basis) <= min(size, MAX_APPEARANCES)
        and noise.shape == (1,)
        and noise.dtype == np.float64
        and bool((np.abs(template) < _MOST).all())
        and 0.0 <= float(noise[0]) < _MOST
    )
    if not sound:
        raise ModelFormatError(f"damaged AAMFitter model: {prefix}template, basis or noise")
    return template, basis.astype(np.float32), float(noise[0])
