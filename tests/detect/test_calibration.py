"""Calibration: a known map is found again, whatever else the detector draws."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from classicface.detect import calibrate, get_detector
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import BoxMap, landmark_box

TRUE = BoxMap(0.05, -0.12, 0.8)


class Drawer:
    """Draws the box that TRUE maps to the face, one that lies elsewhere, and nothing at times."""

    def __init__(self, boxes, every=10):
        self.boxes, self.every, self.calls = boxes, every, 0

    def __call__(self, image):
        i, self.calls = self.calls, self.calls + 1
        if i % self.every == 0:
            return None
        return np.vstack([[[0, 0, 20, 20]], TRUE.invert(self.boxes[i : i + 1])])


def some_boxes(landmarks):
    """Return the landmark boxes; any box for a face without landmarks."""
    boxes = landmark_box(landmarks)
    boxes[np.isnan(boxes[:, 0])] = [1, 1, 2, 2]
    return boxes


@pytest.fixture
def faces():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1, (40, 68, 2)) * rng.uniform(50, 90, (40, 1, 1)) + 60
    points[3] = np.nan
    points[5, 7:20] = np.nan
    return SimpleNamespace(images=[np.zeros((200, 200), np.uint8)] * 40, landmarks=points)


def test_finds_the_map_again(faces, caplog):
    detector = get_detector(Drawer(some_boxes(faces.landmarks)))
    with caplog.at_level(logging.INFO, logger="classicface"):
        found = calibrate(detector, faces)
    np.testing.assert_allclose(
        [found.shift_x, found.shift_y, found.scale], [0.05, -0.12, 0.8], atol=2e-3
    )
    assert max(found.spread) < 0.1
    assert "35 of 40 faces matched" in caplog.text
    assert caplog.records[0].levelno == logging.INFO


def test_few_matches_are_told(faces, caplog):
    boxes = some_boxes(faces.landmarks)
    keep = slice(10, 40)

    def finder(image):
        finder.calls += 1
        return boxes[keep][finder.calls - 1][None] if finder.calls <= 12 else None

    finder.calls = 0
    calibrate(get_detector(finder), faces.images[keep], faces.landmarks[keep])
    assert caplog.records[0].levelno == logging.WARNING
    assert "12 of 30" in caplog.text


def test_too_few_matches_are_refused(faces):
    with pytest.raises(InvalidInputError, match=r"0 of 40 faces matched; at least 10"):
        calibrate(get_detector(lambda image: None), faces)
    with pytest.raises(InvalidInputError, match=r"0 of 40"):
        calibrate(get_detector(lambda image: [[0, 0, 5, 5]]), faces)


def test_wrong_inputs(faces):
    detector = get_detector(lambda image: None)
    with pytest.raises(InvalidInputError, match="needs landmarks"):
        calibrate(detector, faces.images)
    with pytest.raises(InvalidInputError, match="39 images"):
        calibrate(detector, faces.images[:39], faces.landmarks)
    with pytest.raises(InvalidInputError, match="expected"):
        calibrate(detector, faces.images, faces.landmarks[0])


def test_the_bundled_maps_hold_on_other_faces(data_dir):
    from classicface.detect import available_detectors
    from classicface.image.io import list_images, read_image
    from classicface.shape.box_maps import BOX_MAPS

    paths = list_images(data_dir / "300w" / "helen" / "testset")[::16]
    images = [read_image(path) for path in paths]
    points = [np.loadtxt(p.with_suffix(".pts"), skiprows=3, comments="}") - 1 for p in paths]
    for name in available_detectors():
        found, bundled = calibrate(get_detector(name), images, points), BOX_MAPS[name]
        assert abs(found.shift_x - bundled.shift_x) < 0.04
        assert abs(found.shift_y - bundled.shift_y) < 0.04
        assert abs(found.scale - bundled.scale) < 0.1
