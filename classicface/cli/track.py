"""``classicface track``: faces followed through a video, as a table and drawn."""

from __future__ import annotations

import contextlib
import csv
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classicface.cli import common, videos

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from classicface.landmarker import Faces
    from classicface.video import Frame

__all__ = ["command"]


@dataclass
class Appearance:
    """When a face was seen, and how well its points fitted."""

    first: float
    last: float = 0.0
    n_frames: int = 0
    fit: float = 0.0


def command(
    source: Annotated[str, typer.Argument(metavar="VIDEO|CAMERA|FOLDER", help=videos.SOURCE_HELP)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Video to write, with the landmarks drawn."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Table to write, a face and frame a row."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show a window; q or Esc ends.")] = False,
    model: Annotated[
        str, typer.Option(help="A model file, or the name of a bundled model.")
    ] = "ert68",
    detector: Annotated[
        str | None,
        typer.Option(help="Face detector: hog, haar or lbp; by default the best installed."),
    ] = None,
    search_every: Annotated[
        float, typer.Option(help="Seconds between two searches for new faces.")
    ] = 1.0,
    smooth: Annotated[bool, typer.Option(help="Smooth the points over time.")] = True,
    max_faces: Annotated[int, typer.Option(help="Follow no more faces than these.")] = 32,
    fps: Annotated[
        float | None, typer.Option(help="Pictures a second of a folder.", show_default="30")
    ] = None,
) -> int:
    """Follow the faces of a video: landmarks in every frame, each face under its own number.

    What is damaged in a video is said on stderr, and the exit status is then 1.

    Example: [bold]classicface track holiday.mp4 -o drawn.mp4 --csv points.csv[/bold]
    """
    from classicface.landmarker import Landmarker, TrackerOptions
    from classicface.video import open_video

    for path in (output, table):
        if path is not None:
            common.check_writable(path)
    options = TrackerOptions(search_every=search_every, smooth=smooth, max_faces=max_faces)
    landmarker = Landmarker(model, detector)
    seen: dict[int, Appearance] = {}
    n_frames, busy = 0, 0.0
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(open_video(videos.parse_source(source), fps=fps))
        screens = videos.Screens(stack, video, output, show)
        write_rows = None if table is None else stack.enter_context(_table(table))
        tracker = landmarker.tracker(options)
        with videos.until_interrupted(video):
            for frame in videos.frames_of(video, "tracking faces"):
                start = time.perf_counter()
                faces = tracker.update(frame.image, frame.time)
                busy += time.perf_counter() - start
                n_frames += 1
                _note(seen, frame, faces)
                if write_rows is not None:
                    write_rows(frame, faces)
                if not screens.give(frame, functools.partial(_drawn, frame, faces)):
                    break
    videos.say_faults(video)
    _report(seen, n_frames, busy)
    for path in (output, table):
        if path is not None:
            common.say(f"wrote {path}")
    return 1 if video.faults else 0


@contextlib.contextmanager
def _table(path: Path) -> Iterator[Callable[[Frame, Faces], None]]:
    """Give a function that adds a frame to a CSV table; the file appears when it is complete."""
    from classicface.persistence import replacing

    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        header = ["frame", "time", "face", "fit", "box_x0", "box_y0", "box_x1", "box_y1"]
        headed = False

        def write(frame: Frame, faces: Faces) -> None:
            nonlocal headed
            if not headed:
                points = range(faces.scheme.n_landmarks)
                writer.writerow([*header, *(f"{axis}{i}" for i in points for axis in "xy")])
                headed = True
            for i, identity in enumerate(faces.ids.tolist()):
                numbers = [*faces.boxes[i].tolist(), *faces.landmarks[i].ravel().tolist()]
                start = [frame.index, f"{frame.time:.4f}", identity, f"{faces.fits[i]:.3f}"]
                writer.writerow([*start, *(f"{value:.3f}" for value in numbers)])

        yield write


def _drawn(frame: Frame, faces: Faces) -> NDArray[np.uint8]:
    from classicface.plotting import draw_tracks

    return draw_tracks(frame.image, faces.landmarks, faces.ids, faces.scheme)


def _note(seen: dict[int, Appearance], frame: Frame, faces: Faces) -> None:
    for identity, fit in zip(faces.ids.tolist(), faces.fits.tolist(), strict=True):
        face = seen.setdefault(identity, Appearance(frame.time))
        face.last, face.n_frames, face.fit = frame.time, face.n_frames + 1, face.fit + fit


def _report(seen: dict[int, Appearance], n_frames: int, busy: float) -> None:
    speed = f"; tracking alone made {n_frames / busy:.0f} a second" if busy > 0 else ""
    print(f"{common.count(n_frames, 'frame')}, {common.count(len(seen), 'face')}{speed}.")
    if not seen:
        return
    lines = common.new_table("face", "first seen", "last seen", "frames", "mean fit")
    for identity, face in seen.items():
        times = (f"{face.first:.2f} s", f"{face.last:.2f} s")
        lines.add_row(str(identity), *times, str(face.n_frames), f"{face.fit / face.n_frames:.2f}")
    common.print_table(lines)
