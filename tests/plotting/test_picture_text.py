"""Text on pictures: contrast on any background, letters of several alphabets, nothing outside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.plotting import _text
from classicface.plotting.labels import identity_color

BACKGROUNDS = ("black", "white", "noise")


def background(name, height, width):
    if name == "noise":
        return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.full((height, width, 3), 0 if name == "black" else 255, np.uint8)


def luminance(color):
    linear = (np.asarray(color, float) / 255) ** 2.2
    return linear @ [0.2126, 0.7152, 0.0722]


class TestText:
    @pytest.mark.parametrize("name", BACKGROUNDS)
    @pytest.mark.parametrize("size", [9, 16, 60])
    def test_contrast_on_any_background(self, name, size):
        picture = background(name, 2 * size, 12 * size)
        width, height = _text.text_size("Face 12", size)
        _text.draw_text(picture, "Face 12", (3, 2), size, paper=(255, 220, 40))
        plate = picture[2 : 2 + height, 3 : 3 + width].reshape(-1, 3)
        shades = np.sort(luminance(plate))
        dark, bright = shades[: len(shades) // 25].mean(), shades[len(shades) // 2]
        assert (bright + 0.05) / (dark + 0.05) > 7  # WCAG's level AAA

    def test_every_identity_has_a_plate_for_dark_text(self):
        for i in range(10):
            assert (luminance(identity_color(i)) + 0.05) / (luminance(_text.DARK) + 0.05) > 6
        assert len({identity_color(i) for i in range(10)}) == 10
        assert identity_color(np.int64(13)) == identity_color(3)

    @pytest.mark.parametrize("text", ["Zoë", "Łukasz", "Ωμέγα", "Ёж", "0.98 ±2°"])
    def test_letters_beyond_ascii_are_there(self, text):
        unknown = _text._mask("\U0010fffd", 24)
        for letter in text.replace(" ", ""):
            assert not np.array_equal(_text._mask(letter, 24), unknown)

    @given(st.text(max_size=100), st.sampled_from([9, 16, 40]), st.integers(0, 300))
    @settings(max_examples=40, deadline=None)
    def test_any_text_fits_or_is_nothing(self, text, size, width):
        shown = _text.fit_text(text, size, width)
        assert not shown or _text.text_size(shown, size)[0] <= width

    def test_a_text_that_fits_is_whole_and_a_long_one_ends_in_dots(self):
        assert _text.fit_text("a b\nc", 12, 200) == "a b c"
        cut = _text.fit_text("a long name that goes on", 12, 80)
        assert cut.endswith("…")
        assert cut[:5] == "a lon"

    @pytest.mark.parametrize(
        "corner", [(-20, 5), (5, -10), (95, 3), (5, 36), (400, 400), (-400, 0)]
    )
    def test_text_over_the_edge_is_cut_off(self, corner):
        picture = background("white", 40, 100)
        _text.draw_text(picture, "over the edge", corner, 14, paper=(90, 255, 90))
        assert picture.shape == (40, 100, 3)
