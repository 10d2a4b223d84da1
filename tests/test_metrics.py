"""Measures of accuracy, against plain Python twins and against what follows from the definition."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.metrics import (
    auc,
    ced,
    failure_rate,
    nme,
    nme_per_landmark,
    nme_per_region,
    normalizer,
    precision_recall,
)
from classicface.shape.schemes import get_scheme

KINDS = ("interocular", "interpupil", "box")


@pytest.fixture
def truth():
    return np.random.default_rng(0).uniform(0, 100, (6, 68, 2)).astype(np.float32)


def plain_nme(predicted, true, length):
    """Return the NME of one face, point by point."""
    errors = [
        np.hypot(p[0] - t[0], p[1] - t[1]) / length
        for p, t in zip(predicted, true, strict=True)
        if not np.isnan(t[0])
    ]
    return sum(errors) / len(errors)


def plain_length(face, kind):
    if kind == "interocular":
        return np.hypot(*(face[36] - face[45]))
    if kind == "interpupil":
        return np.hypot(*(face[36:42].mean(axis=0) - face[42:48].mean(axis=0)))
    return np.sqrt(np.ptp(face[:, 0]) * np.ptp(face[:, 1]))


@pytest.mark.parametrize("kind", KINDS)
def test_nme_against_a_plain_twin(truth, kind):
    predicted = truth + np.random.default_rng(1).normal(0, 5, truth.shape)
    lengths = [plain_length(face.astype(float), kind) for face in truth]
    np.testing.assert_allclose(normalizer(truth, kind=kind), lengths, rtol=1e-5)
    wanted = [plain_nme(*faces) for faces in zip(predicted, truth, lengths, strict=True)]
    np.testing.assert_allclose(nme(predicted, truth, kind=kind), wanted, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shift_by_a_tenth_is_a_tenth(truth, kind):
    shift = normalizer(truth, kind=kind)[:, None] * 0.1 * np.array([[0.6, 0.8]])
    np.testing.assert_allclose(nme(truth + shift[:, None], truth, kind=kind), 0.1, rtol=1e-5)
    assert np.all(nme(truth, truth, kind=kind) == 0)


@given(st.floats(0.1, 10), st.floats(-100, 100), st.integers(0, 3))
def test_nme_does_not_know_scale_place_or_quarter_turns(scale, shift, turns):
    rng = np.random.default_rng(2)
    true, predicted = rng.uniform(0, 100, (2, 3, 68, 2))
    turn = np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), turns)
    for kind in KINDS:
        moved = nme(predicted @ turn * scale + shift, true @ turn * scale + shift, kind=kind)
        np.testing.assert_allclose(moved, nme(predicted, true, kind=kind), rtol=1e-3)


def test_one_face_without_the_first_axis(truth):
    assert nme(truth[0] + 1, truth[0]).shape == (1,)
    np.testing.assert_allclose(nme(truth[0] + 1, truth[0]), nme(truth + 1, truth)[:1])


def test_missing_truth_is_left_out(truth):
    predicted = truth + 1.0
    part = truth.copy()
    part[:, :17] = np.nan
    predicted[:, :17] += 50
    np.testing.assert_allclose(nme(predicted, part), np.sqrt(2) / normalizer(part), rtol=1e-5)
    assert np.isnan(nme_per_landmark(predicted, part)[:17]).all()
    assert np.isfinite(nme_per_landmark(predicted, part)[17:]).all()
    regions = nme_per_region(predicted, part)
    assert np.isnan(regions.pop("jaw"))
    assert np.isfinite(list(regions.values())).all()


def test_a_point_that_was_not_found_is_infinitely_wrong(truth):
    predicted = truth.copy()
    predicted[1, 5] = np.nan
    predicted[2] = np.nan
    errors = nme(predicted, truth)
    assert np.isinf(errors[1:3]).all()
    assert np.all(errors[[0, 3, 4, 5]] == 0)
    assert failure_rate(errors) == pytest.approx(2 / 6)
    assert auc(errors) == pytest.approx(4 / 6)
    assert np.isinf(nme_per_landmark(predicted, truth)).all()


def test_a_normaliser_that_is_not_annotated(truth):
    truth[1, 36] = truth[2, 40] = np.nan
    assert np.isnan(normalizer(truth, kind="interocular")).tolist() == [0, 1, 0, 0, 0, 0]
    assert np.isnan(normalizer(truth, kind="interpupil")).tolist() == [0, 1, 1, 0, 0, 0]
    assert np.isfinite(normalizer(truth, kind="box")).all()
    errors = nme(truth, truth)
    assert np.isnan(errors).tolist() == [0, 1, 0, 0, 0, 0]
    assert auc(errors) == 1.0
    assert ced(errors, [0.0]).tolist() == [1.0]


def test_per_landmark_and_per_region(truth):
    predicted = truth.copy()
    lengths = normalizer(truth)
    predicted[:, 30, 0] += lengths * 0.3
    points = nme_per_landmark(predicted, truth)
    assert points[30] == pytest.approx(0.3, rel=1e-4)
    assert np.count_nonzero(points) == 1
    regions = nme_per_region(predicted, truth)
    assert set(regions) == set(get_scheme(68).regions)
    assert regions["nose"] == pytest.approx(0.3 / 9, rel=1e-4)
    assert sum(regions.values()) == pytest.approx(regions["nose"])


def test_mean_over_regions_is_the_mean(truth):
    predicted = truth + np.random.default_rng(1).normal(0, 5, truth.shape)
    regions = get_scheme(68).regions
    values = nme_per_region(predicted, truth, "ibug68", "box")
    total = sum(values[name] * len(points) for name, points in regions.items()) / 68
    assert total == pytest.approx(nme(predicted, truth, kind="box").mean())


@pytest.mark.parametrize("kind", ["interocular", "interpupil"])
def test_a_scheme_without_eyes_names_what_works(kind):
    points = np.random.default_rng(0).uniform(0, 9, (2, 7, 2))
    with pytest.raises(InvalidInputError, match=r"points7.*'box'"):
        nme(points, points, kind=kind)
    assert nme(points, points, kind="box").tolist() == [0, 0]
    assert nme_per_region(points, points, kind="box") == {}


def test_wrong_inputs(truth):
    with pytest.raises(InvalidInputError, match="interocular, interpupil, box"):
        nme(truth, truth, kind="inter-ocular")
    with pytest.raises(InvalidInputError, match="same faces"):
        nme(truth[:3], truth)
    with pytest.raises(InvalidInputError, match="expected 49"):
        nme(truth, truth, "ibug49")
    flat = truth.copy()
    flat[2, 45] = flat[2, 36]
    with pytest.raises(InvalidInputError, match="face 2 is zero"):
        nme(truth, flat)
    for kind in KINDS:
        with pytest.raises(InvalidInputError, match="face 0 is zero"):
            normalizer(np.ones((1, 68, 2)), kind=kind)


errors_lists = st.lists(
    st.one_of(st.floats(0, 0.3), st.just(np.inf), st.just(np.nan)), min_size=1, max_size=20
).filter(lambda errors: not np.isnan(errors).all())


@given(errors_lists, st.floats(1e-3, 0.5))
def test_auc_is_the_integral_of_ced(errors, limit):
    present = [e for e in errors if not np.isnan(e)]
    steps = sorted({0.0, limit, *(e for e in present if e < limit)})
    area = sum(
        (right - left) * sum(e <= left for e in present) / len(present)
        for left, right in pairwise(steps)
    )
    assert auc(errors, limit) == pytest.approx(area / limit, abs=1e-12)


@given(errors_lists, st.lists(st.floats(0, 0.4), max_size=5))
def test_ced_against_a_plain_twin(errors, limits):
    present = [e for e in errors if not np.isnan(e)]
    wanted = [sum(e <= limit for e in present) / len(present) for limit in limits]
    assert ced(errors, limits).tolist() == pytest.approx(wanted)
    for limit in limits:
        if limit > 0:
            assert failure_rate(errors, limit) == pytest.approx(1 - ced(errors, [limit])[0])


@pytest.mark.parametrize("errors", [[], [np.nan], [[0.1]], [-0.1], 0.1])
def test_errors_that_cannot_be_summarised(errors):
    for summary in (auc, failure_rate, lambda e: ced(e, [0.1])):
        with pytest.raises(InvalidInputError):
            summary(errors)


@pytest.mark.parametrize("threshold", [0, -1, np.nan, "0.1"])
def test_wrong_thresholds(threshold):
    for summary in (auc, failure_rate):
        with pytest.raises(InvalidInputError, match="threshold"):
            summary([0.1], threshold)


def test_precision_recall_of_perfect_faces(truth):
    faces = [truth[:3], truth[3:], ()]
    assert precision_recall(faces, faces) == (1.0, 1.0, 1.0, 6 * 68, 6 * 68, 6 * 68)


def test_the_order_of_faces_does_not_matter(truth):
    assert precision_recall([truth[::-1]], [truth]).f1 == 1.0


def test_a_missed_face_costs_recall_and_a_false_one_precision(truth):
    missed = precision_recall([truth[1:]], [truth])
    assert (missed.precision, missed.recall) == (1.0, 5 / 6)
    assert missed.f1 == pytest.approx(2 * (5 / 6) / (1 + 5 / 6))
    false = precision_recall([truth], [truth[1:]])
    assert (false.precision, false.recall) == (5 / 6, 1.0)
    other_picture = precision_recall([truth, truth[:2]], [truth, None])
    assert (other_picture.precision, other_picture.recall) == (6 / 8, 1.0)


def test_points_beyond_the_threshold_cost_both(truth):
    predicted = truth.copy()
    predicted[0, :34, 0] += normalizer(truth)[0] * 0.06
    half = precision_recall([predicted[:1]], [truth[:1]], threshold=0.05)
    assert half.precision == half.recall == half.f1 == 0.5
    assert precision_recall([predicted[:1]], [truth[:1]], threshold=0.07).f1 == 1.0


def test_missing_points_on_either_side(truth):
    predicted = truth.copy()
    predicted[0, :17] = np.nan  # not predicted: costs recall
    result = precision_recall([predicted[:1]], [truth[:1]])
    assert result == (1.0, 51 / 68, pytest.approx(2 * 51 / (51 + 68)), 51, 51, 68)
    part = truth.copy()
    part[0, :17] = np.nan  # not annotated: costs nothing
    assert precision_recall([truth[:1]], [part[:1]]) == (1.0, 1.0, 1.0, 51, 51, 51)


def test_a_match_is_one_to_one(truth):
    twice = precision_recall([np.stack([truth[0], truth[0] + 0.01])], [truth[:1]])
    assert (twice.precision, twice.recall) == (0.5, 1.0)


def test_a_far_false_face_does_not_break_good_matches(truth):
    """The plain sum would pair the far face with the large one, as it is fewer of its lengths."""
    large, small = truth[0], truth[1] * 0.1
    result = precision_recall([np.stack([large, large + 90_000])], [np.stack([small, large])])
    assert result.n_correct == 68


def test_nothing_at_all():
    empty = precision_recall([None, ()], [(), None])
    assert np.isnan(empty[:3]).all()
    assert empty[3:] == (0, 0, 0)


def test_lost_faces_only(truth):
    lost = precision_recall([None], [truth])
    assert np.isnan(lost.precision)
    assert (lost.recall, lost.f1) == (0, 0)
    assert precision_recall([np.full_like(truth, np.nan)], [truth])[1:] == (0, 0, 0, 0, 6 * 68)


def test_precision_recall_names_the_picture_at_fault(truth):
    with pytest.raises(InvalidInputError, match="2 pictures, truth for 1"):
        precision_recall([truth, truth], [truth])
    with pytest.raises(InvalidInputError, match=r"picture 1: 49 predicted points"):
        precision_recall([truth, truth[:, :49]], [truth, truth])
    unknown = truth.copy()
    unknown[4, 36] = np.nan
    with pytest.raises(InvalidInputError, match=r"picture 0: .*face 4.*'box'"):
        precision_recall([truth], [unknown])
    assert precision_recall([truth], [unknown], kind="box").recall == 1.0
