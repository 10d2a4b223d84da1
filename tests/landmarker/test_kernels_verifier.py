"""Every kernel of the face verifier against a NumPy twin; also with NUMBA_DISABLE_JIT=1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.landmarker import _verifier_kernels as kernels
from classicface.shape.similarity import apply_similarity, fit_similarity

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25)


def random_pixels(rng):
    size = int(rng.integers(2, 14))
    return rng.integers(0, 256, (size, size)).astype(np.uint8)


def split_twin(pixels):
    """Return each gradient's two parts, from its angle and length."""
    padded = np.pad(pixels.astype(float), 1, mode="edge")
    gx = padded[1:-1, 2:] - padded[1:-1, :-2]
    gy = padded[2:, 1:-1] - padded[:-2, 1:-1]
    angle = np.arctan2(gy, gx) % (2 * np.pi)
    sector = np.minimum(np.floor(angle / (np.pi / 4)).astype(int), 7)
    out = np.zeros((*pixels.shape, 8))
    for c in range(8):
        first = np.array([np.cos(c * np.pi / 4), np.sin(c * np.pi / 4)])
        second = np.array([np.cos((c + 1) * np.pi / 4), np.sin((c + 1) * np.pi / 4)])
        parts = np.linalg.solve(
            np.stack([first, second], axis=1), np.stack([gx, gy]).reshape(2, -1)
        )
        parts = parts.reshape(2, *pixels.shape)
        out[..., c] += np.where(sector == c, parts[0], 0)
        out[..., (c + 1) % 8] += np.where(sector == c, parts[1], 0)
    return np.pad(out, ((2, 2), (2, 2), (0, 0)), mode="edge")


def smooth_twin(wide):
    weights = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
    size = len(wide) - 4
    down = sum(w * wide[i : i + size] for i, w in enumerate(weights))
    return sum(w * down[:, i : i + size] for i, w in enumerate(weights))


def read_twin(maps, points):
    last = len(maps) - 1
    x, y = (np.clip(points[..., i].astype(float), 0, last) for i in (0, 1))
    column, row = np.minimum(x.astype(int), last - 1), np.minimum(y.astype(int), last - 1)
    fx, fy = (x - column)[..., None], (y - row)[..., None]
    top = (1 - fx) * maps[row, column] + fx * maps[row, column + 1]
    bottom = (1 - fx) * maps[row + 1, column] + fx * maps[row + 1, column + 1]
    return (1 - fy) * top + fy * bottom


def describe_twin(maps, points, offsets, floor):
    parts = read_twin(maps, points[:, None].astype(float) + offsets).reshape(len(points), -1)
    return np.sqrt(parts / (np.linalg.norm(parts, axis=1, keepdims=True) + floor))


def shape_twin(aligned, mean, components, variances, noise_variance, most):
    rest = (aligned.astype(float) - mean).ravel()
    rows = components.reshape(len(components), -1).astype(float)
    b = rows @ rest
    outside = rest - b @ rows
    distance = np.sum(b**2 / variances) + outside @ outside / noise_variance
    return np.clip(b / np.sqrt(variances), -most, most), np.sqrt(distance / (rest.size - 4))


def random_shape_model(rng, n, k):
    mean = rng.normal(0, 5, (n, 2)).astype(np.float32)
    rows = np.linalg.qr(rng.standard_normal((2 * n, k)))[0].T
    return mean, rows.reshape(k, n, 2).astype(np.float32), rng.uniform(1, 9, k).astype(np.float32)


@few
@given(seeds)
def test_align(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 12))
    points = rng.normal(rng.normal(0, 300, 2), 30, (n, 2)).astype(np.float32)
    mean = rng.normal(20, 5, (n, 2)).astype(np.float32)
    points[rng.random(n) < 0.2] = np.nan
    present = ~np.isnan(points[:, 0])
    pose, out = np.empty(4), np.empty((n, 2), np.float32)
    count = kernels.align(points, mean, pose, out)
    if present.sum() < 2:
        assert count == present.sum()
        return
    assert count == present.sum()
    twin = fit_similarity(points, mean)
    assert pose == pytest.approx(twin, rel=1e-4, abs=1e-4)
    moved = np.where(present[:, None], apply_similarity(twin, points), mean)
    assert out == pytest.approx(moved, abs=1e-2)


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 7.0),
        np.full((5, 2), 1e5),
        np.arange(10.0).reshape(5, 2) * 1e6,
        np.arange(10.0).reshape(5, 2) * 1e-6,
    ],
)
def test_points_that_give_no_similarity(points):
    rng = np.random.default_rng(0)
    mean = rng.normal(20, 5, (5, 2)).astype(np.float32)
    pose, out = np.empty(4), np.empty((5, 2), np.float32)
    assert kernels.align(points.astype(np.float32), mean, pose, out) == -1


@few
@given(seeds)
def test_split_and_smooth(seed):
    pixels = random_pixels(np.random.default_rng(seed))
    size = len(pixels)
    wide = np.empty((size + 4, size + 4, 8), np.float32)
    kernels.split(pixels, wide)
    assert wide == pytest.approx(split_twin(pixels), abs=1e-3)
    out = np.empty((size, size, 8), np.float32)
    kernels.smooth(wide, np.empty(8 * (size + 4), np.float32), out)
    assert out == pytest.approx(smooth_twin(wide.astype(float)), rel=1e-5, abs=1e-2)


@few
@given(seeds)
def test_describe(seed):
    rng = np.random.default_rng(seed)
    size, n, n_offsets = rng.integers(2, 12, 3)
    maps = (1000 * rng.random((size, size, 8), np.float32)).astype(np.float32)
    points = ((rng.random((n, 2)) * 2 - 0.5) * size).astype(np.float32)
    offsets = rng.normal(0, 2, (n_offsets, 2)).astype(np.float32)
    out = np.empty((n, 8 * n_offsets), np.float32)
    kernels.describe(maps, points, offsets, np.float32(50), out)
    assert out == pytest.approx(describe_twin(maps, points, offsets, 50.0), abs=2e-3)


@few
@given(seeds)
def test_shape_parameters(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 12))
    k = int(rng.integers(1, 2 * n - 4))
    model = random_shape_model(rng, n, k)
    aligned = (model[0] + rng.normal(0, 2, (n, 2))).astype(np.float32)
    out = np.empty(k, np.float32)
    found = kernels.shape_parameters(aligned, *model, np.float32(0.5), np.float32(1.5), out)
    twin, plausibility = shape_twin(aligned, *model, 0.5, 1.5)
    assert out == pytest.approx(twin, abs=1e-3)
    assert found == pytest.approx(plausibility, rel=1e-3)


@few
@given(seeds)
def test_describe_face(seed):
    rng = np.random.default_rng(seed)
    pixels = random_pixels(rng)
    size, n, k = len(pixels), 6, 3
    mean, components, variances = random_shape_model(rng, n, k)
    aligned = (rng.random((n, 2)) * size).astype(np.float32)
    offsets = rng.normal(0, 1, (2, 2)).astype(np.float32)
    out = np.empty(n * 16 + k, np.float32)
    found = kernels.describe_face(
        *(pixels, aligned, mean, offsets, np.float32(9), components, variances),
        *(np.float32(0.5), np.float32(5), out),
    )
    maps = smooth_twin(split_twin(pixels))
    b, plausibility = shape_twin(aligned, mean, components, variances, 0.5, 5.0)
    described = describe_twin(maps, aligned, offsets, 9.0)
    assert out[:-k] == pytest.approx(described.ravel(), abs=5e-3)
    assert out[-k:] == pytest.approx(b, abs=1e-3)
    assert found == pytest.approx(plausibility, rel=1e-3)


@few
@given(seeds)
def test_network(seed):
    rng = np.random.default_rng(seed)
    n, hidden = rng.integers(1, 40, 2)
    x, biases, last = (rng.standard_normal(m).astype(np.float32) for m in (n, hidden, hidden))
    weights = rng.standard_normal((hidden, n)).astype(np.float32)
    found = kernels.network(x, weights, biases, last, np.float32(0.3))
    hidden_twin = weights.astype(float) @ x + biases
    twin = np.where(hidden_twin > 0, hidden_twin, 0.1 * hidden_twin) @ last + 0.3
    assert found == pytest.approx(twin, rel=1e-3, abs=1e-3)


@few
@given(seeds)
def test_project(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 40, 2)
    x, mean = rng.standard_normal((2, n)).astype(np.float32)
    projection = rng.standard_normal((d, n)).astype(np.float32)
    out = np.empty(d, np.float32)
    kernels.project(np.concatenate([x, x]), mean, projection, out)
    twin = projection.astype(float) @ (x - mean)
    assert out == pytest.approx(twin / np.linalg.norm(twin), abs=1e-3)
    kernels.project(mean, mean, projection, out)
    assert not out.any()
