"""Pictures that a user has sorted into folders: one sub-folder a label, in it one a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classicface.cli import common
from classicface.exceptions import DataFormatError

__all__ = ["SortedPicture", "people_of", "sorted_pictures"]


@dataclass(frozen=True)
class SortedPicture:
    """A picture that a user has sorted: its label, and who it is where that is known."""

    path: Path
    label: str
    person: str | None


def people_of(entries: Sequence[SortedPicture]) -> list[str] | None:
    """Return who each picture shows, or None unless it is known of all."""
    people = [entry.person for entry in entries]
    known = [person for person in people if person is not None]
    if len(known) == len(people):
        return known
    if known:
        common.say(
            f"{common.count(len(people) - len(known), 'picture')} lie in no person's folder, so the"
            " split cannot be by person"
        )
    return None


def sorted_pictures(folder: Path) -> list[SortedPicture]:
    """Return the pictures of FOLDER/label/ and FOLDER/label/person/.

    Raises
    ------
    DataFormatError
        There is no such folder, or it has no sub-folders with pictures.
    """
    from classicface.image.io import list_images

    if not folder.is_dir():
        raise DataFormatError("no such folder", folder)
    entries: list[SortedPicture] = []
    for label in _folders(folder):
        entries += [SortedPicture(path, label.name, None) for path in list_images(label)]
        for person in _folders(label):
            entries += [
                SortedPicture(path, label.name, person.name)
                for path in list_images(person, recursive=True)
            ]
    if not entries:
        raise DataFormatError(
            "no pictures in its sub-folders; expected one sub-folder a label, such as"
            " smile/ and neutral/, with pictures in each",
            folder,
        )
    return entries


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
