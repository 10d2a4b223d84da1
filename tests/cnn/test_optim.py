"""Optimisers beside the equations of their papers; schedules, clipping and the moving average."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.cnn.optim import (
    OPTIMISERS,
    SCHEDULES,
    SGD,
    Adam,
    AdamW,
    MovingAverage,
    clip_gradient,
)
from classicface.exceptions import InvalidInputError


class PlainSGD:
    """Momentum as PyTorch writes it; Nesterov's look-ahead after Sutskever et al. 2013."""

    def __init__(self, momentum: float, decay: float, nesterov: bool) -> None:
        self.momentum, self.decay, self.nesterov = momentum, decay, nesterov
        self.velocity: Any = 0.0

    def step(self, w: Any, g: Any, rate: float, mask: Any) -> Any:
        g = g + self.decay * mask * w
        self.velocity = self.momentum * self.velocity + g
        return w - rate * (g + self.momentum * self.velocity if self.nesterov else self.velocity)


class PlainAdam:
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2."""

    def __init__(
        self, betas: tuple[float, float], eps: float, decay: float, decoupled: bool
    ) -> None:
        self.betas, self.eps, self.decay, self.decoupled = betas, eps, decay, decoupled
        self.m: Any = 0.0
        self.v: Any = 0.0
        self.t = 0

    def step(self, w: Any, g: Any, rate: float, mask: Any) -> Any:
        shrink = self.decay * mask * w
        if not self.decoupled:
            g = g + shrink
        self.t += 1
        self.m = self.betas[0] * self.m + (1 - self.betas[0]) * g
        self.v = self.betas[1] * self.v + (1 - self.betas[1]) * g**2
        m = self.m / (1 - self.betas[0] ** self.t)
        v = self.v / (1 - self.betas[1] ** self.t)
        w = w - rate * m / (np.sqrt(v) + self.eps)
        return w - rate * shrink if self.decoupled else w


CASES: list[tuple[Callable[[int], Any], Callable[[], Any]]] = [
    (lambda n: SGD(n, 0.0), lambda: PlainSGD(0.0, 0.0, False)),
    (lambda n: SGD(n, 0.9, 0.01), lambda: PlainSGD(0.9, 0.01, False)),
    (lambda n: SGD(n, 0.8, 0.1, True), lambda: PlainSGD(0.8, 0.1, True)),
    (Adam, lambda: PlainAdam((0.9, 0.999), 1e-8, 0.0, False)),
    (lambda n: Adam(n, (0.8, 0.95), 1e-3, 0.1), lambda: PlainAdam((0.8, 0.95), 1e-3, 0.1, False)),
    (AdamW, lambda: PlainAdam((0.9, 0.999), 1e-8, 0.01, True)),
    (lambda n: AdamW(n, weight_decay=0.3), lambda: PlainAdam((0.9, 0.999), 1e-8, 0.3, True)),
]


def gradients(n_steps: int, size: int) -> Any:
    rng = np.random.default_rng(7)
    scale = 10.0 ** rng.uniform(-3, 1, size)
    return (rng.standard_normal((n_steps, size)) * scale).astype(np.float32)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_steps_follow_the_papers(case: int) -> None:
    make, plain = CASES[case]
    size = 37
    weights = np.random.default_rng(1).standard_normal(size).astype(np.float32)
    expected = weights.astype(np.float64)
    mask = (np.arange(size) % 3 > 0).astype(np.float32)
    ours, theirs = make(size), plain()
    for i, gradient in enumerate(gradients(20, size)):
        rate = 0.03 / (1 + i)
        kept = gradient.copy()
        ours.step(weights, gradient, rate, mask)
        assert (gradient == kept).all()
        expected = theirs.step(expected, gradient.astype(np.float64), rate, mask)
    np.testing.assert_allclose(weights, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", list(OPTIMISERS))
def test_restored_optimiser_goes_on_to_the_same_bits(name: str) -> None:
    size = 50
    mask = np.ones(size, np.float32)
    first, second = (OPTIMISERS[name](size, weight_decay=0.1) for _ in range(2))
    weights = np.ones(size, np.float32)
    steps = gradients(8, size)
    for gradient in steps[:4]:
        first.step(weights, gradient, 0.01, mask)
    saved, copy = first.state(), weights.copy()
    for gradient in steps[4:]:
        first.step(weights, gradient, 0.01, mask)
    second.restore(saved)
    for gradient in steps[4:]:
        second.step(copy, gradient, 0.01, mask)
    np.testing.assert_array_equal(copy, weights)
    with pytest.raises(InvalidInputError, match=r"shape \(50,\).*needs \(3,\)"):
        OPTIMISERS[name](3).restore(saved)


@given(st.integers(1, 3000), st.floats(0.01, 100))
def test_clipping(size: int, max_norm: float) -> None:
    gradient = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    original = gradient.astype(np.float64)
    norm = clip_gradient(gradient, max_norm)
    assert norm == pytest.approx(float(np.linalg.norm(original)), rel=1e-5)
    np.testing.assert_allclose(gradient, original * min(1, max_norm / norm), rtol=1e-5)


def test_clipping_leaves_what_is_not_finite() -> None:
    gradient = np.array([1, np.nan, 2], np.float32)
    assert np.isnan(clip_gradient(gradient, 0.5))
    np.testing.assert_array_equal(gradient, np.array([1, np.nan, 2], np.float32))


def test_moving_average() -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal(9).astype(np.float32)
    average = MovingAverage(start, decay=0.9)
    expected = start.astype(np.float64)
    for t in range(1, 200):
        weights = rng.standard_normal(9).astype(np.float32)
        average.update(weights)
        decay = min(0.9, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * weights
    np.testing.assert_allclose(average.weights, expected, atol=1e-5)
    other = MovingAverage(start, decay=0.9)
    other.restore(average.state())
    for one in (average, other):
        one.update(start)
    np.testing.assert_array_equal(average.weights, other.weights)


@pytest.mark.parametrize("name", list(SCHEDULES))
@pytest.mark.parametrize("warm_up", [0.0, 0.1, 1.0])
def test_schedules_rise_to_the_peak_and_never_again(name: str, warm_up: float) -> None:
    schedule = SCHEDULES[name]
    factors = [schedule(p, warm_up=warm_up) for p in np.linspace(0, 1, 201)]
    assert max(factors) == pytest.approx(1.0)
    assert min(factors) >= 0
    peak = round(200 * warm_up)
    assert factors[peak] == pytest.approx(1.0)
    assert (np.diff(factors[: peak + 1]) > 0).all()
    assert (np.diff(factors[peak:]) <= 0).all()


def test_values_of_schedules() -> None:
    assert SCHEDULES["constant"](0.7) == 1
    assert SCHEDULES["constant"](0.05, warm_up=0.2) == pytest.approx(0.25)
    assert SCHEDULES["cosine"](0.6, warm_up=0.2) == pytest.approx(0.5)
    assert SCHEDULES["cosine"](1.0, warm_up=0.2) == pytest.approx(0)
    assert SCHEDULES["one_cycle"](0.0, warm_up=0.2) == pytest.approx(1 / 25)
    assert SCHEDULES["one_cycle"](0.1, warm_up=0.2) == pytest.approx((1 + 1 / 25) / 2)
    assert SCHEDULES["one_cycle"](1.0, warm_up=0.2) == pytest.approx(1e-4)
