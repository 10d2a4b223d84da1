"""The filter over time: the paper's recursion, still faces stiller, moving ones not held back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.data.synthetic import draw_face
from classicface.exceptions import InvalidInputError
from classicface.landmarker.smoothing import MAX_GAP, OneEuroFilter
from classicface.shape.similarity import apply_similarity, fit_similarity

SCALE = 160.0


@pytest.fixture(scope="module")
def face():
    return draw_face(size=320, face_size=SCALE)[1].astype(np.float64)


def filtered(sequence, times, scale=SCALE, **options):
    smoother = OneEuroFilter(**options)
    return np.array(
        [smoother.filter(t, x, scale) for t, x in zip(times, sequence, strict=True)], np.float64
    )


class PaperFilter:
    """The scalar recursion of Casiez et al., algorithm 1, with time steps that may differ."""

    def __init__(self, min_cutoff, beta, derivative_cutoff):
        self.min_cutoff, self.beta, self.derivative_cutoff = min_cutoff, beta, derivative_cutoff
        self.value = self.derivative = None

    @staticmethod
    def alpha(step, cutoff):
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau / step)

    def __call__(self, value, step):
        if self.value is None:
            self.value, self.derivative = value, 0.0
            return value
        slope = (value - self.value) / step
        share = self.alpha(step, self.derivative_cutoff)
        self.derivative = share * slope + (1 - share) * self.derivative
        share = self.alpha(step, self.min_cutoff + self.beta * abs(self.derivative))
        self.value = share * value + (1 - share) * self.value
        return self.value


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-500, 500), st.floats(0.001, 0.9 * MAX_GAP)), min_size=2, max_size=20
    ),
    st.floats(0.05, 10),
    st.floats(0, 5),
    st.floats(0.05, 10),
)
def test_the_plain_setting_is_the_papers_recursion(steps, min_cutoff, beta, derivative_cutoff):
    values = np.array([[value, -2 * value + 7] for value, _ in steps])
    times = np.cumsum([step for _, step in steps])
    found = filtered(
        values[:, None],
        times,
        1.0,
        min_cutoff=min_cutoff,
        beta=beta,
        derivative_cutoff=derivative_cutoff,
        coupled=False,
    )[:, 0]
    for d in range(2):
        scalar = PaperFilter(min_cutoff, beta, derivative_cutoff)
        expected = [
            scalar(float(np.float32(value)), step)
            for value, step in zip(values[:, d], np.diff(times, prepend=0.0), strict=True)
        ]
        np.testing.assert_allclose(found[:, d], expected, rtol=1e-4, atol=1e-3)


def plain_numpy(sequence, times, scale, options):
    """Filter as `OneEuroFilter` does, in NumPy: the twin of the kernel."""
    min_cutoff, beta, derivative, own_derivative, face_noise, point_noise = options

    def share(cutoff, step):
        return 1 - 1 / (1 + 2 * np.pi * cutoff * step)

    state, before = sequence[0].astype(np.float64), times[0]
    head, own, found = np.zeros_like(state), np.zeros_like(state), [state]
    for x, now in zip(sequence[1:].astype(np.float64), times[1:], strict=True):
        step, before = now - before, now
        moved = apply_similarity(fit_similarity(state, x), state)
        known = ~np.isnan(state[:, 0])
        both = known & ~np.isnan(x[:, 0])
        head[known] += share(derivative, step) * ((moved - state) / step - head)[known]
        speed = np.sqrt((head[known] ** 2).sum(axis=1).mean()) / scale if known.any() else 0.0
        face_cutoff = min_cutoff + beta * max(0.0, speed - face_noise)
        own[both] += share(own_derivative, step) * ((x - moved) / step - own)[both]
        alone = np.maximum(0.0, np.linalg.norm(own, axis=1) / scale - point_noise)
        shares = share(face_cutoff + beta * alone, step)[:, None]
        state = state + share(face_cutoff, step) * (moved - state) + shares * (x - moved)
        state[~both], head[~both], own[~both] = x[~both], 0.0, 0.0
        found.append(state)
    return np.array(found)


def test_the_kernel_does_what_its_numpy_twin_does(face):
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.005, 0.1, 60))
    drift = np.cumsum(rng.normal(0, 2, (60, 1, 2)), axis=0)
    sequence = (face + drift + rng.normal(0, 1, (60, *face.shape))).astype(np.float32)
    sequence[10:14, 5] = np.nan
    sequence[20, :67] = np.nan
    sequence[30] = np.nan
    options = (0.7, 25.0, 1.3, 3.0, 0.03, 0.1)
    names = ("min_cutoff", "beta", "derivative_cutoff", "own_derivative_cutoff")
    named = dict(zip((*names, "face_noise", "point_noise"), options, strict=True))
    expected = plain_numpy(sequence, times, SCALE, options)
    found = filtered(sequence, times, **named)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
    assert np.isnan(found[30]).all()
    assert np.isfinite(found[31]).all()


@pytest.mark.parametrize("coupled", [True, False])
class TestBothSettings:
    def test_what_stands_still_stays(self, face, coupled):
        found = filtered(np.repeat(face[None], 20, axis=0), np.arange(20) / 30, coupled=coupled)
        np.testing.assert_allclose(found, np.repeat(face[None], 20, axis=0), atol=1e-4)

    def test_a_step_is_followed_without_overshoot(self, face, coupled):
        sequence = np.concatenate([np.repeat(face[None], 5, axis=0)] + [face[None] + 40.0] * 60)
        found = filtered(sequence, np.arange(65) / 30, coupled=coupled)
        share = (found - face).mean(axis=(1, 2)) / 40
        assert (np.diff(share) >= -1e-6).all()
        assert share[-1] == pytest.approx(1.0, abs=0.02)
        assert share.max() <= 1 + 1e-6

    def test_one_setting_serves_every_resolution(self, face, coupled):
        rng = np.random.default_rng(0)
        sequence = face + rng.normal(0, 1, (30, *face.shape)) + 3 * np.arange(30)[:, None, None]
        times = np.arange(30) / 30
        small = filtered(sequence, times, SCALE, coupled=coupled)
        large = filtered(8 * sequence, times, 8 * SCALE, coupled=coupled)
        np.testing.assert_allclose(large, 8 * small, rtol=1e-4, atol=1e-2)

    def test_one_setting_serves_every_frame_rate(self, face, coupled):
        def swaying(fps):
            times = np.arange(0, 2, 1 / fps)
            sway = 30 * np.sin(np.pi * times)[:, None, None]
            return filtered(face + sway, times, coupled=coupled)[:: fps // 30]

        errors = [np.abs(swaying(fps) - swaying(960)).max() for fps in (30, 60, 240)]
        assert errors[2] < errors[1] < errors[0] < 0.1 * 30

    def test_missing_points_are_missing_and_begin_anew(self, face, coupled):
        smoother = OneEuroFilter(coupled=coupled)
        smoother.filter(0.0, face, SCALE)
        holed = face.copy()
        holed[[3, 60]] = np.nan
        found = smoother.filter(0.03, holed, SCALE)
        assert np.isnan(found[[3, 60]]).all()
        assert np.isfinite(np.delete(found, [3, 60], axis=0)).all()
        back = smoother.filter(0.06, face + 5, SCALE)
        np.testing.assert_allclose(back[[3, 60]], face[[3, 60]] + 5, atol=1e-4)
        assert (np.delete(back - face, [3, 60], axis=0) < 4.9).all()


def test_noise_of_single_points_is_halved_and_a_moving_head_is_followed(face):
    rng = np.random.default_rng(1)
    times = np.arange(150) / 30
    still = face + rng.normal(0, 0.4, (150, *face.shape))
    found = filtered(still, times)[30:]
    assert found.std(axis=0).mean() < 0.5 * still[30:].std(axis=0).mean()
    speed = 0.5 * SCALE
    moving = still + (speed * times)[:, None, None] * np.array([1.0, 0.0])
    behind = (moving - filtered(moving, times))[60:, :, 0].mean() / (speed / 30)
    assert 0 < behind < 1.0
    plain = filtered(moving, times, coupled=False, min_cutoff=1.0, beta=1.0, derivative_cutoff=1.0)
    assert behind < 0.7 * (moving - plain)[60:, :, 0].mean() / (speed / 30)


def test_a_blink_passes_through_a_still_face(face):
    rng = np.random.default_rng(2)
    times = np.arange(90) / 30
    lids = np.exp(-0.5 * ((times - 2.0) / 0.05) ** 2)
    sequence = face + rng.normal(0, 0.3, (90, *face.shape))
    sequence[:, [37, 38, 43, 44], 1] += 0.05 * SCALE * lids[:, None]

    def depth(points):
        lid = points[:, [37, 38, 43, 44], 1].mean(axis=1)
        return lid[55:68].max() - np.median(lid[30:50])

    kept = depth(filtered(sequence, times)) / depth(sequence)
    assert kept > 0.7
    slow = filtered(sequence, times, coupled=False, min_cutoff=1, beta=1, derivative_cutoff=1)
    assert depth(slow) / depth(sequence) < kept - 0.2


def test_after_a_gap_and_after_reset_the_points_are_taken_as_they_are(face):
    smoother = OneEuroFilter()
    smoother.filter(0.0, face, SCALE)
    late = smoother.filter(MAX_GAP + 0.01, face + 30, SCALE)
    np.testing.assert_array_equal(late, (face + 30).astype(np.float32))
    smoother.reset()
    np.testing.assert_array_equal(smoother.filter(0.0, face[:5], SCALE), face[:5].astype("f4"))
    within = smoother.filter(MAX_GAP, face[:5] + 3, SCALE)
    assert (within < face[:5] + 3 - 0.05).all()


def test_inputs_and_results_are_no_views_of_the_state(face):
    smoother, points = OneEuroFilter(), face.astype(np.float32)
    first = smoother.filter(0.0, points, SCALE)
    first[:] = 0
    second = smoother.filter(0.1, points, SCALE)
    np.testing.assert_allclose(second, face, atol=1e-3)
    np.testing.assert_array_equal(points, face.astype(np.float32))


@pytest.mark.parametrize(
    ("time", "values", "scale", "message"),
    [
        (1.0, np.zeros((4, 2)), 100.0, "must grow"),
        (0.5, np.zeros((4, 2)), 100.0, "must grow"),
        (np.nan, np.zeros((4, 2)), 100.0, "time"),
        (1.1, np.zeros((5, 2)), 100.0, "5 points; the filter has seen 4"),
        (1.1, np.zeros((1, 4, 2)), 100.0, "one face"),
        (1.1, np.full((4, 2), np.inf), 100.0, "landmarks"),
        (1.1, np.zeros((4, 2)), 0.0, "scale"),
        (1.1, np.zeros((4, 2)), np.nan, "scale"),
    ],
)
def test_mistakes_are_refused_and_leave_the_state(time, values, scale, message):
    smoother = OneEuroFilter()
    smoother.filter(1.0, np.zeros((4, 2)), 100.0)
    with pytest.raises(InvalidInputError, match=message):
        smoother.filter(time, values, scale)
    assert np.all(smoother.filter(1.1, np.zeros((4, 2)), 100.0) == 0)


@pytest.mark.parametrize(
    "options",
    [
        {"min_cutoff": 0},
        {"beta": -1},
        {"derivative_cutoff": np.nan},
        {"own_derivative_cutoff": 0},
        {"face_noise": -0.1},
        {"point_noise": "little"},
        {"coupled": 1},
    ],
)
def test_parameters_out_of_range(options):
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        OneEuroFilter(**options)
