"""The reference frame: landmarks lie in the crop where it says, whatever the pose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.image.frame import ReferenceFrame, _span
from classicface.shape.similarity import apply_similarity, invert_similarity

# Five points far apart: centred, size 1, wider than high.
POINTS = np.array([[-2.0, -1.4], [2.0, -1.5], [0.1, 0.2], [-1.6, 1.2], [1.5, 1.5]])
MEAN = (POINTS - POINTS.mean(axis=0)) / np.linalg.norm(POINTS - POINTS.mean(axis=0))


def pose_of(face_size, degrees=0.0, centre=(0.0, 0.0)):
    """Return the pose that gives the mean shape a size in pixels."""
    scale = face_size / np.ptp(MEAN, axis=0).max()
    angle = np.radians(degrees)
    return np.array([scale * np.cos(angle), scale * np.sin(angle), *centre])


def draw_dots(shape, centres, sigma):
    """Draw Gaussian dots on black."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    dots = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in centres]
    return np.rint(250 * np.max(dots, axis=0)).astype(np.uint8)


def centroid(pixels, place, radius):
    """Return the centre of mass of what lies near a place."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(float)
    near = (x - place[0]) ** 2 + (y - place[1]) ** 2 <= radius**2
    mass = pixels * near
    assert mass.sum() > 0
    return np.array([(x * mass).sum(), (y * mass).sum()]) / mass.sum()


@given(
    face_size=st.floats(8, 500),
    margin=st.floats(0, 1.5),
    shift=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    stretch=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
)
def test_landmarks_have_the_asked_size_and_are_centred(face_size, margin, shift, stretch):
    mean = POINTS * stretch + shift
    frame = ReferenceFrame.build(mean, face_size, margin)
    low, high = frame.landmarks.min(axis=0), frame.landmarks.max(axis=0)
    assert (high - low).max() == pytest.approx(face_size)
    np.testing.assert_allclose((low + high) / 2, (frame.size - 1) / 2)
    assert 0 <= frame.size - face_size * (1 + 2 * margin) < 1 + 1e-9
    np.testing.assert_allclose(frame.scale * mean + frame.origin, frame.landmarks)


@pytest.mark.parametrize("face_size", [25, 60, 100, 119, 121, 170, 250, 310, 500])
@pytest.mark.parametrize("degrees", [0, 30, -100, 180])
def test_crop_puts_landmarks_where_it_says(face_size, degrees):
    frame = ReferenceFrame.build(MEAN, 60, 0.3)
    pose = pose_of(face_size, degrees, (380.4, 340.7))
    ratio = face_size / 60
    places = apply_similarity(pose, MEAN)
    image = draw_dots((700, 750), places, 2 * max(ratio, 0.5))
    pixels, to_image = frame.crop(image, pose)
    assert pixels.shape == (frame.size, frame.size)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(apply_similarity(to_image, frame.landmarks), places, atol=1e-9)
    np.testing.assert_allclose(apply_similarity(pose, MEAN), places)
    for place in frame.landmarks:
        assert np.linalg.norm(centroid(pixels, place, 9) - place) < 0.15


@given(
    size=st.floats(1, 3000),
    degrees=st.floats(-180, 180),
    centre=st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000)),
)
def test_to_image_takes_the_frame_to_the_picture(size, degrees, centre):
    frame = ReferenceFrame.build(MEAN, 40)
    pose = pose_of(size, degrees, centre)
    _, to_image = frame.crop(np.zeros((30, 20), np.uint8), pose)
    expected = apply_similarity(pose, MEAN)
    np.testing.assert_allclose(apply_similarity(to_image, frame.landmarks), expected, atol=1e-6)
    back = apply_similarity(invert_similarity(to_image), expected)
    np.testing.assert_allclose(back, frame.landmarks, atol=1e-6)


@pytest.mark.parametrize("face_size", [30, 61, 140, 300])
@pytest.mark.parametrize("shift", [(-40, 0), (60, 70), (0, 120)])
def test_a_face_partly_outside_is_seen_as_in_a_picture_with_its_border_repeated(face_size, shift):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :150]
    image = np.rint(120 + 60 * np.sin(x / 25 + y / 50) + rng.normal(0, 1, x.shape))
    image = image.astype(np.uint8)
    wide = np.pad(image, 320, mode="edge")
    frame = ReferenceFrame.build(MEAN, 30)
    pose = pose_of(face_size, 15, (75.0 + shift[0], 60.0 + shift[1]))
    moved = pose + np.array([0, 0, 320, 320])
    inside, _ = frame.crop(image, pose)
    expected, _ = frame.crop(wide, moved)
    difference = np.abs(inside.astype(int) - expected)
    if face_size < 60:
        np.testing.assert_array_equal(inside, expected)
    else:  # outside, a halved picture repeats the mean of its last pixels
        slope = 2.7 * face_size / 30  # grey levels a frame pixel
        assert difference.max() <= 1.2 * slope
        assert difference.mean() <= 0.4 * slope


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 5)])
@pytest.mark.parametrize("face_size", [1e-3, 1, 20, 500, 1e5])
@pytest.mark.parametrize("centre", [(0, 0), (-1e4, 3), (1e6, -1e6), (20, 1e5)])
def test_any_pose_over_a_tiny_constant_picture(shape, face_size, centre):
    frame = ReferenceFrame.build(MEAN, 20)
    pixels, to_image = frame.crop(np.full(shape, 93, np.uint8), pose_of(face_size, 40, centre))
    assert np.all(pixels == 93)
    assert np.isfinite(to_image).all()


def test_a_face_wholly_outside_sees_the_nearest_corner():
    image = np.zeros((50, 60), np.uint8)
    image[0, 0], image[-1, -1] = 200, 100
    frame = ReferenceFrame.build(MEAN, 20)
    for size in (20, 200):
        assert np.all(frame.crop(image, pose_of(size, 0, (-1000, -1000)))[0] > 10)
    assert np.all(frame.crop(image, pose_of(20, 0, (-1000, -1000)))[0] == 200)
    assert np.all(frame.crop(image, pose_of(20, 0, (1000, 1000)))[0] == 100)


@pytest.mark.parametrize("face_size", [62, 125, 250, 600])
@pytest.mark.parametrize("degrees", [0, 33])
def test_the_cut_changes_nothing_inside(face_size, degrees, monkeypatch):
    """A large picture is cut to the face before it is halved; only the phase may differ."""
    y, x = np.mgrid[:1200, :1300]
    image = 120 + 50 * np.sin(x / face_size * 9) + 50 * np.cos((y + x / 2) / face_size * 8)
    image = np.rint(image).astype(np.uint8)
    frame = ReferenceFrame.build(MEAN, 30)
    pose = pose_of(face_size, degrees, (611.3, 580.9))
    cut, _ = frame.crop(image, pose)
    monkeypatch.setattr(
        ReferenceFrame, "_surroundings", lambda self, image, to_image: (image, *to_image[2:])
    )
    whole, _ = frame.crop(image, pose)
    difference = np.abs(cut.astype(int) - whole)
    assert difference[1:-1, 1:-1].max() <= 3
    assert difference.mean() < 1


def test_the_cut_is_small():
    """The cost of a crop is that of the face, not of the picture."""
    frame = ReferenceFrame.build(MEAN, 30)
    image = np.broadcast_to(np.uint8(3), (9000, 20_000))
    to_image = (4.0, 0.0, 5000.5, 4000.5)
    pixels, tx, ty = frame._surroundings(image, to_image)
    assert max(pixels.shape) <= 4 * frame.size + 6
    assert 0 <= tx <= 4
    assert 0 <= ty <= 4


@pytest.mark.parametrize("shape", [(20, 40_000), (40_000, 20), (3, 33_000), (1, 40_000)])
@pytest.mark.parametrize("face_size", [15, 50_000])
def test_pictures_longer_than_opencv_resamples(shape, face_size):
    """The face sits at the far end; the near half of the picture is lighter."""
    image = np.full(shape, 70, np.uint8)
    if shape[1] > shape[0]:
        image[:, : shape[1] // 2] = 90
    else:
        image[: shape[0] // 2] = 90
    frame = ReferenceFrame.build(MEAN, 20)
    centre = [side - 30.0 if side > 30 else side / 2 for side in shape[::-1]]
    pixels, _ = frame.crop(image, pose_of(face_size, 0, centre))
    far, near = pixels[-1, -1], pixels[0, 0]
    assert far == 70
    assert near == (70 if face_size == 15 else 90)


@given(corners=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4), size=st.integers(1, 10**6))
def test_span_is_inside_and_never_empty(corners, size):
    low, high = _span(tuple(corners), size)
    assert 0 <= low < high <= size
    assert low <= min(max(min(corners), 0), size - 1)
    assert high - 1 >= max(min(max(corners), size - 1), 0) - 1e-6
