"""Drowsiness over time: the eyes' openness with its thresholds, events, PERCLOS, the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.validation import check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_drowsiness"]

Floats = NDArray[np.float64]

#: Colours of the states; told apart by their lightness too.
STATE_COLORS = {
    "awake": "#5aae61",
    "tired": "#ffd94d",
    "drowsy": "#f28e2b",
    "asleep": "#b2182b",
    "calibrating": "#c6dbef",
    "no baseline": "#9e9ac8",
    "absent": "#d9d9d9",
}

# Kinds of events: colour, and the letter over those that are marked by one.
_CLOSURES = {"long closure": "#f28e2b", "microsleep": "#b2182b"}
_GESTURES = {"yawn": ("#6a3d9a", "Y"), "nod": ("#1f4e8c", "N"), "head down": ("#1f4e8c", "D")}

_NAMES = {"closing": "closing", "shut": "shut (PERCLOS)"}

#: More points than this on a line are not told apart; the lowest and highest of each few are kept.
MOST_POINTS = 6000


def plot_drowsiness(
    times: ArrayLike,
    ear: ArrayLike,
    states: Sequence[str],
    *,
    baseline: ArrayLike | None = None,
    closed: ArrayLike | None = None,
    closing: ArrayLike = 0.55,
    shut: ArrayLike = 0.2,
    perclos: ArrayLike | None = None,
    perclos_limits: tuple[float, float] = (0.075, 0.15),
    events: Sequence[tuple[str, float, float]] = (),
    title: str | None = None,
) -> Figure:
    """Plot how far a person's eyes were open, what happened, and the state.

    Parameters
    ----------
    times : array-like, shape (n_frames,)
        In seconds.
    ear : array-like, shape (n_frames,)
        The eye aspect ratio; NaN leaves a gap.
    states : sequence of str, length n_frames
        Drawn as a band; names without a colour of their own are grey.
    baseline, closed : array-like, shape (n_frames,), optional
        The ratio of open and of closed eyes, between which the thresholds lie.
    closing, shut : float or array-like, shape (n_frames,), default 0.55 and 0.2
        Thresholds as openness, between 0 (closed) and 1 (the baseline).
    perclos : array-like, shape (n_frames,), optional
        Share of time, 0 to 1, in a panel of its own.
    perclos_limits : tuple of two floats
        Drawn into it.
    events : sequence of (kind, start, end)
        "blink" is a tick, "long closure" and "microsleep" are spans, "yawn" (Y), "nod" (N) and
        "head down" (D) are letters over the curve. Others are refused.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Pass it to `classicface.plotting.save_figure`.

    Raises
    ------
    InvalidInputError
        No frame, arrays of different lengths, an unknown kind of event.
    """
    moments = _column(times, "times")
    n = len(moments)
    if n == 0:
        raise InvalidInputError("there is no frame to plot")
    if len(states) != n:
        raise InvalidInputError(f"there are {len(states)} states for {n} times")
    ratio = _column(ear, "ear", n)
    levels = [None if x is None else _column(x, "baseline", n) for x in (baseline, closed)]
    share = None if perclos is None else _column(perclos, "perclos", n)
    low, high = (check_number(value, "perclos_limits", 0.0, 1.0) for value in perclos_limits)
    _check_kinds(events)
    figure, axes = _panels(share is not None)
    steps = {
        name: _column(np.broadcast_to(level, n) if np.ndim(level) == 0 else level, name, n)
        for name, level in (("closing", closing), ("shut", shut))
    }
    _draw_thresholds(axes[0], moments, levels[0], levels[1], steps)
    axes[0].plot(*_thinned(moments, ratio), color="#222222", lw=0.8, label="eye aspect ratio")
    top = _top(ratio, levels[0])
    axes[0].set(ylim=(0, top), ylabel="eye aspect ratio")
    _draw_events(axes[0], events, top)
    axes[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), fontsize="small", frameon=False)
    if share is not None:
        axes[1].plot(*_thinned(moments, 100 * share), color="#222222", lw=1.2)
        for value, name in ((low, "tired"), (high, "drowsy")):
            axes[1].axhline(100 * value, color=STATE_COLORS[name], lw=1.2, ls="--")
        axes[1].set_ylim(0, 100 * max(1.4 * high, 1.1 * _highest(share)))
        axes[1].set_ylabel("PERCLOS\n[%]")
    _draw_band(axes[-1], moments, states)
    axes[-1].set_xlabel("time [s]")
    axes[-1].set_xlim(moments[0], max(moments[-1], moments[0] + 1e-3))
    if title:
        axes[0].set_title(title, loc="left")
    return figure


def _column(values: ArrayLike, name: str, length: int | None = None) -> Floats:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name} are not numbers") from None
    if array.ndim != 1 or (length is not None and len(array) != length):
        expected = "(n_frames,)" if length is None else f"({length},), one for each time"
        raise InvalidInputError(f"{name} has shape {array.shape}; expected {expected}")
    return array


def _check_kinds(events: Sequence[tuple[str, float, float]]) -> None:
    known = ["blink", *_CLOSURES, *_GESTURES]
    for kind, *_ in events:
        if kind not in known:
            raise InvalidInputError(f"event {kind!r} is unknown; there are {', '.join(known)}")


def _panels(with_perclos: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel above the other: the eyes, PERCLOS, the states."""
    from matplotlib.figure import Figure

    ratios = [3.2, 1.2, 0.4] if with_perclos else [3.2, 0.4]
    figure = Figure(figsize=(8.6, 4.4 if with_perclos else 3.4), layout="constrained")
    axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    for panel in axes[:-1]:
        panel.grid(alpha=0.3)
    return figure, list(axes)


def _draw_thresholds(
    axes: Axes,
    times: Floats,
    baseline: Floats | None,
    closed: Floats | None,
    levels: dict[str, Floats],
) -> None:
    if baseline is None:
        return
    floor = np.zeros_like(baseline) if closed is None else closed
    axes.plot(*_thinned(times, baseline), color="#2c7fb8", lw=1.4, label="baseline (open)")
    for (name, level), style in zip(levels.items(), ("--", ":"), strict=True):
        line = floor + level * (baseline - floor)
        axes.plot(*_thinned(times, line), color="#2c7fb8", lw=1.2, ls=style, label=_NAMES[name])


def _draw_events(axes: Axes, events: Sequence[tuple[str, float, float]], top: float) -> None:
    """Mark events: ticks under the top, spans, letters above."""
    blinks = [(start + end) / 2 for kind, start, end in events if kind == "blink"]
    if blinks:
        axes.vlines(
            blinks, 0.90 * top, 0.96 * top, color="#238b45", lw=1.2, label=f"blink ({len(blinks)})"
        )
    for kind, color in _CLOSURES.items():
        spans = [(start, end) for name, start, end in events if name == kind]
        for i, (start, end) in enumerate(spans):
            label = f"{kind} ({len(spans)})" if i == 0 else None
            axes.axvspan(start, end, color=color, alpha=0.35, lw=0, label=label)
    for kind, (color, letter) in _GESTURES.items():
        spans = [(start, end) for name, start, end in events if name == kind]
        for i, (start, end) in enumerate(spans):
            label = f"{letter}: {kind} ({len(spans)})" if i == 0 else "_"  # not in the legend
            axes.hlines(0.83 * top, start, end, color=color, lw=3.0, label=label)
            axes.text(
                (start + end) / 2, 0.84 * top, letter, color=color, ha="center", va="bottom",
                fontsize="small", fontweight="bold",
            )  # fmt: skip


def _draw_band(axes: Axes, times: Floats, states: Sequence[str]) -> None:
    """Draw the state as a band of colours, with a key below."""
    from matplotlib.patches import Patch

    names = np.array(states, dtype=object)
    starts = np.concatenate([[0], np.flatnonzero(names[1:] != names[:-1]) + 1])
    ends = np.append(times[starts[1:]], max(times[-1], times[0] + 1e-3))
    for i, end in zip(starts, ends, strict=True):
        axes.axvspan(times[i], end, color=STATE_COLORS.get(str(names[i]), "#888888"), lw=0)
    axes.set_yticks([])
    axes.set_ylabel("state", rotation=0, ha="right", va="center")
    order = [*STATE_COLORS, *sorted(set(map(str, states)) - set(STATE_COLORS))]
    shown = [name for name in order if name in set(states)]
    keys = [Patch(color=STATE_COLORS.get(name, "#888888"), label=name) for name in shown]
    axes.legend(
        handles=keys, loc="upper left", bbox_to_anchor=(1.0, 1.9), fontsize="small", frameon=False,
        handlelength=1.0, ncols=1 if len(keys) < 4 else 2, columnspacing=0.8,
    )  # fmt: skip


def _thinned(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return a line of few points that looks the same: the extremes of each few."""
    if len(times) <= MOST_POINTS:
        return times, values
    few = -(-2 * len(times) // MOST_POINTS)
    parts = np.array_split(np.arange(len(times)), -(-len(times) // few))
    kept = np.zeros(len(times), bool)
    for part in parts:
        here = values[part]
        known = part[~np.isnan(here)]
        kept[part[0]] = True
        if len(known):
            kept[[known[np.argmin(values[known])], known[np.argmax(values[known])]]] = True
    return times[kept], values[kept]


def _highest(values: Floats) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0


def _top(ratio: Floats, baseline: Floats | None) -> float:
    """Return the upper end of the axis: room for the marks above, no single bad frame below."""
    known = ratio[np.isfinite(ratio)]
    usual = float(np.quantile(known, 0.99)) if len(known) else 0.3
    return 1.45 * max(usual, 0.1, 0.0 if baseline is None else _highest(baseline))
