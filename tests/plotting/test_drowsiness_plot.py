"""The plot of drowsiness: what is on it, long films, what cannot be drawn."""

import matplotlib.colors
import numpy as np
import pytest

from classicface.exceptions import InvalidInputError
from classicface.plotting import save_figure
from classicface.plotting.drowsiness import MOST_POINTS, STATE_COLORS, _thinned, plot_drowsiness

LEVELS = ("awake", "tired", "drowsy", "asleep")
TIMES = np.arange(0, 60, 0.1)
EAR = np.where(TIMES % 6 < 0.3, 0.05, 0.3)
STATES = ["calibrating"] * 40 + ["awake"] * 400 + ["asleep"] * 60 + ["drowsy"] * 100


def labels(figure):
    return [text.get_text() for axes in figure.axes if axes.get_legend()
            for text in axes.get_legend().get_texts()]  # fmt: skip


def test_everything_is_on_it(tmp_path):
    events = [("blink", 6, 6.2), ("blink", 12, 12.2), ("long closure", 20, 20.7)]
    events += [("microsleep", 44, 49), ("yawn", 30, 35), ("nod", 50, 51), ("head down", 52, 56)]
    figure = plot_drowsiness(
        TIMES, EAR, STATES, baseline=np.full(600, 0.3), closed=np.full(600, 0.06),
        perclos=np.linspace(0, 0.2, 600), events=events, title="a film",
    )  # fmt: skip
    found = labels(figure)
    for text in ("blink (2)", "long closure (1)", "microsleep (1)", "Y: yawn (1)", "N: nod (1)",
                 "D: head down (1)", "baseline (open)", "closing", "shut (PERCLOS)"):  # fmt: skip
        assert text in found
    assert found[-4:] == ["awake", "drowsy", "asleep", "calibrating"]
    thresholds = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(thresholds["closing"], 0.06 + 0.55 * 0.24)
    np.testing.assert_allclose(thresholds["shut (PERCLOS)"], 0.06 + 0.2 * 0.24)
    save_figure(figure, tmp_path / "plot.png", dpi=60)
    assert (tmp_path / "plot.png").stat().st_size > 5000


def test_the_band_has_a_span_for_each_state():
    figure = plot_drowsiness(TIMES, EAR, STATES)
    spans = figure.axes[-1].patches
    edges = [(span.get_x(), span.get_x() + span.get_width()) for span in spans]
    np.testing.assert_allclose(edges, [(0, 4), (4, 44), (44, 50), (50, 59.9)])
    assert len(figure.axes) == 2


def test_one_frame_and_nothing_seen(tmp_path):
    for ear in (0.3, np.nan):
        figure = plot_drowsiness([5.0], [ear], ["absent"], perclos=[np.nan], baseline=[np.nan])
        save_figure(figure, tmp_path / "one.png", dpi=40)
    other = plot_drowsiness([0, 1], [0.3, 0.3], ["awake", "elsewhere"])
    assert "elsewhere" in labels(other)


def test_long_films_keep_their_extremes():
    times = np.arange(500_000) / 30
    values = np.full(500_000, 0.3)
    values[123_456] = 0.01
    values[200_000:260_000] = np.nan
    few, kept = _thinned(times, values)
    assert len(few) <= 1.6 * MOST_POINTS
    assert np.nanmin(kept) == 0.01
    assert np.isnan(kept).any()
    assert np.all(np.diff(few) > 0)


def test_colours_are_told_apart_in_grey():
    rgb = [matplotlib.colors.to_rgb(STATE_COLORS[name]) for name in LEVELS]
    greys = np.array(rgb) @ [0.3, 0.59, 0.11]
    assert np.diff(np.sort(greys)).min() > 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], []), "no frame"),
        (([0, 1], [0.3], ["awake"] * 2), r"ear has shape \(1,\)"),
        (([0, 1], [0.3, 0.3], ["awake"]), "1 states for 2 times"),
        ((["a"], [0.3], ["awake"]), "times are not numbers"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        plot_drowsiness(*arguments)


def test_unknown_events_and_limits():
    with pytest.raises(InvalidInputError, match="event 'wink' is unknown"):
        plot_drowsiness(TIMES, EAR, STATES, events=[("wink", 0, 1)])
    with pytest.raises(InvalidInputError, match="perclos_limits is 7"):
        plot_drowsiness(TIMES, EAR, STATES, perclos_limits=(0.1, 7))
