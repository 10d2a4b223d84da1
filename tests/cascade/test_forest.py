"""The cascade that predicts: a hand-made one moves as it should, a damaged one is refused."""

import dataclasses

import numpy as np
import pytest

from classicface.cascade.forest import Cascade
from classicface.exceptions import ModelFormatError

MEAN = np.array([[-0.5, -0.5], [0.5, -0.5], [0.0, 0.5]], np.float32)


@pytest.fixture
def one_tree():
    """Return one stump that compares the pixels at landmarks 0 and 1 and moves all points.

    To the right by 0.1 sides where the first is brighter, else to the left by 0.2 sides.
    """
    directions = np.tile(np.array([0.01, 0.0], np.float32), 3)[None, :, None]
    return Cascade(
        mean_shape=MEAN,
        anchors=np.array([[0, 1]], np.int16),
        offsets=np.zeros((1, 2, 2), np.float32),
        splits=np.array([[[1 << 10]]], np.int32),
        leaves=np.array([[[[-20], [10]]]], np.int8),
        directions=directions,
        reach=np.zeros(1, np.float32),
    )


def two_halves(left, right):
    image = np.full((100, 120), left, np.uint8)
    image[:, 60:] = right
    return image


BOX = (60.0, 50.0), 40.0
ALONE = np.array([[0, 0, 1]], np.float32)


def start(scale=40.0, place=(60.0, 50.0)):
    return (MEAN * scale + place)[None]


def test_the_stump_moves_all_points(one_tree):
    for image, step in [(two_halves(200, 100), 4), (two_halves(100, 200), -8)]:
        moved = one_tree.run(image, *BOX, ALONE)
        assert moved.dtype == np.float32
        np.testing.assert_allclose(moved - start(), np.tile([step, 0], (1, 3, 1)), atol=1e-4)


def test_the_step_turns_and_grows_with_the_shape(one_tree):
    """A stage before the stump turns the shape and makes it larger, whatever the pixels."""
    a, b = 1.5 * np.cos(np.pi / 6), 1.5 * np.sin(np.pi / 6)
    centered = MEAN - MEAN.mean(axis=0)
    turned = centered @ np.array([[a, b], [-b, a]])
    turn = (turned - centered).reshape(1, 6, 1) / 100
    tensors = {
        name: np.repeat(array, 2, axis=0) if name not in ("mean_shape", "reach") else array
        for name, array in one_tree.tensors().items()
    }
    tensors["directions"] = np.concatenate([turn, one_tree.directions]).astype(np.float32)
    tensors["leaves"][0] = 100
    moved = Cascade.from_tensors(tensors, 3).run(two_halves(200, 100), (60.0, 50.0), 30.0, ALONE)
    expected = 30 * (turned + MEAN.mean(axis=0) + 0.1 * np.array([a, b])) + (60, 50)
    np.testing.assert_allclose(moved[0], expected, atol=1e-4)


def test_refining_the_mean_shape_is_running(one_tree, fitted, few):
    """Given shapes are left as they were."""
    for cascade, image in [(one_tree, two_halves(200, 100)), (fitted.cascade_, few.images[0])]:
        shapes = np.stack([cascade.mean_shape * 40 + np.float32([60, 50])] * 2)
        before = shapes.copy()
        found = cascade.refine(image, shapes)
        np.testing.assert_allclose(found[1], cascade.run(image, *BOX, ALONE)[0], atol=1e-3)
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(shapes, before)


def test_the_starts_do_not_meddle(one_tree, fitted, few):
    spread = np.array([[0, 0, 1], [0.1, -0.2, 0.5], [-1.25, 0, 1.0]], np.float32)
    for cascade, image in [(one_tree, two_halves(200, 100)), (fitted.cascade_, few.images[0])]:
        together = cascade.run(image, *BOX, spread)
        alone = [cascade.run(image, *BOX, spread[i : i + 1]) for i in range(3)]
        np.testing.assert_array_equal(together, np.concatenate(alone))


def test_the_starts_lie_around_the_box(one_tree):
    """On an even picture the stump moves to the left by 0.2 sides of the start."""
    spread = np.array([[0, 0, 1], [0.1, -0.2, 0.5]], np.float32)
    found = one_tree.run(np.zeros((9, 9), np.uint8), *BOX, spread)
    for shape, (dx, dy, factor) in zip(found, spread, strict=True):
        side = 40 * factor
        expected = start(side, (60 + 40 * dx - 0.2 * side, 50 + 40 * dy))[0]
        np.testing.assert_allclose(shape, expected, atol=1e-4)


def test_counts(one_tree, fitted):
    assert (one_tree.depth, one_tree.n_stages) == (1, 1)
    assert (fitted.cascade_.depth, fitted.cascade_.n_stages) == (3, 3)


def test_a_cascade_cannot_be_changed(one_tree):
    with pytest.raises(dataclasses.FrozenInstanceError):
        one_tree.leaves = one_tree.leaves


def test_tensors_and_back(fitted, few):
    cascade = fitted.cascade_
    again = Cascade.from_tensors(cascade.tensors(), 68)
    for name, array in cascade.tensors().items():
        np.testing.assert_array_equal(again.tensors()[name], array)
    arguments = (few.images[0], (80.0, 80.0), 70.0, ALONE)
    np.testing.assert_array_equal(again.run(*arguments), cascade.run(*arguments))


def test_the_shift_of_a_picture_shifts_the_result(fitted, few):
    """Whole pixels around, with the border's value, change nothing but the place."""
    patch = few.images[0]
    moved = np.pad(patch, ((7, 0), (11, 0)), mode="edge")
    first = fitted.cascade_.run(patch, (80.0, 81.0), 75.0, ALONE)
    second = fitted.cascade_.run(moved, (91.0, 88.0), 75.0, ALONE)
    # A pixel or two at the edge between two others may round the other way.
    np.testing.assert_allclose(second - [11, 7], first, atol=0.5)


def damaged(tensors, name, change):
    array = tensors[name].copy()
    return {**tensors, name: change(array)}


def put(value, place=(0,)):
    def change(array):
        array[(*place, *[0] * (array.ndim - len(place)))] = value
        return array

    return change


FLOATS = ["mean_shape", "offsets", "directions", "reach"]
ALL = [*FLOATS, "anchors", "splits", "leaves"]
LAST = (-1, -1, -1)
N_AXES = {"mean_shape": 2, "anchors": 2, "reach": 1}
DAMAGE = [
    *[(name, f"cut {axis}", lambda x, k=axis: x.take(range(x.shape[k] - 1), k))
      for name in ALL for axis in range(N_AXES.get(name, 3))
      if (name, axis) != ("leaves", 2)],
    *[(name, "flat", np.ravel) for name in ALL if name != "reach"],
    *[(name, "one more axis", lambda x: x[None]) for name in ALL],
    *[(name, "empty", lambda x: x[:0]) for name in ALL],
    *[(name, "none inside", lambda x: x[..., :0]) for name in ALL],
    *[(name, "float64", lambda x: x.astype(np.float64)) for name in ALL],
    *[(name, "uint8", lambda x: x.astype(np.uint8)) for name in ALL],
    *[(name, "swapped bytes", lambda x: x.astype(x.dtype.newbyteorder())) for name in FLOATS],
    *[(name, str(value), put(value)) for name in FLOATS for value in (np.nan, np.inf, -3e38)],
    *[("anchors", str(value), put(value)) for value in (-1, -32768, 68, 32767)],
    *[("splits", f"pixel {'ab'[b]} {v}, threshold {t}", put((t << 20) + (v << 10 * b), LAST))
      for v in (40, 41, 1023) for b in (0, 1) for t in (-2048, -1, 0, 2047)],
    *[("splits", str(value), put(value)) for value in (-1, 40, 2**31 - 1)],
    *[("reach", str(value), put(value)) for value in (-1e-6, -0.25, -1e9, 1.1e10, 3e38)],
    ("reach", "two", lambda x: x.repeat(2)),
]  # fmt: skip


@pytest.mark.parametrize("threshold", [-2048, -256, -1, 0, 255, 2047])
def test_any_threshold_is_legal(fitted, few, threshold):
    """The threshold is signed; one beyond all differences sends everything to one side."""
    last = 39 + (39 << 10)  # of 40 pixels
    tensors = fitted.cascade_.tensors()
    splits = np.full_like(tensors["splits"], (threshold << 20) + last)
    leaves = np.zeros_like(tensors["leaves"])
    leaves[:, :, 0 if threshold >= 0 else -1] = 1  # the leaf of a difference of 0
    cascade = Cascade.from_tensors({**tensors, "splits": splits, "leaves": leaves}, 68)
    even = Cascade.from_tensors({**tensors, "leaves": np.ones_like(leaves)}, 68)
    arguments = (few.images[0], (80.0, 80.0), 70.0, ALONE)
    np.testing.assert_array_equal(cascade.run(*arguments), even.run(*arguments))


def test_the_reach_smooths(one_tree):
    """A dark spot on the bright side hides it, until the pixel sees what lies around the spot."""
    image = two_halves(200, 100)
    image[28:33, 38:43] = 0  # landmark 0 starts at (40, 30)
    for reach, step in [(0.0, -8), (0.04, -8), (0.1, 4)]:  # 0, 1.6, and 4 pixels
        cascade = dataclasses.replace(one_tree, reach=np.array([reach], np.float32))
        moved = cascade.run(image, *BOX, ALONE)
        np.testing.assert_allclose(moved - start(), np.tile([step, 0], (1, 3, 1)), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "what", "change"), DAMAGE, ids=[f"{name}-{what}" for name, what, _ in DAMAGE]
)
def test_damaged_arrays_are_refused(fitted, name, what, change):
    with pytest.raises(ModelFormatError, match="damaged cascade"):
        Cascade.from_tensors(damaged(fitted.cascade_.tensors(), name, change), 68)


def test_depths_that_are_none_are_refused(fitted):
    """Depth 0 has no split; six leaves are no power of two."""
    tensors = fitted.cascade_.tensors()
    for n_leaves in (1, 6):
        few_leaves = {
            "splits": tensors["splits"][:, :, : n_leaves - 1],
            "leaves": tensors["leaves"][:, :, :n_leaves],
        }
        with pytest.raises(ModelFormatError, match="damaged cascade"):
            Cascade.from_tensors({**tensors, **few_leaves}, 68)


def test_a_cascade_of_other_landmarks_is_refused(fitted):
    for n_landmarks in (67, 69, 5):
        with pytest.raises(ModelFormatError, match="mean_shape has shape"):
            Cascade.from_tensors(fitted.cascade_.tensors(), n_landmarks)


@pytest.mark.parametrize("name", ALL)
def test_a_missing_array_is_named(fitted, name):
    tensors = {key: array for key, array in fitted.cascade_.tensors().items() if key != name}
    with pytest.raises(ModelFormatError, match=f"{name} is missing"):
        Cascade.from_tensors(tensors, 68)


def test_absurd_values_that_pass_cannot_read_beyond_the_patch(fitted, few):
    """Steps that overflow give NaN, never a crash."""
    tensors = fitted.cascade_.tensors()
    wild = Cascade.from_tensors(
        {
            **tensors,
            "directions": np.full_like(tensors["directions"], 9e9),
            "offsets": np.full_like(tensors["offsets"], -9e9),
            "leaves": np.full_like(tensors["leaves"], -128),
            "reach": np.array([9e9], np.float32),
        },
        68,
    )
    stages = {name: np.repeat(array, 5, axis=0) for name, array in wild.tensors().items()}
    whole = {"mean_shape": wild.mean_shape, "reach": wild.reach}
    deep = Cascade.from_tensors({**stages, **whole}, 68)
    with np.errstate(all="ignore"):
        result = deep.run(np.zeros((1, 1), np.uint8), (80.0, 80.0), 70.0, ALONE.repeat(2, axis=0))
    assert result.shape == (2, 68, 2)
