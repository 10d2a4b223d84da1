"""Heatmaps over faces: colours where the maps are high, the face where they are not."""

import colorsys

import numpy as np
import pytest

from classicface.exceptions import InvalidInputError
from classicface.plotting.heatmaps import draw_heatmaps

SIZE = 64


def maps_at(points, side=16, sigma=0.8):
    """Return maps with a peak at each point of a crop of `SIZE` pixels."""
    stride = SIZE / side
    y, x = np.mgrid[:side, :side][:, :, :, None]
    at = (np.asarray(points) + 0.5) / stride - 0.5
    maps = np.exp(-((x - at[:, 0]) ** 2 + (y - at[:, 1]) ** 2) / (2 * sigma**2))
    return maps / maps.sum(axis=(0, 1))


def saturation(picture):
    """Return how coloured each pixel is, 0 for grey."""
    values = picture.astype(float)
    return (values.max(axis=2) - values.min(axis=2)) / 255


POINTS = np.array([[17.5, 25.5], [45.5, 41.5]])


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("scale", [1.0, 2.5, 0.5])
def test_colours_lie_at_the_peaks(grey, scale):
    picture = draw_heatmaps(np.full((SIZE, SIZE), grey, np.uint8), maps_at(POINTS), scale=scale)
    side = round(SIZE * scale)
    assert picture.shape == (side, side, 3)
    assert picture.dtype == np.uint8
    colored = saturation(picture)
    y, x = np.mgrid[:side, :side]
    for j, point in enumerate(POINTS):
        other = (POINTS[1 - j] + 0.5) * scale - 0.5
        place = (point + 0.5) * scale - 0.5
        near = np.hypot(x - place[0], y - place[1]) < np.hypot(x - other[0], y - other[1])
        ink = colored * near
        center = np.array([(ink * x).sum(), (ink * y).sum()]) / ink.sum()
        np.testing.assert_allclose(center, place, atol=0.6)
        assert ink.max() > 0.5


def test_the_face_stays_grey_elsewhere():
    face = np.tile(np.linspace(0, 255, SIZE).astype(np.uint8), (SIZE, 1))
    picture = draw_heatmaps(face, maps_at(POINTS), scale=1)
    away = saturation(picture) == 0
    assert away.mean() > 0.5
    row = picture[2, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert row[0] < 20
    assert 150 < row[-1] < 180


def test_regions_have_colours_of_their_own(faces):
    points = faces.landmarks[0]
    low, high = points.min(axis=0), points.max(axis=0)
    points = 8 + 48 * (points - low) / (high - low).max()
    maps = maps_at(points, 32, 0.7)
    face = np.zeros((SIZE, SIZE), np.uint8)

    def hue(landmark):
        picture = draw_heatmaps(face, maps, landmarks=[landmark], scale=1)
        y, x = np.unravel_index(saturation(picture).argmax(), face.shape)
        assert np.hypot(*(points[landmark] - [x, y])) < 2
        return round(colorsys.rgb_to_hsv(*picture[y, x])[0], 2)

    assert hue(0) == hue(16)
    assert len({hue(i) for i in (8, 19, 24, 30, 36, 45, 57)}) == 7


def test_a_broad_map_is_as_bright_as_a_sharp_one():
    face = np.zeros((SIZE, SIZE), np.uint8)
    sharp, broad = (
        draw_heatmaps(face, maps_at(POINTS[:1], 16, sigma), scale=1) for sigma in (0.6, 3.0)
    )
    assert abs(int(sharp.max()) - int(broad.max())) < 25
    assert (saturation(broad) > 0.2).sum() > 4 * (saturation(sharp) > 0.2).sum()


def test_points_are_white_and_missing_ones_are_left_out():
    face = np.zeros((SIZE, SIZE), np.uint8)
    marked = POINTS.copy()
    marked[1] = np.nan
    picture = draw_heatmaps(face, maps_at(POINTS), points=marked, scale=3)
    y, x = np.argwhere((picture > 250).all(axis=2)).mean(axis=0)
    np.testing.assert_allclose([x, y], (POINTS[0] + 0.5) * 3 - 0.5, atol=0.6)


def test_inputs_stay_and_empty_maps_leave_the_face():
    face, maps = np.full((SIZE, SIZE), 90, np.uint8), np.zeros((8, 8, 2))
    picture = draw_heatmaps(face, maps)
    assert (saturation(picture) == 0).all()
    assert (face == 90).all()
    assert (maps == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maps": np.zeros((8, 8))}, "expected .height, width, n_landmarks"),
        ({"maps": np.zeros((8, 8, 0))}, "expected .height, width, n_landmarks"),
        ({"maps": np.full((8, 8, 2), -1.0)}, "negative"),
        ({"maps": np.full((8, 8, 2), np.nan)}, "not finite"),
        ({"scheme": "ibug68"}, "68 points; there are 2 maps"),
        ({"landmarks": [2]}, "landmarks"),
        ({"points": np.zeros((3, 2))}, "landmarks"),
        ({"points": np.zeros((1, 2, 2))}, "one face"),
        ({"scale": 33}, "scale"),
        ({"image": np.zeros((4, 4, 7), np.uint8)}, "image"),
    ],
)
def test_mistakes(options, message):
    chosen = {"image": np.zeros((8, 8), np.uint8), "maps": np.zeros((8, 8, 2)), **options}
    with pytest.raises(InvalidInputError, match=message):
        draw_heatmaps(**chosen)


def test_a_drawing_too_large_is_refused():
    with pytest.raises(InvalidInputError, match="megapixels"):
        draw_heatmaps(np.zeros((1000, 1000), np.uint8), np.zeros((8, 8, 2)), scale=32)
