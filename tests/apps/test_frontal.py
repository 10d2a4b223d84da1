"""The frontal warp: points land on the mean face, the way back is exact, folds are masked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.apps.align import ChipTemplate, align_face, frontalize
from classicface.apps.align._tables import mean_face
from classicface.apps.align.frontal import _stretch
from classicface.data.synthetic import FaceParameters, draw_face
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import SCHEMES, convert_landmarks
from classicface.shape.similarity import apply_similarity


@pytest.fixture(scope="module")
def turned():
    return draw_face(FaceParameters(yaw=25, roll=10, mouth_open=0.4), size=300)


def places(size=112):
    """Return where the mean face lies in a chip."""
    mean = ChipTemplate.of_shape(mean_face(), "ibug68", size=size)
    return mean.places["ibug68"]


def test_the_mean_face_is_symmetric_and_in_order():
    mean = mean_face()
    mirrored = mean[list(SCHEMES["ibug68"].mirror)] * [-1, 1]
    np.testing.assert_array_equal(mirrored, mean)
    np.testing.assert_allclose(mean[[36, 45]], [(-0.5, 0), (0.5, 0)])
    # It is the drawn mean face, to the rounding of the table.
    drawn = draw_face(size=512)[1].astype(float)
    drawn -= (drawn[36] + drawn[45]) / 2
    drawn /= np.linalg.norm(drawn[45] - drawn[36])
    assert np.abs(drawn - mean).max() < 0.005


@pytest.mark.parametrize("surroundings", [False, True])
@pytest.mark.parametrize("size", [112, 60])
def test_landmarks_land_on_the_mean_face(turned, surroundings, size):
    image, points = turned
    face = frontalize(image, points, "ibug68", size=size, surroundings=surroundings)
    assert face.pixels.shape == (size, size, 3)
    assert face.mask.shape == (size, size)
    np.testing.assert_allclose(face.to_image(face.to_chip(points)), points, atol=0.01)
    known = np.isfinite(face.landmarks[:, 0])
    assert known.sum() >= 60
    np.testing.assert_allclose(face.landmarks[known], places(size)[known], atol=0.01)


def test_the_mean_face_itself_is_not_bent():
    y, x = np.mgrid[:260, :260]
    image = (120 + 60 * np.sin(x / 11) + 60 * np.cos(y / 13)).astype(np.uint8)
    points = apply_similarity(np.array([70.0, 8.0, 130.0, 100.0]), mean_face())
    face = frontalize(image, points, "ibug68", size=200, surroundings=True)
    chip = align_face(image, points, "ibug68", "all", size=200)
    np.testing.assert_allclose(face.transform, chip.transform)
    difference = np.abs(face.pixels.astype(int) - chip.pixels)
    assert difference[5:-5, 5:-5].max() <= 2
    assert face.shown == 1.0


def test_a_plane_stays_a_plane_within_each_triangle(turned):
    """Grey that grows with x and y says of each pixel where it was read."""
    _, points = turned
    y, x = np.mgrid[:300, :300]
    for ramp, axis in ((x, 0), (y, 1)):
        face = frontalize((ramp * 0.8).astype(np.uint8), points, "ibug68", size=150)
        rows, columns = np.nonzero(face.mask)
        back = face.to_image(np.column_stack([columns, rows]))[:, axis]
        known = np.isfinite(back)
        assert known.mean() > 0.99
        error = np.abs(face.pixels[rows, columns][known] - 0.8 * back[known])
        assert np.percentile(error, 99) < 2


def test_outside_the_hull_is_black_or_bent_surroundings(turned):
    image, points = turned
    alone = frontalize(image, points, "ibug68")
    around = frontalize(image, points, "ibug68", surroundings=True)
    assert np.all(alone.pixels[0] == 0)
    assert not alone.mask[0].any()
    assert (around.pixels[0] > 0).all()
    assert not around.mask[0].any()
    chip = align_face(image, points, "ibug68", "all")
    border = np.abs(around.pixels[[0, -1]].astype(int) - chip.pixels[[0, -1]])
    assert border.mean() < 12
    both = alone.mask & around.mask
    assert both.sum() > 0.97 * alone.mask.sum()
    np.testing.assert_array_equal(alone.pixels[both], around.pixels[both])


def test_a_turned_head_shows_less():
    def shown(yaw):
        image, points = draw_face(FaceParameters(yaw=yaw), size=300)
        return frontalize(image, points, "ibug68", max_stretch=3.0).shown

    frontal, slight, strong = (shown(yaw) for yaw in (0, 25, 45))
    assert frontal > 0.98
    assert frontal >= slight > strong


def test_folded_triangles_are_not_in_the_mask():
    """The right cheek folded over to the other side of the eye shows nothing of itself."""
    points = apply_similarity(np.array([70.0, 0.0, 150.0, 110.0]), mean_face())
    points[:5, 0] += 60
    image = np.full((300, 300), 200, np.uint8)
    face = frontalize(image, points, "ibug68")
    assert face.shown < 0.97
    assert frontalize(image, points, "ibug68", max_stretch=1e3).shown < 1.0
    middle = places()[1] + [2, 2]
    assert not face.mask[int(middle[1]), int(middle[0])]
    assert face.pixels[int(middle[1]), int(middle[0])] == 200  # drawn nevertheless


@given(seed=st.integers(0, 10**6))
def test_stretch_is_one_over_the_smaller_singular_value(seed):
    maps = np.random.default_rng(seed).normal(size=(5, 2, 2))
    expected = 1 / np.linalg.svd(maps, compute_uv=False)[:, 1]
    expected[np.linalg.det(maps) <= 0] = np.inf
    near = np.isfinite(expected) & (expected < 1e4)
    found = _stretch(maps)
    np.testing.assert_allclose(found[near], expected[near], rtol=1e-6)
    assert np.all(np.isinf(found) == np.isinf(expected))


@pytest.mark.parametrize("name", ["ibug51", "ibug49"])
def test_schemes_of_fewer_points(turned, name):
    image, points = turned
    face = frontalize(image, convert_landmarks(points, "ibug68", name), name)
    kept = np.isfinite(face.landmarks[:, 0])
    expected = convert_landmarks(places(), "ibug68", name)
    assert kept.mean() > 0.9
    np.testing.assert_allclose(face.landmarks[kept], expected[kept], atol=0.01)
    assert 0.1 < face.mask.mean() < 0.5


def test_wflw_by_its_nearest_points(turned):
    image, points = turned
    many = np.full((98, 2), np.nan, np.float32)
    taken = convert_landmarks(np.repeat(np.arange(98.0)[:, None], 2, 1), "wflw98", "ibug68")
    many[taken[:, 0].astype(int)] = points
    face = frontalize(image, many, "wflw98")
    same = frontalize(image, points, "ibug68")
    np.testing.assert_array_equal(face.pixels, same.pixels)
    assert face.landmarks.shape == (98, 2)


def test_missing_points_leave_their_triangles_to_the_others(turned):
    image, points = turned
    fewer = points.copy()
    fewer[[3, 30, 57]] = np.nan
    face = frontalize(image, fewer, "ibug68")
    assert np.isnan(face.landmarks[[3, 30, 57]]).all()
    whole = frontalize(image, points, "ibug68")
    assert face.mask.sum() > 0.9 * whole.mask.sum()


def test_points_outside_the_triangles_have_no_place(turned):
    image, points = turned
    face = frontalize(image, points, "ibug68")
    assert np.isnan(face.to_chip([[0.0, 0.0]])).all()
    assert np.isnan(face.to_image([[-50.0, 500.0], [np.nan, np.nan]])).all()
    assert face.to_image(np.full((3, 2, 2), 56.0)).shape == (3, 2, 2)
    with pytest.raises(InvalidInputError, match="expected"):
        face.to_image([1.0, 2.0, 3.0])


def test_half_a_face_outside_the_picture(turned):
    image, points = turned
    cut = int(points[30, 0])
    face = frontalize(image[:, cut:], points - [cut, 0], "ibug68", border=0)
    assert 0.2 < face.shown < 0.8
    assert not face.mask[:, :40].any()


def test_large_pictures_are_halved():
    y, x = np.mgrid[:1500, :1500]
    image = (((x // 3 + y // 3) % 2) * 255).astype(np.uint8)
    points = apply_similarity(np.array([600.0, 0.0, 750.0, 500.0]), mean_face())
    face = frontalize(image, points, "ibug68", size=80)
    assert face.pixels[face.mask].std() < 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"landmarks": np.full((68, 2), 9.0)}, "all lie in one place"),
        ({"landmarks": np.full((68, 2), np.nan)}, "NaN"),
        ({"template": "dlib150", "scheme": "lfpw29", "landmarks": np.ones((29, 2))}, "lfpw29"),
        ({"size": 10**6}, "from 8 to 2048"),
        ({"max_stretch": 0.5}, "max_stretch"),
        ({"surroundings": 1}, "surroundings"),
        ({"template": "eyes"}, "area"),
    ],
)
def test_bad_input_is_refused(turned, change, message):
    image, points = turned
    arguments = {"image": image, "landmarks": points, "scheme": "ibug68", **change}
    with pytest.raises(InvalidInputError, match=message):
        frontalize(**arguments)


@pytest.mark.parametrize("shift", [4000, -4000, 9e5])
def test_a_face_outside_the_picture_is_refused(turned, shift):
    image, points = turned
    with pytest.raises(InvalidInputError, match="shows nothing of the face"):
        frontalize(image, points + shift, "ibug68", surroundings=True)


@given(seed=st.integers(0, 10**6), spread=st.sampled_from([1e-2, 1.0, 100.0, 1e5]))
def test_points_that_are_no_face_give_a_picture_or_a_reason(seed, spread):
    points = np.random.default_rng(seed).normal(size=(68, 2)) * spread + 50
    points = np.clip(points, -1e6, 1e6)
    try:
        face = frontalize(np.zeros((90, 120), np.uint8), points, "ibug68", size=16)
    except InvalidInputError:
        return
    assert face.pixels.shape == (16, 16)
    assert 0 < face.shown <= 1
