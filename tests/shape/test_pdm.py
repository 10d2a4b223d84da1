"""The point distribution model: against scikit-learn, brute force, and its own promises."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

import classicface
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.persistence import read_model, write_model
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.procrustes import procrustes_analysis, similarity_basis
from classicface.shape.similarity import apply_similarity, fit_similarity

seeds = st.integers(0, 2**32 - 1)


def drawn_shapes(rng, n=60, n_landmarks=12, n_modes=4, noise=0.0, turn=0.3):
    """Draw shapes of a ring that varies in a few ways, placed in a picture; (n, n_landmarks, 2)."""
    angle = np.arange(n_landmarks) * 2 * np.pi / n_landmarks
    ring = np.stack([np.cos(angle), 0.7 * np.sin(angle)], axis=1)
    modes = (
        rng.standard_normal((n_modes, n_landmarks, 2))
        * 0.1
        / np.arange(1, n_modes + 1)[:, None, None]
    )
    shapes = ring + np.tensordot(rng.standard_normal((n, n_modes)).clip(-2, 2), modes, 1)
    return place(shapes + noise * rng.standard_normal(shapes.shape), rng, turn)


def place(shapes, rng, turn=np.pi):
    """Move each shape by a similarity of its own."""
    n = len(shapes)
    angle, scale = rng.uniform(-turn, turn, n), rng.uniform(20, 200, n)
    shift = rng.uniform(0, 500, (2, n))
    return apply_similarity(
        np.stack([scale * np.cos(angle), scale * np.sin(angle), *shift], axis=1), shapes
    )


def flat(array):
    return array.reshape(len(array), array[0].size if len(array) else 0)


def cosines(model, other):
    """Return the cosines of the angles between the spaces that two models span."""
    return np.linalg.svd(flat(model.components) @ flat(other.components).T)[1]


@pytest.fixture(scope="module")
def shapes():
    return drawn_shapes(np.random.default_rng(0), noise=0.01)


@pytest.fixture(scope="module")
def model(shapes):
    return PointDistributionModel.fit(shapes, 5)


def test_it_is_public():
    assert classicface.PointDistributionModel is PointDistributionModel


def test_it_names_its_size(model):
    assert repr(model) == "<PointDistributionModel: 12 points, 5 components, 60 shapes>"


def test_components_against_scikit_learn(shapes):
    model = PointDistributionModel.fit(shapes, None)
    result = procrustes_analysis(shapes)
    pca = PCA().fit(flat(result.aligned))
    assert model.n_components == 2 * 12 - 4
    np.testing.assert_allclose(model.mean, pca.mean_.reshape(-1, 2), atol=1e-7)
    np.testing.assert_allclose(model.variances, pca.explained_variance_[:20], rtol=1e-6)
    np.testing.assert_allclose(model.explained, pca.explained_variance_ratio_[:20], rtol=1e-6)
    np.testing.assert_allclose(
        np.abs(np.sum(flat(model.components) * pca.components_[:20], axis=1)), 1, atol=1e-5
    )
    few = PointDistributionModel.fit(shapes, 6)
    sigma = PCA(6).fit(flat(result.aligned) @ np.linalg.qr(pca.components_[:20].T)[0])
    np.testing.assert_allclose(few.noise_variance, sigma.noise_variance_, rtol=1e-6)
    np.testing.assert_allclose(few.total_variance, model.total_variance)


def test_parameters_of_the_training_shapes_are_the_scores(shapes):
    model = PointDistributionModel.fit(shapes, None)
    aligned = flat(procrustes_analysis(shapes).aligned)
    scores = PCA(20).fit_transform(aligned)
    _, b = model.to_parameters(shapes)
    np.testing.assert_allclose(np.abs(b), np.abs(scores), atol=1e-5)
    np.testing.assert_allclose(b.mean(axis=0), 0, atol=1e-7)
    np.testing.assert_allclose(b.var(axis=0, ddof=1), model.variances, rtol=1e-5)


@settings(max_examples=25)
@given(seed=seeds, n=st.integers(1, 30), n_landmarks=st.integers(2, 20), n_modes=st.integers(1, 6))
def test_components_are_orthonormal_and_free_of_similarity(seed, n, n_landmarks, n_modes):
    shapes = drawn_shapes(np.random.default_rng(seed), n, n_landmarks, n_modes)
    model = PointDistributionModel.fit(shapes, None)
    rows = flat(model.components)
    assert model.n_components <= max(0, min(n - 1, 2 * n_landmarks - 4))
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
    if len(rows):
        np.testing.assert_allclose(rows @ similarity_basis(model.mean).T, 0, atol=1e-13)
    assert (np.diff(model.variances) <= 0).all()
    assert (model.variances > 0).all()
    largest = np.abs(rows).max(axis=1, initial=0)
    first = [row[np.abs(row) > 0.999 * most][0] for row, most in zip(rows, largest, strict=True)]
    assert all(value > 0 for value in first)


@settings(max_examples=25)
@given(seed=seeds, n=st.integers(5, 40), share=st.sampled_from([0.9, 0.98, 3, None]))
def test_similarities_of_the_inputs_change_no_parameter(seed, n, share):
    rng = np.random.default_rng(seed)
    shapes = drawn_shapes(rng, n, noise=0.02)
    moved = place(shapes, rng)
    model = PointDistributionModel.fit(shapes, share)
    other = PointDistributionModel.fit(moved, share)
    np.testing.assert_allclose(other.variances, model.variances, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(other.noise_variance, model.noise_variance, rtol=1e-3, atol=1e-9)
    # One model's parameters of the same shapes, wherever they are.
    _, b = model.to_parameters(shapes)
    pose, c = model.to_parameters(moved)
    np.testing.assert_allclose(c, b, atol=1e-8)
    _, d = other.to_parameters(moved)
    np.testing.assert_allclose(other.plausibility(d), model.plausibility(b), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        apply_similarity(
            fit_similarity(shapes, moved), model.to_landmarks(b, fit_poses(model, shapes))
        ),
        model.to_landmarks(c, pose),
        atol=1e-4,
    )


def fit_poses(model, shapes):
    return model.to_parameters(shapes)[0]


@settings(max_examples=25)
@given(seed=seeds)
def test_parameters_and_landmarks_there_and_back(seed):
    rng = np.random.default_rng(seed)
    model = PointDistributionModel.fit(drawn_shapes(rng, noise=0.01), 0.95)
    b = rng.standard_normal((2, 3, model.n_components)) * np.sqrt(model.variances)
    pose = np.stack([*rng.uniform(5, 50, (2, 2, 3)), *rng.uniform(-9, 9, (2, 2, 3))], axis=-1)
    landmarks = model.to_landmarks(b, pose)
    assert landmarks.shape == (2, 3, 12, 2)
    found_pose, found = model.to_parameters(landmarks)
    np.testing.assert_allclose(found, b, atol=1e-10)
    np.testing.assert_allclose(found_pose, pose, atol=1e-8)
    one_pose, one = model.to_parameters(landmarks[1, 2])
    np.testing.assert_allclose(one, b[1, 2], atol=1e-10)
    assert one_pose.shape == (4,)


def test_all_components_rebuild_every_shape(shapes):
    model = PointDistributionModel.fit(shapes, None)
    pose, b = model.to_parameters(shapes)
    np.testing.assert_allclose(model.to_landmarks(b, pose), shapes, atol=1e-8)
    few = PointDistributionModel.fit(shapes, 0.9)
    pose, b = few.to_parameters(shapes)
    left = np.sum((few.to_landmarks(b, pose) - shapes) ** 2)
    whole = np.sum((few.to_landmarks(0 * b, fit_similarity(few.mean, shapes)) - shapes) ** 2)
    assert 0 < left < 0.2 * whole


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98, 0.999, 1.0])
def test_components_by_share_of_the_variance(shapes, share):
    every = PointDistributionModel.fit(shapes, None)
    model = PointDistributionModel.fit(shapes, share)
    reached = np.cumsum(every.explained)
    k = model.n_components
    assert reached[k - 1] >= share - 1e-9
    assert k == 1 or reached[k - 2] < share
    np.testing.assert_allclose(model.total_variance, every.total_variance)


def test_components_by_count(shapes, caplog):
    assert PointDistributionModel.fit(shapes, 0).n_components == 0
    assert PointDistributionModel.fit(shapes, 7).n_components == 7
    assert PointDistributionModel.fit(shapes, np.int64(7)).n_components == 7
    with caplog.at_level(logging.INFO):
        assert PointDistributionModel.fit(shapes[:4], 7).n_components == 3
    assert "vary in 3 ways; 7 were asked for" in caplog.text


@settings(max_examples=25)
@given(seed=seeds, n_std=st.just(0.0) | st.floats(0.01, 5))
def test_limits(model, seed, n_std):
    b = 4 * np.random.default_rng(seed).standard_normal((6, 5)) * np.sqrt(model.variances)
    box = model.limit(b, n_std)
    assert (np.abs(box) <= n_std * np.sqrt(model.variances) * (1 + 1e-12)).all()
    inside = np.abs(b) <= n_std * np.sqrt(model.variances)
    np.testing.assert_array_equal(box[inside], b[inside])
    ellipsoid = model.limit(b, n_std, kind="ellipsoid")
    share = chi2.cdf(n_std**2, 1)
    radius = np.sqrt(chi2.ppf(share, 5))
    distance = model.plausibility(b)
    np.testing.assert_allclose(
        model.plausibility(ellipsoid), np.minimum(distance, radius), rtol=1e-5, atol=1e-9
    )
    np.testing.assert_allclose(
        ellipsoid * distance[:, None], b * model.plausibility(ellipsoid)[:, None], atol=1e-12
    )
    for kind in ("box", "ellipsoid"):
        once = model.limit(b, n_std, kind)
        np.testing.assert_allclose(model.limit(once, n_std, kind), once, rtol=1e-9, atol=1e-15)
        np.testing.assert_array_equal(model.limit(0 * b, n_std, kind), 0)


def objective(model, pose, b, landmarks, noise, weights):
    distance = np.sum((model.to_landmarks(b, pose) - landmarks) ** 2, axis=-1)
    return np.nansum(weights * distance) / noise**2 + np.sum(b**2 / model.variances)


@settings(max_examples=20)
@given(seed=seeds, noise=st.floats(0.1, 20), uneven=st.booleans(), gaps=st.integers(0, 6))
def test_posterior_against_a_dense_solution(model, seed, noise, uneven, gaps):
    """For the pose that comes out, b solves the normal equations; and no nudge does better."""
    rng = np.random.default_rng(seed)
    landmarks = drawn_shapes(rng, 1)[0] + rng.normal(0, 2, (12, 2))
    landmarks[rng.permutation(12)[:gaps]] = np.nan
    weights = rng.uniform(0.2, 3, 12) if uneven else np.ones(12)
    pose, b = model.posterior(landmarks, noise, weights if uneven else None)

    there = ~np.isnan(landmarks[:, 0])
    rotation = np.array([[pose[0], -pose[1]], [pose[1], pose[0]]])
    columns = np.concatenate([(rotation @ c[there].T).T.reshape(1, -1) for c in model.components]).T
    target = (landmarks - apply_similarity(pose, model.mean))[there].ravel()
    heavy = np.diag(np.repeat(weights[there], 2)) / noise**2
    expected = np.linalg.solve(
        columns.T @ heavy @ columns + np.diag(1 / model.variances), columns.T @ heavy @ target
    )
    np.testing.assert_allclose(b, expected, rtol=1e-5, atol=1e-8)

    least = objective(model, pose, b, landmarks, noise, weights)
    for step in 1e-4 * np.concatenate([np.eye(4), -np.eye(4)]):
        nudged = pose + step * np.array([1, 1, 10, 10])
        assert objective(model, nudged, b, landmarks, noise, weights) >= least * (1 - 1e-9)


def test_posterior_against_a_general_optimiser(model):
    rng = np.random.default_rng(9)
    landmarks = drawn_shapes(rng, 1)[0] + rng.normal(0, 5, (12, 2))
    landmarks[3] = np.nan
    weights = rng.uniform(0, 2, 12)
    pose, b = model.posterior(landmarks, 4.0, weights)
    start = np.concatenate([fit_similarity(model.mean, landmarks), np.zeros(5)])
    unit = np.concatenate([[1, 1, 1, 1], np.sqrt(model.variances)])
    found = minimize(
        lambda x: objective(model, (x * unit)[:4], (x * unit)[4:], landmarks, 4.0, weights),
        start / unit,
        options={"gtol": 1e-6},
    )
    np.testing.assert_allclose(
        objective(model, pose, b, landmarks, 4.0, weights), found.fun, rtol=1e-8
    )
    np.testing.assert_allclose(b, (found.x * unit)[4:], atol=1e-4 * np.sqrt(model.variances[0]))


@settings(max_examples=20)
@given(seed=seeds)
def test_posterior_from_no_noise_to_nothing_but_noise(model, seed):
    rng = np.random.default_rng(seed)
    landmarks = drawn_shapes(rng, 3) + rng.normal(0, 2, (3, 12, 2))
    pose, b = model.to_parameters(landmarks)
    sure_pose, sure = model.posterior(landmarks, 1e-6)
    np.testing.assert_allclose(sure, b, atol=1e-8)
    np.testing.assert_allclose(sure_pose, pose, atol=1e-5)
    distances = [model.plausibility(model.posterior(landmarks, s)[1]) for s in (1e-6, 1, 5, 50)]
    assert (np.diff(distances, axis=0) < 1e-9).all()
    blind_pose, blind = model.posterior(landmarks, 1e9)
    np.testing.assert_allclose(blind, 0, atol=1e-9)
    np.testing.assert_allclose(blind_pose, fit_similarity(model.mean, landmarks), atol=1e-6)


def test_even_weights_are_no_weights_and_zero_is_a_missing_point(model):
    rng = np.random.default_rng(3)
    landmarks = drawn_shapes(rng, 4) + rng.normal(0, 2, (4, 12, 2))
    plain = model.posterior(landmarks, 2.0)
    nearly = model.posterior(landmarks, 2.0, 1 + 1e-12 * np.arange(12))  # the general solver
    double = model.posterior(landmarks, 2.0 * np.sqrt(2), np.full((4, 12), 2.0))
    for other in (nearly, double):
        np.testing.assert_allclose(other[0], plain[0], atol=1e-6)
        np.testing.assert_allclose(other[1], plain[1], atol=1e-8)
    weights = np.ones(12)
    weights[[2, 7]] = 0
    holed = landmarks.copy()
    holed[:, [2, 7]] = np.nan
    landmarks[:, [2, 7]] = 1e5
    for a, b in zip(
        model.posterior(landmarks, 2.0, weights), model.posterior(holed, 2.0), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-9)


@settings(max_examples=20)
@given(seed=seeds, n_missing=st.integers(1, 7))
def test_missing_points_follow_from_the_others(seed, n_missing):
    rng = np.random.default_rng(seed)
    model = PointDistributionModel.fit(drawn_shapes(rng, n_modes=2), 0.999)
    b = 0.8 * rng.standard_normal((5, model.n_components)) * np.sqrt(model.variances)
    pose = np.tile([50.0, 5.0, 90.0, 80.0], (5, 1))
    whole = model.to_landmarks(b, pose)
    holed = whole.copy()
    holed[:, rng.permutation(12)[:n_missing]] = np.nan
    filled = model.to_landmarks(*model.to_parameters(holed)[::-1])
    assert np.abs(filled - whole).max() < 1.0  # of shapes some 100 pixels wide
    pose, few = model.to_parameters(np.where(np.arange(12)[:, None] < 2, whole, np.nan))
    assert (model.plausibility(few) < 20).all()


def test_fitting_with_missing_points():
    rng = np.random.default_rng(5)
    shapes = drawn_shapes(rng, 200, n_modes=3, noise=0.005)
    whole = PointDistributionModel.fit(shapes, 3)
    missing = rng.random((200, 12)) < 0.1
    holed = np.where(missing[..., None], np.nan, shapes)
    model = PointDistributionModel.fit(holed, 3)
    assert cosines(model, whole).min() > 0.995
    np.testing.assert_allclose(model.variances, whole.variances, rtol=0.05)
    np.testing.assert_allclose(model.mean, whole.mean, atol=0.003)


@settings(max_examples=15)
@given(seed=seeds, n_old=st.integers(20, 50), lossy=st.booleans())
def test_update_against_fitting_all_at_once(seed, n_old, lossy):
    rng = np.random.default_rng(seed)
    shapes = drawn_shapes(rng, 60, n_modes=3, noise=0.002 if lossy else 0.0)
    n_components = 3 if lossy else None
    together = PointDistributionModel.fit(shapes, n_components)
    model = PointDistributionModel.fit(shapes[:n_old], n_components)
    model = model.update(shapes[n_old:], 3)
    assert model.n_samples == 60
    turn = fit_similarity(model.mean, together.mean)
    turn[2:] = 0
    np.testing.assert_allclose(apply_similarity(turn, model.mean), together.mean, atol=0.01)
    turned = apply_similarity(turn, model.components)
    assert np.linalg.svd(flat(turned) @ flat(together.components[:3]).T)[1].min() > 0.99
    np.testing.assert_allclose(model.variances, together.variances[:3], rtol=0.1)
    np.testing.assert_allclose(model.total_variance, together.total_variance, rtol=0.1)


def test_update_of_the_same_plane_is_exact(shapes):
    """New shapes about the same mean leave it where it is; then nothing is approximate."""
    model = PointDistributionModel.fit(shapes, None)
    pose, b = model.to_parameters(shapes)
    mirrored = model.to_landmarks(np.concatenate([b, -b]), np.concatenate([pose, pose]))
    updated = model.update(mirrored, None)
    np.testing.assert_allclose(updated.mean, model.mean, atol=1e-9)
    expected = (59 * model.variances + 118 * model.variances) / 179
    np.testing.assert_allclose(updated.variances, expected, rtol=1e-6)
    assert updated.n_samples == 180


def test_update_begins_with_one_shape_and_takes_missing_points(shapes):
    model = PointDistributionModel.fit(shapes[:1])
    for i in range(1, 60):
        model = model.update(shapes[i : i + 1], 6)
    whole = PointDistributionModel.fit(shapes, 6)
    assert model.n_components == 6
    assert cosines(model, whole)[:3].min() > 0.95
    holed = shapes.copy()
    holed[::3, 4] = np.nan
    again = model.update(holed)
    assert again.n_samples == 120
    assert cosines(again, whole)[:2].min() > 0.99


def test_samples(model):
    drawn = model.sample(4000, 0)
    np.testing.assert_array_equal(drawn, model.sample(4000, np.random.default_rng(0)))
    b = flat(drawn - model.mean) @ flat(model.components).T
    np.testing.assert_allclose(b.var(axis=0), model.variances, rtol=0.1)
    assert (np.abs(b) <= 3.000001 * np.sqrt(model.variances)).all()
    tame = model.sample(100, 0, n_std=0.5)
    assert (model.plausibility(model.to_parameters(tame)[1]) <= 0.5 * np.sqrt(5) + 1e-6).all()
    assert model.sample(0).shape == (0, 12, 2)


def test_one_shape_equal_shapes_two_points_collinear_points():
    shape = np.array([[10.0, 10], [20, 10], [15, 30]])
    line = np.array([[0.0, 0], [1, 1], [3, 3]])
    pair = np.array([[[0.0, 0], [1, 0]], [[5, 5], [5, 9]]])
    rng = np.random.default_rng(0)
    for given_shapes in ([shape], place(np.stack([shape] * 9), rng), [line, 2 * line], pair):
        model = PointDistributionModel.fit(given_shapes)
        assert model.n_components == 0
        assert model.total_variance < 1e-12
        assert model.explained.shape == (0,)
        pose, b = model.to_parameters(given_shapes)
        assert b.shape == (len(given_shapes), 0)
        np.testing.assert_allclose(model.to_landmarks(b, pose), given_shapes, atol=1e-9)
        np.testing.assert_allclose(model.posterior(given_shapes, 1.0)[0], pose, atol=1e-9)
        np.testing.assert_array_equal(model.limit(b, kind="ellipsoid"), b)
        np.testing.assert_array_equal(model.plausibility(b), 0)
        np.testing.assert_array_equal(model.sample(2, 0), [model.mean] * 2)
        again = PointDistributionModel.from_tensors(model.tensors(), model.n_landmarks)
        np.testing.assert_array_equal(again.mean, model.mean)
    # Points on a line vary along it only.
    lines = line[None] * [[[1.0, 1.0]]] + np.array([0, 1.0, 0])[None, :, None] * rng.normal(
        0, 0.2, (20, 1, 1)
    )
    assert PointDistributionModel.fit(lines, None).n_components == 1


def test_float32_rounding_is_no_variation():
    shape = np.random.default_rng(1).uniform(0, 100, (68, 2))
    copies = place(np.stack([shape] * 30), np.random.default_rng(2)).astype(np.float32)
    assert PointDistributionModel.fit(copies, None).n_components == 0


def test_threads_of_the_algebra_change_nothing(shapes):
    with threadpool_limits(1):
        one = PointDistributionModel.fit(shapes)
    with threadpool_limits(2):
        two = PointDistributionModel.fit(shapes)
    for name, tensor in one.tensors().items():
        np.testing.assert_array_equal(two.tensors()[name], tensor)


def test_it_is_immutable(model, shapes):
    for array in (model.mean, model.components, model.variances):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        model.n_samples = 3
    before = shapes.copy()
    model.update(shapes)
    model.posterior(shapes, 1.0)
    np.testing.assert_array_equal(shapes, before)


def test_real_faces(data_dir):
    from classicface.data.loading import read_records

    folder = data_dir / "300w" / "helen" / "testset"
    landmarks = np.stack([record.landmarks for record in read_records(folder)])
    half = len(landmarks) // 2
    model = PointDistributionModel.fit(landmarks[:half])
    assert 15 < model.n_components < 45
    assert model.mean[8, 1] > model.mean[27, 1]  # the chin below the nose
    pose, b = model.to_parameters(landmarks[half:])
    distance = np.linalg.norm(model.to_landmarks(b, pose) - landmarks[half:], axis=2).mean(axis=1)
    eyes = np.linalg.norm(landmarks[half:, 36] - landmarks[half:, 45], axis=1)
    assert np.mean(distance / eyes) < 0.02


# Files


def test_tensors_there_and_back(model):
    tensors = model.tensors("form.")
    assert set(tensors) == {"form.mean", "form.components", "form.variances", "form.noise"}
    again = PointDistributionModel.from_tensors(tensors, 12, "form.")
    for name, tensor in again.tensors("form.").items():
        np.testing.assert_array_equal(tensor, tensors[name])
    assert (again.noise_variance, again.n_samples) == (model.noise_variance, model.n_samples)
    coarse = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    rough = PointDistributionModel.from_tensors(coarse, 12, "form.")
    np.testing.assert_allclose(rough.components, model.components, atol=1e-6)


def damage(name, change):
    return pytest.param(name, change, id=f"{name}-{change.__name__}")


def none(t):
    return None


def doubled(t):
    return 2 * t


def shortened(t):
    return t[:-1]


def flattened(t):
    return t.ravel()[None]


def with_nan(t):
    return np.where(np.arange(t.size).reshape(t.shape) == 1, np.nan, t)


def whole_numbers(t):
    return t.astype(np.int64)


def reversed_(t):
    return t[::-1]


def negative(t):
    return -t


def shifted(t):
    return t + 0.1


def huge(t):
    return t * 1e300


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *(
            damage(name, change)
            for name in ("mean", "components", "variances", "noise")
            for change in (none, doubled, shortened, with_nan, whole_numbers, huge)
        ),
        damage("mean", flattened),
        damage("mean", shifted),
        damage("components", flattened),
        damage("components", shifted),
        damage("variances", reversed_),
        damage("variances", negative),
        damage("noise", negative),
        damage("noise", shifted),
    ],
)
def test_damaged_tensors_are_refused(model, name, change):
    tensors = model.tensors()
    changed = change(tensors["shape." + name])
    if changed is None:
        del tensors["shape." + name]
    else:
        tensors["shape." + name] = changed
    with np.errstate(over="ignore"), pytest.raises(ModelFormatError, match="damaged shape model"):
        PointDistributionModel.from_tensors(tensors, 12)


def test_another_number_of_points_is_refused(model):
    with pytest.raises(ModelFormatError, match="expected 13 points"):
        PointDistributionModel.from_tensors(model.tensors(), 13)
    with pytest.raises(InvalidInputError, match="at most 0"):
        PointDistributionModel(
            np.array([[-1, 0], [1, 0]]) / np.sqrt(2), np.full((1, 2, 2), 0.5), np.ones(1), 0.0, 3
        )


def test_a_file_there_and_back(model, tmp_path):
    path, second = tmp_path / "shape.safetensors", tmp_path / "second.safetensors"
    model.save(path, provenance={"terms": "any use"})
    header, _ = read_model(path)
    assert header["class"] == "PointDistributionModel"
    assert header["scheme"]["name"] == "points12"
    assert header["provenance"] == {"terms": "any use"}
    again = PointDistributionModel.load(path)
    np.testing.assert_array_equal(again.components, model.components)
    again.save(second, "points12", {"terms": "any use"})
    assert second.read_bytes() == path.read_bytes()
    with pytest.raises(InvalidInputError, match="scheme ibug68 has 68 points"):
        model.save(second, "ibug68")


def test_files_that_hold_no_shape_model(model, mean_model, tmp_path):
    with pytest.raises(ModelFormatError, match="class 'MeanShape' holds no shape model"):
        PointDistributionModel.load(mean_model)
    with pytest.raises(ModelFormatError, match="no such file"):
        PointDistributionModel.load(tmp_path / "nothing.safetensors")
    path = tmp_path / "shape.safetensors"
    model.save(path)
    header, tensors = read_model(path)
    for changed in ({}, {"scheme": {"name": "x"}}, {"scheme": {"name": "x", "n_landmarks": 5}}):
        rest = {key: value for key, value in header.items() if key != "scheme"}
        write_model(path, {**rest, **changed}, tensors)
        with pytest.raises(ModelFormatError, match=r"shape\.safetensors: damaged"):
            PointDistributionModel.load(path)


def test_a_predictor_file_that_holds_one(model, mean_model):
    header, tensors = read_model(mean_model)
    header["scheme"] = {"name": "points12", "n_landmarks": 12}
    write_model(mean_model, header, {**tensors, **model.tensors()})
    np.testing.assert_array_equal(PointDistributionModel.load(mean_model).mean, model.mean)


# Mistakes


@pytest.mark.parametrize("n_components", [-1, 0.0, 1.5, True, "all", np.nan])
def test_bad_numbers_of_components_are_refused(shapes, model, n_components):
    with pytest.raises(InvalidInputError, match="n_components"):
        PointDistributionModel.fit(shapes, n_components)
    with pytest.raises(InvalidInputError, match="n_components"):
        model.update(shapes, n_components)


def test_shapes_that_do_not_fit_are_refused(model, shapes):
    one = np.full((12, 2), np.nan)
    one[3] = 4.0
    for bad, message in (
        (shapes[:, :5], "5 landmarks a face; expected 12"),
        (one, "has 1 points"),
        (np.full((12, 2), 7.0), "coincide"),
        ("faces", "regular array"),
        (np.zeros(12), "expected"),
        (3.0, "expected"),
        (shapes * 1e9, "reach beyond"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            model.to_parameters(bad)
        with pytest.raises(InvalidInputError, match=message):
            model.posterior(bad, 1.0)
    with pytest.raises(InvalidInputError, match="expected"):
        model.update(shapes[0])
    with pytest.raises(InvalidInputError, match="at least one"):
        PointDistributionModel.fit(np.zeros((0, 5, 2)))
    assert model.to_parameters(np.zeros((0, 12, 2)))[1].shape == (0, 5)


def test_bad_arguments_are_refused(model, shapes):
    b = np.zeros(5)
    for act in (
        lambda: model.posterior(shapes, 0.0),
        lambda: model.posterior(shapes, np.inf),
        lambda: model.posterior(shapes, 1.0, np.ones(11)),
        lambda: model.posterior(shapes, 1.0, -np.ones(12)),
        lambda: model.posterior(shapes, 1.0, np.full(12, np.nan)),
        lambda: model.posterior(shapes, 1.0, np.zeros(12)),
        lambda: model.posterior(shapes, 1.0, "even"),
        lambda: model.limit(b, -1),
        lambda: model.limit(b, kind="sphere"),
        lambda: model.limit(b[:4]),
        lambda: model.plausibility("mean"),
        lambda: model.to_landmarks(b[:4]),
        lambda: model.to_landmarks(b, np.zeros(3)),
        lambda: model.sample(-1),
        lambda: model.sample(1, random_state=-1),
    ):
        with pytest.raises(InvalidInputError):
            act()
