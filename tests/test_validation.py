"""What the public door lets in, what it turns away, and in whose words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classicface.exceptions import ClassicFaceError, InvalidInputError
from classicface.validation import (
    MAX_PIXELS,
    check_boxes,
    check_choice,
    check_count_or_share,
    check_image,
    check_integer,
    check_landmarks,
    check_number,
    check_random_state,
)

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)

kinds = st.sampled_from(["u1", "u2", "i4", "i8", "f2", "f4", "f8", "c8", "O", "U2", "?", "M8[s]"])
any_array = kinds.flatmap(
    lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
)
nonsense = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "image",
    [
        RAMP,
        RAMP[:, :, None],
        RAMP.astype(np.uint16) * 257,
        (RAMP.astype(np.uint16) * 257).astype(">u2"),
        RAMP / 255,
        (RAMP / 255).astype(np.float32),
        (RAMP / 255).astype(">f4"),
        np.dstack([RAMP] * 3),
        np.dstack([RAMP] * 3) / 255,
        np.dstack([*[RAMP] * 3, np.zeros_like(RAMP)]),
        np.dstack([*[RAMP] * 3, np.full_like(RAMP, 9)]).astype(np.uint16) * 257,
        np.asfortranarray(RAMP),
        np.repeat(RAMP, 2, axis=1)[:, ::2],
        RAMP[::-1][::-1],
    ],
)
def test_every_kind_of_picture_becomes_the_same_grey(image):
    before = image.copy()
    grey = check_image(image)
    assert grey.dtype == np.uint8
    assert grey.flags.c_contiguous
    assert np.array_equal(grey, RAMP)
    assert np.array_equal(image, before)


def test_half_floats_are_right_to_one_grey_level():
    grey = check_image((RAMP / 255).astype(np.float16)).astype(int)
    assert np.abs(grey - RAMP).max() <= 1


def test_a_grey_picture_is_not_copied():
    assert check_image(RAMP) is RAMP


def test_bool_is_black_and_white():
    assert check_image(np.eye(2, dtype=bool)).tolist() == [[255, 0], [0, 255]]


def test_uint16_rounds_to_the_nearest():
    levels = np.arange(65536, dtype=np.uint16)[None]
    assert np.array_equal(check_image(levels)[0], np.round(levels[0] / 257).astype(np.uint8))


def test_colour_is_weighed_as_in_rec601():
    colours = np.eye(3, dtype=np.uint8)[None] * 255
    assert check_image(colours)[0].tolist() == [76, 150, 29]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((0, 5), np.uint8), "empty"),
        (np.zeros((5, 0, 3), np.uint8), "empty"),
        (np.zeros(5, np.uint8), r"shape \(5,\)"),
        (np.zeros((5, 5, 2), np.uint8), r"\(5, 5, 2\)"),
        (np.zeros((1, 5, 5, 3), np.uint8), "shape"),
        (np.full((2, 2), 255.0), "divide a 0 to 255 image by 255"),
        (np.full((2, 2), -0.1), "from -0.1"),
        (np.full((2, 2), np.nan), "nan"),
        (np.full((2, 2), np.inf), "inf"),
        (np.zeros((2, 2), np.int64), "int64"),
        (np.zeros((2, 2), complex), "complex"),
        (np.zeros((2, 2), object), "object"),
        ([[1, 2], [3]], "regular"),
        (None, "shape"),
        ("face.jpg", "shape"),
    ],
)
def test_what_is_no_picture(image, words):
    with pytest.raises(InvalidInputError, match=words):
        check_image(image)


def test_a_huge_picture_is_refused_before_it_is_touched():
    side = int(MAX_PIXELS**0.5) + 1
    huge = np.broadcast_to(np.float64(0), (side, side, 3))  # one number in memory
    with pytest.raises(InvalidInputError, match="megapixels"):
        check_image(huge)


@given(st.one_of(any_array, nonsense))
def test_an_image_is_grey_or_our_error(image):
    try:
        grey = check_image(image)
    except ClassicFaceError:
        return
    assert grey.dtype == np.uint8
    assert grey.ndim == 2
    assert grey.size > 0


def test_boxes_of_one_face_or_many():
    assert check_boxes([1, 2, 3, 4]).tolist() == [[1, 2, 3, 4]]
    assert check_boxes([[1, 2, 3, 4]] * 3).shape == (3, 4)
    for nothing in ([], np.zeros((0, 4)), np.zeros((0, 4), int)):
        assert check_boxes(nothing).shape == (0, 4)
    assert check_boxes([-5, -5, 1e6, 1e6]).dtype == np.float32


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ([1, 2, 1, 4], "box 1 is"),
        ([1, 2, 3, 2], "box 1 is"),
        ([3, 2, 1, 4], "box 1 is"),
        ([1, 2, np.nan, 4], "nan"),
        ([1, 2, np.inf, 4], "inf"),
        ([1, 2, 1e300, 4], "inf"),
        ([-2e6, 2, 3, 4], "box 1 is"),
        ([1, 2, 1 + 1e-9, 4], "box 1 is"),
        ([10**400, 2, 3, 4], "regular array"),
        ([1j, 2, 3, 4], "regular array"),
        ([None, 2, 3, 4], "nan"),
        (["a", 2, 3, 4], "regular array"),
    ],
)
def test_wrong_boxes_are_named(box, words):
    with pytest.raises(InvalidInputError, match=words):
        check_boxes([[0, 0, 9, 9], box])


@pytest.mark.parametrize("boxes", [5, [1, 2, 3], [[1, 2, 3, 4, 5]], np.zeros((1, 1, 4)), None])
def test_boxes_of_another_shape(boxes):
    with pytest.raises(InvalidInputError, match="shape"):
        check_boxes(boxes)


def test_complex_boxes_are_refused_without_a_warning():
    with pytest.raises(InvalidInputError, match="complex"):
        check_boxes(np.array([[0, 0, 9 + 1j, 9]]))


@pytest.mark.parametrize(
    "box", [[-9, 2, 0, 4], [20, 2, 30, 4], [2, -9, 4, 0], [2, 10, 4, 30], [-9, -9, -1, -1]]
)
def test_boxes_outside_the_picture(box):
    assert len(check_boxes(box)) == 1
    with pytest.raises(InvalidInputError, match=r"box 1 .* wholly outside the 20 x 10 picture"):
        check_boxes([[0, 0, 5, 5], box], (10, 20))


def test_boxes_partly_outside_the_picture():
    boxes = [[-9, -9, 1, 1], [19, 9, 99, 99], [-9, -9, 99, 99]]
    assert check_boxes(boxes, (10, 20)).tolist() == boxes


@given(st.one_of(any_array, nonsense))
def test_boxes_are_sound_or_our_error(boxes):
    try:
        checked = check_boxes(boxes)
    except ClassicFaceError:
        return
    assert checked.shape == (len(checked), 4)
    assert np.isfinite(checked).all()
    assert np.all(checked[:, 2:] > checked[:, :2])


@given(st.one_of(any_array, nonsense))
def test_landmarks_are_sound_or_our_error(landmarks):
    try:
        checked = check_landmarks(landmarks)
    except ClassicFaceError:
        return
    assert checked.dtype == np.float32
    assert checked.ndim in (2, 3)
    assert checked.shape[-1] == 2
    assert not np.isinf(checked).any()


def test_missing_landmarks():
    points = np.array([[1, 2], [np.nan, np.nan]])
    assert np.isnan(check_landmarks(points)).sum() == 2
    with pytest.raises(InvalidInputError, match="missing points"):
        check_landmarks(points, allow_missing=False)
    points[1, 0] = 3
    with pytest.raises(InvalidInputError, match="one coordinate NaN"):
        check_landmarks(points)


@pytest.mark.parametrize(
    ("landmarks", "words"),
    [
        (np.zeros((0, 2)), "shape"),
        (np.zeros((5, 3)), "shape"),
        (np.zeros((1, 1, 5, 2)), "shape"),
        (np.zeros((5, 2)), "5 landmarks a face; expected 7"),
        (np.full((7, 2), np.inf), "beyond"),
        (np.full((7, 2), -2e6), "beyond"),
        ([[10**400, 2]] * 7, "regular"),
    ],
)
def test_wrong_landmarks(landmarks, words):
    with pytest.raises(InvalidInputError, match=words):
        check_landmarks(landmarks, 7)


def test_random_states():
    first, second = check_random_state(3), check_random_state(np.int64(3))
    assert first.integers(1 << 60) == second.integers(1 << 60)
    generator = np.random.default_rng(0)
    assert check_random_state(generator) is generator
    assert isinstance(check_random_state(None), np.random.Generator)
    for wrong in (-1, 1.0, "1", True, np.random.RandomState(0)):
        with pytest.raises(InvalidInputError, match="random_state"):
            check_random_state(wrong)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, np.float32(1), 0, 10, -1, 10**30])
def test_integers_out_of_range(value):
    with pytest.raises(InvalidInputError, match=r"depth is .* from 1 to 9"):
        check_integer(value, "depth", 1, 9)


def test_integers_in_range():
    assert [check_integer(v, "depth", 1, 9) for v in (1, 9, np.int8(5))] == [1, 9, 5]
    assert type(check_integer(np.int8(5), "depth", 1)) is int


@pytest.mark.parametrize("value", [True, "1", None, np.nan, np.inf, -np.inf, -0.1, 1.1, 10**400])
def test_numbers_out_of_range(value):
    with pytest.raises(InvalidInputError, match=r"shrinkage is .* from 0 to 1"):
        check_number(value, "shrinkage", 0, 1)
    if value != 1.1:
        with pytest.raises(InvalidInputError, match="at least 0"):
            check_number(value, "shrinkage", 0)


def test_numbers_in_range():
    values = [check_number(v, "shrinkage", 0, 1) for v in (0, 1, 0.5, np.float32(0.25))]
    assert values == [0.0, 1.0, 0.5, 0.25]
    assert {type(v) for v in values} == {float}


def test_a_choice_is_one_of_some_names() -> None:
    check_choice("hog", "features", ["hog", "igo"])
    for value in ("sift", None, [], 3):
        with pytest.raises(InvalidInputError, match=r"features is .*; there are hog, igo"):
            check_choice(value, "features", ["hog", "igo"])


def test_components_are_counted_or_a_share() -> None:
    for good in (0, 7, 1e-3, 0.5, 1.0):
        check_count_or_share(good, "n_shape", 7)
    for bad in (-1, 8, 0.0, 1.5, float("nan"), "7", None, True):
        with pytest.raises(InvalidInputError, match="n_shape"):
            check_count_or_share(bad, "n_shape", 7)
