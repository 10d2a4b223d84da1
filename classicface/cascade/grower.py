"""Growing a cascade stage by stage: pixels, residual directions, boosted trees, fresh noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from classicface.cascade._growing import SCORE_DIMS, read_sample_pixels, rotations_scales
from classicface.cascade.boosting import TreeGrower
from classicface.cascade.samples import FacePatches, Samples
from classicface.cascade.workers import Workers

__all__ = ["Stage", "StageGrower", "TreeParameters"]

# Samples whose pixels one task reads.
_BLOCK = 1024

# A contrast that varies by 0.25 (logarithm) comes with a brightness that varies by 10 levels.
_SHIFT_PER_GAIN = 40.0

# The int8 leaves reach this many standard deviations of the residual times the shrinkage.
_LEAF_RANGE = 4.0


@dataclass(frozen=True)
class TreeParameters:
    """How trees are grown; the names and meanings are those of `ERTFitter`."""

    n_trees: int
    depth: int
    shrinkage: float
    n_pixels: int
    n_candidates: int
    node_samples: int
    min_leaf: int
    distance_prior: float
    padding: float
    n_directions: int
    light_jitter: float
    style: str = "classicface"


@dataclass(frozen=True)
class Stage:
    """The arrays of one stage; see `classicface.cascade.forest.Cascade`."""

    anchors: NDArray[np.int16]
    offsets: NDArray[np.float32]
    splits: NDArray[np.int32]
    leaves: NDArray[np.int8]
    directions: NDArray[np.float32]


class StageGrower:
    """Grows stages on samples and moves the samples along.

    Parameters
    ----------
    patches : FacePatches
    mean_shape : ndarray of float32, shape (L, 2)
    parameters : TreeParameters
    reach : float
        How far the pixels are smoothed; see `classicface.cascade.forest.Cascade`.
    workers : Workers
    """

    def __init__(
        self,
        patches: FacePatches,
        mean_shape: NDArray[np.float32],
        parameters: TreeParameters,
        reach: float,
        workers: Workers,
    ) -> None:
        self.reach = np.float32(reach)
        self.workers = workers
        self.patches = patches
        self.mean_shape = mean_shape
        self.parameters = parameters
        self._centered = mean_shape - mean_shape.mean(axis=0)
        self._inverse_norm = np.float32(1.0 / np.sum(self._centered.astype(np.float64) ** 2))

    def grow(
        self,
        samples: Samples,
        noise: float,
        rng: np.random.Generator,
        after_tree: Callable[[], None],
    ) -> Stage:
        """Grow one stage and move the samples by its prediction, plus fresh noise.

        The noise has the covariance of the residuals that are left, times `noise` squared. Without
        it the later stages train on shapes that fit far better than any new face's will:
        every sample's own history is memorised by the earlier trees.

        Parameters
        ----------
        samples : Samples
            Their shapes are updated.
        noise : float
        rng : numpy.random.Generator
        after_tree : callable
            Called after each tree.
        """
        anchors, offsets = self._draw_pixels(rng)
        linear = np.empty((len(samples), 2), np.float32)
        rotations_scales(samples.shapes, self._centered, self._inverse_norm, linear)
        pixels = self._read(samples, linear, anchors, offsets, rng)
        if self.parameters.style == "dlib":  # steps neither turn nor grow with the shape
            linear = np.column_stack([samples.sides, np.zeros(len(samples))]).astype(np.float32)
        residuals = self._residuals(samples, linear)
        directions, deviations = _principal_directions(residuals, self.parameters.n_directions)
        targets = residuals @ directions
        scales = deviations * np.float32(_LEAF_RANGE * self.parameters.shrinkage / 127)
        start = targets.copy()
        pairs = self._pair_distribution(anchors, offsets)
        splits, leaves = self._boost(pixels, targets, scales, pairs, rng, after_tree)
        step = start - targets
        if noise > 0:
            step += noise * _like(targets, rng)
        self._move(samples, linear, step @ directions.T)
        return Stage(anchors, offsets, splits, leaves, directions * scales)

    def _draw_pixels(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """Draw pixels in the padded box of the mean shape, each tied to the nearest landmark."""
        mean = self.mean_shape
        padding = self.parameters.padding
        low, high = mean.min(axis=0) - padding, mean.max(axis=0) + padding
        places = rng.uniform(low, high, (self.parameters.n_pixels, 2))
        distances = np.linalg.norm(places[:, None] - mean, axis=2)
        anchors = distances.argmin(axis=1)
        return anchors.astype(np.int16), (places - mean[anchors]).astype(np.float32)

    def _read(
        self,
        samples: Samples,
        linear: NDArray[np.float32],
        anchors: NDArray[np.int16],
        offsets: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> NDArray[np.uint8]:
        """Read the pixels of all samples, shape (P, N), each sample under a light of its own."""
        light = self.parameters.light_jitter
        gains = np.exp(light * rng.standard_normal(len(samples))).astype(np.float32)
        shifts = (light * _SHIFT_PER_GAIN * rng.standard_normal(len(samples))).astype(np.float32)
        shifts += 128.0 * (1.0 - gains)
        pixels = np.empty((len(anchors), len(samples)), np.uint8)
        patches = self.patches
        blocks = [slice(i, i + _BLOCK) for i in range(0, len(samples), _BLOCK)]
        self.workers.run(
            partial(
                read_sample_pixels,
                patches.pixels,
                patches.heights,
                patches.widths,
                samples.faces[block],
                samples.shapes[block],
                linear[block],
                self.reach,
                self.parameters.style == "dlib",
                gains[block],
                shifts[block],
                anchors,
                offsets,
                pixels[:, block],
            )
            for block in blocks
        )
        return pixels

    def _pair_distribution(
        self, anchors: NDArray[np.int16], offsets: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the cumulative probability of each pair, exp(-distance / prior) (eq. 9)."""
        places = self.mean_shape[anchors] + offsets
        distances = np.linalg.norm(places[:, None] - places, axis=2)
        np.fill_diagonal(distances, np.inf)
        # Relative to the nearest pair, so that not all of them underflow to 0.
        weights = np.exp((distances.min() - distances) / self.parameters.distance_prior)
        cumulative = np.cumsum(weights, dtype=np.float64)
        return cumulative / cumulative[-1]

    def _residuals(self, samples: Samples, linear: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is left to the truth, shape (N, 2 L), in the frame of the mean shape."""
        difference = self.patches.truth[samples.faces] - samples.shapes
        square = np.sum(linear * linear, axis=1)
        a, b = (linear / square[:, None]).T[..., None]
        x, y = difference[..., 0], difference[..., 1]
        return np.stack([a * x + b * y, a * y - b * x], axis=-1).reshape(len(samples), -1)

    def _move(
        self, samples: Samples, linear: NDArray[np.float32], step: NDArray[np.float32]
    ) -> None:
        """Add steps, shape (N, 2 L) in the frame of the mean shape, to the samples' shapes."""
        a, b = linear.T[..., None]
        x, y = step[:, 0::2], step[:, 1::2]
        samples.shapes[..., 0] += a * x - b * y
        samples.shapes[..., 1] += b * x + a * y

    def _boost(
        self,
        pixels: NDArray[np.uint8],
        targets: NDArray[np.float32],
        scales: NDArray[np.float32],
        pairs: NDArray[np.float64],
        rng: np.random.Generator,
        after_tree: Callable[[], None],
    ) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Grow the trees one after the other, each on what the ones before it left."""
        p = self.parameters
        n_splits = (1 << p.depth) - 1
        splits = np.empty((p.n_trees, n_splits), np.int32)
        leaves = np.empty((p.n_trees, n_splits + 1, targets.shape[1]), np.int8)
        grower = TreeGrower(
            pixels,
            targets,
            scales,
            depth=p.depth,
            shrinkage=p.shrinkage,
            node_samples=p.node_samples,
            min_leaf=p.min_leaf,
            workers=self.workers,
        )
        for t in range(p.n_trees):
            drawn = np.searchsorted(pairs, rng.random((n_splits, p.n_candidates)))
            candidates = np.stack(np.divmod(drawn, p.n_pixels), axis=-1).astype(np.int16)
            grower.grow(candidates, int(rng.integers(1 << 30)), splits[t], leaves[t])
            after_tree()
        return splits, leaves


def _principal_directions(
    residuals: NDArray[np.float32], n_directions: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the leading directions, shape (2 L, K), of the residuals and their deviations, (K,).

    The second moments are taken around zero, for the mean has to be learnt too. Where there are
    fewer than `SCORE_DIMS` directions, empty ones follow.
    """
    moments = (residuals.T @ residuals).astype(np.float64) / len(residuals)
    values, vectors = np.linalg.eigh(moments)
    count = min(n_directions, len(values))
    directions = np.zeros((len(values), max(count, SCORE_DIMS)), np.float32)
    directions[:, :count] = vectors[:, ::-1][:, :count]
    deviations = np.zeros(directions.shape[1])
    deviations[:count] = np.sqrt(np.maximum(values[::-1][:count], 0.0))
    return directions, np.maximum(deviations, 1e-9).astype(np.float32)


def _like(residuals: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw noise with the second moments of the residuals, same shape (N, K)."""
    n_samples, n_dims = residuals.shape
    moments = (residuals.T @ residuals).astype(np.float64) / n_samples
    moments[np.diag_indices(n_dims)] += 1e-9 * np.trace(moments) / n_dims + 1e-18
    factor = np.linalg.cholesky(moments).astype(np.float32)
    return rng.standard_normal((n_samples, n_dims), dtype=np.float32) @ factor.T
