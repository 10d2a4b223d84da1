"""Compare filters of landmarks over time: how still a still face stands, how far a moving one lags.

Jitter is the deviation of a point from its mean over time, lag the shift in time at which the
filtered path fits the unfiltered one (the exact one for synthetic faces) best. What is filtered is
described in jitter_films.py.

    python benchmarks/bench_jitter.py [--model ert68] [-o docs/images/jitter.png]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jitter_films import BLINKS, NOISES, RATES, Sequence, face_size, read_pictures, record
from matplotlib.figure import Figure

import classicface
from classicface.landmarker.smoothing import OneEuroFilter
from classicface.plotting import save_figure

CHART = Path(__file__).parents[1] / "docs" / "images" / "jitter.png"
DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")

WARM = 0.5  # seconds until a filter has settled
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
LIPS = ((62, 66),)

Filter = Callable[[np.ndarray, np.ndarray], np.ndarray]


def one_euro(**options: float | bool) -> Filter:
    def run(times: np.ndarray, points: np.ndarray) -> np.ndarray:
        smoother, scale = OneEuroFilter(**options), face_size(points)  # type: ignore[arg-type]
        return np.array([smoother.filter(t, x, scale) for t, x in zip(times, points, strict=True)])

    return run


def moving_average(n: int) -> Filter:
    return lambda times, x: np.array([x[max(0, i - n + 1) : i + 1].mean(0) for i in range(len(x))])


def exponential(share: float) -> Filter:
    def run(times: np.ndarray, points: np.ndarray) -> np.ndarray:
        found = [points[0]]
        for x in points[1:]:
            found.append(found[-1] + share * (x - found[-1]))
        return np.array(found)

    return run


def kalman(acceleration: float, deviation: float = 0.004) -> Filter:
    """Return a Kalman filter of constant velocity; faces a second squared, and faces."""

    def run(times: np.ndarray, points: np.ndarray) -> np.ndarray:
        state = np.stack([points[0], np.zeros_like(points[0])])
        spread, found = np.diag([deviation**2, 0.1]), [points[0]]
        for step, x in zip(np.diff(times), points[1:], strict=True):
            move = np.array([[1, step], [0, 1]])
            push = np.array([step**2 / 2, step]) * acceleration
            state = np.tensordot(move, state, 1)
            spread = move @ spread @ move.T + np.outer(push, push)
            gain = spread[:, 0] / (spread[0, 0] + deviation**2)
            state = state + gain[:, None, None] * (x - state[0])
            spread = spread - np.outer(gain, spread[0])
            found.append(state[0])
        return np.array(found)

    return run


def plain(min_cutoff: float, beta: float, derivative_cutoff: float) -> Filter:
    """Return the filter of the paper, a coordinate by itself; beta for speeds in face sizes."""
    return one_euro(
        min_cutoff=min_cutoff, beta=beta, derivative_cutoff=derivative_cutoff, coupled=False
    )


FILTERS: dict[str, Filter] = {
    "none": lambda times, points: points,
    "moving average, 3 frames": moving_average(3),
    "moving average, 5 frames": moving_average(5),
    "exponential, 0.5": exponential(0.5),
    "exponential, 0.3": exponential(0.3),
    "Kalman, constant velocity": kalman(3.0),
    "1 Euro per coordinate, 1 Hz, beta 1": plain(1.0, 1.0, 1.0),
    "1 Euro per coordinate, 0.05 Hz, beta 80": plain(0.05, 80.0, 1.0),
    "OneEuroFilter()": one_euro(),
}

#: Families of filters for the chart: one parameter, swept.
FAMILIES: dict[str, list[Filter]] = {
    "moving average": [moving_average(n) for n in (2, 3, 4, 5, 6)],
    "exponential": [exponential(a) for a in (0.8, 0.65, 0.5, 0.4, 0.3, 0.25)],
    "Kalman, constant velocity": [kalman(q) for q in (100.0, 30.0, 10.0, 3.0, 1.0, 0.4)],
    "1 Euro per coordinate": [plain(1.0, b, 1.0) for b in (100.0, 40.0, 20.0, 10.0, 5.0, 2.0)],
    "1 Euro of the whole face": [one_euro(beta=b) for b in (160.0, 80.0, 40.0, 20.0, 10.0, 5.0)],
}


class Result(NamedTuple):
    """Jitter in percent of the face by noise, lag in frames by motion, blinks and lips."""

    jitter: list[float]
    steps: list[float]
    lags: dict[str, float]
    blink: tuple[float, float]
    mouth: tuple[float, float]


def lag(found: np.ndarray, true: np.ndarray, rate: float) -> float:
    """Return by how many frames `found` is late, to a part of a frame by a parabola."""
    shifts = range(-1, int(0.24 * rate) + 1)
    rows = np.arange(max(shifts) + 1, len(true) - 2)
    errors = np.array([((found[rows] - true[rows - k]) ** 2).mean() for k in shifts])
    best = int(errors.argmin())
    if best in (0, len(shifts) - 1):
        return float(shifts[best])
    before, at, after = errors[best - 1 : best + 2]
    return float(shifts[best] + (before - after) / (2 * (before - 2 * at + after)))


def opening(points: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    gaps = [np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in pairs]
    return np.sum(gaps, axis=0)[:, None]


def depth(lids: np.ndarray, times: np.ndarray) -> float:
    """Return how far the lids close, over the blinks, from how open they are before."""
    depths = []
    for start in BLINKS:
        before = lids[(times >= start - 0.25) & (times < start - 0.01)]
        depths.append(before.mean() - lids[(times >= start - 0.01) & (times < start + 0.45)].min())
    return float(np.mean(depths))


def deviations(still: list[np.ndarray], run: Filter, rate: float) -> tuple[float, float]:
    """Return the jitter and the step from frame to frame, both RMS in percent of the face."""
    spread, steps = [], []
    for points in still:
        times = np.arange(len(points)) / rate
        found = run(times, points)[times >= WARM] / face_size(points)
        spread.append(((found - found.mean(axis=0)) ** 2).sum(axis=-1).mean())
        steps.append((np.diff(found, axis=0) ** 2).sum(axis=-1).mean())
    return 100 * float(np.sqrt(np.mean(spread))), 100 * float(np.sqrt(np.mean(steps)))


def measure(
    run: Filter, still: dict[int, list[np.ndarray]], moving: list[Sequence], rate: float
) -> Result:
    by_noise = [deviations(faces, run, rate) for faces in still.values()]
    lags: dict[str, list[float]] = {}
    kept: dict[str, list[tuple[float, float]]] = {"blink": [], "mouth": []}
    for kind, times, points, true in moving:
        found = run(times, points)
        if kind not in kept:
            lags.setdefault(kind, []).append(lag(found, true, rate))
            continue
        pairs = LIDS if kind == "blink" else LIPS
        path, exact = opening(found, pairs), opening(true, pairs)
        settled = times >= WARM
        share = (
            depth(path, times) / depth(exact, times)
            if kind == "blink"
            else path[settled].std() / exact[settled].std()
        )
        kept[kind].append((share, lag(path, exact, rate)))
    blink, mouth = (tuple(np.mean(kept[kind], axis=0)) for kind in ("blink", "mouth"))
    means = {kind: float(np.mean(values)) for kind, values in lags.items()}
    return Result([j for j, _ in by_noise], [s for _, s in by_noise], means, blink, mouth)


def print_table(results: dict[str, Result]) -> None:
    print(
        "| filter | jitter: noise 2 | 5 | 10 | step to step, 5 | lag: mean | worst | blink kept |"
        " late | lips kept | late |\n|" + " --- |" * 11
    )
    for name, (jitter, steps, lags, blink, mouth) in results.items():
        late = list(lags.values())
        numbers = [*(f"{j:.2f}" for j in jitter), f"{steps[1]:.2f}"]
        numbers += [f"{np.mean(late):.1f}", f"{max(late):.1f}"]
        for share, behind in (blink, mouth):
            numbers += [f"{100 * share:.0f} %", f"{behind:.1f}"]
        print("| " + " | ".join([name, *numbers]) + " |")


def print_rates(results: dict[int, Result]) -> None:
    print("| | " + " | ".join(f"{rate} fps" for rate in results) + " |\n|" + " --- |" * 4)
    for kind in next(iter(results.values())).lags:
        late = [(r.lags[kind], 1e3 * r.lags[kind] / rate) for rate, r in results.items()]
        print(f"| {kind} | " + " | ".join(f"{f:.2f} ({ms:.0f} ms)" for f, ms in late) + " |")
    for i, noise in enumerate(NOISES):
        found = [f"{result.jitter[i]:.2f} %" for result in results.values()]
        print(f"| jitter, noise {noise} | " + " | ".join(found) + " |")
    for name in ("blink", "mouth"):
        both = [getattr(result, name) for result in results.values()]
        print(
            f"| {name}: kept, lag | "
            + " | ".join(f"{100 * k:.0f} %, {b:.2f}" for k, b in both)
            + " |"
        )


def measure_time() -> float:
    """Return the median time of a call for 68 points, in microseconds."""
    smoother, rng, times = OneEuroFilter(), np.random.default_rng(0), []
    points = rng.uniform(0, 200, (68, 2)).astype(np.float32)
    for i in range(5000):
        start = time.perf_counter()
        smoother.filter(i / 30, points, 160.0)
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


INK = {
    "moving average": "#8a8a8a",
    "exponential": "#9a7b1f",
    "Kalman, constant velocity": "#8a5a9e",
    "1 Euro per coordinate": "#c1502e",
    "1 Euro of the whole face": "#1f4e79",
}


def draw_chart(
    still: dict[int, list[np.ndarray]], moving: list[Sequence], results: dict[str, Result]
) -> Figure:
    """Draw jitter against lag for each family, a head that starts and stops, and a blink."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    trade, path, lids = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    for name, family in FAMILIES.items():
        found = [measure(run, still, moving, 30) for run in family]
        x = [np.mean(list(result.lags.values())) for result in found]
        y = [result.jitter[1] for result in found]
        ours = name == "1 Euro of the whole face"
        trade.plot(x, y, ".-", color=INK[name], lw=2.4 if ours else 1.2, ms=8, label=name)
    none, chosen = results["none"].jitter[1], results["OneEuroFilter()"]
    trade.axhline(none, color="0.3", lw=0.8, ls=":")
    trade.text(3.4, none, "no filter", fontsize=8, ha="right", va="bottom")
    place = (np.mean(list(chosen.lags.values())), chosen.jitter[1])
    trade.plot(*place, "o", ms=11, mfc="none", mec=INK["1 Euro of the whole face"])
    trade.set(xlim=(0, 3.5), ylim=(0, 1.15 * none), xlabel="lag, mean of 11 motions [frames]")
    trade.set_ylabel("jitter of a still face [% of its size]")
    trade.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.87))
    shown = {
        "no filter": FILTERS["none"],
        "moving average": moving_average(5),
        "1 Euro per coordinate": plain(1.0, 1.0, 1.0),
        "1 Euro of the whole face": one_euro(),
    }
    head = [s for s in moving if s.kind == "0.25 faces/s"][-1]  # a synthetic face
    blink = next(s for s in moving if s.kind == "blink")
    for name, run in shown.items():
        style = {"color": INK.get(name, "0.75"), "lw": 1.4}
        along = run(head.times, head.points)[:, 30, 0]
        rest = np.median(head.points[4:20, 30, 0])
        label = "moving average, 5 frames" if name == "moving average" else name
        path.plot(head.times, 100 * (along - rest) / face_size(head.points), label=label, **style)
        open_ = opening(run(blink.times, blink.points), LIDS)[:, 0]
        lids.plot(blink.times, open_ / np.median(open_), label=name, **style)
    path.set(xlabel="time [s]", ylabel="tip of the nose, x [% of the face]", xlim=(0.4, 2.2))
    path.legend(frameon=False, fontsize=8, loc="lower right")
    lids.set(xlabel="time [s]", ylabel="opening of the eyes", xlim=(0.5, 1.7), ylim=(0, 1.2))
    for axes in (trade, path, lids):
        axes.grid(alpha=0.3)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="ert68")
    parser.add_argument("--output", "-o", type=Path, default=CHART)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = read_pictures(arguments.data)
    still, moving = record(classicface.load(arguments.model), pictures)
    print(f"{len(moving[30])} sequences of moving faces; {arguments.model}, 30 fps")
    print("Jitter in percent of the face's size, lag in frames.\n")
    results = {name: measure(run, still, moving[30], 30) for name, run in FILTERS.items()}
    print_table(results)
    print("\nOneEuroFilter(): lag in frames by frame rate\n")
    print_rates({rate: measure(one_euro(), still, moving[rate], rate) for rate in RATES})
    print(f"\none call, 68 points: {measure_time():.0f} us")
    save_figure(draw_chart(still, moving[30], results), arguments.output, dpi=90)


if __name__ == "__main__":
    main()
