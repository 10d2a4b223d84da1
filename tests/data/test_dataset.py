import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.data.dataset import LandmarkDataset, tight_boxes
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import box_centers_sides, landmark_box


def faces(n=6, groups=None, n_landmarks=68, seed=0):
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 256, (30 + i, 40 + i), dtype=np.uint8) for i in range(n)]
    landmarks = rng.uniform(5, 25, (n, n_landmarks, 2)).astype(np.float32)
    return LandmarkDataset(images, landmarks, names=[f"{i}.png" for i in range(n)], groups=groups)


def test_defaults():
    data = faces(3)
    assert len(data) == 3
    assert data.scheme.name == "ibug68"
    np.testing.assert_array_equal(data.boxes, landmark_box(data.landmarks))
    assert data.groups == [None] * 3
    np.testing.assert_array_equal(data.origins, [[0, 0, 1]] * 3)
    assert repr(data) == "<LandmarkDataset: 3 faces, ibug68>"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": []}, "at least one image"),
        ({"landmarks": np.zeros((3, 68, 2))}, "2 images and landmarks of shape"),
        ({"boxes": [[0, 0, 1, 1]]}, "1 boxes for 2 images"),
        ({"names": ["a"]}, "1 names"),
        ({"groups": ["a"]}, "1 groups"),
        ({"scheme": "ibug51"}, "expected 51"),
        ({"origins": np.zeros((2, 4))}, "origins have shape"),
        ({"images": [np.zeros((2, 2), np.uint8), "x"]}, "image has"),
    ],
)
def test_inputs_that_do_not_fit(change, message):
    data = faces(2)
    arguments = {"images": data.images, "landmarks": data.landmarks, **change}
    with pytest.raises(InvalidInputError, match=message):
        LandmarkDataset(**arguments)


def test_flat_faces_get_square_boxes():
    boxes = tight_boxes(np.array([[[1, 5], [3, 5]], [[1, 1], [2, 4]]], np.float32))
    np.testing.assert_array_equal(boxes, [[1, 4, 3, 6], [1, 1, 2, 4]])


def test_subset_by_index_and_by_mask():
    data = faces(4, ["a", "b", "c", "d"])
    part = data.subset([3, 1])
    assert part.names == ["3.png", "1.png"]
    assert part.groups == ["d", "b"]
    assert part.images[0] is data.images[3]
    assert data.subset(np.array([True, False, False, True])).names == ["0.png", "3.png"]
    with pytest.raises(InvalidInputError, match="at least one image"):
        data.subset(np.zeros(4, bool))
    for wrong in ([4], [0.5], [True]):
        with pytest.raises(InvalidInputError, match="indices of 4 faces"):
            data.subset(wrong)


def test_mirror_shows_the_same_grey_under_the_same_kind_of_point():
    data = faces(3, ["anna", None, None])
    data.landmarks[0, 3] = np.nan
    mirrored = data.mirror()
    flip = np.array(data.scheme.mirror)
    for i in range(3):
        for j in range(68):
            x, y = data.landmarks[i, j]
            u, v = mirrored.landmarks[i, flip[j]]
            if np.isnan(x):
                assert np.isnan(u)
                continue
            assert (u, v) == (data.images[i].shape[1] - 1 - x, y)
            x, y, u, v = round(float(x)), round(float(y)), round(float(u)), round(float(v))
            if x + u == data.images[i].shape[1] - 1:
                assert data.images[i][y, x] == mirrored.images[i][v, u]
    np.testing.assert_array_equal(mirrored.boxes, landmark_box(mirrored.landmarks))
    assert mirrored.names == ["0_mirror.png", "1_mirror.png", "2_mirror.png"]
    assert mirrored.groups == ["anna", "1.png", "2.png"]
    again = mirrored.mirror()
    np.testing.assert_allclose(again.landmarks, data.landmarks, atol=1e-5)
    np.testing.assert_allclose(again.boxes, data.boxes, atol=1e-5)
    np.testing.assert_array_equal(again.images[2], data.images[2])


def test_mirror_needs_to_know_the_points():
    with pytest.raises(InvalidInputError, match="does not say what its points become"):
        faces(2, n_landmarks=7).mirror()


def test_a_split_keeps_a_face_and_its_mirror_image_together():
    data = faces(9).with_mirror()
    assert len(data) == 18
    first, second = data.split(0.5, random_state=0)
    stems = [{name.replace("_mirror", "") for name in part.names} for part in (first, second)]
    assert not stems[0] & stems[1]
    assert len(first) + len(second) == 18


@given(
    st.lists(st.sampled_from("abcdefg") | st.none(), min_size=2, max_size=30),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_split_parts_the_faces_and_keeps_groups_whole(groups, fraction, seed):
    data = LandmarkDataset(
        [np.zeros((4, 4), np.uint8)] * len(groups),
        np.tile(np.float32([[0, 0], [3, 3]]), (len(groups), 1, 1)),
        groups=groups,
    )
    named = {group for group in groups if group is not None}
    if len(named) + groups.count(None) < 2:
        with pytest.raises(InvalidInputError, match="two groups"):
            data.split(fraction, seed)
        return
    first, second = data.split(fraction, seed)
    assert sorted(first.names + second.names, key=int) == data.names
    assert not ({*first.groups} & {*second.groups}) - {None}
    assert [*map(int, first.names)] == sorted(map(int, first.names))
    largest = max([groups.count(group) for group in named], default=1)
    wanted = fraction * len(data)
    assert abs(len(first) - wanted) <= max(largest, 1)
    assert data.split(fraction, seed)[0].names == first.names


def test_split_by_face():
    data = faces(10, ["a"] * 10)
    first, second = data.split(0.3, 0, by_group=False)
    assert (len(first), len(second)) == (3, 7)
    with pytest.raises(InvalidInputError, match="fraction"):
        data.split(1.5)


def test_concatenate():
    a, b = faces(2, ["x", "y"]), faces(3, seed=1)
    both = LandmarkDataset.concatenate([a, b])
    assert len(both) == 5
    assert both.groups == ["x", "y", None, None, None]
    np.testing.assert_array_equal(both.boxes[2:], b.boxes)
    with pytest.raises(InvalidInputError, match="different schemes \\(ibug68, points7\\)"):
        LandmarkDataset.concatenate([a, faces(1, n_landmarks=7)])
    with pytest.raises(InvalidInputError, match="at least one"):
        LandmarkDataset.concatenate([])


def test_convert_takes_the_box_error_along():
    data = faces(3)
    data.boxes = data.boxes + np.float32([2, -1, 2, -1])
    part = data.convert("ibug51")
    assert part.scheme.name == "ibug51"
    np.testing.assert_array_equal(part.landmarks, data.landmarks[:, 17:])
    shift = box_centers_sides(part.boxes)[0] - box_centers_sides(landmark_box(part.landmarks))[0]
    np.testing.assert_allclose(shift, [[2, -1]] * 3, atol=1e-3)
