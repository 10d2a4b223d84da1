"""Every kernel that trains, against a plain NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.cascade._growing import (
    SCORE_DIMS,
    fill_leaves,
    read_sample_pixels,
    rotations_scales,
    score_pair,
    split_level,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=40)

#: The thresholds that are tried: differences up to each fall to the left.
THRESHOLDS = np.arange(-249, 255, 8)


@few
@given(seed=seeds, n_samples=st.integers(1, 8), n_landmarks=st.integers(1, 5))
def test_rotations_scales(seed, n_samples, n_landmarks):
    rng = np.random.default_rng(seed)
    shapes = rng.normal(0, 50, (n_samples, n_landmarks, 2)).astype(np.float32)
    centered = rng.normal(0, 1, (n_landmarks, 2)).astype(np.float32)
    z, m = (p[..., 0] + 1j * p[..., 1] for p in (shapes.astype(float), centered.astype(float)))
    product = (z * m.conj()).sum(axis=1) * 0.25
    out = np.empty((n_samples, 2), np.float32)
    rotations_scales(shapes, centered, np.float32(0.25), out)
    np.testing.assert_allclose(out, np.stack([product.real, product.imag], 1), atol=1e-3)


@few
@given(seed=seeds, n_samples=st.integers(1, 12), block=st.integers(1, 5))
def test_read_sample_pixels(seed, n_samples, block):
    rng = np.random.default_rng(seed)
    n_faces, n_landmarks, n_pixels = 3, 2, 4
    heights, widths = rng.integers(1, 9, (2, n_faces))
    patches = rng.integers(0, 256, (n_faces, 9, 9), dtype=np.uint8)
    faces = rng.integers(0, n_faces, n_samples).astype(np.int32)
    # Whole and quarter numbers, so that single precision is exact.
    shapes = rng.integers(-8, 48, (n_samples, n_landmarks, 2)).astype(np.float32) / 4
    linear = rng.integers(-4, 5, (n_samples, 2)).astype(np.float32)
    gains = rng.choice([0.5, 1.0, 1.5, 2.0], n_samples).astype(np.float32)
    shifts = rng.integers(-100, 100, n_samples).astype(np.float32)
    anchors = rng.integers(0, n_landmarks, n_pixels).astype(np.int16)
    offsets = rng.integers(-2, 3, (n_pixels, 2)).astype(np.float32)
    expected = np.empty((n_pixels, n_samples))
    for s, f in enumerate(faces):
        (a, b), (dx, dy) = linear[s].astype(float), offsets.astype(float).T
        x, y = shapes[s, anchors].T + np.stack([a * dx - b * dy, b * dx + a * dy])
        column = np.clip(np.floor(x + 0.5).astype(int), 0, widths[f] - 1)
        row = np.clip(np.floor(y + 0.5).astype(int), 0, heights[f] - 1)
        expected[:, s] = np.floor(np.clip(patches[f, row, column] * gains[s] + shifts[s], 0, 255))
    out = np.empty((n_pixels, n_samples), np.uint8)
    read_sample_pixels(
        patches,
        heights,
        widths,
        faces,
        shapes,
        linear,
        gains,
        shifts,
        anchors,
        offsets,
        block,
        out,
    )
    np.testing.assert_array_equal(out, expected)


def split_score(difference, targets, threshold, min_leaf):
    """Return |sum left|^2 / n left + |sum right|^2 / n right, or -1 where a side is too small."""
    sides = [targets[difference <= threshold], targets[difference > threshold]]
    if min(map(len, sides)) < max(1, min_leaf):
        return -1.0
    return sum(np.sum(side.sum(axis=0) ** 2) / len(side) for side in sides)


def best_score(difference, targets, min_leaf):
    return max(split_score(difference, targets, t, min_leaf) for t in THRESHOLDS)


@given(
    seed=seeds, size=st.integers(0, 20), min_leaf=st.integers(1, 6), contrast=st.integers(1, 256)
)
def test_score_pair(seed, size, min_leaf, contrast):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, contrast, (2, 30), dtype=np.uint8)
    samples = rng.permutation(30).astype(np.int32)
    targets = rng.normal(0, 1, (30, SCORE_DIMS)).astype(np.float32)
    used = targets[:size].astype(float)
    difference = (pixels[0].astype(int) - pixels[1])[samples[:size]]
    total = used.sum(axis=0).astype(np.float32)
    score, threshold = score_pair(pixels[0], pixels[1], samples, targets, size, total, min_leaf)
    best = best_score(difference, used, min_leaf)
    assert score == pytest.approx(best, rel=1e-3)
    if best < 0:
        assert threshold == 255  # all go to the left
    else:
        assert threshold in THRESHOLDS
        assert split_score(difference, used, threshold, min_leaf) == pytest.approx(best, rel=1e-3)


def random_level(rng, n_samples, n_nodes, n_candidates, n_pixels):
    """Return the arguments of split_level that describe the samples and the nodes."""
    pixels = rng.integers(0, 256, (n_pixels, n_samples), dtype=np.uint8)
    residuals = rng.normal(0, 1, (n_samples, SCORE_DIMS + 3)).astype(np.float32)
    pairs = rng.integers(0, n_pixels, (n_nodes, n_candidates, 2)).astype(np.int16)
    inner = np.sort(rng.integers(0, n_samples + 1, n_nodes - 1))
    bounds = np.concatenate([[0], inner, [n_samples]])
    order = rng.permutation(n_samples).astype(np.int32)
    for part in np.split(order, inner):
        part.sort()
    return pixels, residuals, pairs, order, bounds


@few
@given(
    seed=seeds,
    n_samples=st.integers(1, 40),
    n_nodes=st.sampled_from([1, 2, 4]),
    n_candidates=st.integers(1, 4),
    node_samples=st.integers(1, 50),
    min_leaf=st.integers(1, 5),
)
def test_split_level(seed, n_samples, n_nodes, n_candidates, node_samples, min_leaf):
    rng = np.random.default_rng(seed)
    pixels, residuals, pairs, order, bounds = random_level(rng, n_samples, n_nodes, n_candidates, 5)
    node_samples = min(node_samples, n_samples)
    phase = int(rng.integers(1 << 30))
    before = order.copy()
    splits = np.full((n_nodes, 3), -999, np.int16)
    next_bounds = split_level(
        pixels,
        residuals,
        pairs,
        order,
        bounds,
        np.empty_like(order),
        node_samples,
        phase,
        min_leaf,
        splits,
    )
    assert next_bounds[0] == 0
    assert next_bounds[-1] == n_samples
    difference = pixels.astype(int)
    for node in range(n_nodes):
        first, last = bounds[node : node + 2]
        inside = before[first:last]
        a, b, threshold = splits[node].tolist()
        assert [a, b] in pairs[node].tolist()
        values = difference[a] - difference[b]
        np.testing.assert_array_equal(next_bounds[2 * node : 2 * node + 3 : 2], [first, last])
        middle = next_bounds[2 * node + 1]
        np.testing.assert_array_equal(order[first:middle], inside[values[inside] <= threshold])
        np.testing.assert_array_equal(order[middle:last], inside[values[inside] > threshold])

        size = len(inside)
        used = min(size, node_samples)
        seen = inside[[(i * size + phase % size) // used for i in range(used)]]
        least = max(1, min_leaf * used // max(1, size))
        targets = residuals[seen, :SCORE_DIMS].astype(float)
        scores = [
            best_score((difference[p] - difference[q])[seen], targets, least)
            for p, q in pairs[node]
        ]
        chosen = split_score(values[seen], targets, threshold, least)
        assert chosen == pytest.approx(max(scores), rel=1e-3)


@given(size=st.integers(1, 10**6), used=st.integers(1, 10**4), phase=st.integers(0, 2**30))
def test_every_so_many_samples_stay_inside_the_node(size, used, phase):
    used = min(size, used)
    places = [(i * size + phase % size) // used for i in (0, used // 2, used - 1)]
    assert 0 <= places[0] <= places[1] <= places[2] < size


@few
@given(
    seed=seeds,
    n_samples=st.integers(1, 30),
    n_leaves=st.sampled_from([1, 2, 8]),
    n_dims=st.integers(1, 4),
    spread=st.sampled_from([1e-6, 0.1, 1.0, 1e4]),
)
def test_fill_leaves(seed, n_samples, n_leaves, n_dims, spread):
    rng = np.random.default_rng(seed)
    residuals = rng.normal(0, spread, (n_samples, n_dims)).astype(np.float32)
    scales = rng.uniform(0.01, 0.1, n_dims).astype(np.float32)
    shrinkage = np.float32(rng.uniform(0.05, 1.0))
    order = rng.permutation(n_samples).astype(np.int32)
    bounds = np.concatenate(
        [[0], np.sort(rng.integers(0, n_samples + 1, n_leaves - 1)), [n_samples]]
    )
    before = residuals.astype(float)
    leaves = np.full((n_leaves, n_dims), 99, np.int8)
    fill_leaves(residuals, order, bounds, shrinkage, scales, leaves)
    for leaf in range(n_leaves):
        inside = order[bounds[leaf] : bounds[leaf + 1]]
        mean = before[inside].mean(axis=0) if len(inside) else np.zeros(n_dims)
        wanted = np.clip(shrinkage * mean / scales, -127, 127)
        assert np.all(np.abs(leaves[leaf] - wanted) <= 0.5 + 1e-3)
        taken = leaves[leaf].astype(float) * scales
        np.testing.assert_allclose(
            residuals[inside], before[inside] - taken, rtol=1e-5, atol=1e-6 * (spread + 1)
        )


def test_what_rounding_loses_stays_in_the_residuals():
    """Ten trees that may only take whole steps of 1 bring 7.4 to within half a step."""
    residuals = np.full((3, 1), 7.4, np.float32)
    order, bounds = np.arange(3, dtype=np.int32), np.array([0, 3])
    leaves = np.zeros((1, 1), np.int8)
    taken = 0
    for _ in range(10):
        fill_leaves(residuals, order, bounds, np.float32(0.5), np.ones(1, np.float32), leaves)
        taken += int(leaves[0, 0])
    np.testing.assert_allclose(residuals, 7.4 - taken, rtol=1e-5)
    assert np.abs(residuals).max() <= 1.0 + 1e-5
