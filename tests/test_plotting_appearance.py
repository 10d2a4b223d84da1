"""Pictures of appearance: values at their places, strokes along edges, a fit's steps and costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.plotting import save_figure
from classicface.plotting.appearance import (
    appearance_image,
    plot_appearance_modes,
    plot_convergence,
    plot_orientations,
)


class TestAppearanceImage:
    @given(st.integers(1, 9), st.integers(1, 9), st.floats(0.1, 50.0), st.floats(-300.0, 300.0))
    def test_a_grid_comes_back(self, height, width, spacing, shift):
        picture = np.arange(height * width, dtype=np.float32).reshape(height, width)
        y, x = np.mgrid[:height, :width]
        points = np.column_stack([x.ravel(), y.ravel()]) * spacing + shift
        order = np.random.default_rng(0).permutation(len(points))
        made = appearance_image(points[order], picture.ravel()[order], spacing)
        np.testing.assert_array_equal(made, picture)

    def test_no_sample_is_nan_and_channels_stay(self):
        values = np.arange(6).reshape(3, 2)
        made = appearance_image([[0, 0], [2, 0], [2, 2]], values, 2.0)
        assert made.shape == (2, 2, 2)
        assert np.isnan(made[1, 0]).all()
        np.testing.assert_array_equal(made[[0, 0, 1], [0, 1, 1]], values)

    @pytest.mark.parametrize(
        ("points", "values", "spacing"),
        [
            (np.zeros((0, 2)), np.zeros(0), 1.0),
            (np.zeros((3, 2)), np.zeros(4), 1.0),
            (np.zeros((3, 3)), np.zeros(3), 1.0),
            ([[0, 0], [np.nan, 1]], [0, 1], 1.0),
            ([[0, 0], [1.5, 0]], [0, 1], 1.0),
            ([[0, 0], [1e9, 1e9]], [0, 1], 1.0),
            ([[0, 0], [1e300, 1e300]], [0, 1], 1e-6),
            ([[0, 0]], [0], 0.0),
        ],
    )
    def test_what_is_no_grid_is_refused(self, points, values, spacing):
        with pytest.raises(InvalidInputError):
            appearance_image(points, values, spacing)


class TestModes:
    def test_one_scale_of_grey_for_all(self):
        pictures = np.random.default_rng(0).normal(size=(2, 3, 8, 6))
        pictures[:, :, 0] = np.nan
        figure = plot_appearance_modes(pictures, (-2, 0, 2), (0.5, 0.25))
        assert len(figure.axes) == 6
        assert len({axes.images[0].get_clim() for axes in figure.axes}) == 1
        titles = [axes.get_title() for axes in figure.axes[:3]]
        assert titles == ["\N{MINUS SIGN}2 sd", "mean", "+2 sd"]
        assert [axes.texts[0].get_text() for axes in figure.axes[::3]] == [
            "mode 1\n50.0 %",
            "mode 2\n25.0 %",
        ]

    @pytest.mark.parametrize(
        ("pictures", "shares"),
        [
            (np.zeros((2, 2, 4, 4)), None),
            (np.zeros((0, 3, 4, 4)), None),
            (np.zeros((3, 4, 4)), None),
            (np.full((1, 3, 4, 4), np.nan), None),
            (np.zeros((2, 3, 4, 4)), (1.0,)),
        ],
    )
    def test_what_does_not_fit_is_refused(self, pictures, shares):
        with pytest.raises(InvalidInputError):
            plot_appearance_modes(pictures, (-2, 0, 2), shares)


class TestOrientations:
    def test_a_gradient_to_the_right_is_an_upright_edge(self):
        channels = np.zeros((2, 8))
        channels[0, 0] = channels[0, 4] = 0.5
        channels[1, 2] = 0.5  # downward: an edge that lies
        figure = plot_orientations([[10, 20], [30, 40]], channels, length=4.0)
        strokes = np.array(figure.axes[0].collections[0].get_segments()).reshape(2, 4, 2, 2)
        np.testing.assert_allclose(strokes[0, 0], [[10, 18], [10, 22]], atol=1e-9)
        np.testing.assert_allclose(np.sort(strokes[1, 2, :, 0]), [29, 31], atol=1e-9)
        np.testing.assert_allclose(strokes[1, 2, :, 1], 40, atol=1e-9)
        np.testing.assert_allclose(strokes[0, 1:], [10, 20] * np.ones((3, 2, 1)), atol=1e-9)
        assert figure.axes[0].yaxis_inverted()

    @pytest.mark.parametrize(
        ("points", "channels"),
        [
            (np.zeros((2, 2)), np.zeros((2, 7))),
            (np.zeros((2, 2)), np.zeros((3, 8))),
            (np.zeros((2, 3)), np.zeros((2, 8))),
            (np.zeros((0, 2)), np.zeros((0, 8))),
            (np.zeros((2, 2)), np.full((2, 8), np.nan)),
        ],
    )
    def test_what_does_not_fit_is_refused(self, points, channels):
        with pytest.raises(InvalidInputError):
            plot_orientations(points, channels, length=1.0)


class TestConvergence:
    def test_cells_and_costs(self, faces, tmp_path):
        face = faces.landmarks[0]
        shapes = [face + np.arange(8)[::-1, None, None], face + np.zeros((3, 1, 1))]
        costs = [np.linspace(1, 0.4, 7), np.array([0.5, 0.3])]
        figure = plot_convergence(faces.images[0], shapes, costs, ["40 px", "80 px"], "ibug68")
        titles = [axes.get_title() for axes in figure.axes]
        assert titles == [
            *("start", "1 step", "2 steps", "4 steps", "7 steps"),
            *("start", "1 step", "2 steps"),
            "",
        ]
        first, second = figure.axes[-1].lines
        np.testing.assert_array_equal(first.get_ydata(), costs[0])
        np.testing.assert_array_equal(second.get_xdata(), [7, 8])
        cells = [axes.images[0].get_array() for axes in figure.axes[:-1]]
        assert len({cell.shape for cell in cells}) == 1
        assert (cells[0] != cells[4]).any()
        np.testing.assert_array_equal(cells[4], cells[5])  # one scale starts where the last ended
        save_figure(figure, tmp_path / "fit.png")

    @pytest.mark.parametrize("move", [-1e5, 1e5])
    def test_a_fit_that_left_the_picture(self, faces, move):
        shapes = [np.stack([faces.landmarks[0], faces.landmarks[0] + move])]
        assert len(plot_convergence(faces.images[0], shapes, [[1.0]], ["40 px"]).axes) == 3

    def test_what_does_not_fit_is_refused(self, faces):
        image, trace = faces.images[0], faces.landmarks[:3]
        for shapes, costs, labels in (
            ([], [], []),
            ([trace], [[1.0, 2.0]], []),
            ([trace], [[1.0]], ["40 px"]),
            ([trace[0]], [[1.0]], ["40 px"]),
            ([trace * np.nan], [[1.0, 2.0]], ["40 px"]),
        ):
            with pytest.raises(InvalidInputError):
                plot_convergence(image, shapes, costs, labels)
