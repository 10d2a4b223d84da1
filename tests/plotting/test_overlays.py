"""Boxes, labels, tracks, regions and poses: in the picture, at their places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.data.synthetic import draw_face
from classicface.exceptions import InvalidInputError
from classicface.plotting import _text
from classicface.plotting.labels import draw_boxes, draw_tracks, identity_color
from classicface.plotting.overlays import draw_pose, draw_regions
from classicface.shape.boxes import landmark_box

BACKGROUNDS = ("black", "white", "noise")


def background(name, height, width):
    if name == "noise":
        return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.full((height, width, 3), 0 if name == "black" else 255, np.uint8)


def changed(drawn, before):
    """Return the box x0, y0, x1, y1 of the pixels that differ."""
    rows, columns = np.nonzero((drawn != before).any(axis=2))
    return columns.min(), rows.min(), columns.max(), rows.max()


@pytest.fixture(scope="module")
def person():
    return draw_face(size=240, face_size=130)


class TestBoxes:
    @pytest.mark.parametrize("name", BACKGROUNDS)
    @pytest.mark.parametrize(("height", "width"), [(60, 80), (200, 200), (480, 640), (1500, 2000)])
    def test_a_label_stands_above_its_box(self, name, height, width):
        before = background(name, height, width)
        box = np.array([0.3 * width, 0.4 * height, 0.6 * width, 0.9 * height])
        plain, drawn = draw_boxes(before, [box]), draw_boxes(before, [box], ["7"])
        x0, y0, x1, y1 = changed(drawn, plain)
        assert y1 < box[1]
        assert y1 > box[1] - 8
        assert abs(x0 - box[0]) <= 1
        assert 9 <= y1 - y0 <= height / 3
        assert x1 < width

    @pytest.mark.parametrize(
        "box",
        [
            *([0, 0, 60, 70], [150, 0, 260, 70], [-50, -40, 30, 50], [170, 120, 199, 149]),
            *([0, 0, 200, 150], [-500, 20, -100, 100], [40, -90, 80, -20], [-9, -9, 900, 900]),
        ],
    )
    def test_a_label_is_whole_wherever_the_box_is(self, box):
        before = background("noise", 150, 200)
        drawn = draw_boxes(before, [box], ["id 3"])
        plain = draw_boxes(before, [box])
        size = _text.usual_size(before.shape, max(box[2] - box[0], box[3] - box[1]))
        plate = (drawn == identity_color(0)).all(axis=2) & (drawn != plain).any(axis=2)
        width, height = _text.text_size("id 3", size)
        assert plate.sum() > 0.5 * width * height
        x0, y0, x1, y1 = changed(drawn, plain)
        assert abs(x1 - x0 + 1 - width) <= 3
        assert abs(y1 - y0 + 1 - height) <= 3

    def test_labels_of_neighbours_do_not_cover_each_other(self):
        before = background("black", 200, 320)
        boxes = [[100, 80, 140, 130], [105, 82, 145, 132], [102, 78, 142, 128]]
        labels, ids = ["first", "second", "third"], [0, 1, 2]
        drawn = draw_boxes(before, boxes, labels, ids=ids)
        for i in ids:
            alone = draw_boxes(before, boxes, [labels[j] if j == i else "" for j in ids], ids=ids)
            size = _text.usual_size(before.shape, 50)
            width, height = _text.text_size(labels[i], size)
            ink = (drawn == identity_color(i)).all(axis=2).sum()
            assert ink > 0.9 * (alone == identity_color(i)).all(axis=2).sum()
            assert ink > 0.5 * width * height

    def test_too_small_for_a_label(self):
        before = background("white", 20, 20)
        np.testing.assert_array_equal(
            draw_boxes(before, [[4, 4, 15, 15]], ["7"]), draw_boxes(before, [[4, 4, 15, 15]])
        )

    @pytest.mark.parametrize(
        "make",
        [
            lambda p: p,
            lambda p: p[:, :, 0],
            lambda p: np.dstack([p, p[:, :, 0]]),
            lambda p: p.astype(np.uint16) * 257,
            lambda p: p / 255,
        ],
    )
    def test_every_kind_of_picture(self, make, person):
        image = make(person[0])
        kept = image.copy()
        drawn = draw_boxes(image, landmark_box(person[1][None]), ["x"])
        assert drawn.shape == (240, 240, 3)
        assert drawn.dtype == np.uint8
        np.testing.assert_array_equal(image, kept)

    @pytest.mark.parametrize(
        "options",
        [
            {"boxes": [[5, 5, 1, 1]]},
            {"labels": ["a", "b"]},
            {"labels": "a"},
            {"ids": [1, 2]},
            {"ids": ["a"]},
            {"image": np.zeros((4, 4, 5), np.uint8)},
        ],
    )
    def test_mistakes(self, options):
        with pytest.raises(InvalidInputError):
            draw_boxes(**{"image": background("black", 9, 9), "boxes": [[1, 1, 5, 5]], **options})


class TestTracks:
    def test_an_identity_keeps_its_colour(self, person):
        picture, points = person
        both = np.stack([points * 0.5, points * 0.5 + 110])
        for order in ([0, 1], [1, 0]):
            drawn = draw_tracks(picture, both[order], np.array([4, 9])[order], "ibug68")
            for face, identity in zip(both, (4, 9), strict=True):
                x, y = np.round(face[8]).astype(int)
                near = drawn[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
                assert np.abs(near.astype(int) - identity_color(identity)).max(axis=1).min() < 60

    def test_labels_are_the_identities_or_what_is_given(self, person):
        picture, points = person
        plain = draw_tracks(picture, points[None], [4], labels=[""])
        numbered = draw_tracks(picture, points[None], [4])
        named = draw_tracks(picture, points[None], [4], labels=["4"])
        np.testing.assert_array_equal(numbered, named)
        assert changed(numbered, plain)[3] < points[:, 1].min()

    def test_trails_lie_where_the_face_was(self):
        before = background("black", 100, 200)
        path = np.column_stack([np.linspace(20, 180, 30), np.full(30, 60.0)])
        path[3] = np.nan
        drawn = draw_tracks(before, np.zeros((0, 5, 2)), [], trails={2: path, 3: path[:1]})
        x0, y0, x1, y1 = changed(drawn, before)
        assert (abs(x0 - 20) <= 2, abs(x1 - 180) <= 3) == (True, True)
        assert (y0 >= 56, y1 <= 64) == (True, True)
        assert np.abs(drawn[60, 150].astype(int) - identity_color(2)).max() < 40

    def test_missing_faces(self, person):
        picture, points = person
        faces = np.stack([points, np.full_like(points, np.nan)])
        drawn = draw_tracks(picture, faces, [1, 2], "ibug68")
        np.testing.assert_array_equal(drawn, draw_tracks(picture, points[None], [1], "ibug68"))

    @pytest.mark.parametrize(
        "options",
        [
            {"ids": [1, 2]},
            {"labels": ["a", "b"]},
            {"boxes": [[1, 1, 5, 5], [1, 1, 4, 4]]},
            {"scheme": "wflw98"},
            {"trails": {1: np.zeros((2, 3, 2))}},
            {"landmarks": np.zeros((4, 3))},
        ],
    )
    def test_mistakes(self, person, options):
        arguments = {"image": person[0], "landmarks": person[1][None], "ids": [0], **options}
        with pytest.raises(InvalidInputError):
            draw_tracks(**arguments)


class TestRegions:
    @pytest.mark.parametrize("style", ["filled", "outlined"])
    def test_each_region_has_its_colour(self, person, style):
        points = 4 * person[1]
        blank = np.full((960, 960, 3), 128, np.uint8)
        drawn = draw_regions(blank, points, "ibug68", style=style, legend=False).astype(int)
        for landmark, color in ((8, (90, 200, 255)), (57, (255, 95, 85)), (19, (255, 170, 40))):
            x, y = np.round(points[landmark]).astype(int)
            near = drawn[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
            assert np.abs(near - color).max(axis=1).min() < 60
        x, y = np.round(points[[50, 52, 61, 63]].mean(axis=0)).astype(int)  # within the upper lip
        assert ((drawn[y, x] == 128).all()) == (style == "outlined")

    def test_what_lies_between_open_lips_is_free(self):
        from classicface.data.synthetic import FaceParameters

        points = draw_face(FaceParameters(mouth_open=0.9), size=400, face_size=260)[1]
        blank = np.full((400, 400, 3), 128, np.uint8)
        drawn = draw_regions(blank, points, "ibug68", legend=False)
        x, y = np.round(points[[62, 66]].mean(axis=0)).astype(int)
        assert (drawn[y, x] == 128).all()

    @pytest.mark.parametrize("scheme", ["ibug68", "ibug51", "ibug49", "wflw98", "lfpw29", "dlib5"])
    def test_every_scheme_with_regions(self, scheme):
        from classicface.shape.schemes import get_scheme

        n = get_scheme(scheme).n_landmarks
        points = np.random.default_rng(n).uniform(-20, 120, (2, n, 2)).astype(np.float32)
        points[0, ::3] = np.nan
        points[1] = np.nan
        image = background("white", 100, 100)
        assert (draw_regions(image, points, scheme) != image).any()

    def test_the_legend_keeps_off_the_face_and_small_pictures_have_none(self, person):
        _, points = person
        blank = np.full((480, 640, 3), 128, np.uint8)
        for corner in ([0, 0], [400, 0], [0, 240], [400, 240]):
            moved = points + np.array(corner, np.float32)
            without = draw_regions(blank, moved, "ibug68", legend=False)
            x0, y0, x1, y1 = changed(draw_regions(blank, moved, "ibug68"), without)
            under = (moved >= [x0, y0]) & (moved <= [x1, y1])
            assert not under.all(axis=1).any()
        small = np.full((30, 30, 3), 128, np.uint8)
        np.testing.assert_array_equal(
            draw_regions(small, points / 8, "ibug68"),
            draw_regions(small, points / 8, "ibug68", legend=False),
        )

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=68, max_size=68)
    )
    def test_survives_any_finite_points(self, points):
        assert draw_regions(background("white", 30, 40), points, "ibug68").shape == (30, 40, 3)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"scheme": "points68"}, "no regions"),
            ({"scheme": "wflw98"}, "68 landmarks"),
            ({"style": "dotted"}, "filled, outlined"),
            ({"opacity": 1.5}, "opacity"),
            ({"legend": 1}, "legend"),
        ],
    )
    def test_mistakes(self, person, options, message):
        arguments = {"image": person[0], "landmarks": person[1], "scheme": "ibug68", **options}
        with pytest.raises(InvalidInputError, match=message):
            draw_regions(**arguments)


def turned(yaw):
    angle = np.deg2rad(yaw)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


class TestPose:
    @pytest.mark.parametrize("name", BACKGROUNDS)
    def test_the_axes_point_where_the_head_does(self, name):
        before = background(name, 200, 200)
        drawn = draw_pose(before, turned(40), (100, 100), 60)
        x0, y0, x1, y1 = changed(drawn, before)
        assert x1 == pytest.approx(100 + 60 * np.cos(np.deg2rad(40)), abs=6)
        assert y1 == pytest.approx(160, abs=5)
        assert (x0 >= 94, y0 >= 94) == (True, True)
        assert drawn[150, 100, 1] > 200  # y is green
        assert drawn[150, 100].argmax() == 1
        z = np.round(100 + 60 * np.sin(np.deg2rad(40))).astype(int)
        assert drawn[100, z].argmax() == 2
        beside = drawn[150, 94:107].astype(int).sum(axis=1)
        assert beside.min() < 150  # its outline is dark

    def test_several_heads(self):
        before = background("black", 120, 240)
        turns, starts = np.stack([np.eye(3), turned(-30)]), np.array([[60, 60], [180, 60]])
        drawn = draw_pose(before, turns, starts, [30.0, 40.0])
        left, right = (
            draw_pose(before, turns[0], starts[0], 30),
            draw_pose(before, turns[1], starts[1], 40),
        )
        np.testing.assert_array_equal(drawn, np.maximum(left, right))
        np.testing.assert_array_equal(draw_pose(before, [], [], []), before)

    @pytest.mark.parametrize("size", [20, 200, 2000])
    def test_any_size(self, size):
        before = background("noise", size, size)
        drawn = draw_pose(before, turned(20), (size / 2, size / 2), size / 3)
        assert (drawn != before).any()

    @pytest.mark.parametrize(
        ("rotation", "origin", "length", "message"),
        [
            (np.eye(2), (5, 5), 9, "rotation has shape"),
            (2 * np.eye(3), (5, 5), 9, "no rotation"),
            (np.diag([1, 1, -1]), (5, 5), 9, "no rotation"),
            (np.full((3, 3), np.nan), (5, 5), 9, "no rotation"),
            (np.eye(3), (5, 5, 5), 9, "landmarks"),
            (np.eye(3), (np.nan, np.nan), 9, "NaN"),
            (np.eye(3), [(5, 5), (6, 6)], 9, "1 rotations"),
            (np.eye(3), (5, 5), -1, "length"),
            (np.eye(3), (5, 5), [1, 2], "1 rotations"),
        ],
    )
    def test_mistakes(self, rotation, origin, length, message):
        with pytest.raises(InvalidInputError, match=message):
            draw_pose(background("black", 9, 9), rotation, origin, length)
