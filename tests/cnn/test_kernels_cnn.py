"""What the kernels promise besides the layers: threads, fixed bits, and the exponential."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from classicface.cnn import _loss_kernels
from classicface.cnn.graph import INPUT, Node
from classicface.cnn.layers import LAYERS


@njit
def exponentials(values: Any, out: Any) -> None:
    for i in range(values.size):
        out[i] = _loss_kernels._exp(values[i])


def test_exponential_is_exact_to_the_last_bits() -> None:
    values = np.linspace(-86.9, 0, 200_001).astype(np.float32)
    out = np.empty_like(values)
    exponentials(values, out)
    exact = np.exp(values.astype(np.float64))
    assert np.abs(out / exact - 1).max() < 2.5e-7
    assert out[-1] == 1
    low = np.array([-88, -1e4, -np.inf], np.float32)
    exponentials(low, out)
    assert (out[:3] >= 0).all()
    assert (out[:3] < 1e-37).all()


def test_layers_give_the_same_bits_side_by_side() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 24, 24, 16)).astype(np.float32)
    nodes = {
        "conv": {"weight": rng.standard_normal((3, 3, 16, 8)).astype(np.float32)},
        "depthwise": {"weight": rng.standard_normal((3, 3, 16)).astype(np.float32)},
        "batch_norm": {name: np.ones(16, np.float32) for name in ("scale", "shift")},
        "upsample": {},
        "max_pool": {},
    }

    def run(op: str) -> list[Any]:
        size = 3 if op in ("conv", "depthwise") else 2
        stride = 2 if op in ("upsample", "max_pool") else 1
        node = Node("layer", op, (INPUT,), 8, kernel=size, stride=stride)
        y, cache = LAYERS[op].forward((x,), nodes[op], node, True, None)
        dxs, grads = LAYERS[op].backward(y, cache)
        return [y, *dxs, *grads.values()]

    expected = {op: run(op) for op in nodes}
    with ThreadPoolExecutor(4) as pool:
        for op, found in zip(list(nodes) * 5, pool.map(run, list(nodes) * 5), strict=True):
            for one, other in zip(expected[op], found, strict=True):
                np.testing.assert_array_equal(one, other)
