"""Batch normalisation beside a large mean and after training; dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicface.cnn.graph import INPUT, Node
from classicface.cnn.layers import LAYERS, batch_norm_statistics


def node_of(op: str, **options: Any) -> Node:
    return Node("layer", op, (INPUT,), **options)


def test_statistics_are_accurate_beside_a_large_mean() -> None:
    rng = np.random.default_rng(0)
    x = (1000 + rng.standard_normal((16, 32, 32, 3)) * [1, 0.1, 10]).astype(np.float32)
    params = {"scale": np.ones(3, np.float32), "shift": np.zeros(3, np.float32)}
    y, cache = LAYERS["batch_norm"].forward((x,), params, node_of("batch_norm"), True, None)
    mean, variance = batch_norm_statistics(cache)
    exact = x.astype(np.float64).reshape(-1, 3)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(variance, exact.var(axis=0, ddof=1), rtol=2e-6)
    assert np.abs(y.std(axis=(0, 1, 2)) - 1).max() < 1e-2


def test_batch_norm_of_a_trained_network_uses_its_statistics() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    params = {
        name: rng.uniform(0.5, 2, 5).astype(np.float32)
        for name in ("scale", "shift", "mean", "variance")
    }
    layer = LAYERS["batch_norm"]
    y, cache = layer.forward((x,), params, node_of("batch_norm"), False, None)
    root = np.sqrt(params["variance"] + 1e-5)
    expected = (x - params["mean"]) / root * params["scale"] + params["shift"]
    np.testing.assert_allclose(y, expected, atol=1e-5)
    dy = rng.standard_normal(x.shape).astype(np.float32)
    (dx,), grads = layer.backward(dy, cache)
    np.testing.assert_allclose(dx, dy * params["scale"] / root, atol=1e-5)
    normal = (x - params["mean"]) / root
    np.testing.assert_allclose(grads["scale"], (dy * normal).sum(axis=(0, 1, 2)), atol=1e-4)


def test_dropout() -> None:
    x = np.ones((50, 4, 4, 10), np.float32)
    layer, node = LAYERS["dropout"], node_of("dropout", rate=0.3)
    y, cache = layer.forward((x,), {}, node, True, np.random.default_rng(1))
    again, _ = layer.forward((x,), {}, node, True, np.random.default_rng(1))
    np.testing.assert_array_equal(y, again)
    assert np.isin(y, np.array([0, 1 / 0.7], np.float32)).all()
    assert abs((y == 0).mean() - 0.3) < 0.02
    (dx,), _ = layer.backward(2 * x, cache)
    np.testing.assert_array_equal(dx, 2 * y)
    assert layer.forward((x,), {}, node, False, None)[0] is x
