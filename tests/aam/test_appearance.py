"""Training the appearance: principal components as scikit-learn's, samples read where they lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from classicface.aam.appearance import principal_components, read_appearances
from classicface.aam.pattern import holistic_pattern, patch_pattern
from classicface.image.descriptors import feature_image
from classicface.image.frame import ReferenceFrame
from classicface.shape.similarity import apply_similarity


def random_values(seed, n, size):
    """Return rows whose variances fall off, so that components are told apart."""
    rng = np.random.default_rng(seed)
    spread = 0.7 ** np.arange(size)
    turned = np.linalg.qr(rng.standard_normal((size, size)))[0]
    return ((rng.standard_normal((n, size)) * spread) @ turned + 3).astype(np.float32)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6), n=st.integers(2, 30), size=st.integers(1, 30), k=st.integers(1, 8)
)
def test_components_are_those_of_scikit_learn(seed, n, size, k):
    values = random_values(seed, n, size)
    k = min(k, n - 1, size)
    pca = PCA(k, svd_solver="full").fit(values.astype(float))
    mean, basis, noise = principal_components(values.copy(), k)
    assert mean.dtype == basis.dtype == np.float32
    assert basis.flags.c_contiguous
    np.testing.assert_allclose(mean, pca.mean_, atol=1e-5)
    assert basis.shape == (k, size)
    np.testing.assert_allclose(basis @ basis.T, np.eye(k), atol=1e-3)
    variances = pca.explained_variance_ * (n - 1) / n
    projected = (values - mean) @ basis.T
    np.testing.assert_allclose(projected.var(axis=0), variances, rtol=2e-2, atol=1e-6)
    total = values.astype(float).var(axis=0).sum()
    left = (total - variances.sum()) / max(1, size - k)
    assert noise == pytest.approx(left, rel=1e-2, abs=1e-6)


@pytest.mark.parametrize(("n", "size"), [(60, 20), (20, 60)])  # by columns and by rows
def test_the_same_subspace_as_scikit_learn(n, size):
    values = random_values(0, n, size)
    pca = PCA(5, svd_solver="full").fit(values.astype(float))
    _, basis, _ = principal_components(values.copy(), 5)
    overlap = np.linalg.svd(basis @ pca.components_.T, compute_uv=False)
    np.testing.assert_allclose(overlap, 1, atol=1e-4)
    np.testing.assert_allclose(np.abs(np.sum(basis * pca.components_, axis=1)), 1, atol=1e-3)
    largest = np.abs(basis).argmax(axis=1)
    assert (basis[np.arange(5), largest] > 0).all()


@pytest.mark.parametrize(("n", "size"), [(60, 20), (20, 60)])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99])
def test_a_share_of_the_variance(n, size, share):
    values = random_values(1, n, size)
    ratio = np.cumsum(PCA(svd_solver="full").fit(values.astype(float)).explained_variance_ratio_)
    _, basis, _ = principal_components(values.copy(), share)
    assert len(basis) == np.searchsorted(ratio, share) + 1


def test_all_of_the_variance():
    values = random_values(1, 12, 40)
    _, basis, noise = principal_components(values.copy(), 1.0)
    assert 9 <= len(basis) <= 11
    assert noise == pytest.approx(0, abs=1e-6)
    assert len(principal_components(values.copy(), 5000)[1]) <= 11


@pytest.mark.parametrize("wanted", [3, 0.9, 0, 1.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_rows_that_are_all_equal_have_no_components(wanted, n):
    values = np.tile(np.arange(5, dtype=np.float32), (n, 1))
    mean, basis, noise = principal_components(values.copy(), wanted)
    np.testing.assert_array_equal(mean, np.arange(5))
    assert basis.shape == (0, 5)
    assert noise == 0


@pytest.mark.parametrize(("n", "size"), [(60, 20), (20, 60)])
def test_without_components_all_variance_is_noise(n, size):
    values = random_values(2, n, size)
    expected = values.astype(float).var(axis=0).mean()
    _, basis, noise = principal_components(values, 0)
    assert basis.shape == (0, size)
    assert noise == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("parts", [True, False])
@pytest.mark.parametrize("features", ["hog", "intensity"])
def test_appearances_are_read_at_the_landmarks(parts, features):
    rng = np.random.default_rng(0)
    mean = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [0.1, 0.0]]) / 3
    frame = ReferenceFrame.build(mean, 40, 0.4)
    pattern = patch_pattern(5, 4, 2.0) if parts else holistic_pattern(frame, 2.0)
    images = [rng.integers(0, 256, (90, 80), dtype=np.uint8) for _ in range(3)]
    poses = np.array([[60, 5, 40, 45], [50, -9, 38, 41], [170, 30, 42, 44]], float)
    landmarks = np.stack([apply_similarity(pose, mean) for pose in poses])
    landmarks += rng.normal(0, 1, landmarks.shape)
    arguments = (images, landmarks, poses, frame, pattern, features, 2)
    values = read_appearances(*arguments, 1)
    np.testing.assert_array_equal(values, read_appearances(*arguments, 3))
    assert values.dtype == np.float32
    for i in range(3):
        pixels, to_image = frame.crop(images[i], poses[i])
        described = feature_image(pixels, features, 2)
        segment = np.repeat(np.arange(len(pattern.anchors)), np.diff(pattern.starts))
        a, b, tx, ty = to_image
        shape = (landmarks[i] - [tx, ty]) @ np.linalg.inv([[a, b], [-b, a]])
        x, y = (
            np.einsum("vm,mvd->md", pattern.weights, shape[pattern.anchors[segment]])
            + pattern.offsets
        ).T
        x, y = np.clip(x, 0, frame.size - 1), np.clip(y, 0, frame.size - 1)
        weight_x = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(frame.size)))
        weight_y = np.maximum(0, 1 - np.abs(y[:, None] - np.arange(frame.size)))
        expected = np.einsum("mh,mw,hwc->mc", weight_y, weight_x, described)
        np.testing.assert_allclose(values[i], expected.ravel(), atol=1e-3)
