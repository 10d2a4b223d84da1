"""Converting data sets among folders of .pts files, dlib's XML, CSV and .npz."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicface.data.arrays import write_npz
from classicface.data.csv_table import write_csv
from classicface.data.dataset import LandmarkDataset, load_dataset
from classicface.data.dlib_xml import write_dlib_xml
from classicface.data.faults import stop_at_error
from classicface.data.loading import landmark_boxes, read_records, with_points
from classicface.data.pts import write_pts
from classicface.exceptions import DataFormatError
from classicface.image.io import write_image
from classicface.shape.boxes import BoxMap
from classicface.shape.schemes import get_scheme

__all__ = ["convert"]


@dataclass
class _Faces:
    """Faces on their way: pictures are files, or arrays where the source embeds them."""

    images: Sequence[Path | NDArray[np.uint8]]
    names: list[str]
    landmarks: NDArray[np.float32]
    boxes: NDArray[np.float32]
    groups: list[str | None]


def convert(
    source: str | Path,
    target: str | Path,
    *,
    boxes: str | Path | BoxMap = "auto",
    margin: float = 0.6,
    max_side: int = 480,
) -> int:
    """Write a data set in another format, told by the ending of `target`.

    ``.xml`` (dlib's imglab, whole pixels) and ``.csv`` refer to the pictures where they are;
    ``.npz`` holds them, cut around the faces; anything else is a folder, to which the pictures
    are copied beside their .pts files and a ``boxes.csv``. Where that folder is the pictures'
    own, only the .pts files are written. Pictures out of an .npz are written as PNG to the
    folder, or to a folder beside the table, of its name. All boxes written are landmark boxes.

    Parameters
    ----------
    source : path-like
        What `classicface.load_dataset` takes.
    target : path-like
        A file, which is replaced, or a folder, which must be new, empty, or the pictures' own.
    boxes : {"auto", "landmarks"}, path-like, str or BoxMap, default "auto"
        As `classicface.load_dataset` takes it.
    margin, max_side
        For an .npz, as `classicface.load_dataset` takes them.

    Returns
    -------
    int
        How many faces were written.

    Raises
    ------
    DataFormatError
        The source is at fault, or the target cannot be written or cannot hold it; then nothing
        of the target is left behind.
    """
    source, target = Path(source), Path(target)
    suffix = target.suffix.lower()
    if suffix == ".npz":
        dataset = load_dataset(source, boxes=boxes, margin=margin, max_side=max_side)
        write_npz(target, dataset)
        return len(dataset)
    faces = _read(source, boxes)
    if suffix not in (".xml", ".csv"):
        _write_folder(target, faces)
    elif any(isinstance(image, Path) for image in faces.images):
        _write_table(target, faces, [_relative(Path(str(i)), target) for i in faces.images])
    else:
        folder = target.with_suffix("")
        files = _write_new_folder(folder, faces, pts=False)
        try:
            _write_table(target, faces, [f"{folder.name}/{file}" for file in files])
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return len(faces.names)


def _read(source: Path, boxes: str | Path | BoxMap) -> _Faces:
    if source.suffix.lower() == ".npz" and not source.is_dir():
        data: LandmarkDataset = load_dataset(source, boxes=boxes)
        return _Faces(data.images, data.names, data.landmarks, data.boxes, data.groups)
    records = with_points(read_records(source), stop_at_error)
    scheme = get_scheme(len(records[0].landmarks))
    records, found = landmark_boxes(records, source, boxes, scheme, stop_at_error)
    return _Faces(
        [record.image for record in records],
        [record.name for record in records],
        np.stack([record.landmarks for record in records]),
        found,
        [record.group for record in records],
    )


def _write_table(target: Path, faces: _Faces, names: list[str]) -> None:
    if target.suffix.lower() == ".xml":
        write_dlib_xml(target, names, faces.landmarks, faces.boxes)
    else:
        groups = faces.groups if any(faces.groups) else None
        write_csv(target, names, faces.landmarks, faces.boxes, groups)


def _relative(image: Path, target: Path) -> str:
    try:
        return Path(os.path.relpath(image.resolve(), target.parent.resolve())).as_posix()
    except ValueError:  # another drive
        return image.resolve().as_posix()


def _write_folder(target: Path, faces: _Faces) -> None:
    holes = np.isnan(faces.landmarks).any(axis=(1, 2))
    if holes.any():
        name = faces.names[int(np.argmax(holes))]
        raise DataFormatError(f"{name} lacks points, which .pts files cannot tell", target)
    homes = {image.parent.resolve() for image in faces.images if isinstance(image, Path)}
    if homes == {target.resolve()}:
        stems = [Path(str(image)).stem for image in faces.images]
        twice = [stem for i, stem in enumerate(stems) if stem in stems[:i]]
        if twice:
            raise DataFormatError(
                f"there are several faces for {twice[0]}, but a folder holds one face a picture",
                target,
            )
        for stem, landmarks in zip(stems, faces.landmarks, strict=True):
            write_pts(target / f"{stem}.pts", landmarks)
    else:
        _write_new_folder(target, faces, pts=True)


def _write_new_folder(target: Path, faces: _Faces, *, pts: bool) -> list[str]:
    """Write the pictures, with .pts files and boxes.csv or without; return their names."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise DataFormatError("exists and is not an empty folder; name a new one", target)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    files = _unique_names(faces)
    try:
        partial.mkdir(parents=True)
        for i, (image, file) in enumerate(zip(faces.images, files, strict=True)):
            if isinstance(image, Path):
                shutil.copyfile(image, partial / file)
            else:
                write_image(partial / file, image)
            if pts:
                write_pts((partial / file).with_suffix(".pts"), faces.landmarks[i])
        if pts:
            rows = [
                ",".join([file, *(f"{value:.9g}" for value in box), "landmarks\n"])
                for file, box in zip(files, faces.boxes, strict=True)
            ]
            text = "".join(["image,x0,y0,x1,y1,source\n", *rows])
            (partial / "boxes.csv").write_text(text, encoding="utf-8", newline="\n")
        if target.exists():
            target.rmdir()
        partial.replace(target)
    except OSError as error:
        raise DataFormatError(f"cannot be written: {error.strerror or error}", target) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return files


def _unique_names(faces: _Faces) -> list[str]:
    """Return file names of different stems, without anything but a plain name in them."""
    used: set[str] = {"boxes"}
    files = []
    for image, name in zip(faces.images, faces.names, strict=True):
        plain = Path(str(image)) if isinstance(image, Path) else Path(name.replace("\\", "/"))
        base = re.sub(r"[^\w. -]", "_", plain.stem, flags=re.ASCII).strip(". ")[:100] or "face"
        stem, count = base, 1
        while stem.lower() in used:
            count += 1
            stem = f"{base}_{count}"
        used.add(stem.lower())
        files.append(stem + (plain.suffix if isinstance(image, Path) else ".png"))
    return files
