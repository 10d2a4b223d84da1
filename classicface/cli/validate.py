"""``classicface validate``: every fault of a data set, with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classicface.cli import common
from classicface.exceptions import DataFormatError

__all__ = ["command"]


def command(
    data: Annotated[
        Path, typer.Argument(help="Annotated faces: a folder, dlib XML, CSV or .npz file.")
    ],
) -> int:
    """Find every fault of annotated faces; say file, line and what is wrong.

    An error keeps a face from being used, a warning does not. The exit status is 1 where there is
    any fault.

    Example: [bold]classicface validate faces/train[/bold]
    """
    from classicface.cli.progress import ProgressBar
    from classicface.data.validate import validate

    if not data.exists():
        raise DataFormatError("no such file or folder", data)
    with ProgressBar() as bar:
        faults = validate(data, progress=bar)
    for fault in faults:
        print(fault)
    n_errors = sum(fault.severity == "error" for fault in faults)
    n_warnings = len(faults) - n_errors
    print(f"{common.count(n_errors, 'error')}, {common.count(n_warnings, 'warning')}")
    return 1 if faults else 0
