"""What the commands share: messages on stderr, tables, values given as text, output files."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from classicface.exceptions import DataFormatError, InvalidInputError

if TYPE_CHECKING:
    from rich.table import Table

    from classicface.data.dataset import LandmarkDataset

__all__ = [
    "check_writable",
    "count",
    "duration_text",
    "each_picture",
    "help_text",
    "in_threads",
    "load_faces",
    "make_folder",
    "new_table",
    "parse_duration",
    "parse_settings",
    "print_table",
    "say",
    "size_text",
    "write_output",
]

T = TypeVar("T")
R = TypeVar("R")

#: Width of tables where the output is no terminal.
PLAIN_WIDTH = 120


def help_text(command: Callable[..., Any]) -> str:
    """Return the docstring of a command with its paragraphs as single lines, for the help."""
    paragraphs = (command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def say(message: str) -> None:
    """Print a message as one line on stderr."""
    print("classicface: " + " ".join(message.split()), file=sys.stderr, flush=True)


def new_table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table; columns after the first are set to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    return table


def print_table(table: Table) -> None:
    """Print a table on stdout."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(table)


def count(number: int, thing: str) -> str:
    """Return ``1 face``, ``2 faces`` and so on."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def size_text(n_bytes: float) -> str:
    """Return a number of bytes as people read it, such as ``3.9 MB`` (decimal units)."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes:.0f} bytes"


def duration_text(seconds: float) -> str:
    """Return a duration as people read it: ``12.3 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def parse_duration(text: str) -> float:
    """Return the seconds in ``90``, ``90s``, ``10m``, ``1h30m`` or ``1.5h``.

    Raises
    ------
    InvalidInputError
        Not a duration, or zero.
    """
    number = r"(\d{1,9}(?:\.\d{1,9})?)"
    match = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", text.strip())
    hours, minutes, seconds = (float(part or 0) for part in (match.groups() if match else "000"))
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise InvalidInputError(f"duration {text!r} is not like 90s, 10m or 1h30m")
    return total


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Return the parameters in ``name=value`` texts.

    A value is read as JSON (numbers, ``true``, ``null``, lists, which become tuples); ``None``,
    ``True`` and ``False`` are known too, anything else is taken as the text that it is.

    Raises
    ------
    InvalidInputError
        A text without ``=``, or a name twice.
    """
    known = {"None": None, "True": True, "False": False}
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not (name and equals and text):
            raise InvalidInputError(f"--set {setting!r}; expected name=value")
        if name in values:
            raise InvalidInputError(f"--set names {name} twice")
        try:
            value = known[text] if text in known else json.loads(text)
        except (ValueError, RecursionError):
            value = text
        values[name] = tuple(value) if isinstance(value, list) else value
    return values


def write_output(text: str, path: Path | None) -> None:
    """Write text to a file, or to stdout where `path` is None or ``-``; files are atomic."""
    if path is None or str(path) == "-":
        sys.stdout.write(text)
        return
    from classicface.persistence import replacing

    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def check_writable(path: Path) -> None:
    """Say before long work, not after it, that a file cannot be written.

    Raises
    ------
    DataFormatError
        The path is a folder, or its folder is not there or cannot be written to.
    """
    folder = path.parent
    if path.is_dir():
        raise DataFormatError("is a folder; expected the name of a file", path)
    if not folder.is_dir():
        raise DataFormatError(f"cannot be written: there is no folder {folder}", path)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataFormatError(f"cannot be written: {error.strerror}", path) from None


def make_folder(path: Path) -> Path:
    """Make a folder, unless it is there, and return it.

    Raises
    ------
    DataFormatError
        It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataFormatError(f"cannot make this folder: {error.strerror}", path) from None
    return path


def in_threads(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield what `work` returns for each item, in order; every core works.

    An error or an interrupt drops what has not begun.
    """
    from concurrent.futures import ThreadPoolExecutor

    from classicface.predictor import n_threads

    pool = ThreadPoolExecutor(max(1, min(len(items), n_threads(None))))
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def each_picture(
    work: Callable[[T], R], items: Sequence[T], path_of: Callable[[T], Path], doing: str
) -> Iterator[tuple[T, R | None]]:
    """Yield each item with what `work` makes of its picture, on every core, under a progress bar.

    A picture that cannot be used is named on stderr, and its result is None.
    """
    from classicface.cli.progress import ProgressBar

    def attempt(item: T) -> R | DataFormatError:
        try:
            return work(item)
        except DataFormatError as error:
            return error
        except InvalidInputError as error:
            return DataFormatError(str(error), path_of(item))

    with ProgressBar() as bar:
        for i, result in enumerate(in_threads(attempt, items)):
            bar((i + 1) / len(items), doing)
            if isinstance(result, DataFormatError):
                say(str(result))
                yield items[i], None
            else:
                yield items[i], result


def load_faces(
    paths: list[Path], boxes: str, scheme: str | None = None, *, skip_faulty: bool = False
) -> LandmarkDataset:
    """Load annotated faces from one or several places, with a progress bar.

    Raises
    ------
    DataFormatError, InvalidInputError
        As `classicface.load_dataset` does.
    """
    from classicface.cli.progress import ProgressBar
    from classicface.data.dataset import LandmarkDataset, load_dataset

    on_error: Literal["skip", "raise"] = "skip" if skip_faulty else "raise"
    with ProgressBar() as bar:
        loaded = [
            load_dataset(path, boxes=boxes, scheme=scheme, on_error=on_error, progress=bar)
            for path in paths
        ]
    dataset = loaded[0] if len(loaded) == 1 else LandmarkDataset.concatenate(loaded)
    if dataset.n_skipped:
        say(f"left out {count(dataset.n_skipped, 'faulty face')}; see classicface validate")
    return dataset
