"""Growing one regression tree after the other on what the ones before it left."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from classicface.cascade._growing import (
    SCORE_DIMS,
    fill_leaf,
    gather_node,
    partition_node,
    score_pairs,
)
from classicface.cascade._kernels import PIXEL_BITS, PIXEL_MASK
from classicface.cascade.workers import Workers

__all__ = ["TreeGrower"]

# So many tasks for each thread when pixel pairs are scored: enough to even out their lengths.
_TASKS_PER_THREAD = 4


class TreeGrower:
    """Grows trees on the pixels and residuals of samples.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (P, N)
    residuals : ndarray of float32, shape (N, K)
        Updated by each tree.
    scales : ndarray of float32, shape (K,)
        The steps of the int8 leaves.
    depth : int
    shrinkage : float
    node_samples : int
        At most so many samples score the splits of a node.
    min_leaf : int
        Least number of samples in a child.
    workers : Workers
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        residuals: NDArray[np.float32],
        scales: NDArray[np.float32],
        *,
        depth: int,
        shrinkage: float,
        node_samples: int,
        min_leaf: int,
        workers: Workers,
    ) -> None:
        self.pixels = pixels
        self.residuals = residuals
        self.scales = scales
        self.depth = depth
        self.shrinkage = np.float32(shrinkage)
        self.min_leaf = min_leaf
        self.workers = workers
        n_samples, widest = len(residuals), 1 << (depth - 1)
        n_scoring = min(node_samples, n_samples)
        self._scratch = np.empty(n_samples, np.int32)
        self._samples = np.empty((widest, n_scoring), np.int32)
        self._targets = np.empty((widest, n_scoring, SCORE_DIMS), np.float32)
        self._totals = np.empty((widest, SCORE_DIMS), np.float32)
        self._used = [0] * widest

    def grow(
        self,
        candidates: NDArray[np.int16],
        phase: int,
        splits: NDArray[np.int32],
        leaves: NDArray[np.int8],
    ) -> None:
        """Grow one tree and take its prediction off the residuals.

        Parameters
        ----------
        candidates : ndarray of int16, shape (2**depth - 1, C, 2)
            The pixel pairs that each node may choose from.
        phase : int
            Where the picking of a node's samples starts.
        splits : ndarray of int32, shape (2**depth - 1,)
            Written; packed as in `classicface.cascade._kernels`.
        leaves : ndarray of int8, shape (2**depth, K)
            Written.
        """
        order = np.arange(len(self.residuals), dtype=np.int32)
        self._gather(0, order, phase)
        bounds = [0, len(order)]
        for level in range(self.depth):
            n_nodes = 1 << level
            nodes = slice(n_nodes - 1, 2 * n_nodes - 1)
            self._choose(candidates[nodes], bounds, splits[nodes])
            children = [0] * (2 * n_nodes) + [len(order)]
            last = level == self.depth - 1
            self.workers.run(
                [
                    partial(
                        self._divide,
                        node,
                        order,
                        bounds,
                        splits[nodes][node],
                        children,
                        phase,
                        leaves if last else None,
                    )
                    for node in range(n_nodes)
                ]
            )
            bounds = children

    def _gather(self, node: int, order: NDArray[np.int32], phase: int) -> None:
        self._used[node] = 0
        if len(order) > 0:
            self._used[node] = gather_node(
                self.residuals,
                order,
                phase,
                self._samples[node],
                self._targets[node],
                self._totals[node],
            )

    def _choose(
        self, candidates: NDArray[np.int16], bounds: list[int], splits: NDArray[np.int32]
    ) -> None:
        """Choose the best pixel pair and threshold of every node of a level."""
        n_nodes, n_candidates = candidates.shape[:2]
        scores = np.empty((n_nodes, n_candidates), np.float32)
        thresholds = np.empty((n_nodes, n_candidates), np.int16)
        parts = max(1, _TASKS_PER_THREAD * self.workers.n_threads // n_nodes)
        step = -(-n_candidates // parts)
        tasks = []
        for node in range(n_nodes):
            used, size = self._used[node], bounds[node + 1] - bounds[node]
            # The scored samples are a part of the node, and the smallest child shrinks likewise.
            least = max(1, self.min_leaf * used // max(1, size))
            for first in range(0, n_candidates, step):
                some = slice(first, first + step)
                tasks.append(
                    partial(
                        score_pairs,
                        self.pixels,
                        candidates[node, some],
                        self._samples[node, :used],
                        self._targets[node],
                        self._totals[node],
                        least,
                        scores[node, some],
                        thresholds[node, some],
                    )
                )
        self.workers.run(tasks)
        best = scores.argmax(axis=1)
        rows = np.arange(n_nodes)
        first, second = candidates[rows, best].astype(np.int32).T
        splits[:] = (
            (thresholds[rows, best].astype(np.int32) << (2 * PIXEL_BITS))
            | (second << PIXEL_BITS)
            | first
        )

    def _divide(
        self,
        node: int,
        order: NDArray[np.int32],
        bounds: list[int],
        split: int,
        children: list[int],
        phase: int,
        leaves: NDArray[np.int8] | None,
    ) -> None:
        """Divide a node among its two children; gather their samples, or fill their leaves."""
        start, stop = bounds[node], bounds[node + 1]
        middle = start + partition_node(
            self.pixels[split & PIXEL_MASK],
            self.pixels[(split >> PIXEL_BITS) & PIXEL_MASK],
            split >> (2 * PIXEL_BITS),
            order[start:stop],
            self._scratch[start:stop],
        )
        children[2 * node : 2 * node + 2] = [start, middle]
        for child, part in ((2 * node, order[start:middle]), (2 * node + 1, order[middle:stop])):
            if leaves is None:
                self._gather(child, part, phase)
            else:
                fill_leaf(self.residuals, part, self.shrinkage, self.scales, leaves[child])
