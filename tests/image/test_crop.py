"""Crops of faces: points land where the pose says, a cut changes nothing, any picture will do."""

import math
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from classicface.image.crop import FaceCut, crop_face, crop_pose, halve, span, warp
from classicface.shape.similarity import apply_similarity, invert_similarity

# Five points of a face in its box, which has centre 0 and side 1.
POINTS = np.array([[-0.45, -0.3], [0.5, -0.35], [0.05, 0.1], [-0.3, 0.4], [0.35, 0.45]])


def draw_dots(shape, centres, sigma):
    """Draw Gaussian dots on black."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    dots = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in centres]
    return np.rint(250 * np.max(dots, axis=0)).astype(np.uint8)


def centroid(pixels, place, radius):
    """Return the centre of mass of what lies near a place."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(float)
    mass = pixels * ((x - place[0]) ** 2 + (y - place[1]) ** 2 <= radius**2)
    assert mass.sum() > 0
    return np.array([(x * mass).sum(), (y * mass).sum()]) / mass.sum()


@given(
    center=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    side=st.floats(0.1, 1e4),
    size=st.integers(1, 512),
    margin=st.floats(0, 3),
    angle=st.floats(-math.pi, math.pi),
)
def test_pose_centres_the_box_and_shows_the_margin(center, side, size, margin, angle):
    pose = crop_pose(center, side, size, margin, angle)
    middle, right = apply_similarity(pose, np.array([center, [center[0] + side, center[1]]]))
    np.testing.assert_allclose(middle, (size - 1) / 2, atol=1e-5)
    length = size / (1 + 2 * margin)
    turned = [length * math.cos(angle), length * math.sin(angle)]
    np.testing.assert_allclose(right - middle, turned, atol=1e-5)


@pytest.mark.parametrize("side", [12, 40, 63, 65, 100, 127, 150, 260, 400])
@pytest.mark.parametrize("degrees", [0, 25, -100, 180])
def test_landmarks_land_where_the_pose_takes_them(side, degrees):
    size, margin, center = 60, 0.4, (300.4, 290.7)
    places = POINTS * side + center
    scale = size / (1 + 2 * margin) / side
    image = draw_dots((610, 600), places, 1.5 * max(1 / scale, 0.6))
    pose = crop_pose(center, side, size, margin, np.radians(degrees))
    pixels = crop_face(image, pose, size)
    assert pixels.shape == (size, size)
    assert pixels.dtype == np.uint8
    for place in apply_similarity(pose, places):
        assert np.linalg.norm(centroid(pixels, place, 6) - place) < 0.15


@given(
    shape=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    center=st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)),
    side=st.floats(0.5, 700),
    size=st.integers(1, 40),
    margin=st.floats(0, 1),
    angle=st.floats(-math.pi, math.pi),
    reach=st.floats(1.5, 4),
    seed=st.integers(0, 100),
)
@example((3, 397), (0.4, 0.5), 350.0, 7, 0.3, 0.2, 1.6, 0)  # thinner than a halved pixel
def test_a_cut_gives_the_crop_of_the_picture_to_the_bit(
    shape, center, side, size, margin, angle, reach, seed
):
    image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    pose = crop_pose((center[0] * shape[1], center[1] * shape[0]), side, size, margin, angle)
    cut = FaceCut.around(image, pose, size, reach)
    np.testing.assert_array_equal(cut.crop(pose, size), crop_face(image, pose, size))


@pytest.mark.parametrize("side", [30, 70, 150, 290])
@pytest.mark.parametrize(("factor", "turn"), [(0.6, 0.3), (1.0, 0.5), (1.7, -0.4), (4.5, 0.1)])
def test_other_crops_of_a_cut_are_those_of_the_picture(side, factor, turn):
    """They may differ in when they were halved, not in where things lie."""
    size, margin, center = 40, 0.25, (505.0, 495.0)
    y, x = np.mgrid[:1000, :1000]
    image = 120 + 50 * np.sin(x / side * 7) + 50 * np.cos((y + x / 2) / side * 6)
    image = np.rint(image).astype(np.uint8)
    cut = FaceCut.around(image, crop_pose(center, side, size, margin), size, reach=7.0)
    pose = crop_pose((center[0] + 0.2 * side, center[1]), side * factor, size, margin, turn)
    difference = np.abs(cut.crop(pose, size).astype(int) - crop_face(image, pose, size))
    assert difference.max() <= 6
    assert difference.mean() < 1.5


def test_a_cut_keeps_its_reach_and_no_more():
    image = np.random.default_rng(0).integers(0, 256, (2000, 2200), np.uint8)
    pose = crop_pose((1000.0, 1100.0), 400.0, 64, 0.25)  # read every 9.4 pixels: halved thrice
    cut = FaceCut.around(image, pose, 64, 2.0)
    assert cut.level == 3
    assert 2 * 600 / 8 <= min(cut.pixels.shape) <= max(cut.pixels.shape) <= 2 * 600 / 8 + 10
    assert cut.pixels.flags.owndata or cut.pixels.base.nbytes < 1e6
    small = FaceCut.around(image, crop_pose((1000.0, 1100.0), 50.0, 64, 0.25), 64, 2.0)
    assert small.level == 0
    assert np.shares_memory(small.pixels, image)


def test_beyond_its_reach_a_cut_repeats_its_border():
    image = np.full((400, 400), 50, np.uint8)
    image[:100] = 200
    pose = crop_pose((200.0, 250.0), 60.0, 30, 0.0)
    cut = FaceCut.around(image, pose, 30)
    assert np.all(cut.crop(crop_pose((200.0, 50.0), 60.0, 30, 0.0), 30) == 50)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 5)])
@pytest.mark.parametrize("side", [1e-3, 1, 20, 500, 1e6])
@pytest.mark.parametrize("center", [(0, 0), (-1e4, 3), (1e6, -1e6), (20, 1e5)])
def test_any_pose_over_a_tiny_constant_picture(shape, side, center):
    image = np.full(shape, 93, np.uint8)
    pose = crop_pose(center, side, 20, 0.3, 0.7)
    assert np.all(crop_face(image, pose, 20) == 93)
    assert np.all(FaceCut.around(image, pose, 20).crop(pose, 20) == 93)


def test_a_large_face_does_not_alias():
    y, x = np.mgrid[:1200, :1200]
    fine = (255 * ((x // 2 + y // 2) % 2)).astype(np.uint8)
    pixels = crop_face(fine, crop_pose((600.0, 600.0), 640.0, 40, 0.25, 0.2), 40)
    np.testing.assert_allclose(pixels, 127.5, atol=1)


def test_a_face_partly_outside_is_seen_as_in_a_picture_with_its_border_repeated():
    y, x = np.mgrid[:120, :150]
    image = np.rint(120 + 60 * np.sin(x / 25 + y / 50)).astype(np.uint8)
    wide = np.pad(image, 256, mode="edge")
    for center in [(10.0, 60.0), (140.0, 115.0), (75.0, -30.0), (-80.0, -90.0)]:
        pose = crop_pose(center, 50.0, 40, 0.25, 0.2)
        moved = crop_pose((center[0] + 256, center[1] + 256), 50.0, 40, 0.25, 0.2)
        expected = crop_face(wide, moved, 40).astype(int)
        assert np.abs(crop_face(image, pose, 40) - expected).max() <= 1


@pytest.mark.parametrize("shape", [(20, 40_000), (40_000, 20), (1, 40_000)])
@pytest.mark.parametrize("side", [15, 50_000])
def test_pictures_longer_than_opencv_resamples(shape, side):
    image = np.full(shape, 70, np.uint8)
    center = [length - 30.0 if length > 30 else length / 2 for length in shape[::-1]]
    assert np.all(crop_face(image, crop_pose(center, side, 20, 0.2), 20) == 70)


@pytest.mark.parametrize("side", [200.0, 1500.0])
def test_cropping_takes_little_memory(side):
    image = np.zeros((6000, 8000), np.uint8)
    pose = crop_pose((4000.0, 3000.0), side, 64, 0.25, 0.2)
    crop_face(image, pose, 64)
    tracemalloc.start()
    crop_face(image, pose, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64_000


def test_crops_of_large_faces_in_turns_do_not_disturb_each_other():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (900, 700 + 50 * i), np.uint8) for i in range(6)]
    poses = [crop_pose((400.0, 420.0), 150.0 * (i + 1), 48, 0.25, 0.1 * i) for i in range(6)]
    alone = [
        FaceCut.around(image, pose, 48).crop(pose, 48)
        for image, pose in zip(images, poses, strict=True)
    ]
    order = np.tile(np.arange(6), 30)
    with ThreadPoolExecutor(4) as pool:
        crops = list(pool.map(lambda i: crop_face(images[i], poses[i], 48), order))
    for i, crop in zip(order, crops, strict=True):
        np.testing.assert_array_equal(crop, alone[i])


def test_a_crop_is_the_callers_own():
    image = np.random.default_rng(0).integers(0, 256, (30, 30), np.uint8)
    before = image.copy()
    pixels = crop_face(image, np.array([1.0, 0.0, 0.0, 0.0]), 30)
    np.testing.assert_array_equal(pixels, image)
    pixels[:] = 0
    np.testing.assert_array_equal(image, before)


def test_halve_takes_means_of_two_by_two():
    image = np.array([[0, 4, 9, 1, 77], [2, 3, 250, 255, 1], [7, 7, 7, 7, 7]], np.uint8)
    np.testing.assert_array_equal(halve(image), [[2, 129]])
    np.testing.assert_array_equal(halve(image[:1]), [[2, 5]])
    np.testing.assert_array_equal(halve(image[:, :1]), [[1]])
    np.testing.assert_array_equal(halve(image[:1, :1]), [[0]])


@given(a=st.floats(-2, 2), b=st.floats(-2, 2), x=st.floats(-10, 30), y=st.floats(-10, 30))
def test_warp_is_bilinear(a, b, x, y):
    rows, columns = np.mgrid[:20, :25]
    image = (5 * rows + 4 * columns).astype(np.uint8)  # a plane
    pixels = warp(image, (a, b, x, y), 6)
    grid = np.stack(np.mgrid[:6, :6][::-1], axis=-1).astype(float)
    places = np.clip(apply_similarity(np.array([a, b, x, y]), grid), 0, [24, 19])
    np.testing.assert_allclose(pixels, 5 * places[..., 1] + 4 * places[..., 0], atol=0.75)


@given(
    corners=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4),
    start=st.integers(0, 1000),
    length=st.integers(1, 10**6),
)
def test_span_is_inside_and_never_empty(corners, start, length):
    low, high = span(tuple(corners), start + length, start)
    assert start <= low < high <= start + length
    assert low <= min(max(min(corners), start), start + length - 1)
    assert high - 1 >= max(min(max(corners), start + length - 1), start) - 1e-6


def test_pose_is_from_the_picture_to_the_crop():
    image = np.zeros((100, 100), np.uint8)
    image[70:73, 40:43] = 255
    pose = crop_pose((50.0, 60.0), 40.0, 40, 0.0)
    y, x = np.argwhere(crop_face(image, pose, 40) == 255).mean(axis=0)
    np.testing.assert_allclose(
        apply_similarity(invert_similarity(pose), np.array([[x, y]])), [[41, 71]], atol=0.6
    )


@given(
    shape=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    side=st.floats(0.5, 400),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    angle=st.floats(-math.pi, math.pi),
    border=st.sampled_from([None, 0, 200]),
    seed=st.integers(0, 100),
)
def test_a_crop_in_colour_is_that_of_its_channels(shape, side, size, angle, border, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    pose = crop_pose((shape[1] / 2, shape[0] / 3), side, max(size), 0.2, angle)
    crop = crop_face(image, pose, size, border)
    assert crop.shape == (size[1], size[0], 3)
    for k in range(3):
        grey = np.ascontiguousarray(image[..., k])
        np.testing.assert_array_equal(crop[..., k], crop_face(grey, pose, size, border))


@pytest.mark.parametrize("size", [(60, 25), (25, 60)])
def test_a_rectangle_is_a_part_of_the_square(size):
    image = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    pose = crop_pose((150.0, 140.0), 60.0, 60, 0.2, 0.4)
    whole = crop_face(image, pose, 60)
    np.testing.assert_array_equal(crop_face(image, pose, size), whole[: size[1], : size[0]])


def test_beyond_the_picture_lies_the_border():
    image = np.full((40, 40), 90, np.uint8)
    pose = crop_pose((0.0, 20.0), 30.0, 30, 0.0)
    assert np.all(crop_face(image, pose, 30) == 90)
    crop = crop_face(image, pose, 30, 7)
    assert np.all(crop[:, :14] == 7)
    assert np.all(crop[:, 16:] == 90)


@pytest.mark.parametrize("shape", [(6, 8, 3), (7, 9, 3), (1, 6, 3), (6, 1, 3), (1, 1, 3)])
def test_halving_in_colour_is_that_of_the_channels(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    halved = halve(image)
    for k in range(3):
        np.testing.assert_array_equal(halved[..., k], halve(np.ascontiguousarray(image[..., k])))
    room = np.empty(image.size, np.uint8)
    np.testing.assert_array_equal(halve(image, room), halved)
