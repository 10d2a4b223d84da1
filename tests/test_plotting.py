"""Drawing: marks at the right pixels, inputs untouched, missing points left out, files whole."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.data.synthetic import draw_face
from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.image.io import read_image
from classicface.plotting import draw_landmarks, grid, plot_ced, plot_nme_curve, save_figure

GREEN = [90, 255, 90]
YELLOW = [255, 220, 40]


def is_green(color):
    """Tell whether a pixel of a thin line, which is blended with what is below, is green."""
    red, green, blue = (int(value) for value in color)
    return green > 170 and green > 2 * max(red, blue)


FACE = np.array([[20.0, 30.0], [80.0, 30.0], [50.0, 60.0], [50.0, 90.0]], np.float32)


@pytest.fixture
def grey():
    return np.full((120, 100), 128, np.uint8)


class TestDrawLandmarks:
    def test_marks_lie_at_the_landmarks_with_a_dark_outline(self, grey):
        drawn = draw_landmarks(grey, FACE)
        assert drawn.shape == (120, 100, 3)
        assert drawn.dtype == np.uint8
        for x, y in FACE.astype(int):
            assert drawn[y, x].tolist() == GREEN
            assert drawn[y - 3 : y + 4, x - 3 : x + 4].min() < 100
        changed = np.argwhere((drawn != 128).any(axis=2))[:, ::-1]
        away = np.abs(changed[:, None] - FACE).max(axis=2).min(axis=1)
        assert away.max() <= 4

    def test_input_is_untouched_and_the_result_is_the_same_again(self, grey):
        picture, points = np.dstack([grey] * 3), FACE.copy()
        first, second = draw_landmarks(picture, points), draw_landmarks(picture, points)
        assert np.all(picture == 128)
        np.testing.assert_array_equal(points, FACE)
        np.testing.assert_array_equal(first, second)

    def test_marks_are_placed_below_a_pixel(self, grey):
        def center(x):
            points = np.array([[x, 50.0], [x, 90.0]], np.float32)
            ink = draw_landmarks(grey, points)[45:56, :, 1].astype(float) - 128
            ink = np.maximum(ink, 0).sum(axis=0)
            return (ink * np.arange(100)).sum() / ink.sum()

        assert center(50.0) == pytest.approx(50.0, abs=0.1)
        assert center(50.5) == pytest.approx(50.5, abs=0.15)

    def test_colour_pictures_keep_their_colours(self):
        picture = np.zeros((50, 50, 3), np.uint8)
        picture[:] = 10, 60, 200
        drawn = draw_landmarks(picture, FACE / 4)
        assert drawn[45, 45].tolist() == [10, 60, 200]
        as_float = draw_landmarks(picture / 255, FACE / 4)
        np.testing.assert_array_equal(as_float, drawn)
        with_alpha = draw_landmarks(np.dstack([picture, picture[:, :, 0]]), FACE / 4)
        np.testing.assert_array_equal(with_alpha, drawn)

    def test_missing_and_outside_points_are_left_out(self, grey):
        some = FACE.copy()
        some[1] = np.nan
        some[2] = -40, 500
        drawn = draw_landmarks(grey, some)
        assert drawn[30, 20].tolist() == GREEN
        assert drawn[30, 80].tolist() == [128] * 3
        nothing = draw_landmarks(grey, np.full((4, 2), np.nan, np.float32), indices=True)
        assert np.all(nothing == 128)
        assert np.all(draw_landmarks(grey, np.zeros((0, 68, 2)), "ibug68") == 128)

    def test_several_faces_have_several_colours(self, grey):
        drawn = draw_landmarks(grey, np.stack([FACE, FACE + np.float32([3, 20])]))
        assert drawn[30, 20].tolist() == GREEN
        assert drawn[50, 23].tolist() == YELLOW

    def test_lines_of_the_scheme(self):
        picture, points = draw_face(size=300, face_size=200)
        plain = draw_landmarks(picture, points)
        lined = draw_landmarks(picture, points, "ibug68")
        x, y = np.round(points[[7, 8]].mean(axis=0)).astype(int)
        np.testing.assert_array_equal(plain[y, x], picture[y, x])
        assert is_green(lined[y, x])
        between = np.round(points[[16, 17]].mean(axis=0)).astype(int)[::-1]
        np.testing.assert_array_equal(lined[tuple(between)], picture[tuple(between)])

    def test_no_line_leads_to_a_missing_point(self):
        points = draw_face(size=300, face_size=200)[1]
        points[8] = np.nan
        blank = np.full((300, 300), 128, np.uint8)
        lined = draw_landmarks(blank, points, "ibug68")
        x, y = np.round(points[[7, 9]].mean(axis=0)).astype(int)
        assert np.all(lined[y - 3 : y + 4, x - 3 : x + 4] == 128)

    def test_boxes(self, grey):
        drawn = draw_landmarks(grey, np.zeros((0, 4, 2)), boxes=[[10, 20, 70, 90]])
        for y, x in ((20, 40), (90, 40), (50, 10), (50, 70)):
            assert is_green(drawn[y, x])
        assert np.all(drawn[30:80, 20:60] == 128)

    def test_indices_write_something_beside_the_points(self, grey):
        without, with_numbers = draw_landmarks(grey, FACE), draw_landmarks(grey, FACE, indices=True)
        assert with_numbers[15:30, 22:40].min(axis=2).max() > 180
        assert np.sum(with_numbers != without) > 100

    def test_marks_grow_with_the_face(self):
        areas = []
        for size in (100, 400, 1600):
            blank = np.full((size, size), 128, np.uint8)
            drawn = draw_landmarks(blank, FACE * size / 120)
            areas.append(np.sum((drawn == GREEN).all(axis=2)))
        assert 1 < areas[0] < areas[1] < areas[2]

    def test_scale_enlarges_the_picture_and_keeps_the_places(self, grey):
        grey[60, 50] = 255
        drawn = draw_landmarks(grey, FACE[:1], scale=4)
        assert drawn.shape == (480, 400, 3)
        x, y = np.round((FACE[0] + 0.5) * 4 - 0.5).astype(int)
        assert is_green(drawn[y, x])
        peak = np.unravel_index(drawn[220:260, 180:220, 0].argmax(), (40, 40))
        assert np.abs(np.subtract(peak, [21.5, 21.5])).max() <= 1

    @settings(max_examples=30)
    @given(
        st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=68, max_size=68)
    )
    def test_survives_any_finite_points(self, points):
        drawn = draw_landmarks(np.zeros((20, 30), np.uint8), np.array(points), "ibug68")
        assert drawn.shape == (20, 30, 3)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"landmarks": np.zeros((4, 3))},
            {"landmarks": np.full((4, 2), np.inf)},
            {"scheme": "ibug68"},
            {"scheme": "no such scheme"},
            {"boxes": [[5, 5, 1, 1]]},
            {"scale": 0},
            {"scale": 100},
            {"image": np.zeros((4, 4, 5), np.uint8)},
            {"image": np.zeros((3000, 3000), np.uint8), "scale": 32},
        ],
    )
    def test_refuses_bad_arguments(self, grey, arguments):
        with pytest.raises(InvalidInputError):
            draw_landmarks(**{"image": grey, "landmarks": FACE, **arguments})


class TestGrid:
    def test_cells(self):
        small, large = np.full((2, 2), 10, np.uint8), np.full((4, 6, 3), 20, np.uint8)
        sheet = grid([small, large, small], 2, gap=1)
        assert sheet.shape == (9, 13, 3)
        assert np.all(sheet[1:3, 2:4] == 10)
        assert np.all(sheet[:4, 7:] == 20)
        assert np.all(sheet[6:8, 2:4] == 10)
        assert np.all(sheet[5:, 7:] == 255)
        assert np.all(sheet[4] == 255)

    def test_one_row_when_there_are_few(self):
        assert grid([np.zeros((3, 3), np.uint8)] * 2, 8, gap=0).shape == (3, 6, 3)

    @pytest.mark.parametrize(
        ("images", "columns"),
        [([], 3), ([np.zeros((3, 3), np.uint8)], 0), ([np.zeros((9000, 9000), bool)] * 4, 4)],
    )
    def test_refuses(self, images, columns):
        with pytest.raises(InvalidInputError):
            grid(images, columns)


class TestCurves:
    def test_ced_shows_percent_of_faces_by_percent_of_error(self):
        errors = [0.02, 0.04, 0.06, np.inf]
        figure = plot_ced({"a": errors, "b": [0.01]}, threshold=0.08)
        (axes,) = figure.axes
        first, second = axes.get_lines()
        x, y = first.get_xdata(), first.get_ydata()
        assert (x[0], x[-1]) == (0, 8)
        assert (y[0], y[-1]) == (0, 75)
        assert np.interp(3.0, x, y) == 25
        assert second.get_ydata()[-1] == 100
        assert first.get_label() == "a (AUC 0.375)"
        assert axes.get_xlabel() == "NME, inter-ocular [%]"

    def test_nme_curve(self):
        figure = plot_nme_curve(
            [0, 15, 30], {"a": [0.03, np.nan, 0.06]}, xlabel="yaw", normalizer="box"
        )
        (line,) = figure.axes[0].get_lines()
        np.testing.assert_allclose(line.get_ydata(), [3, np.nan, 6])
        assert figure.axes[0].get_ylabel() == "NME, box [%]"

    def test_refuses(self):
        with pytest.raises(InvalidInputError, match="no curve"):
            plot_ced({})
        with pytest.raises(InvalidInputError):
            plot_ced({"a": []})
        with pytest.raises(InvalidInputError, match="'a'"):
            plot_nme_curve([1, 2], {"a": [0.1]}, xlabel="x")

    @pytest.mark.parametrize(
        ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
    )
    def test_save(self, tmp_path, ending, magic):
        path = tmp_path / f"ced.{ending}"
        path.write_text("old")
        save_figure(plot_ced({"a": [0.02, 0.05]}), path, dpi=50)
        assert path.read_bytes().startswith(magic)
        assert list(tmp_path.iterdir()) == [path]
        if ending == "png":
            assert read_image(path).shape == (220, 320)

    def test_save_leaves_nothing_behind(self, tmp_path):
        figure = plot_ced({"a": [0.02]})
        with pytest.raises(DataFormatError):
            save_figure(figure, tmp_path / "ced.txt")
        with pytest.raises(DataFormatError):
            save_figure(figure, tmp_path / "no folder" / "ced.png")
        assert list(tmp_path.iterdir()) == []


def test_importing_loads_neither_matplotlib_nor_opencv():
    code = "import sys, classicface.plotting; print({'matplotlib', 'cv2'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr
