"""Faults in data files: what is wrong, where, how bad; and the two ways to meet them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from classicface.exceptions import DataFormatError

__all__ = ["Fault", "Report", "attempt", "stop_at_error"]

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fault:
    """One fault of a data set.

    Parameters
    ----------
    message : str
        What is wrong.
    path : str or path-like
        The file in which it was found.
    line : int, optional
        The 1-based line.
    severity : {"error", "warning"}
        An error keeps the face, or the file, from being used; a warning does not.
    """

    message: str
    path: str | Path
    line: int | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.path}" if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.severity}: {self.message}"

    @classmethod
    def from_error(cls, error: DataFormatError, path: str | Path) -> Fault:
        """Return the fault that an error tells of; `path` where it names no file."""
        return cls(error.message, error.path or path, error.line)


#: Readers hand each fault to such a function, then go on without what was at fault.
Report = Callable[[Fault], None]


def stop_at_error(fault: Fault) -> None:
    """Raise DataFormatError for an error, log a warning."""
    if fault.severity == "error":
        raise DataFormatError(fault.message, fault.path, fault.line)
    logger.warning("%s", fault)


def attempt(
    report: Report, path: str | Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T | None:
    """Return what the function returns, or report its DataFormatError and return None."""
    try:
        return function(*args, **kwargs)
    except DataFormatError as error:
        report(Fault.from_error(error, path))
        return None
