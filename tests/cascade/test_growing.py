"""Every kernel that trains, against a plain NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.cascade._growing import (
    SCORE_DIMS,
    fill_leaf,
    gather_node,
    partition_node,
    read_sample_pixels,
    rotations_scales,
    score_pair,
    score_pairs,
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
@given(seed=seeds, n_samples=st.integers(1, 12), single=st.booleans())
def test_read_sample_pixels(seed, n_samples, single):
    rng = np.random.default_rng(seed)
    n_faces, n_landmarks, n_pixels = 3, 2, 4
    heights, widths = rng.integers(1, 9, (2, n_faces))
    patches = rng.integers(0, 256, (n_faces, 9, 9), dtype=np.uint8)
    faces = rng.integers(0, n_faces, n_samples).astype(np.int32)
    # Whole and quarter numbers, and rotations of whole length: single precision is exact.
    shapes = rng.integers(-8, 48, (n_samples, n_landmarks, 2)).astype(np.float32) / 4
    linear = rng.choice([[0, 0], [1, 0], [0, -2], [3, 4], [-4, 3]], n_samples).astype(np.float32)
    reach = np.float32(rng.choice([0.0, 0.25, 0.5, 1.0]))
    gains = rng.choice([0.5, 1.0, 1.5, 2.0], n_samples).astype(np.float32)
    shifts = rng.integers(-100, 100, n_samples).astype(np.float32)
    anchors = rng.integers(0, n_landmarks, n_pixels).astype(np.int16)
    offsets = rng.integers(-2, 3, (n_pixels, 2)).astype(np.float32)
    expected = np.empty((n_pixels, n_samples))
    for s, f in enumerate(faces):
        (a, b), (dx, dy) = linear[s].astype(float), offsets.astype(float).T
        x, y = shapes[s, anchors].T + np.stack([a * dx - b * dy, b * dx + a * dy]) + 0.5
        step = 0.0 if single else float(reach) * np.hypot(a, b)
        total = np.zeros(n_pixels, int)
        for right in (-step, step):
            for down in (-step, step):
                column = np.clip(np.floor(x + right).astype(int), 0, widths[f] - 1)
                row = np.clip(np.floor(y + down).astype(int), 0, heights[f] - 1)
                total += patches[f, row, column]
        value = (total + 2) // 4
        if single:
            value[(x < 0) | (x >= widths[f]) | (y < 0) | (y >= heights[f])] = 0
        expected[:, s] = np.floor(np.clip(value * gains[s] + shifts[s], 0, 255))
    whole = np.full((n_pixels, n_samples + 5), 99, np.uint8)
    read_sample_pixels(
        patches,
        heights,
        widths,
        faces,
        shapes,
        linear,
        reach,
        single,
        gains,
        shifts,
        anchors,
        offsets,
        whole[:, 2:-3],
    )
    np.testing.assert_array_equal(whole[:, 2:-3], expected)
    assert np.all(whole[:, :2] == 99)
    assert np.all(whole[:, -3:] == 99)


@few
@given(
    seed=seeds, size=st.integers(1, 30), room=st.integers(1, 40), phase=st.integers(0, 2**30 - 1)
)
def test_gather_node(seed, size, room, phase):
    rng = np.random.default_rng(seed)
    residuals = rng.normal(0, 1, (50, SCORE_DIMS + 3)).astype(np.float32)
    order = np.sort(rng.permutation(50)[:size]).astype(np.int32)
    samples = np.full(room, -1, np.int32)
    targets = np.full((room, SCORE_DIMS), np.nan, np.float32)
    total = np.full(SCORE_DIMS, np.nan, np.float32)
    used = gather_node(residuals, order, phase, samples, targets, total)
    assert used == min(size, room)
    seen = order[[(i * size + phase % size) // used for i in range(used)]]
    assert len(set(seen.tolist())) == used
    np.testing.assert_array_equal(samples[:used], seen)
    np.testing.assert_array_equal(targets[:used], residuals[seen, :SCORE_DIMS])
    expected = residuals[seen, :SCORE_DIMS].astype(float).sum(axis=0)
    np.testing.assert_allclose(total, expected, atol=1e-4)
    assert np.all(samples[used:] == -1)


@given(size=st.integers(1, 10**6), used=st.integers(1, 10**4), phase=st.integers(0, 2**30))
def test_every_so_many_samples_stay_inside_the_node(size, used, phase):
    used = min(size, used)
    places = [(i * size + phase % size) // used for i in (0, used // 2, used - 1)]
    assert 0 <= places[0] <= places[1] <= places[2] < size


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


@few
@given(seed=seeds, size=st.integers(0, 20), n_pairs=st.integers(1, 4), min_leaf=st.integers(1, 4))
def test_score_pairs(seed, size, n_pairs, min_leaf):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (5, 30), dtype=np.uint8)
    pairs = rng.integers(0, 5, (n_pairs, 2)).astype(np.int16)
    samples = rng.permutation(30)[:size].astype(np.int32)
    targets = rng.normal(0, 1, (30, SCORE_DIMS)).astype(np.float32)
    used = targets[:size].astype(float)
    total = used.sum(axis=0).astype(np.float32)
    scores = np.empty(n_pairs, np.float32)
    thresholds = np.empty(n_pairs, np.int16)
    score_pairs(pixels, pairs, samples, targets, total, min_leaf, scores, thresholds)
    for (a, b), score, threshold in zip(pairs, scores, thresholds, strict=True):
        difference = (pixels[a].astype(int) - pixels[b])[samples]
        best = best_score(difference, used, min_leaf)
        assert score == pytest.approx(best, rel=1e-3)
        if best < 0:
            assert threshold == 255
        else:
            reached = split_score(difference, used, threshold, min_leaf)
            assert reached == pytest.approx(best, rel=1e-3)


@few
@given(seed=seeds, size=st.integers(0, 30), threshold=st.integers(-256, 255))
def test_partition_node(seed, size, threshold):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (2, 40), dtype=np.uint8)
    order = rng.permutation(40)[:size].astype(np.int32)
    before = order.copy()
    n_left = partition_node(pixels[0], pixels[1], threshold, order, np.empty_like(order))
    right = (pixels[0].astype(int) - pixels[1])[before] > threshold
    assert n_left == np.sum(~right)
    np.testing.assert_array_equal(order, np.concatenate([before[~right], before[right]]))


@few
@given(
    seed=seeds,
    size=st.integers(0, 30),
    n_dims=st.integers(1, 4),
    spread=st.sampled_from([1e-6, 0.1, 1.0, 1e4]),
)
def test_fill_leaf(seed, size, n_dims, spread):
    rng = np.random.default_rng(seed)
    residuals = rng.normal(0, spread, (40, n_dims)).astype(np.float32)
    scales = rng.uniform(0.01, 0.1, n_dims).astype(np.float32)
    shrinkage = np.float32(rng.uniform(0.05, 1.0))
    order = rng.permutation(40)[:size].astype(np.int32)
    before = residuals.astype(float)
    leaf = np.full(n_dims, 99, np.int8)
    fill_leaf(residuals, order, shrinkage, scales, leaf)
    mean = before[order].mean(axis=0) if size else np.zeros(n_dims)
    wanted = np.clip(shrinkage * mean / scales, -127, 127)
    assert np.all(np.abs(leaf - wanted) <= 0.5 + 1e-3)
    expected = before.copy()
    expected[order] -= leaf.astype(float) * scales
    np.testing.assert_allclose(residuals, expected, rtol=1e-5, atol=1e-6 * (spread + 1))


def test_what_rounding_loses_stays_in_the_residuals():
    """Ten leaves that may only take whole steps of 1 bring 7.4 to within a step."""
    residuals = np.full((3, 1), 7.4, np.float32)
    order, leaf = np.arange(3, dtype=np.int32), np.zeros(1, np.int8)
    taken = 0
    for _ in range(10):
        fill_leaf(residuals, order, np.float32(0.5), np.ones(1, np.float32), leaf)
        taken += int(leaf[0])
    np.testing.assert_allclose(residuals, 7.4 - taken, rtol=1e-5)
    assert np.abs(residuals).max() <= 1.0 + 1e-5
