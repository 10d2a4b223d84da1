"""The chart of accuracy over speed, with the methods that no other makes superfluous."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.evaluation.report.formats import duration, shorten
from classicface.evaluation.report.placement import place_labels
from classicface.evaluation.report.style import INK, MUTED, PAPER, SERIES
from classicface.evaluation.results import NORMALIZER_NAMES, Comparison, MethodResult
from classicface.registry import CLASSES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["is_outside", "on_chart", "pareto_figure"]

Floats = NDArray[np.float64]


def is_outside(method: MethodResult) -> bool:
    """Return whether a method is of another library."""
    return method.kind not in CLASSES


def on_chart(comparison: Comparison) -> list[int]:
    """Return which methods have a time and a mean error."""
    kind = comparison.normalizer
    return [
        i
        for i, method in enumerate(comparison.methods)
        if method.speed is not None and math.isfinite(method.accuracy[kind].mean.value)
    ]


def pareto_figure(comparison: Comparison, narrow: bool) -> Figure:
    """Draw mean NME over the time of one face, for a phone or for a wide page."""
    from matplotlib.figure import Figure

    chosen = on_chart(comparison)
    figure = Figure(figsize=(340 / 72, 400 / 72) if narrow else (940 / 72, 500 / 72), dpi=72)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.06)
    axes = figure.add_subplot()
    x, y, bars = _measures(comparison, chosen)
    _set_axes(axes, x, y, bars, narrow)
    axes.set_title(
        f"mean NME, {NORMALIZER_NAMES[comparison.normalizer]} [%]", loc="left", pad=12, color=INK
    )
    axes.set_title("better: down, left" if narrow else "better: down and to the left",
                   loc="right", pad=12, color=MUTED)  # fmt: skip
    axes.set_xlabel("time of one face, one thread (log scale)", labelpad=8)
    step = _draw_front(axes, comparison, chosen, x, y)
    for i, place in enumerate(chosen):
        color = SERIES[place % len(SERIES)]
        axes.plot(bars[i, :2], [y[i]] * 2, color=color, lw=1.4, alpha=0.55, zorder=2)
        axes.plot([x[i]] * 2, bars[i, 2:], color=color, lw=1.4, alpha=0.55, zorder=2)
        marker, size = ("D", 7.5) if is_outside(comparison.methods[place]) else ("o", 9.0)
        axes.plot(x[i], y[i], marker, ms=size, color=color, mec=PAPER, mew=1.2, zorder=4,
                  gid=f"point-{place}")  # fmt: skip
    names = [shorten(comparison.methods[i].name, 18 if narrow else 28) for i in chosen]
    _draw_labels(figure, axes, names, np.column_stack([x, y]), bars, step)
    return figure


def _measures(comparison: Comparison, chosen: list[int]) -> tuple[Floats, Floats, Floats]:
    """Return times, errors, and the ends of their bars: quartiles, then interval."""
    rows = []
    for i in chosen:
        method = comparison.methods[i]
        mean, speed = method.accuracy[comparison.normalizer].mean, method.speed
        assert speed is not None
        rows.append([speed.one_face_us, mean.value, *speed.one_face_quartiles_us, *_ends(mean)])
    values = np.array(rows)
    return values[:, 0], values[:, 1], values[:, 2:]


def _ends(mean: Any) -> tuple[float, float]:
    return (mean.low, mean.high) if math.isfinite(mean.low) else (mean.value, mean.value)


def _set_axes(axes: Any, x: Floats, y: Floats, bars: Floats, narrow: bool) -> None:
    """Set a log axis of times, and one of errors that is log where they differ much."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = bars[:, 0].min() / 1.5, bars[:, 1].max() * 1.5
    middle, half = math.sqrt(low * high), max(math.sqrt(high / low), 4.0)
    axes.set_xscale("log")
    axes.set_xlim(middle / half, middle * half)
    ticks = log_ticks(middle / half, middle * half, 5 if narrow else 9)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick_time(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    bottom, top = bars[:, 2].min(), bars[:, 3].max()
    if bottom > 0 and top > 3 * bottom:
        axes.set_yscale("log")
        axes.set_ylim(bottom / 1.12, top * 1.12)
        axes.yaxis.set_major_locator(FixedLocator(log_ticks(bottom / 1.12, top * 1.12, 7)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        room = 0.12 * max(top - bottom, 0.05 * top)
        axes.set_ylim(max(0.0, bottom - room), top + room)


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers on a log axis, at most so many (but two at least)."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**power for power in powers for step in steps]
        ticks = [float(f"{tick:.6g}") for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks


def _tick_time(microseconds: float) -> str:
    for size, unit in ((1e6, "s"), (1e3, "ms"), (1.0, "µs")):
        if microseconds >= size:
            return f"{microseconds / size:g} {unit}"
    return duration(microseconds)


def _draw_front(
    axes: Any, comparison: Comparison, chosen: list[int], x: Floats, y: Floats
) -> Floats:
    """Draw the best accuracy that can be had within a time; return the corners of the steps."""
    where = {comparison.methods[i].name: place for place, i in enumerate(chosen)}
    front = [where[name] for name in comparison.front() if name in where]
    times, best = x[front], np.minimum.accumulate(y[front])
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    corners = [[times[0], top]]
    for i, (time, error) in enumerate(zip(times, best, strict=True)):
        end = times[i + 1] if i + 1 < len(times) else right
        corners += [[time, error], [end, error]]
    steps = np.array(corners)
    axes.plot(*steps.T, color=MUTED, lw=1.6, alpha=0.7, zorder=1, solid_joinstyle="miter")
    return steps


def _draw_labels(
    figure: Any, axes: Any, names: list[str], points: Floats, bars: Floats, steps: Floats
) -> None:
    """Write the names where there is room, with a line to the point where that is far."""
    texts = [axes.text(0, 0, name, fontsize=11.5, color=INK, zorder=5) for name in names]
    for text in texts:
        text.set_in_layout(False)
    figure.draw_without_rendering()
    to_pixels = axes.transData.transform
    sizes = np.array([text.get_window_extent().size for text in texts])
    frame = axes.get_window_extent()
    anchors = to_pixels(points)
    boxes = [np.column_stack([anchors - 6, anchors + 6])]
    ends = bars[:, [0, 1]], bars[:, [2, 3]]
    for k in range(2):
        low, high = (
            to_pixels(np.column_stack([ends[0][:, k], points[:, 1]])),
            to_pixels(np.column_stack([points[:, 0], ends[1][:, k]])),
        )
        boxes.append(_around(anchors, low))
        boxes.append(_around(anchors, high))
    corners = to_pixels(steps)
    boxes.append(_around(corners[:-1], corners[1:]))
    placed = place_labels(anchors, sizes, np.concatenate(boxes), tuple(frame.extents))
    to_data = axes.transData.inverted().transform
    for text, box, anchor in zip(texts, placed, anchors, strict=True):
        text.set_position(to_data((box[0], box[1] + 2.5)))
        nearest = np.clip(anchor, box[:2], box[2:])
        if np.linalg.norm(nearest - anchor) > 11:
            axes.plot(*to_data([anchor, nearest]).T, color=MUTED, lw=0.8, alpha=0.8, zorder=1.5)


def _around(start: Floats, end: Floats) -> Floats:
    """Return boxes around straight lines along the axes, two pixels wide."""
    return np.column_stack([np.minimum(start, end) - 1, np.maximum(start, end) + 1])
