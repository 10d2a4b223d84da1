"""``classicface makeup``: lipstick, blush and the rest on the faces of pictures and videos."""

from __future__ import annotations

import contextlib
import dataclasses
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classicface.cli import common
from classicface.exceptions import DataFormatError, InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from classicface.apps.makeup import Makeup
    from classicface.landmarker import Landmarker

__all__ = ["Look", "command"]

#: What a detector finds in a picture is no face where the points fit it less than this.
LEAST_FIT = 0.1


class Look(str, Enum):
    """Ready-made looks, those of `classicface.apps.makeup.LOOKS`."""

    natural = "natural"
    day = "day"
    evening = "evening"


def _paint(help_text: str) -> Any:
    return typer.Option(metavar="COLOUR[:STRENGTH]", help=help_text)


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE|FOLDER|VIDEO|CAMERA", help="Pictures, folders of pictures, or a video."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Picture or video to write; a folder for several pictures. A folder of pictures"
            " becomes a video where the name ends like one.",
        ),
    ],
    look: Annotated[
        Look | None, typer.Option(help="A ready-made look; the other options change it.")
    ] = None,
    lipstick: Annotated[str | None, _paint("Such as '#a01030:0.8', crimson, or none.")] = None,
    blush: Annotated[str | None, _paint("On the cheeks.")] = None,
    eyeshadow: Annotated[str | None, _paint("On the upper lids.")] = None,
    liner: Annotated[str | None, _paint("Along the upper lids.")] = None,
    brows: Annotated[str | None, _paint("In the hairs of the brows.")] = None,
    smooth: Annotated[
        float | None, typer.Option(help="How far the skin is smoothed, 0 to 1.")
    ] = None,
    gloss: Annotated[float | None, typer.Option(help="Shine of the lipstick, 0 to 1.")] = None,
    before_after: Annotated[
        bool, typer.Option("--before-after", help="Put the original beside it.")
    ] = False,
    model: Annotated[
        str, typer.Option(help="A model file, or the name of a bundled model.")
    ] = "best68",
    detector: Annotated[
        str | None,
        typer.Option(help="Face detector: hog, haar or lbp; by default the best installed."),
    ] = None,
) -> int:
    """Put make-up on every face of pictures, or of a video.

    A picture without a face is named on stderr and not written; the exit status is then 1. Of a
    video every frame is written, and the status is 1 where no frame showed a face.

    Example: [bold]classicface makeup photo.jpg --lipstick "#a01030:0.8" -o made_up.jpg[/bold]
    """
    paints = {"lipstick": lipstick, "blush": blush, "eyeshadow": eyeshadow}
    paints |= {"liner": liner, "brows": brows}
    makeup = _makeup(look, paints, {"smooth": smooth, "gloss": gloss})
    video = _as_video(sources, output)
    from classicface.landmarker import Landmarker

    if video is not None:
        common.check_writable(output)
        return _film(video, output, makeup, Landmarker(model, detector), before_after)
    landmarker = Landmarker(model, detector, min_fit=LEAST_FIT)
    return _pictures(sources, output, makeup, landmarker, before_after)


def _makeup(
    look: Look | None, paints: dict[str, str | None], numbers: dict[str, float | None]
) -> Makeup:
    """Return the make-up that the options ask for.

    Raises
    ------
    InvalidInputError
        No such colour, a number out of its range, or nothing at all.
    """
    from classicface.apps.makeup import LOOKS, Makeup

    chosen: dict[str, Any] = {key: value for key, value in numbers.items() if value is not None}
    for key, text in paints.items():
        if text is not None:
            chosen[key] = None if text.strip().lower() == "none" else text
    makeup = dataclasses.replace(LOOKS[look.value] if look else Makeup(), **chosen)
    if not makeup.kinds:
        raise InvalidInputError(
            "no make-up is asked for; give --look natural, or --lipstick, --blush, --eyeshadow,"
            " --liner, --brows with a colour, or --smooth"
        )
    return makeup


def _as_video(sources: list[str], output: Path) -> int | Path | None:
    """Return the video that is meant, or None where pictures are.

    Raises
    ------
    InvalidInputError
        A video beside other sources.
    """
    from classicface.cli.videos import parse_source
    from classicface.image.io import IMAGE_SUFFIXES

    parsed = [parse_source(source) for source in sources]
    videos = [
        source
        for source in parsed
        if isinstance(source, int)
        or (source.is_file() and source.suffix.lower() not in IMAGE_SUFFIXES)
        or (source.is_dir() and output.suffix and output.suffix.lower() not in IMAGE_SUFFIXES)
    ]
    if videos and len(sources) > 1:
        raise InvalidInputError(f"{videos[0]} is a video; make it up alone, each with its own -o")
    return videos[0] if videos else None


def _pictures(
    sources: list[str], output: Path, makeup: Makeup, landmarker: Landmarker, beside: bool
) -> int:
    from classicface.cli import faces
    from classicface.cli.predict import find_pictures
    from classicface.image.io import IMAGE_SUFFIXES, write_image

    paths = find_pictures([Path(source) for source in sources])
    alone = output.suffix.lower() in IMAGE_SUFFIXES and not output.is_dir()
    if alone and len(paths) > 1:
        raise InvalidInputError(
            f"there are {len(paths)} pictures; expected the name of a folder after -o, not {output}"
        )
    if alone:
        common.check_writable(output)
    else:
        common.make_folder(output)
    stems = faces.unique_stems(paths)

    def work(path: Path) -> bool:
        """Write one picture; it must show a face."""
        made_up = _picture(path, makeup, landmarker, beside)
        if made_up is None:
            raise DataFormatError("no face found", path)
        write_image(output if alone else output / f"{stems[path]}.jpg", made_up)
        return True

    done = common.each_picture(work, paths, Path, "putting on make-up")
    faults = sum(written is None for _, written in done)
    if faults < len(paths):
        common.say(f"wrote {common.count(len(paths) - faults, 'picture')}")
    return 0 if faults == 0 else 1


def _picture(
    path: Path, makeup: Makeup, landmarker: Landmarker, beside: bool
) -> NDArray[np.uint8] | None:
    from classicface.apps.makeup import apply_makeup
    from classicface.image.io import read_image

    picture = read_image(path, mode="rgb")
    found = landmarker.detect(picture)
    if len(found) == 0:
        return None
    return _beside(picture, apply_makeup(picture, found.landmarks, makeup, found.scheme), beside)


def _film(
    source: int | Path, output: Path, makeup: Makeup, landmarker: Landmarker, beside: bool
) -> int:
    from classicface.apps.makeup import MovingMakeup
    from classicface.cli import videos
    from classicface.video import VideoWriter, open_video

    paint = MovingMakeup(makeup, landmarker.scheme)
    tracker = landmarker.tracker()
    n_faces = 0
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(open_video(source))
        writer = stack.enter_context(VideoWriter(output, fps=video.fps))
        with videos.until_interrupted(video):
            for frame in videos.frames_of(video, "putting on make-up"):
                found = tracker.update(frame.image, frame.time)
                n_faces += len(found)
                made_up = paint(frame.image, found.landmarks, found.ids, frame.time)
                writer.write(_beside(frame.image, made_up, beside), frame.time)
    videos.say_faults(video)
    if n_faces == 0:
        common.say(f"{video.name}: no face found in any frame")
    common.say(f"wrote {output}")
    return 1 if video.faults or n_faces == 0 else 0


def _beside(before: NDArray[np.uint8], after: NDArray[np.uint8], wanted: bool) -> NDArray[np.uint8]:
    import numpy as np

    return np.hstack([before, after]) if wanted else after
