from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from classicface.apps.makeup import _kernels as kernels
from classicface.apps.makeup._canvas import open_curve


def _colors(seed: int, shape: tuple[int, int] = (9, 11)) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def _to_lab(picture: Any) -> Any:
    out = np.empty(picture.shape, np.float32)
    kernels.rgb_to_lab(picture, out)
    return out


def _to_rgb(lab: Any) -> Any:
    out = np.empty(lab.shape, np.uint8)
    for place in np.ndindex(lab.shape[:2]):
        kernels._store(*np.asarray(lab[place], np.float32), out[place])
    return out


def test_lab_is_that_of_another_library() -> None:
    picture = _colors(0, (64, 64))
    np.testing.assert_allclose(_to_lab(picture), rgb2lab(picture), atol=0.02)


def test_every_grey_and_many_colours_come_back() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(_to_rgb(_to_lab(greys)), greys)
    picture = _colors(1, (70, 70))
    difference = _to_rgb(_to_lab(picture)).astype(int) - picture
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 0.01


def test_colours_beyond_the_screen_are_cut() -> None:
    wild = np.array([[[50, 200, 0], [120, 0, 0], [-20, 0, 0], [50, -200, 200]]], np.float32)
    assert _to_rgb(wild).shape == (1, 4, 3)
    assert _to_rgb(wild)[0, 1].tolist() == [255, 255, 255]
    assert _to_rgb(wild)[0, 2].tolist() == [0, 0, 0]


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_lab_to_rgb_is_that_of_another_library() -> None:
    lab = _to_lab(_colors(2, (40, 40)))
    expected = np.round(255 * lab2rgb(lab)).astype(int)
    assert np.abs(_to_rgb(lab) - expected).max() <= 1


def distance_twin(curve: Any, widths: Any, left: int, top: int, reach: float, out: Any) -> None:
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            place = np.array([x + left, y + top], np.float64)
            best = reach
            for i in range(len(curve) - 1):
                step = curve[i + 1] - curve[i]
                square = float(step @ step)
                t = np.clip((place - curve[i]) @ step / square, 0, 1) if square > 1e-12 else 0.0
                half = widths[i] + t * (widths[i + 1] - widths[i])
                best = min(best, float(np.linalg.norm(place - curve[i] - t * step)) - half)
            out[y, x] = best


@given(st.integers(0, 10_000), st.integers(2, 7), st.floats(1.0, 30.0))
def test_distance_to_curve(seed: int, n: int, reach: float) -> None:
    rng = np.random.default_rng(seed)
    curve = rng.uniform(-5, 15, (n, 2)).astype(np.float32)
    widths = rng.uniform(0, 1, n).astype(np.float32)
    if seed % 3 == 0:
        curve[1] = curve[0]
    found, expected = np.empty((8, 9), np.float32), np.empty((8, 9), np.float32)
    kernels.distance_to_curve(
        curve, widths, np.float32(2), np.float32(-1), np.float32(reach), found
    )
    distance_twin(curve.astype(float), widths, 2, -1, reach, expected)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@given(st.integers(0, 10_000), st.integers(3, 9))
def test_flip_outside_is_the_even_odd_rule(seed: int, n: int) -> None:
    from matplotlib.path import Path

    rng = np.random.default_rng(seed)
    loop = rng.uniform(-3, 14, (n, 2)).astype(np.float32)
    found = np.ones((9, 11), np.float32)
    kernels.flip_outside(loop, np.float32(1), np.float32(-2), found)
    y, x = np.mgrid[-2:7, 1:12]
    inside = np.zeros(x.shape, bool)
    for i in range(n):
        (ax, ay), (bx, by) = loop[i], loop[(i + 1) % n]
        crosses = (ay > y) != (by > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (x >= ax + (y - ay) / (by - ay) * (bx - ax))
    np.testing.assert_array_equal(found > 0, inside)
    if n == 3:  # a triangle has one inside, whatever the rule
        path = Path(loop.astype(float))
        strict = path.contains_points(np.column_stack([x.ravel(), y.ravel()]), radius=-1e-3)
        loose = path.contains_points(np.column_stack([x.ravel(), y.ravel()]), radius=1e-3)
        sure = (strict == loose).reshape(x.shape)
        np.testing.assert_array_equal(inside[sure], strict.reshape(x.shape)[sure])


def test_spline_goes_through_its_points_and_keeps_a_line() -> None:
    points = np.array([[0, 0], [1, 3], [7, 4], [8, 0], [8, 0], [3, -5]], np.float32)
    curve = open_curve(points, steps=6)
    np.testing.assert_allclose(curve[::6], points, atol=1e-5)
    assert np.isfinite(curve).all()
    line = np.array([[0, 0], [1, 2], [5, 10], [6, 12]], np.float32)
    drawn = open_curve(line)
    np.testing.assert_allclose(drawn[:, 1], 2 * drawn[:, 0], atol=1e-4)
    np.testing.assert_allclose(open_curve(line[:2], 4), np.linspace(line[0], line[1], 5), atol=1e-6)


def test_spline_follows_a_circle() -> None:
    angles = np.linspace(0, np.pi, 8)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    radius = np.hypot(*open_curve(circle, 10).T)
    assert np.abs(radius - 1).max() < 0.02


def test_likeness() -> None:
    rng = np.random.default_rng(0)
    lab = rng.normal([60, 12, 14], 14, (12, 13, 3)).astype(np.float32)
    mean, reach = np.array([60, 12, 14], np.float32), np.array([20, 5, 6], np.float32)
    found = np.empty((12, 13), np.float32)
    kernels.likeness(lab, mean, reach, found)
    t = np.clip(2 - np.linalg.norm((lab - mean) / reach, axis=2), 0, 1)
    np.testing.assert_allclose(found, t * t * (3 - 2 * t), atol=1e-5)


def _between(values: Any, scale: float, left: float, top: float, shape: tuple[int, int]) -> Any:
    """Read (h, w, c) values under each pixel, linearly, the border repeated."""
    height, width = values.shape[:2]
    v = np.clip(scale * (np.arange(shape[0]) + 0.5) - 0.5 - top, 0, height - 1)
    u = np.clip(scale * (np.arange(shape[1]) + 0.5) - 0.5 - left, 0, width - 1)
    j, i = np.minimum(v.astype(int), height - 2), np.minimum(u.astype(int), width - 2)
    fy, fx = (v - j)[:, None, None], (u - i)[None, :, None]
    rows = values[j] * (1 - fy) + values[j + 1] * fy
    return rows[:, i] * (1 - fx) + rows[:, i + 1] * fx


def paint_twin(weights: Any, scale: float, left: float, top: float, ink: Any, picture: Any) -> Any:
    shape = picture.shape[:2]
    w = weights if scale == 1 else _between(weights[:, :, None], scale, left, top, shape)[:, :, 0]
    lab = _to_lab(picture).astype(float)
    more = lab[:, :, 0] - ink[2]
    target = np.clip(ink[3] + np.where(more > 0, ink[5], ink[4]) * more, 0, 100)
    light = np.clip((target + 16) / (ink[3] + 16), 0.2, 1.25)
    shine = np.clip((more - 12) / 24, 0, 1)
    pale = 1 - np.clip(1.6 * lab[:, :, 1] / max(ink[7], 1) - 0.5, 0, 1)
    light *= 1 - 0.8 * shine * pale
    aim = np.stack([target] + [ink[k] * light + ink[6] * (lab[:, :, k + 1] - ink[7 + k])
                               for k in (0, 1)], axis=2)  # fmt: skip
    changed = _to_rgb(lab + w[:, :, None] * (aim - lab))
    return np.where((w < 0.004)[:, :, None], picture, changed)


@given(st.integers(0, 10_000), st.sampled_from([1.0, 0.61, 0.25]))
def test_paint(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (7, 9) if scale == 1 else (5, 6)
    weights = np.clip(rng.uniform(-0.5, 1.2, shape), 0, 1).astype(np.float32)
    ink = np.array([40, 20, 50, 42, 0.8, 1.1, 0.3, rng.uniform(-2, 20), 9], np.float32)
    picture = _colors(seed, (7, 9))
    expected = paint_twin(weights, scale, 0.25, -0.5, ink.astype(float), picture)
    kernels.paint(weights, scale, 0.25, -0.5, ink, np.array([0, 0, 9, 7]), picture)
    assert np.abs(picture.astype(int) - expected).max() <= 1


def smooth_twin(field: Any, scale: float, left: float, top: float, picture: Any) -> Any:
    values = _between(field.astype(float), scale, left, top, picture.shape[:2])
    lab = _to_lab(picture).astype(float)
    change = values[:, :, :3] * lab + values[:, :, 3:6] - lab
    change[:, :, 0] *= 1 - 0.55 / (1 + (0.4 * change[:, :, 0]) ** 2)
    w = values[:, :, 6:]
    return np.where(w < 0.004, picture, _to_rgb(lab + w * change))


@given(st.integers(0, 10_000), st.sampled_from([1.0, 0.61, 0.25]))
def test_smooth(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    field = rng.uniform(0, 1, (5, 6, 7)).astype(np.float32)
    field[:, :, 3:6] *= 40
    field[:2, :, 6] = 0
    picture = _colors(seed, (7, 6))
    expected = smooth_twin(field, scale, -0.25, 0.5, picture)
    kernels.smooth(field, scale, -0.25, 0.5, np.array([0, 0, 6, 7]), picture)
    assert np.abs(picture.astype(int) - expected).max() <= 1


def test_only_the_area_is_painted() -> None:
    picture = _colors(0, (20, 30))
    before = picture.copy()
    ink = np.array([40, 20, 50, 42, 0.8, 1.1, 0.3, 9, 9], np.float32)
    alone = picture[5:9, 12:17].copy()
    weights = np.ones((4, 5), np.float32)
    kernels.paint(weights, 1.0, 0.0, 0.0, ink, np.array([12, 5, 5, 4]), picture)
    kernels.paint(weights, 1.0, 0.0, 0.0, ink, np.array([0, 0, 5, 4]), alone)
    np.testing.assert_array_equal(picture[5:9, 12:17], alone)
    picture[5:9, 12:17] = before[5:9, 12:17]
    np.testing.assert_array_equal(picture, before)
