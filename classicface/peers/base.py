"""PeerPredictor: a model of another library behind our interface."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError, MissingDependencyError
from classicface.predictor import LandmarkPredictor
from classicface.shape.boxes import IDENTITY, BoxMap
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_landmarks

__all__ = ["PeerFunction", "PeerPredictor", "import_library"]

#: Takes a grey picture, uint8 of shape (height, width), and the peer's own boxes, (n, 4); gives
#: points, an array-like of shape (n, n_landmarks, 2).
PeerFunction = Callable[[NDArray[np.uint8], NDArray[np.float32]], Any]


class PeerPredictor(LandmarkPredictor):
    """An outside model as a predictor: it predicts, and is neither trained nor saved here.

    It is ready as soon as it is made.

    Parameters
    ----------
    function : callable
        Takes a grey picture, uint8 of shape (height, width), and square boxes as the model's own
        detector draws them, float32 of shape (n, 4). Gives points in pixels of the picture, an
        array-like of shape (n, n_landmarks, 2); NaN marks a point that was not found. It is called
        from as many threads as use the predictor, and must not write to the picture.
    scheme : LandmarkScheme, str or int
        The meaning of the points.
    box_map : BoxMap, default IDENTITY
        From the boxes of the model's own detector to landmark boxes. By default the function gets
        landmark boxes.
    library : str, default "a function"
        What runs the model, with its version.
    files : tuple of Path, default ()
        What the model is loaded from.
    spec : str, optional
        How `classicface.peers.load_peer` loads it again.

    Raises
    ------
    InvalidInputError
        A parameter is not what it should be.
    """

    def __init__(
        self,
        function: PeerFunction,
        scheme: LandmarkScheme | str | int,
        *,
        box_map: BoxMap = IDENTITY,
        library: str = "a function",
        files: tuple[Path, ...] = (),
        spec: str | None = None,
    ) -> None:
        self.function = function
        self.scheme = scheme
        self.box_map = box_map
        self.library = library
        self.files = files
        self.spec = spec
        self.check_params()
        self.scheme_ = get_scheme(scheme)
        self.provenance_ = {"library": library, "files": [path.name for path in files]}
        self.accuracy_ = {}

    @property
    def size_bytes(self) -> int | None:
        """The size of the files that the model is loaded from; None where there are none."""
        return sum(path.stat().st_size for path in self.files) if self.files else None

    def check_params(self) -> None:
        """Refuse what is no function, no scheme or no box map, with InvalidInputError."""
        if not callable(self.function):
            raise InvalidInputError(f"function is {self.function!r}; expected a function")
        if not isinstance(self.box_map, BoxMap):
            raise InvalidInputError(f"box_map is {self.box_map!r}; expected a BoxMap")
        get_scheme(self.scheme)

    def _predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        expected = (len(boxes), self.scheme_.n_landmarks, 2)
        if len(boxes) == 0:
            return np.zeros(expected, np.float32)
        found = self.function(image, self.box_map.invert(boxes))
        try:
            points = check_landmarks(found)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self.library} gave no landmarks: {error}") from None
        if points.shape != expected:
            raise InvalidInputError(
                f"{self.library} gave points of shape {points.shape}; expected {expected}"
            )
        return points

    def _fit(self, *_: Any) -> NoReturn:
        self._refuse("trained")

    def _state(self) -> NoReturn:
        self._refuse("saved")

    def _restore(self, *_: Any) -> NoReturn:
        self._refuse("restored")

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidInputError(
            f"a model of {self.library} is not {what} here; its own library trains and saves it"
        )


def import_library(name: str, what: str, install: str) -> Any:
    """Import an optional library.

    Parameters
    ----------
    name : str
        Of the module.
    what : str
        What needs it.
    install : str
        The command that installs it.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingDependencyError(f"{what} needs {name}: {install}") from None
