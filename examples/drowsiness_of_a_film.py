"""Watch a drawn person grow tired: landmarks over time, the monitor, the plot.

python examples/drowsiness_of_a_film.py [drowsiness.png]
"""

import sys

import numpy as np

from classicface.apps.drowsiness import measure_drowsiness
from classicface.data.synthetic import Actor, blink_lids, random_face, synthetic_film
from classicface.plotting import save_figure
from classicface.plotting.drowsiness import plot_drowsiness

PERSON = random_face(3, expression=0, max_yaw=0, max_pitch=0, max_roll=4)
BLINKS = [*np.arange(2.0, 60.0, 3.7), *np.arange(62.0, 148.0, 5.3)]
CLOSURES = [(75.0, 76.0), (92.0, 93.2), (104.0, 107.0), (130.0, 132.2)]
YAWNS, NODS, AWAY = [(65.0, 69.0), (97.0, 101.0)], [113.0, 119.0], (40.0, 43.0)


def lids(time: float) -> float:
    droop = 0.2 if time > 70 else 0.0
    shut = [min((time - a) / 0.25, (b - time) / 0.3, 1.0) for a, b in CLOSURES]
    return max(droop, blink_lids(time, BLINKS, 0.25), *shut)


def actor(time: float) -> Actor:
    closed, pitch = lids(time), 4 * np.sin(time / 4)
    for start in NODS:
        if start < time < start + 1.6:
            pitch -= 20 * np.sin(np.pi * (time - start) / 1.6)
    yawn = max(np.clip(min(time - a, b - time), 0.0, 1.0) for a, b in YAWNS)
    face = PERSON.replace(
        eyes_closed=(closed, closed), yaw=10 * np.sin(time / 3), pitch=pitch,
        mouth_open=0.05 + 0.95 * yawn, pucker=0.6 * yawn,
    )  # fmt: skip
    return Actor(face, (24, 24), 20)


def main(path: str = "drowsiness.png") -> None:
    film = list(synthetic_film([actor], 150 * 20, fps=20, size=(48, 48), noise=0))
    times = np.array([frame.time for frame in film])
    # The exact points of the film, as large as a face before a web camera, trembling by half a
    # pixel. Of a video they come from Landmarker.track: take faces.measured, not smoothed points.
    points = 8 * np.stack([frame.landmarks[0] for frame in film])
    points += np.random.default_rng(0).normal(0.0, 0.5, points.shape)
    points[(times > AWAY[0]) & (times < AWAY[1])] = np.nan

    record = measure_drowsiness(times, points)
    for event in record.events:
        if event.kind != "blink":
            print(f"{event.start:7.2f} s  {event.kind} of {event.duration:.2f} s")
    found = record.summary()
    print(f"{found['blinks']} blinks, PERCLOS up to {100 * found['perclos_most']:.0f} %")
    figure = plot_drowsiness(
        times, record.column("ear"), record.states, baseline=record.column("baseline"),
        closed=record.column("closed_ear"), closing=record.column("closing"),
        perclos=record.column("perclos"),
        events=[(event.kind, event.start, event.end) for event in record.events],
    )  # fmt: skip
    save_figure(figure, path, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:2])
