"""Growing one tree: against a twin that grows it node by node, in plain NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.cascade._growing import SCORE_DIMS
from classicface.cascade.boosting import TreeGrower
from classicface.cascade.workers import Workers

THRESHOLDS = np.arange(-249, 255, 8)


def make(rng, n_samples, *, n_pixels=6, depth=3, n_candidates=4):
    """Return the pixels, residuals, scales and candidates of a random tree."""
    return (
        rng.integers(0, 256, (n_pixels, n_samples), dtype=np.uint8),
        rng.normal(0, 1, (n_samples, SCORE_DIMS + 2)).astype(np.float32),
        np.full(SCORE_DIMS + 2, 0.01, np.float32),
        rng.integers(0, n_pixels, ((1 << depth) - 1, n_candidates, 2)).astype(np.int16),
    )


def unpack(splits):
    """Return a, b and threshold (n, 3) of splits as they are stored in model files."""
    return np.stack([splits % 1024, splits // 1024 % 1024, splits // 2**20], axis=1)


def grow(pixels, residuals, scales, candidates, phase=0, n_threads=1, **changes):
    """Grow one tree; return its splits (a, b, threshold), its leaves and what it leaves."""
    depth = len(candidates).bit_length()
    options = {"shrinkage": 0.5, "node_samples": 10**6, "min_leaf": 1, **changes}
    left = residuals.copy()
    splits = np.full(len(candidates), -999, np.int32)
    leaves = np.full((len(candidates) + 1, residuals.shape[1]), 99, np.int8)
    with Workers(n_threads) as workers:
        grower = TreeGrower(pixels, left, scales, depth=depth, workers=workers, **options)
        grower.grow(candidates, phase, splits, leaves)
    return unpack(splits), leaves, left


def score(difference, targets, threshold, min_leaf):
    sides = [targets[difference <= threshold], targets[difference > threshold]]
    if min(map(len, sides)) < min_leaf:
        return -1.0
    return sum(np.sum(side.sum(axis=0) ** 2) / len(side) for side in sides)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.integers(1, 40),
    depth=st.integers(1, 4),
    node_samples=st.integers(1, 50),
    min_leaf=st.integers(1, 5),
    phase=st.integers(0, 2**30 - 1),
    n_pixels=st.sampled_from([1, 6, 1024]),
)
def test_every_node_takes_its_best_split(
    seed, n_samples, depth, node_samples, min_leaf, phase, n_pixels
):
    rng = np.random.default_rng(seed)
    pixels, residuals, scales, candidates = make(rng, n_samples, depth=depth, n_pixels=n_pixels)
    splits, leaves, left = grow(
        pixels,
        residuals,
        scales,
        candidates,
        phase=phase,
        node_samples=node_samples,
        min_leaf=min_leaf,
    )
    values = pixels.astype(int)
    nodes = [np.arange(n_samples)]
    for node in range(len(splits)):
        inside = nodes[node]
        size, used = len(inside), min(len(inside), node_samples)
        seen = inside[[(i * size + phase % size) // used for i in range(used)]]
        least = max(1, min_leaf * used // max(1, size))
        targets = residuals[seen, :SCORE_DIMS].astype(float)
        a, b, threshold = splits[node].tolist()
        assert [a, b] in candidates[node].tolist()
        best = max(
            score((values[p] - values[q])[seen], targets, t, least)
            for p, q in candidates[node]
            for t in THRESHOLDS
        )
        difference = values[a] - values[b]
        assert score(difference[seen], targets, threshold, least) == pytest.approx(best, rel=1e-3)
        right = difference[inside] > threshold
        nodes += [inside[~right], inside[right]]
    for leaf, inside in zip(leaves, nodes[len(splits) :], strict=True):
        mean = residuals[inside].astype(float).mean(axis=0) if len(inside) else 0.0
        assert np.all(np.abs(leaf - np.clip(0.5 * mean / scales, -127, 127)) <= 0.5 + 1e-2)
        expected = residuals[inside] - leaf.astype(float) * scales
        np.testing.assert_allclose(left[inside], expected, atol=1e-5)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_threads_change_no_bit(n_threads):
    parts = make(np.random.default_rng(0), 500, n_pixels=20, depth=5, n_candidates=13)
    alone = grow(*parts, node_samples=100, phase=7)
    together = grow(*parts, node_samples=100, phase=7, n_threads=n_threads)
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_leaf_has_as_many_samples_as_asked_for():
    pixels, residuals, scales, candidates = make(np.random.default_rng(1), 300, n_candidates=20)
    splits, _, _ = grow(pixels, residuals, scales, candidates, min_leaf=30)
    nodes = [np.arange(300)]
    for node, (a, b, threshold) in enumerate(splits.tolist()):
        right = (pixels[a].astype(int) - pixels[b])[nodes[node]] > threshold
        nodes += [nodes[node][~right], nodes[node][right]]
    sizes = np.array([len(node) for node in nodes])
    assert np.all((sizes >= 30) | (sizes == 0))


def test_samples_that_no_pixel_tells_apart_stay_together():
    _, residuals, scales, candidates = make(np.random.default_rng(2), 50)
    splits, leaves, _ = grow(np.full((6, 50), 77, np.uint8), residuals, scales, candidates)
    assert np.all(splits[:, 2] == 255)
    assert np.all(leaves[1:] == 0)
    assert np.any(leaves[0] != 0)


def test_one_grower_grows_many_trees():
    """The residuals shrink from tree to tree, and what a tree left behind does no harm."""
    rng = np.random.default_rng(3)
    pixels, residuals, scales, _ = make(rng, 200)
    with Workers(2) as workers:
        grower = TreeGrower(
            pixels,
            residuals,
            scales,
            depth=3,
            shrinkage=0.5,
            node_samples=64,
            min_leaf=1,
            workers=workers,
        )
        squares = [np.sum(residuals**2)]
        for _ in range(10):
            candidates = rng.integers(0, 6, (7, 5, 2)).astype(np.int16)
            splits, leaves = np.empty(7, np.int32), np.empty((8, 18), np.int8)
            grower.grow(candidates, int(rng.integers(1 << 30)), splits, leaves)
            squares.append(np.sum(residuals**2))
    assert np.all(np.diff(squares) < 0)
    assert squares[-1] < 0.8 * squares[0]
