"""Pictures of shape models: the right shapes at the right places, files whole or not there."""

import html.parser
import json
import re

import numpy as np
import pytest
from PIL import Image

from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.plotting import save_figure
from classicface.plotting.shapes import (
    plot_mean_shape,
    plot_modes,
    plot_variance,
    save_modes_gif,
    save_modes_html,
)
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.schemes import LandmarkScheme, get_scheme

N_LINES = len(get_scheme("ibug68").lines)


@pytest.fixture(scope="module")
def model(faces):
    return PointDistributionModel.fit(faces.landmarks, 6)


@pytest.fixture
def rigid(faces):
    return PointDistributionModel.fit(faces.landmarks[:1])


class TestMeanShape:
    def test_points_lines_numbers_and_ellipses(self, model):
        (axes,) = plot_mean_shape(model).axes
        np.testing.assert_allclose(axes.collections[0].get_offsets(), model.mean)
        assert len(axes.lines) == N_LINES
        assert [text.get_text() for text in axes.texts] == [str(i) for i in range(68)]
        assert axes.yaxis_inverted()
        i = 30
        spread = np.einsum("k,kc,kd->cd", model.variances, *[model.components[:, i]] * 2)
        ellipse = axes.patches[i]
        np.testing.assert_allclose(ellipse.get_center(), model.mean[i])
        sizes = np.sort([ellipse.width / 2, ellipse.height / 2]) ** 2
        np.testing.assert_allclose(sizes, np.linalg.eigvalsh(spread), atol=1e-12)
        long_way = np.radians(ellipse.angle + (90 if ellipse.height > ellipse.width else 0))
        direction = np.array([np.cos(long_way), np.sin(long_way)])
        np.testing.assert_allclose(spread @ direction, sizes[1] * direction, atol=1e-9)

    def test_everything_lies_inside(self, model):
        (axes,) = plot_mean_shape(model).axes
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        reach = np.sqrt(np.sum(model.components**2 * model.variances[:, None, None], axis=0))
        assert left < (model.mean - reach)[:, 0].min()
        assert right > (model.mean + reach)[:, 0].max()
        assert top < (model.mean - reach)[:, 1].min()
        assert bottom > (model.mean + reach)[:, 1].max()

    def test_a_scheme_without_lines_and_a_model_without_components(self, rigid, tmp_path):
        figure = plot_mean_shape(rigid, LandmarkScheme("bare", 68))
        assert len(figure.axes[0].lines) == 0
        save_figure(figure, tmp_path / "mean.png", dpi=20)


class TestModes:
    def test_each_mode_at_each_step(self, model):
        figure = plot_modes(model, n_modes=3, n_std=2.0)
        grid = np.reshape(figure.axes, (3, 5))
        for j, row in enumerate(grid):
            for i, axes in enumerate(row):
                b = np.zeros(6)
                b[j] = (i - 2) * np.sqrt(model.variances[j])
                drawn = axes.collections[0].get_offsets()
                np.testing.assert_allclose(drawn, model.to_landmarks(b))
                assert len(axes.lines) == 2 * N_LINES  # the mean is behind
        assert [axes.get_title() for axes in grid[0]] == [
            *("\N{MINUS SIGN}2 sd", "\N{MINUS SIGN}1 sd", "mean", "+1 sd", "+2 sd")
        ]
        share = 100 * model.explained[1]
        assert grid[1, 0].texts[0].get_text() == f"mode 2\n{share:.1f} %"
        limits = {axes.get_xlim() for axes in figure.axes}
        assert len(limits) == 1

    def test_no_more_modes_than_there_are(self, model):
        assert len(plot_modes(model, n_modes=50).axes) == 6 * 5

    def test_the_curve_of_the_variance(self, model):
        (axes,) = plot_variance(model).axes
        heights = [bar.get_height() for bar in axes.patches]
        np.testing.assert_allclose(heights, 100 * model.explained)
        np.testing.assert_allclose(axes.lines[0].get_ydata(), 100 * np.cumsum(model.explained))

    def test_the_same_bytes_again(self, model, tmp_path):
        for name in ("a.png", "b.png"):
            save_figure(plot_modes(model, n_modes=2), tmp_path / name, dpi=30)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


class TestAnimation:
    def test_it_moves_there_and_back(self, model, tmp_path):
        path = tmp_path / "modes.gif"
        save_modes_gif(model, path, n_modes=2, n_frames=8)
        with Image.open(path) as gif:
            assert gif.info["loop"] == 0
            frames = []
            for i in range(gif.n_frames):
                gif.seek(i)
                frames.append(np.asarray(gif.convert("RGB"), int))
        assert frames[0].shape[1] == 2 * 180
        assert len(frames) >= 5
        ink = [(frame.sum(axis=2) < 600).sum() for frame in frames]
        assert min(ink) > 200
        assert (frames[0] != frames[2]).any(axis=2).sum() > 200
        for frame in frames:  # every stroke lies inside its cell
            assert (frame[:, [0, 179, 180, 359]] > 250).all()

    def test_shapes_are_drawn_where_they_are(self, tmp_path):
        corners = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
        shapes = [corners * [1 + s, 1 - s] for s in (-0.2, 0.0, 0.2)]
        square = PointDistributionModel.fit(shapes)
        lines = (((0, 1, 2, 3), True),)
        save_modes_gif(
            square, tmp_path / "s.gif", LandmarkScheme("square", 4, lines=lines), n_modes=1
        )
        with Image.open(tmp_path / "s.gif") as gif:
            dark = np.asarray(gif.convert("L")) < 128
        rows, columns = np.nonzero(dark[:180])
        extent = np.ptp(rows), np.ptp(columns)
        assert abs(extent[0] - extent[1]) <= 3
        assert dark[:180].sum() < 0.2 * 180 * 180
        assert not dark[70:110, 70:110].any()

    def test_the_same_bytes_again(self, model, tmp_path):
        for name in ("a.gif", "b.gif"):
            save_modes_gif(model, tmp_path / name, n_modes=1, n_frames=4)
        assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


class Reader(html.parser.HTMLParser):
    """Collects the tags of a page and checks that they close."""

    void = ("meta", "input")

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read_page(path):
    text = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return text, reader


class TestPage:
    def test_sliders_and_numbers(self, model, tmp_path):
        path = tmp_path / "modes.html"
        save_modes_html(model, path, n_modes=4, n_std=2.5)
        text, reader = read_page(path)
        sliders = [attributes for tag, attributes in reader.tags if tag == "input"]
        assert [slider["id"] for slider in sliders] == ["m0", "m1", "m2", "m3"]
        assert all((s["min"], s["max"]) == ("-2.5", "2.5") for s in sliders)
        labels = [attributes["for"] for tag, attributes in reader.tags if tag == "label"]
        assert labels == [slider["id"] for slider in sliders]
        data = json.loads(re.search(r"const data = (\{.*?\}), limit", text)[1])
        np.testing.assert_allclose(data["mean"], 1000 * model.mean, atol=0.01)
        modes = 1000 * model.components[:4] * np.sqrt(model.variances[:4, None, None])
        np.testing.assert_allclose(data["modes"], modes, atol=0.001)
        assert len(data["lines"]) == N_LINES
        assert "@" not in text.replace("@media", "")

    def test_it_needs_no_network(self, model, tmp_path):
        save_modes_html(model, tmp_path / "modes.html")
        text, reader = read_page(tmp_path / "modes.html")
        assert not {"link", "img", "iframe"} & {tag for tag, _ in reader.tags}
        assert not any("src" in attributes or "href" in attributes for _, attributes in reader.tags)
        assert set(re.findall(r"https?://[^\"']*", text)) == {"http://www.w3.org/2000/svg"}

    def test_a_name_is_text(self, model, tmp_path):
        save_modes_html(model, tmp_path / "m.html", LandmarkScheme("</h1><script>@DATA@", 68))
        text, reader = read_page(tmp_path / "m.html")
        assert sum(tag == "script" for tag, _ in reader.tags) == 1
        assert "&lt;/h1&gt;&lt;script&gt;@DATA@" in text


@pytest.mark.parametrize(
    "act",
    [
        lambda model, path: plot_modes(model),
        lambda model, path: plot_variance(model),
        lambda model, path: save_modes_gif(model, path / "m.gif"),
        lambda model, path: save_modes_html(model, path / "m.html"),
    ],
)
def test_without_components_there_are_no_modes(rigid, tmp_path, act):
    with pytest.raises(InvalidInputError, match="its shapes do not vary"):
        act(rigid, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_mistakes(model, tmp_path):
    for act in (
        lambda: plot_mean_shape(model, "dlib5"),
        lambda: plot_modes(model, "dlib5"),
        lambda: plot_modes(model, n_modes=0),
        lambda: plot_modes(model, n_std=-1),
        lambda: save_modes_gif(model, tmp_path / "m.gif", n_frames=1),
        lambda: save_modes_gif(model, tmp_path / "m.gif", "dlib5"),
        lambda: save_modes_html(model, tmp_path / "m.html", n_std=0),
    ):
        with pytest.raises(InvalidInputError):
            act()
    with pytest.raises(DataFormatError, match=r"use \.gif"):
        save_modes_gif(model, tmp_path / "modes.png")
    with pytest.raises(DataFormatError, match=r"use \.html"):
        save_modes_html(model, tmp_path / "modes.txt")
    with pytest.raises(DataFormatError, match="cannot be written"):
        save_modes_gif(model, tmp_path / "nowhere" / "modes.gif")
    assert list(tmp_path.iterdir()) == []
