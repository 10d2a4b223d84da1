"""Compressing a cascade whose leaves are real numbers to one with leaves of a byte."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from classicface.cascade.dlib_forest import DlibCascade

__all__ = ["compress"]

# The int8 leaves reach this many root mean squares of the steps: finer steps are worth more than
# the few leaves beyond.
_LEAF_RANGE = 8.0


def compress(cascade: DlibCascade, n_directions: int) -> DlibCascade:
    """Return a cascade with int8 leaves along the principal directions of each stage's leaves.

    Parameters
    ----------
    cascade : DlibCascade
    n_directions : int
        At most as many as a leaf has numbers are used.
    """
    with threadpool_limits(1, user_api="blas"):  # the same bits on any number of threads
        stages = [_compress_stage(leaves, n_directions) for leaves in cascade.exact_leaves()]
    leaves, directions = (np.stack(arrays) for arrays in zip(*stages, strict=True))
    return dataclasses.replace(cascade, leaves=leaves, directions=directions)


def _compress_stage(
    leaves: NDArray[np.float32], n_directions: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 leaves, shape (T, 2**depth, K), and directions times scales, shape (2 L, K)."""
    flat = leaves.reshape(-1, leaves.shape[2])
    moments = (flat.T @ flat).astype(np.float64)
    directions = np.linalg.eigh(moments)[1][:, ::-1][:, :n_directions].astype(np.float32)
    steps = flat @ directions
    scales = np.maximum(_LEAF_RANGE / 127 * np.sqrt(np.mean(steps**2, axis=0)), 1e-20)
    whole = np.clip(np.rint(steps / scales), -127, 127).astype(np.int8)
    return whole.reshape(*leaves.shape[:2], -1), directions * scales
