"""Decoding heatmaps, against a plain twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.cnn._decoding import exponential_sums, find_peaks
from classicface.cnn.heatmap import decode_heatmaps


def twin(logits: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Decode one map at a time, in the plainest way."""
    n, height, width, n_maps = logits.shape
    points = np.empty((n, n_maps, 2))
    confidence = np.empty((n, n_maps))
    for i in range(n):
        for k in range(n_maps):
            values = logits[i, :, :, k].astype(np.float64)
            mass = np.exp(values - values.max())
            row, column = divmod(int(values.argmax()), width)
            ys, xs = np.mgrid[:height, :width]
            inside = (abs(ys - row) <= radius) & (abs(xs - column) <= radius)
            window = mass * inside
            points[i, k] = (window * xs).sum() / window.sum(), (window * ys).sum() / window.sum()
            confidence[i, k] = window.sum() / mass.sum()
    return points, confidence


@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    n_maps=st.sampled_from([1, 3, 17, 68]),
    radius=st.integers(0, 4),
    spread=st.sampled_from([0.0, 0.1, 3.0, 50.0, 1000.0]),
)
def test_decoding_equals_its_twin(
    seed: int, height: int, width: int, n_maps: int, radius: int, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = (spread * rng.standard_normal((2, height, width, n_maps))).astype(np.float32)
    points, confidence = decode_heatmaps(logits, radius)
    wanted, sure = twin(logits, radius)
    assert points == pytest.approx(wanted, abs=1e-4)
    assert confidence == pytest.approx(sure, abs=1e-5)
    assert (confidence <= 1).all()
    assert (confidence > 0).all()


def test_the_exponential_is_exact_to_three_millionths() -> None:
    logits = -np.linspace(0, 79, 20_000, dtype=np.float32).reshape(100, 200, 1)
    top, total = np.zeros(1, np.float32), np.zeros(1, np.float32)
    exponents = np.zeros(1, np.int32)
    for pixel in logits.reshape(-1, 1, 1, 1)[::50]:
        exponential_sums(pixel, top, exponents, exponents.view(np.float32), total)
        assert total[0] == pytest.approx(np.exp(pixel[0, 0, 0].astype(np.float64)), rel=4e-6)


def test_a_gaussian_is_found_to_a_hundredth_of_a_pixel() -> None:
    rng = np.random.default_rng(0)
    centers = rng.uniform(4, 11, (68, 2)).astype(np.float32)
    ys, xs = np.mgrid[:16, :16].astype(np.float32)
    squares = (xs[..., None] - centers[:, 0]) ** 2 + (ys[..., None] - centers[:, 1]) ** 2
    logits = (-squares / 2)[None]
    points, confidence = decode_heatmaps(logits, 4)
    assert np.abs(points[0] - centers).max() < 0.01
    assert confidence.min() > 0.99


def test_a_second_peak_does_not_pull_but_lowers_the_confidence() -> None:
    logits = np.full((1, 20, 20, 1), -30, np.float32)
    logits[0, 5, 5] = 0
    alone = decode_heatmaps(logits, 2)
    logits[0, 15, 15] = -1
    points, confidence = decode_heatmaps(logits, 2)
    assert np.array_equal(points, alone[0])
    assert confidence[0, 0] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-4)


def test_the_first_of_equal_peaks_counts() -> None:
    logits = np.zeros((3, 4, 2), np.float32)
    top, row, column = np.empty(2, np.float32), np.empty(2, np.int32), np.empty(2, np.int32)
    logits[1, 2, 1] = logits[2, 0, 1] = 5
    find_peaks(logits, top, row, column)
    assert (top.tolist(), row.tolist(), column.tolist()) == ([0, 5], [0, 1], [0, 2])
