"""Losses beside naive twins in float64, their gradients beside finite differences of the twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.cnn import losses


def twin_coordinates(name: str, predicted: Any, target: Any, weights: Any, **options: Any) -> float:
    total = 0.0
    for p, t, w in zip(
        predicted.reshape(-1, 2), target.reshape(-1, 2), weights.ravel(), strict=True
    ):
        for d in np.abs(p - t):
            if name == "mse":
                total += w * d**2
            elif name == "mae":
                total += w * d
            elif name == "smooth_l1":
                beta = options.get("beta", 1.0)
                total += w * (d**2 / (2 * beta) if d < beta else d - beta / 2)
            else:
                width, curvature = options.get("width", 10.0), options.get("curvature", 2.0)
                constant = width - width * np.log(1 + width / curvature)
                total += w * (width * np.log(1 + d / curvature) if d < width else d - constant)
    return total / (2 * weights.sum()) if weights.sum() > 0 else 0.0


def twin_heatmap(name: str, logits: Any, points: Any, weights: Any, option: float) -> float:
    n, height, width, n_points = logits.shape
    y, x = np.mgrid[:height, :width]
    total = 0.0
    for i in range(n):
        for j in range(n_points):
            z, (px, py) = logits[i, :, :, j], points[i, j].astype(float)
            softmax = np.exp(z) / np.exp(z).sum()
            if name == "expectation":
                mean = np.array([(softmax * x).sum(), (softmax * y).sum()])
                d = np.abs(mean - (px, py))
                value = np.where(d < option, d**2 / (2 * option), d - option / 2).mean()
            else:
                target = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * option**2))
                if name == "mse":
                    value = ((z - target) ** 2).mean()
                else:
                    value = -(target / target.sum() * np.log(softmax)).sum()
            total += weights[i, j] * value
    return total / weights.sum() if weights.sum() > 0 else 0.0


HEATMAP: dict[str, Callable[..., Any]] = {
    **losses.HEATMAP_LOSSES,
    "expectation": losses.expectation_loss,
}


def draw_weights(rng: np.random.Generator, n: int, n_points: int) -> Any:
    weights = rng.choice([0.0, 1.0, 1.0, 0.5], (n, n_points)).astype(np.float32)
    weights[0, 0] = 1
    return weights


def check_gradient(function: Callable[[Any], float], at: Any, gradient: Any, seed: int) -> None:
    """Compare with central differences in float64 at up to 15 places and along one direction."""
    assert gradient.dtype == np.float32
    assert gradient.shape == at.shape
    rng = np.random.default_rng(seed)
    at, step = at.astype(np.float64), 1e-5
    directions = [rng.standard_normal(at.shape)]
    for flat in rng.permutation(at.size)[:15]:
        unit = np.zeros(at.size)
        unit[flat] = 1
        directions.append(unit.reshape(at.shape))
    scale = np.abs(gradient).max()
    for direction in directions:
        slope = (function(at + step * direction) - function(at - step * direction)) / (2 * step)
        found = float((gradient * direction).sum())
        assert abs(found - slope) < 1e-6 + 2e-5 * scale * np.sqrt((direction**2).sum())


@settings(max_examples=40)
@given(
    st.sampled_from(list(losses.COORDINATE_LOSSES)),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(0, 99),
)
def test_coordinate_losses(name: str, n: int, n_points: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.uniform(0, 64, (n, n_points, 2)).astype(np.float32)
    distance = rng.uniform(0.1, 30, target.shape) ** rng.choice([0.3, 1.0], target.shape)
    away = rng.choice([-1, 1], target.shape)
    predicted = (target + away * distance).astype(np.float32)
    weights = draw_weights(rng, n, n_points)
    value, gradient = losses.COORDINATE_LOSSES[name](predicted, target, weights)
    assert isinstance(value, float)
    assert value == pytest.approx(twin_coordinates(name, predicted, target, weights), rel=1e-5)

    def function(at: Any) -> float:
        return twin_coordinates(name, at, target, weights)

    check_gradient(function, predicted, gradient, seed)


def test_options_of_coordinate_losses() -> None:
    rng = np.random.default_rng(3)
    target = rng.uniform(0, 9, (2, 5, 2)).astype(np.float32)
    predicted = target + rng.standard_normal(target.shape).astype(np.float32) * 4
    weights = np.ones((2, 5), np.float32)
    cases: list[tuple[str, dict[str, float]]] = [
        ("smooth_l1", {"beta": 3.0}),
        ("wing", {"width": 3.0, "curvature": 0.5}),
    ]
    for name, options in cases:
        value, gradient = losses.COORDINATE_LOSSES[name](predicted, target, weights, **options)
        expected = twin_coordinates(name, predicted, target, weights, **options)
        assert value == pytest.approx(expected, rel=1e-5)

        def function(at: Any, name: str = name, options: Any = options) -> float:
            return twin_coordinates(name, at, target, weights, **options)

        check_gradient(function, predicted, gradient, 0)


@settings(max_examples=40)
@given(
    st.sampled_from(list(HEATMAP)),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 20),
    st.integers(0, 99),
)
def test_heatmap_losses(
    name: str, n: int, height: int, width: int, n_points: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = (3 * rng.standard_normal((n, height, width, n_points))).astype(np.float32)
    size = np.array([width - 1, height - 1])
    points = (rng.uniform(0, 1, (n, n_points, 2)) * size).astype(np.float32)
    weights = draw_weights(rng, n, n_points)
    option = rng.uniform(0.7, 2)
    value, gradient = HEATMAP[name](logits, points, weights, option)
    assert isinstance(value, float)
    expected = twin_heatmap(name, logits.astype(np.float64), points, weights, option)
    assert value == pytest.approx(expected, rel=2e-5, abs=1e-6)

    def function(at: Any) -> float:
        return twin_heatmap(name, at, points, weights, option)

    check_gradient(function, logits, gradient, seed)


@pytest.mark.parametrize("name", [*losses.COORDINATE_LOSSES, *HEATMAP])
def test_nothing_present(name: str) -> None:
    weights = np.zeros((2, 3), np.float32)
    points = np.ones((2, 3, 2), np.float32)
    with np.errstate(all="raise"):
        if name in losses.COORDINATE_LOSSES:
            value, gradient = losses.COORDINATE_LOSSES[name](2 * points, points, weights)
        else:
            value, gradient = HEATMAP[name](np.ones((2, 4, 5, 3), np.float32), points, weights, 1.0)
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("name", ["cross_entropy", "expectation"])
def test_large_logits_do_not_overflow(name: str) -> None:
    rng = np.random.default_rng(0)
    logits = (1e4 * rng.standard_normal((1, 6, 7, 5))).astype(np.float32)
    points, weights = np.full((1, 5, 2), 3.0, np.float32), np.ones((1, 5), np.float32)
    value, gradient = HEATMAP[name](logits, points, weights, 1.0)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_missing_points_have_no_gradient() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((2, 6, 7, 3)).astype(np.float32)
    points = rng.uniform(1, 5, (2, 3, 2)).astype(np.float32)
    weights = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
    for function in HEATMAP.values():
        _, gradient = function(logits, points, weights, 1.0)
        absent = np.moveaxis(gradient, 3, 1)[weights == 0]
        assert not absent.any()
        assert np.moveaxis(gradient, 3, 1)[weights == 1].any(axis=(1, 2)).all()


def test_points_far_outside_of_the_map_do_no_harm() -> None:
    logits = np.random.default_rng(0).standard_normal((1, 6, 7, 2)).astype(np.float32)
    points = np.array([[[3, 3], [-1e5, 1e5]]], np.float32)
    weights = np.array([[1, 0]], np.float32)
    for function in HEATMAP.values():
        value, gradient = function(logits, points, weights, 1.0)
        expected, _ = function(logits[..., :1], points[:, :1], weights[:, :1], 1.0)
        assert value == pytest.approx(expected, rel=1e-6)
        assert np.isfinite(gradient).all()


def test_cross_entropy_is_least_at_the_target() -> None:
    y, x = np.mgrid[:9, :9]
    logits = -((x - 4.3) ** 2 + (y - 3.8) ** 2) / (2 * 1.5**2)
    points = np.array([[[4.3, 3.8]]], np.float32)
    weights = np.ones((1, 1), np.float32)
    _, gradient = losses.heatmap_cross_entropy(
        logits[None, :, :, None].astype(np.float32), points, weights, 1.5
    )
    assert np.abs(gradient).max() < 1e-6
