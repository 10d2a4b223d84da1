"""The errors that classicface raises; all share one root, so one ``except`` catches them."""

__all__ = [
    "ClassicFaceError",
    "DataFormatError",
    "InvalidInputError",
    "MissingDependencyError",
    "ModelFormatError",
    "NotFittedError",
]


class ClassicFaceError(Exception):
    """Root of every error that classicface raises on purpose."""


class InvalidInputError(ClassicFaceError, ValueError):
    """An argument (image, box, landmarks, parameter) is not what the function accepts."""


class NotFittedError(ClassicFaceError, ValueError, AttributeError):
    """A predictor was asked to predict or to be saved before ``fit``."""


class ModelFormatError(ClassicFaceError, ValueError):
    """A model file is damaged, cut, foreign, or from a newer version."""


class MissingDependencyError(ClassicFaceError, ImportError):
    """An optional library is needed for what was asked."""


class DataFormatError(ClassicFaceError, ValueError):
    """A data file (landmarks, boxes, pictures) cannot be read as what it claims to be.

    Parameters
    ----------
    message : str
        What was wrong and what would be right.
    path : path-like, optional
        The file in which the fault was found.
    line : int, optional
        The 1-based line of the fault.
    """

    def __init__(self, message: str, path: object = None, line: int | None = None) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.line = line
        where = "" if self.path is None else self.path + ("" if line is None else f":{line}")
        super().__init__(f"{where}: {message}" if where else message)
