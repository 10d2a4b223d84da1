"""Growing one stage: residuals, directions, pairs, noise; training and prediction agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.cascade._growing import SCORE_DIMS
from classicface.cascade._kernels import (
    add_leaves,
    find_leaves,
    move_shape,
    read_pixels,
    rotation_scale,
)
from classicface.cascade.forest import Cascade
from classicface.cascade.grower import StageGrower, TreeParameters, _like, _principal_directions
from classicface.cascade.samples import FacePatches, draw_samples
from classicface.cascade.workers import Workers

PARAMETERS = {
    "n_trees": 10,
    "depth": 3,
    "shrinkage": 0.3,
    "n_pixels": 30,
    "n_candidates": 8,
    "node_samples": 8192,
    "min_leaf": 1,
    "distance_prior": 0.1,
    "padding": 0.1,
    "n_directions": 16,
    "light_jitter": 0.0,
}


#: Some pixels wide on the faces of these tests, so that it matters.
REACH = 0.03


@pytest.fixture(scope="module")
def patches(few):
    return FacePatches.cut(few.images, few.landmarks, few.boxes, 320, 0.5)


@pytest.fixture
def samples(patches):
    rng = np.random.default_rng(1)
    return draw_samples(patches, patches.mean_shape(), 6, (0.05, 0.05, 10.0), rng)


@pytest.fixture
def make(patches):
    def grower(**changes):
        parameters = TreeParameters(**{**PARAMETERS, **changes})
        return StageGrower(patches, patches.mean_shape(), parameters, REACH, Workers(1))

    return grower


def linear_of(grower, samples):
    """Return (a, b) of the similarity that takes the mean shape to each sample; NumPy only."""
    z = samples.shapes.astype(float)
    m = grower.mean_shape - grower.mean_shape.mean(axis=0)
    z, m = z[..., 0] + 1j * z[..., 1], (m[:, 0] + 1j * m[:, 1])
    ab = (z * m.conj()).sum(axis=1) / np.sum(np.abs(m) ** 2)
    return np.stack([ab.real, ab.imag], axis=1).astype(np.float32)


def test_moving_by_the_residual_arrives_at_the_truth(make, patches, samples):
    grower = make()
    linear = linear_of(grower, samples)
    grower._move(samples, linear, grower._residuals(samples, linear))
    np.testing.assert_allclose(samples.shapes, patches.truth[samples.faces], atol=1e-3)


def test_residuals_are_in_the_frame_of_the_mean_shape(make, patches, samples):
    """A face of another size, turned, has the same residuals."""
    grower = make()
    before = grower._residuals(samples, linear_of(grower, samples))
    turn = np.array([[1.2, 0.9], [-0.9, 1.2]])
    patches = FacePatches(
        patches.pixels,
        patches.heights,
        patches.widths,
        (patches.truth @ turn + 5).astype(np.float32),
        patches.centers,
        patches.sides,
        patches.scales,
        patches.offsets,
    )
    other = StageGrower(patches, grower.mean_shape, grower.parameters, REACH, Workers(1))
    samples.shapes = (samples.shapes @ turn + 5).astype(np.float32)
    after = other._residuals(samples, linear_of(other, samples))
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_training_moves_samples_as_prediction_does(make, patches, samples):
    """Without light and noise, the stage that was grown takes the same starts to the same place.

    The kernels of prediction go one by one here, for `Cascade.run` has no rotated starts.
    """
    starts = samples.shapes.copy()
    grower = make()
    stage = grower.grow(samples, 0.0, np.random.default_rng(0), lambda: None)
    pixels, found = np.empty(len(stage.anchors), np.uint8), np.empty(len(stage.splits), np.uint64)
    total, step = np.empty(stage.leaves.shape[2], np.int32), np.empty(2 * 68, np.float32)
    steps = np.ascontiguousarray(stage.directions.T)
    for s, face in enumerate(samples.faces):
        patch = patches.pixels[face, : patches.heights[face], : patches.widths[face]]
        shape = starts[s]
        a, b = rotation_scale(shape, grower._centered, grower._inverse_norm)
        read_pixels(
            np.ascontiguousarray(patch),
            shape,
            a,
            b,
            np.float32(REACH),
            stage.anchors,
            stage.offsets,
            pixels,
        )
        find_leaves(pixels, stage.splits, 3, found)
        add_leaves(stage.leaves, found, total)
        move_shape(shape, a, b, steps, total, step)
        np.testing.assert_allclose(shape, samples.shapes[s], atol=0.02)


def test_training_moves_upright_samples_as_a_cascade_does(make, patches):
    mean = patches.mean_shape()
    jitter = (0.05, 0.05, 0.0)
    samples = draw_samples(patches, mean, 6, jitter, np.random.default_rng(1))
    grower = make()
    sides = linear_of(grower, samples)[:, 0]
    centers = samples.shapes.mean(axis=1) - sides[:, None] * mean.mean(axis=0)
    stage = grower.grow(samples, 0.0, np.random.default_rng(0), lambda: None)
    arrays = {name: array[None] for name, array in vars(stage).items()}
    cascade = Cascade(mean_shape=mean, reach=np.array([REACH], np.float32), **arrays)
    distances = []
    for s, face in enumerate(samples.faces):
        patch = patches.pixels[face, : patches.heights[face], : patches.widths[face]]
        start = np.array([[0, 0, 1]], np.float32)
        found = cascade.run(np.ascontiguousarray(patch), tuple(centers[s]), sides[s], start)
        distances.append(np.abs(found[0] - samples.shapes[s]).max())
    # Starts that were rounded in another way may send a pixel to its neighbour, rarely.
    assert np.mean(np.array(distances) < 0.02) > 0.9
    assert max(distances) < 2


def test_a_stage_brings_samples_nearer(make, patches, samples):
    truth = patches.truth[samples.faces]
    before = np.linalg.norm(truth - samples.shapes, axis=2).mean()
    make(n_trees=30).grow(samples, 0.0, np.random.default_rng(0), lambda: None)
    assert np.linalg.norm(truth - samples.shapes, axis=2).mean() < 0.3 * before


def test_noise_moves_samples_apart_from_the_stage(make, patches, samples):
    """The noise has the size of what is left: with noise 1 the squared residual doubles."""
    squares = {}
    starts = samples.shapes.copy()
    for noise in (0.0, 1.0):
        samples.shapes = starts.copy()
        make(n_trees=5).grow(samples, noise, np.random.default_rng(0), lambda: None)
        squares[noise] = np.sum((patches.truth[samples.faces] - samples.shapes) ** 2)
    assert 1.5 < squares[1.0] / squares[0.0] < 2.5


def test_every_tree_is_reported(make, samples):
    calls = []
    make(n_trees=7).grow(samples, 0.0, np.random.default_rng(0), lambda: calls.append(1))
    assert len(calls) == 7


def test_pixels_lie_in_the_padded_box_at_the_nearest_landmark(make):
    grower = make(n_pixels=200, padding=0.25)
    mean = grower.mean_shape
    anchors, offsets = grower._draw_pixels(np.random.default_rng(0))
    places = mean[anchors] + offsets
    assert np.all(places >= mean.min(axis=0) - 0.2501)
    assert np.all(places <= mean.max(axis=0) + 0.2501)
    assert np.ptp(places, axis=0).min() > 1.2 * np.ptp(mean, axis=0).min()
    distances = np.linalg.norm(places[:, None] - mean, axis=2)
    np.testing.assert_array_equal(anchors, distances.argmin(axis=1))


@pytest.mark.parametrize("prior", [0.03, 0.1, 1.0])
def test_near_pairs_are_likelier(make, prior):
    """Equation 9 of the paper, pair by pair; no pixel is paired with itself."""
    grower = make(distance_prior=prior)
    anchors, offsets = grower._draw_pixels(np.random.default_rng(0))
    cumulative = grower._pair_distribution(anchors, offsets)
    n = len(anchors)
    probability = np.diff(cumulative, prepend=0.0).reshape(n, n)
    places = grower.mean_shape[anchors] + offsets
    expected = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                expected[i, j] = np.exp(-np.linalg.norm(places[i] - places[j]) / prior)
    np.testing.assert_allclose(probability, expected / expected.sum(), atol=1e-7)
    assert cumulative[-1] == 1.0


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), n_dims=st.sampled_from([4, 10, 40]))
def test_principal_directions(seed, n, n_dims):
    rng = np.random.default_rng(seed)
    residuals = (rng.normal(0, 1, (n, n_dims)) * rng.uniform(0, 1, n_dims)).astype(np.float32)
    count = min(20, n_dims)
    directions, deviations = _principal_directions(residuals, 20)
    width = max(count, SCORE_DIMS)
    assert directions.shape == (n_dims, width)
    np.testing.assert_allclose(
        directions.T @ directions, np.diag([1.0] * count + [0.0] * (width - count)), atol=1e-5
    )
    assert np.all(np.diff(deviations[:count]) <= 1e-5)
    assert np.all(deviations > 0)
    spread = np.sqrt(np.mean((residuals.astype(float) @ directions[:, :count]) ** 2, axis=0))
    np.testing.assert_allclose(deviations[:count], spread, atol=2e-3)
    singular = np.linalg.svd(residuals.astype(float), compute_uv=False) / np.sqrt(n)
    used = min(count, len(singular))
    np.testing.assert_allclose(deviations[:used], singular[:used], atol=2e-3)


def test_noise_has_the_covariance_of_the_residuals():
    rng = np.random.default_rng(0)
    residuals = (rng.normal(0, 1, (20000, 6)) @ rng.normal(0, 1, (6, 6))).astype(np.float32)
    noise = _like(residuals, rng)
    assert noise.shape == residuals.shape
    assert noise.dtype == np.float32
    expected = residuals.T @ residuals / len(residuals)
    np.testing.assert_allclose(noise.T @ noise / len(noise), expected, atol=0.05 * expected.max())


@pytest.mark.parametrize("residuals", [np.zeros((5, 3)), np.ones((1, 40)), np.ones((7, 40)) * 1e4])
def test_noise_of_residuals_without_full_rank(residuals):
    noise = _like(residuals.astype(np.float32), np.random.default_rng(0))
    assert np.isfinite(noise).all()
    assert np.abs(noise).max() <= 6 * max(np.abs(residuals).max(), 1e-6)
