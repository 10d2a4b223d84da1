"""Non-maximum suppression, resizing, and the user's own detectors."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.detect import CustomDetector, Detections, get_detector, non_maximum_suppression
from classicface.detect.base import resize, to_original
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import BoxMap

IMAGE = np.zeros((100, 200, 3), np.uint8)

sides = st.integers(1, 40)
corners = st.integers(-20, 60)
boxes_and_scores = st.lists(
    st.tuples(corners, corners, sides, sides, st.integers(0, 5)), max_size=12
)


def overlap(a, b):
    """Return the shared area over the smaller area of two boxes, in plain Python."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return max(width, 0) * max(height, 0) / min(areas)


@given(boxes_and_scores)
def test_suppression_against_a_plain_twin(rows):
    boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in rows]
    scores = [row[4] for row in rows]
    kept = []
    for i in sorted(range(len(rows)), key=lambda i: -scores[i]):
        if all(overlap(boxes[i], boxes[j]) <= 0.5 for j in kept):
            kept.append(i)
    assert non_maximum_suppression(boxes, scores).tolist() == kept


def test_suppression_drops_the_box_inside():
    kept = non_maximum_suppression(
        [[0, 0, 100, 100], [40, 60, 60, 80], [90, 0, 190, 100]], [3, 2, 1]
    )
    assert kept.tolist() == [0, 2]


def test_suppression_wants_one_score_a_box():
    with pytest.raises(InvalidInputError, match="1 boxes and scores"):
        non_maximum_suppression([[0, 0, 1, 1]], [1, 2])


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.01, 3))
def test_the_whole_resized_picture_is_the_whole_original(height, width, scale):
    small = resize(np.zeros((height, width), np.uint8), scale)
    assert min(small.shape) >= 1
    whole = to_original([[0, 0, small.shape[1], small.shape[0]]], small.shape, (height, width))
    np.testing.assert_allclose(whole, [[-0.5, -0.5, width - 0.5, height - 0.5]], atol=1e-4)


def test_a_point_keeps_its_place_when_resized():
    image = np.zeros((40, 60), np.uint8)
    image[20:24, 32:36] = 255  # centre (33.5, 21.5)
    small = resize(image, 0.5)
    y, x = np.argwhere(small == 255).mean(axis=0)
    box = to_original([[x, y, x + 1, y + 1]], small.shape, image.shape)[0]
    assert (box[:2] + box[2:]).tolist() == [67.0, 43.0]


@pytest.mark.parametrize(
    ("found", "n"),
    [
        (None, 0),
        ([], 0),
        (np.zeros((0, 5)), 0),
        ([[1, 2, 30, 40]], 1),
        (((1, 2, 30, 40), (60, 2, 90, 40)), 2),
        (np.array([[1, 2, 30, 40, 0.5], [60, 2, 90, 40, 0.9]]), 2),
    ],
)
def test_what_a_function_may_return(found, n):
    faces = get_detector(lambda image: found)(IMAGE)
    assert isinstance(faces, Detections)
    assert len(faces) == len(faces.scores) == n
    if n == 2 and np.shape(found)[1] == 5:
        assert faces.boxes[0, 0] > faces.boxes[1, 0]  # the higher score is first


@pytest.mark.parametrize(
    "found",
    [
        [1, 2, 3, 4],
        [[1, 2, 3]],
        [[5, 5, 1, 9]],
        [[0, 0, np.nan, 9]],
        [[0, 0, 9, 9, np.nan]],
        [[0, 0, 1e300, 9]],
        "face",
        [[0, 0, 9, 9], [1]],
        object(),
    ],
)
def test_what_a_function_may_not_return(found):
    def finder(image):
        return found

    with pytest.raises(InvalidInputError, match="finder"):
        get_detector(finder)(IMAGE)


def test_a_function_gets_the_picture_as_it_was_given():
    seen = []
    get_detector(seen.append)(IMAGE)
    assert seen[0] is IMAGE
    with pytest.raises(InvalidInputError):
        get_detector(seen.append)(np.zeros((0, 3)))
    assert len(seen) == 1


def test_the_box_map_is_applied():
    def finder(image):
        return [[10, 10, 50, 50]]

    shifted = get_detector(finder, BoxMap(0.5, 0.25, 0.5))(IMAGE)
    assert shifted.boxes.tolist() == [[40, 30, 60, 50]]
    again = get_detector(get_detector(finder), box_map=BoxMap(0.5, 0.25, 0.5))(IMAGE)
    assert again.boxes.tolist() == shifted.boxes.tolist()


def test_boxes_wholly_outside_the_picture_are_dropped():
    rows = [[-50, 0, -1, 50], [0, 100, 50, 150], [200, 0, 250, 50], [190, 90, 240, 140]]
    faces = get_detector(lambda image: rows)(IMAGE)
    assert faces.boxes.tolist() == [[190, 90, 240, 140]]


def test_a_detector_is_returned_as_it_is():
    detector = CustomDetector(lambda image: None)
    assert get_detector(detector) is detector
    with pytest.raises(dataclasses.FrozenInstanceError):
        detector.box_map = BoxMap()
