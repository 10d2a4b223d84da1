import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import (
    IDENTITY,
    BoxMap,
    box_centers_sides,
    iou,
    landmark_box,
    mean_start,
    square_boxes,
    sunflower,
)
from classicface.shape.similarity import apply_similarity

numbers = st.floats(-500, 500)
sizes = st.floats(1, 300)


@st.composite
def square(draw):
    x, y, side = draw(numbers), draw(numbers), draw(sizes)
    return [x, y, x + side, y + side]


maps = st.builds(BoxMap, st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.3, 3))


def test_landmark_box_is_tight_and_ignores_missing_points():
    faces = np.array([[[3, 4], [1, 9], [2, 5]], [[np.nan, np.nan], [7, 8], [6, 9]]])
    np.testing.assert_array_equal(landmark_box(faces), [[1, 4, 3, 9], [6, 8, 7, 9]])
    np.testing.assert_array_equal(landmark_box(faces[0]), [1, 4, 3, 9])
    assert np.isnan(landmark_box(np.full((2, 2), np.nan))).all()


@given(square())
def test_center_and_side_make_the_square_again(box):
    center, side = box_centers_sides(np.array(box))
    np.testing.assert_allclose(square_boxes(center, side), box, atol=1e-3)


def test_the_longer_side_counts():
    centers, sides = box_centers_sides(np.array([[0, 0, 10, 4], [0, 0, 4, 10]]))
    np.testing.assert_array_equal(sides, [10, 10])
    np.testing.assert_array_equal(centers, [[5, 2], [2, 5]])


def test_iou():
    boxes = [[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]]
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(iou(boxes, boxes), expected)
    assert iou(np.zeros((0, 4)), boxes).shape == (0, 3)


@given(maps, st.lists(square(), min_size=1, max_size=5))
def test_map_and_inverse(box_map, boxes):
    there = box_map.apply(boxes)
    np.testing.assert_allclose(box_map.apply(box_map.invert(there)), there, rtol=1e-4, atol=0.05)


@given(st.lists(square(), min_size=1, max_size=5))
def test_invert_undoes_apply_to_the_detector_box(boxes):
    box_map = BOX_MAPS["hog"]
    np.testing.assert_allclose(box_map.invert(box_map.apply(boxes)), boxes, rtol=1e-4, atol=0.05)


@given(maps, st.lists(square(), min_size=1, max_size=7))
def test_fit_finds_the_map(box_map, boxes):
    fitted = BoxMap.fit(boxes, box_map.apply(boxes))
    assert fitted.shift_x == pytest.approx(box_map.shift_x, abs=2e-3)
    assert fitted.shift_y == pytest.approx(box_map.shift_y, abs=2e-3)
    assert fitted.scale == pytest.approx(box_map.scale, rel=2e-3)
    assert max(fitted.spread) < 1e-2


def test_fit_is_not_misled_by_a_wrong_detection():
    boxes = np.array([[i, i, i + 100, i + 100] for i in range(9)], float)
    wanted = BoxMap(0.1, 0.2, 0.9).apply(boxes)
    wanted[4] += 1000
    fitted = BoxMap.fit(boxes, wanted)
    assert (fitted.shift_x, fitted.shift_y) == pytest.approx((0.1, 0.2), abs=1e-4)


def test_fit_needs_pairs():
    with pytest.raises(InvalidInputError, match="at least one pair"):
        BoxMap.fit(np.zeros((0, 4)), np.zeros((0, 4)))
    with pytest.raises(InvalidInputError, match="2 detector boxes and 1"):
        BoxMap.fit([[0, 0, 1, 1], [0, 0, 1, 1]], [[0, 0, 1, 1]])
    with pytest.raises(InvalidInputError, match="box 0"):
        BoxMap.fit([[0, 0, 0, 0]], [[0, 0, 1, 1]])


def test_identity_keeps_centre_and_longer_side():
    np.testing.assert_array_equal(IDENTITY.apply([[0, 0, 10, 4]]), [[0, -3, 10, 7]])


def test_hog_map_agrees_with_the_data(data_dir):
    from classicface.data.boxes_csv import read_boxes
    from classicface.data.pts import read_pts

    folder = data_dir / "300w" / "helen" / "trainset"
    rows = {n: r for n, r in read_boxes(folder / "boxes.csv").items() if r.source == "hog"}
    points = np.stack([read_pts((folder / name).with_suffix(".pts")) for name in rows])
    fitted = BoxMap.fit([row.box for row in rows.values()], landmark_box(points))
    known = BOX_MAPS["hog"]
    assert fitted.shift_x == pytest.approx(known.shift_x, abs=0.03)
    assert fitted.shift_y == pytest.approx(known.shift_y, abs=0.03)
    assert fitted.scale == pytest.approx(known.scale, abs=0.03)


def test_sunflower_starts_at_the_box_and_spreads() -> None:
    starts = sunflower(25)
    np.testing.assert_array_equal(starts[0], [0, 0, 1])
    distances = np.hypot(starts[:, 0], starts[:, 1])
    assert (np.diff(distances) > 0).all()
    assert distances[8] == pytest.approx(0.06)
    assert (np.abs(starts[:, 2] - 1) <= 0.05).all()
    np.testing.assert_array_equal(sunflower(3), starts[:3])


def test_mean_start_lays_the_mean_where_faces_lie_in_their_boxes() -> None:
    rng = np.random.default_rng(0)
    mean = rng.standard_normal((7, 2))
    pose = np.array([0.3, 0.1, 0.05, -0.02])
    in_box = apply_similarity(pose, mean)
    centers, sides = rng.uniform(50, 90, (4, 2)), rng.uniform(20, 60, 4)
    faces = in_box * sides[:, None, None] + centers[:, None]
    found = mean_start(mean, faces, square_boxes(centers, sides))
    np.testing.assert_allclose(found, pose, atol=1e-5)
