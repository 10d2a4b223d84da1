"""``classicface drowsiness``: blinks, PERCLOS, yawns, nods and a state, from a video."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classicface.cli import common, videos

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from classicface.apps.drowsiness import DrowsinessRecord, DrowsinessState
    from classicface.landmarker import Faces
    from classicface.video import Frame

__all__ = ["command"]

#: Who looked away for so long, in seconds, is the same person when the face is found again.
MEMORY = 30.0


def command(
    source: Annotated[str, typer.Argument(metavar="VIDEO|CAMERA|FOLDER", help=videos.SOURCE_HELP)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Plot over time to write: .png, .svg or .pdf."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Table to write, a frame a row."),
    ] = None,
    document: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Summary, events and thresholds to write."),
    ] = None,
    film: Annotated[
        Path | None,
        typer.Option("--video", help="Video to write, with the eyes' state at each face."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show a window; q or Esc ends.")] = False,
    model: Annotated[
        str,
        typer.Option(help="A model file, or a bundled model; best68 sees closed eyes best."),
    ] = "best68",
    detector: Annotated[
        str | None,
        typer.Option(help="Face detector: hog, haar or lbp; by default the best installed."),
    ] = None,
    microsleep: Annotated[float, typer.Option(help="Seconds of closed eyes that are sleep.")] = 1.5,
    fps: Annotated[
        float | None, typer.Option(help="Pictures a second of a folder.", show_default="30")
    ] = None,
) -> int:
    """Watch a person's eyes, mouth and head: blinks, PERCLOS, yawns, nods, awake or drowsy.

    No safety device. Of several people the report is of the one whose face was the largest for the
    longest. Film only people who have agreed. What is damaged in a video is said on stderr, and the
    exit status is then 1; 2 where no face was seen.

    Example: [bold]classicface drowsiness drive.mp4 -o drive.png --csv drive.csv[/bold]
    """
    from classicface.apps.drowsiness import DrowsinessLimits
    from classicface.cli.drowsiness_watch import People
    from classicface.landmarker import Landmarker, TrackerOptions
    from classicface.video import open_video

    _check_outputs(output, table, document, film)
    limits = DrowsinessLimits(microsleep=microsleep)
    landmarker = Landmarker(model, detector)
    people = People(landmarker.scheme, limits)
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(open_video(videos.parse_source(source), fps=fps))
        screens = videos.Screens(stack, video, film, show)
        tracker = landmarker.tracker(TrackerOptions(memory=MEMORY))
        with videos.until_interrupted(video):
            for frame in videos.frames_of(video, "watching"):
                faces = tracker.update(frame.image, frame.time)
                states = people.update(frame.time, faces)
                if not screens.give(frame, functools.partial(_drawn, frame, faces, states)):
                    break
    videos.say_faults(video)
    person = people.chosen()
    if person is None:
        common.say(f"{source}: no face found")
        return 2
    if people.n_seen > 1:
        common.say(
            f"{people.n_seen} faces; this is of number {person.identity}, the largest for the"
            f" longest ({common.duration_text(person.seconds)})"
        )
    _report(person.record)
    _write(person.record, output, table, document)
    for path in (output, table, document, film):
        if path is not None:
            common.say(f"wrote {path}")
    return 1 if video.faults else 0


def _check_outputs(*paths: Path | None) -> None:
    from classicface.exceptions import DataFormatError

    for path in paths:
        if path is not None:
            common.check_writable(path)
    if paths[0] is not None and paths[0].suffix.lower() not in (".png", ".svg", ".pdf"):
        raise DataFormatError("unknown ending of a plot; use .png, .svg or .pdf", paths[0])


def _drawn(frame: Frame, faces: Faces, states: dict[int, DrowsinessState]) -> NDArray[np.uint8]:
    from classicface.plotting.labels import draw_tracks

    labels = [_label(states[identity]) for identity in faces.ids.tolist()]
    return draw_tracks(frame.image, faces.measured, faces.ids, faces.scheme, labels=labels)


def _label(state: DrowsinessState) -> str:
    text = state.state
    if state.closed_for >= 0.3:
        text += f", eyes closed {state.closed_for:.1f} s"
    elif state.openness == state.openness:
        text += f", eyes {100 * min(state.openness, 1.0):.0f} % open"
    return text


def _report(record: DrowsinessRecord) -> None:
    """Print a short table, and what casts doubt on it."""
    found = record.summary()

    def text(value: float | None, unit: str, digits: int = 1, factor: float = 1.0) -> str:
        return "unknown" if value is None else f"{factor * value:.{digits}f} {unit}"

    lines = common.new_table("", "")
    lines.show_header = False
    rate = text(found["blink_rate"], "a minute")
    lines.add_row("eyes seen", f"{found['eyes_seen']:.1f} of {found['duration']:.1f} s")
    lines.add_row("blinks", f"{found['blinks']}, {rate}")
    lines.add_row("mean blink", text(found["blink_duration"], "s", 2))
    lines.add_row("long closures", str(found["long_closures"]))
    lines.add_row("microsleeps", str(found["microsleeps"]))
    lines.add_row("longest closure", text(found["longest_closure"], "s", 2))
    lines.add_row("PERCLOS", text(found["perclos"], "%", factor=100))
    lines.add_row("PERCLOS, worst minute", text(found["perclos_most"], "%", factor=100))
    lines.add_row("yawns", str(found["yawns"]))
    lines.add_row("nods, head down", f"{found['nods']}, {found['head_downs']}")
    for state, seconds in found["states"].items():
        if seconds > 0:
            lines.add_row(state, f"{seconds:.1f} s")
    common.print_table(lines)
    for note in found["notes"]:
        common.say(note)


def _write(
    record: DrowsinessRecord, plot: Path | None, table: Path | None, document: Path | None
) -> None:
    if table is not None:
        record.to_csv(table)
    if document is not None:
        record.to_json(document)
    if plot is None:
        return
    from classicface.plotting import save_figure
    from classicface.plotting.drowsiness import plot_drowsiness

    limits = record.limits
    figure = plot_drowsiness(
        record.column("time"),
        record.column("ear"),
        record.states,
        baseline=record.column("baseline"),
        closed=record.column("closed_ear"),
        closing=record.column("closing"),
        shut=limits.shut,
        perclos=record.column("perclos"),
        perclos_limits=(limits.perclos_tired, limits.perclos_drowsy),
        events=[(event.kind, event.start, event.end) for event in record.events],
    )
    save_figure(figure, plot, dpi=110)
