"""LandmarkPredictor: the one interface that every technique keeps."""

from __future__ import annotations

import abc
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from classicface.exceptions import InvalidInputError, ModelFormatError, NotFittedError
from classicface.persistence import write_model
from classicface.shape.boxes import landmark_box
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_boxes, check_image, check_integer, check_landmarks

__all__ = ["LandmarkPredictor", "Progress", "n_threads"]

#: Called during long work with the fraction done (0 to 1) and a short text.
Progress = Callable[[float, str], None]

# BLAS sums in another order on another number of threads, so training holds it to one; it has one
# number for the whole process, so one training runs at a time (and may train others within).
_training = threading.RLock()

Self = TypeVar("Self", bound="LandmarkPredictor")


def n_threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` asks for; None means every core."""
    if n_jobs is None:
        return (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
    return check_integer(n_jobs, "n_jobs", 1, 1024)


class LandmarkPredictor(BaseEstimator, metaclass=abc.ABCMeta):
    """Base of every landmark predictor; a scikit-learn estimator.

    A subclass stores its parameters in ``__init__`` and implements `check_params`, `_fit`,
    `_predict`, `_state` and `_restore`. Once fitted it is immutable: predicting writes nothing to
    ``self``, so one predictor serves any number of threads.

    Attributes
    ----------
    scheme_ : LandmarkScheme
        The meaning of the points; set by `fit`.
    provenance_ : dict
        Where the model comes from: data, licence, seed, versions.
    accuracy_ : dict
        Accuracy measured on held-out data, if any was.
    """

    #: Preset name -> what it changes of the default parameters.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"default": {}}

    #: Parameters that do not shape the model; they are not saved.
    _transient_params: tuple[str, ...] = ("n_jobs",)

    scheme_: LandmarkScheme
    provenance_: dict[str, Any]
    accuracy_: dict[str, Any]

    @classmethod
    def from_preset(cls: type[Self], preset: str = "default", **parameters: Any) -> Self:
        """Make an unfitted predictor from a preset of its class.

        Parameters
        ----------
        preset : str, default "default"
            One of `presets`.
        **parameters
            Parameters that go before those of the preset.

        Raises
        ------
        InvalidInputError
            No such preset.
        """
        if preset not in cls.presets:
            raise InvalidInputError(f"no preset {preset!r}; there are {', '.join(cls.presets)}")
        return cls(**{**cls.presets[preset], **parameters})

    def fit(
        self: Self,
        images: Any,
        landmarks: ArrayLike | None = None,
        boxes: ArrayLike | None = None,
        *,
        scheme: LandmarkScheme | str | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Train on annotated faces, one face a picture.

        Parameters
        ----------
        images : sequence of ndarray, or LandmarkDataset
            Pictures as `classicface.validation.check_image` takes them. A data set brings its own
            landmarks, boxes and scheme; those given here go first.
        landmarks : array-like, shape (n_images, n_landmarks, 2), optional
            (x, y) in pixels; NaN marks a missing point.
        boxes : array-like, shape (n_images, 4), optional
            Landmark boxes as they will be met at prediction; by default the
            tight boxes of the landmarks.
        scheme : LandmarkScheme or str, optional
            The meaning of the points; by default told from their number.
        progress : callable, optional
            Called with the fraction done and a short text.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            Nothing to learn from, or inputs that do not fit together.
        """
        self.check_params()
        if landmarks is None:
            landmarks = getattr(images, "landmarks", None)
            boxes = getattr(images, "boxes", None) if boxes is None else boxes
            scheme = getattr(images, "scheme", None) if scheme is None else scheme
            images = getattr(images, "images", images)
        if landmarks is None:
            raise InvalidInputError("fit needs landmarks, or a LandmarkDataset in place of images")
        points = check_landmarks(landmarks)
        if points.ndim != 3 or len(points) == 0 or len(points) != len(images):
            raise InvalidInputError(
                f"{len(images)} images and landmarks of shape {points.shape}; expected"
                " (n_images, n_landmarks, 2) with at least one image"
            )
        pictures = [check_image(image) for image in images]
        chosen = get_scheme(scheme if scheme is not None else points.shape[1])
        if chosen.n_landmarks != points.shape[1]:
            raise InvalidInputError(
                f"scheme {chosen.name} has {chosen.n_landmarks} points, the landmarks"
                f" have {points.shape[1]}"
            )
        tight = landmark_box(points) if boxes is None else boxes
        starts = check_boxes(np.nan_to_num(tight) if boxes is None else tight)
        if len(starts) != len(points):
            raise InvalidInputError(f"{len(starts)} boxes for {len(points)} images")
        for i, picture in enumerate(pictures):
            x0, y0, x1, y1 = starts[i].tolist()
            if x1 <= 0 or y1 <= 0 or x0 >= picture.shape[1] or y0 >= picture.shape[0]:
                raise InvalidInputError(
                    f"the box of face {i}, {starts[i].tolist()}, misses its picture of"
                    f" {picture.shape[1]} x {picture.shape[0]} pixels"
                )
        with _training, threadpool_limits(1, user_api="blas"):
            self._fit(pictures, points, starts, chosen, progress or _silent)
        self.scheme_ = chosen
        self.provenance_ = {}
        self.accuracy_ = {}
        return self

    @abc.abstractmethod
    def check_params(self) -> None:
        """Refuse parameters that are out of range; `fit` and loading do so before anything else.

        Raises
        ------
        InvalidInputError
            Names the first parameter at fault, and what it may be.
        """

    def predict(self, image: ArrayLike, boxes: ArrayLike | None = None) -> NDArray[np.float32]:
        """Find the landmarks of the faces of one picture.

        Parameters
        ----------
        image : array-like
            Grey, RGB or RGBA; see `classicface.validation.check_image`.
        boxes : array-like, shape (n_faces, 4), optional
            Landmark boxes x0, y0, x1, y1, as a detector of `classicface.detect` gives them;
            by default the whole picture is taken for one.

        Returns
        -------
        ndarray of float32, shape (n_faces, n_landmarks, 2)
            (x, y) in pixels of the picture.
        """
        return self._predict(*self._checked(image, boxes))

    def predict_many(
        self, images: Sequence[ArrayLike], boxes: ArrayLike, *, n_jobs: int | None = None
    ) -> NDArray[np.float32]:
        """Find the landmarks of many pictures with one face each, on all cores.

        Parameters
        ----------
        images : sequence of array-like
        boxes : array-like, shape (n_images, 4)
            One landmark box a picture.
        n_jobs : int, optional
            Threads; by default as many as there are cores. The result does not depend on it.

        Returns
        -------
        ndarray of float32, shape (n_images, n_landmarks, 2)
        """
        self._check_fitted()
        checked = check_boxes(boxes)
        if len(checked) != len(images):
            raise InvalidInputError(f"{len(checked)} boxes for {len(images)} images")
        result = np.empty((len(images), self.scheme_.n_landmarks, 2), np.float32)
        workers = min(n_threads(n_jobs), max(1, len(images)))

        def work(start: int) -> None:
            for i in range(start, len(images), workers):
                result[i] = self.predict(images[i], checked[i])[0]

        if workers == 1:
            work(0)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(work, range(workers)))
        return result

    def save(self, path: str | Path) -> None:
        """Write the model to a safetensors file; `classicface.load` reads it back.

        The same model gives the same bytes. Nothing is left behind when writing fails.
        """
        write_model(path, *self.state())

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the header and the tensors that `save` writes; `from_state` takes them back."""
        self._check_fitted()
        header, tensors = self._state()
        common = {
            "class": type(self).__name__,
            "params": {
                name: None if isinstance(value, np.random.Generator) else value
                for name, value in self.get_params(deep=False).items()
                if name not in self._transient_params
            },
            "scheme": self.scheme_.to_dict(),
            "provenance": self.provenance_,
            "accuracy": self.accuracy_,
        }
        return {**common, **header}, tensors

    @classmethod
    def from_state(
        cls: type[Self], header: dict[str, Any], tensors: dict[str, NDArray[Any]]
    ) -> Self:
        """Rebuild a predictor from what `state` or `classicface.persistence.read_model` returned.

        Raises
        ------
        ModelFormatError
            The content is not what `save` writes.
        """
        try:
            params = header["params"]
            foreign = [name for name in cls._transient_params if name in params]
            if foreign:
                raise ModelFormatError(f"damaged {cls.__name__} model: it sets {foreign[0]}")
            predictor = cls(**params)
            predictor.scheme_ = LandmarkScheme.from_dict(header["scheme"])
            predictor.provenance_ = dict(header["provenance"])
            predictor.accuracy_ = dict(header["accuracy"])
            predictor.check_params()
            predictor._restore(header, tensors)
        except ModelFormatError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelFormatError(f"damaged {cls.__name__} model: {error!r:.300}") from None
        return predictor

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "scheme_")

    def _checked(
        self, image: ArrayLike, boxes: ArrayLike | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return a checked grey picture and checked boxes; by default the whole picture's."""
        self._check_fitted()
        picture = check_image(image)
        if boxes is None:
            boxes = [[0, 0, picture.shape[1], picture.shape[0]]]
        return picture, check_boxes(boxes, picture.shape)

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"this {type(self).__name__} is not fitted; call fit, or classicface.load a model"
            )

    @abc.abstractmethod
    def _fit(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        scheme: LandmarkScheme,
        progress: Progress,
    ) -> None:
        """Train on checked inputs: grey pictures, (n, n_landmarks, 2), (n, 4).

        BLAS runs on one thread meanwhile, so that the model does not depend on their number.
        """

    @abc.abstractmethod
    def _predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict on a checked grey picture and checked boxes; must not write to self."""

    @abc.abstractmethod
    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what the class adds to the header, and the tensors."""

    @abc.abstractmethod
    def _restore(self, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
        """Set the fitted attributes from a header and tensors; check every shape and range."""


def _silent(fraction: float, text: str) -> None:
    """Report nothing."""
