"""Sheets with captions and pictures before and after: every pixel of the pictures at its place."""

import numpy as np
import pytest

from classicface.exceptions import InvalidInputError
from classicface.plotting import _text
from classicface.plotting.sheets import before_after, labelled_grid


def flat(value, height=80, width=120):
    return np.full((height, width, 3), value, np.uint8)


class TestLabelledGrid:
    @pytest.mark.parametrize("side", [20, 200, 1200])
    def test_pictures_are_whole_and_captions_below_them(self, side):
        pictures = [flat(10, side, side), flat(200, side, side // 2), flat(90, side // 2, side)]
        sheet = labelled_grid(pictures, ["first", "", "third"], 2, gap=4)
        cell, half = max(side, 64), side // 2
        x = (cell - side) // 2
        assert (sheet[:side, x : x + side] == 10).all()
        x = cell + 4 + (cell - half) // 2
        assert (sheet[:side, x : x + half] == 200).all()
        x, y = (cell - side) // 2, (sheet.shape[0] + 4) // 2 + (side - half) // 2
        assert (sheet[y : y + half, x : x + side] == 90).all()
        below = sheet[side : sheet.shape[0] // 2, : sheet.shape[1] // 2]
        assert below.min() < 60  # ink
        assert below.max() == 255
        beside = sheet[side : sheet.shape[0] // 2, sheet.shape[1] // 2 + 4 :]
        assert beside.min() == 255  # an empty caption writes nothing

    def test_a_long_caption_is_broken_into_lines(self):
        one = labelled_grid([flat(10)], ["short"])
        more = labelled_grid(
            [flat(10)], ["a caption of many words that takes several lines to read"]
        )
        most = labelled_grid([flat(10)], ["word " * 200])
        line = _text.text_size("", 10)[1]
        assert one.shape[0] == 80 + line
        assert one.shape[0] < more.shape[0] <= most.shape[0] == 80 + 3 * line
        assert one.shape[1] == most.shape[1] == 120
        np.testing.assert_array_equal(most[:80], flat(10))

    def test_the_size_of_the_text(self):
        small, large = (labelled_grid([flat(10)], ["x"], text_size=s) for s in (8, 40))
        assert (large < 60).all(axis=2).sum() > (small < 60).all(axis=2).sum()
        assert large.shape[0] > small.shape[0]

    def test_every_kind_of_picture(self):
        grey = np.full((30, 80), 51, np.uint8)
        kinds = [grey, grey / 255, grey.astype(np.uint16) * 257, np.dstack([grey] * 4)]
        kept = [kind.copy() for kind in kinds]
        sheet = labelled_grid(kinds, list("abcd"), 4, gap=0)
        for i, kind in enumerate(kinds):
            assert (sheet[:30, 80 * i : 80 * (i + 1)] == 51).all()
            np.testing.assert_array_equal(kind, kept[i])

    @pytest.mark.parametrize(
        ("images", "captions", "options"),
        [
            ([], [], {}),
            ([flat(1)], [], {}),
            ([flat(1)], "a", {}),
            ([flat(1)], ["a"], {"n_columns": 0}),
            ([flat(1)], ["a"], {"text_size": 1}),
            ([np.zeros(4)], ["a"], {}),
            ([np.zeros((9000, 9000), bool)] * 4, ["a"] * 4, {}),
        ],
    )
    def test_mistakes(self, images, captions, options):
        with pytest.raises(InvalidInputError):
            labelled_grid(images, captions, **options)


class TestBeforeAfter:
    def test_side_by_side(self):
        shown = before_after(flat(10), flat(200, 60, 100), gap=6)
        assert shown.shape[1] == 2 * 120 + 6
        assert (shown[:80, :120] == 10).all()
        assert (shown[10:70, 136:236] == 200).all()

    @pytest.mark.parametrize("split", [0.0, 0.3, 0.5, 1.0])
    def test_a_picture_that_changes_at_a_line(self, split):
        before, after = flat(10, 200, 300), flat(200, 200, 300)
        shown = before_after(before, after, split=split)
        assert shown.shape == (200, 300, 3)
        line = round(300 * split)
        assert (shown[100:, : max(0, line - 3)] == 10).all()
        assert (shown[100:, line + 3 :] == 200).all()
        if 0 < split < 1:
            assert (shown[150, line - 1 : line + 1] == 255).all(axis=1).any()
        assert (before == 10).all()
        assert (after == 200).all()

    @pytest.mark.parametrize("value", [0, 255])
    def test_captions_can_be_read_on_any_picture(self, value):
        shown = before_after(flat(value, 200, 300), flat(value, 200, 300), split=0.5)
        for half in (shown[:30, :140], shown[:30, 160:]):
            assert half.min() < 60
            assert half.max() > 220

    def test_a_thumbnail_keeps_its_picture(self):
        shown = before_after(flat(10, 20, 20), flat(200, 20, 20), split=0.5)
        assert (shown[:, :7] == 10).all()
        assert (shown[:, 13:] == 200).all()

    @pytest.mark.parametrize(
        "options",
        [
            {"after": flat(1, 81), "split": 0.5},
            {"split": 1.5},
            {"captions": ("one",)},
            {"captions": "ab"},
            {"before": np.zeros((3, 3, 9), np.uint8)},
        ],
    )
    def test_mistakes(self, options):
        with pytest.raises(InvalidInputError):
            before_after(**{"before": flat(1), "after": flat(2), **options})
