"""Grey profiles and the neighbours that say where they run."""

import numpy as np

from classicface.asm.profiles import learn_profiles, line_neighbours
from classicface.shape.schemes import get_scheme


def test_statistics_of_profiles():
    rng = np.random.default_rng(0)
    profiles = rng.standard_normal((5000, 2, 3)).astype(np.float32) * [1, 2, 3] + [0, 1, 2]
    means, inverses = learn_profiles(profiles.astype(np.float32))
    np.testing.assert_allclose(means, [[0, 1, 2]] * 2, atol=0.2)
    floor = 0.05 * 14 / 3
    expected = np.diag(1 / (np.array([1, 4, 9]) + floor))
    np.testing.assert_allclose(inverses, [expected] * 2, atol=0.05)


def test_one_face_has_profiles_too():
    means, inverses = learn_profiles(np.ones((1, 2, 3), np.float32))
    np.testing.assert_array_equal(means, 1)
    np.testing.assert_allclose(inverses, np.tile(1e6 * np.eye(3), (2, 1, 1)), rtol=1e-5)


def test_neighbours_on_the_lines_of_a_scheme():
    mean = np.random.default_rng(0).random((68, 2))
    neighbours = line_neighbours(get_scheme("ibug68").lines, mean)
    assert neighbours[5].tolist() == [4, 6]  # on the jaw
    assert neighbours[0].tolist() == [0, 1]  # at its end
    assert neighbours[16].tolist() == [15, 16]
    assert neighbours[36].tolist() == [41, 37]  # an eye is closed
    assert neighbours[41].tolist() == [40, 36]


def test_without_lines_the_nearest_points_are_neighbours():
    mean = np.array([[0, 0], [1, 0], [2.5, 0], [10, 0]])
    assert line_neighbours((), mean).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert line_neighbours((), mean[:2]).tolist() == [[1, 1], [0, 0]]
    lines = (((3,), False), ((0, 2), False))
    assert line_neighbours(lines, mean)[[0, 2, 3]].tolist() == [[0, 2], [0, 2], [2, 1]]
