"""ExpressionClassifier: labels of a user's own for expressions, learnt from the landmarks alone.

Measures of the expression and the points seen straight on go, each divided by its standard
deviation, into a multinomial logistic regression (scikit-learn's). What it has learnt is a few
thousand numbers, kept in a safetensors file with the card of its test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.expression.measures import MEASURES, frontal_points, measures_of
from classicface.apps.pose.fit import head_pose
from classicface.apps.pose.head import inner_points
from classicface.exceptions import InvalidInputError, ModelFormatError, NotFittedError
from classicface.persistence import read_model, write_model
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_landmarks, check_number

__all__ = ["LEAST_PER_LABEL", "ExpressionClassifier", "check_labels", "expression_features"]

Floats = NDArray[np.float64]

#: Fewer pictures of a label teach nothing that would hold for another picture.
LEAST_PER_LABEL = 5

#: More labels than this are a mistake (names of files, say, in place of labels).
MOST_LABELS = 100

_N_FEATURES = {"ibug51": len(MEASURES) + 2 * 51, "ibug49": len(MEASURES) + 2 * 49}


def expression_features(landmarks: ArrayLike, scheme: LandmarkScheme | str) -> Floats:
    """Return what an expression is told by: its measures, then the points seen straight on.

    Parameters
    ----------
    landmarks : array-like, shape (n_landmarks, 2)
    scheme : LandmarkScheme or str

    Returns
    -------
    ndarray, shape (112,) or, for ``ibug49``, (108,)

    Raises
    ------
    InvalidInputError
        As `classicface.apps.expression.measure_expression` does.
    """
    points = frontal_points(landmarks, scheme, head_pose(landmarks, scheme))
    return np.concatenate([measures_of(points), points[~np.isnan(points[:, 0])].ravel()])


def check_labels(
    labels: Sequence[str] | NDArray[Any], n: int, least: int = LEAST_PER_LABEL
) -> NDArray[np.str_]:
    """Check one label a face, with `least` faces of each, and return them as texts.

    Raises
    ------
    InvalidInputError
        Another number of labels, a single label, too many, or too few faces of one.
    """
    given = np.asarray(labels)
    if given.shape != (n,):
        raise InvalidInputError(f"labels have shape {given.shape}; expected one for each of {n}")
    texts = given.astype(str)
    names, counts = np.unique(texts, return_counts=True)
    if len(names) < 2:
        raise InvalidInputError(f"all labels are {names.tolist()}; there must be two at least")
    if len(names) > MOST_LABELS:
        raise InvalidInputError(f"{len(names)} different labels; at most {MOST_LABELS} are taken")
    few = [
        f"{str(name)!r} {count}" for name, count in zip(names, counts, strict=True) if count < least
    ]
    if few:
        raise InvalidInputError(
            f"too few faces to learn from: {', '.join(few)}; a label needs {least} at"
            " least, and some dozens to be worth it"
        )
    return texts


class ExpressionClassifier:
    """A classifier of expressions, trained on labels of one's own.

    Parameters
    ----------
    C : float, default 0.05
        How far the data may pull the coefficients from zero: one over the weight of their squares.

    Attributes
    ----------
    labels_ : list of str
        In alphabetical order.
    scheme_ : str
        ``ibug51`` or ``ibug49``: the points that it was trained with.
    card_ : dict
        What it was trained and tested on; empty unless set before it is saved.
    """

    def __init__(self, C: float = 0.05) -> None:
        self.C = C

    def fit(
        self,
        landmarks: ArrayLike,
        labels: Sequence[str] | NDArray[Any],
        scheme: LandmarkScheme | str = "ibug68",
    ) -> ExpressionClassifier:
        """Learn from the landmarks of faces, (n, n_landmarks, 2), with one label each.

        Labels count alike, however many faces each has.

        Raises
        ------
        InvalidInputError
            A single label, fewer than five faces of one, or a face that has no pose (its place in
            the list is said).
        """
        points = check_landmarks(landmarks, allow_missing=False)
        if points.ndim != 3:
            raise InvalidInputError(f"landmarks have shape {points.shape}; expected several faces")
        check_labels(labels, len(points))
        features = np.stack([_features(face, scheme, None, i) for i, face in enumerate(points)])
        return self.fit_features(features, labels, inner_points(points[:1], scheme, "this")[1])

    def fit_features(
        self, features: Floats, labels: Sequence[str] | NDArray[Any], scheme: str
    ) -> ExpressionClassifier:
        """Learn from `expression_features` of faces, (n, n_features), however few; see `fit`."""
        from sklearn.linear_model import LogisticRegression

        check_number(self.C, "C", 1e-6, 1e6)
        texts = check_labels(labels, len(features), 1)
        mean, spread = features.mean(axis=0), features.std(axis=0)
        # What never differed tells nothing.
        scale = np.where(spread > 1e-9, 1.0 / np.maximum(spread, 1e-9), 0.0)
        model = LogisticRegression(C=self.C, class_weight="balanced", max_iter=2000)
        model.fit((features - mean) * scale, texts)
        weights, bias = model.coef_, model.intercept_
        if len(weights) == 1:  # two labels: the first has the weights 0
            weights, bias = np.vstack([0 * weights, weights]), np.concatenate([0 * bias, bias])
        self.labels_ = [str(name) for name in model.classes_]
        self.scheme_ = scheme
        self.card_: dict[str, Any] = {}
        self._mean, self._scale, self._weights, self._bias = mean, scale, weights, bias
        return self

    def predict_proba(
        self, landmarks: ArrayLike, scheme: LandmarkScheme | str = "ibug68"
    ) -> Floats:
        """Return the probability of each label, shape (n_labels,) or (n, n_labels).

        Parameters
        ----------
        landmarks : array-like, shape (n_landmarks, 2) or (n, n_landmarks, 2)
        scheme : LandmarkScheme or str, default "ibug68"

        Raises
        ------
        NotFittedError
        InvalidInputError
            A face without a pose, or a scheme without the points that were learnt.
        """
        self._check_fitted()
        points = check_landmarks(landmarks, allow_missing=False)
        faces = points[None] if points.ndim == 2 else points
        features = np.array(
            [_features(face, scheme, self.scheme_, i) for i, face in enumerate(faces)]
        )
        proba = self.proba_of(features.reshape(len(faces), len(self._mean)))
        return proba[0] if points.ndim == 2 else proba

    def predict(
        self, landmarks: ArrayLike, scheme: LandmarkScheme | str = "ibug68"
    ) -> NDArray[np.str_]:
        """Return the likeliest label of each face, shape () or (n,); see `predict_proba`."""
        best = self.predict_proba(landmarks, scheme).argmax(axis=-1)
        return np.array(self.labels_)[best]

    def proba_of(self, features: Floats) -> Floats:
        """Return the probability of each label, (n, n_labels), for features (n, n_features)."""
        self._check_fitted()
        logits = ((features - self._mean) * self._scale) @ self._weights.T + self._bias
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def save(self, path: str | Path) -> None:
        """Write the model file: coefficients, labels, card; the same model gives the same bytes.

        Raises
        ------
        NotFittedError, DataFormatError
        """
        self._check_fitted()
        header = {
            "class": type(self).__name__,
            "parameters": {"C": self.C},
            "labels": self.labels_,
            "scheme": self.scheme_,
            "card": self.card_,
        }
        tensors = {
            "mean": self._mean,
            "scale": self._scale,
            "weights": self._weights,
            "bias": self._bias,
        }
        write_model(path, header, tensors)

    @classmethod
    def load(cls, path: str | Path) -> ExpressionClassifier:
        """Read a model file; everything in it is checked, nothing is executed.

        Raises
        ------
        ModelFormatError
            The file is missing, damaged, or holds another kind of model.
        """
        header, tensors = read_model(path)
        if header.get("class") != cls.__name__:
            raise ModelFormatError(
                f"{path}: holds a model of class {header.get('class')!r}, not {cls.__name__}"
            )
        labels, scheme, card = (header.get(key) for key in ("labels", "scheme", "card"))
        if (
            not isinstance(labels, list)
            or not 2 <= len(labels) <= MOST_LABELS
            or not all(isinstance(label, str) for label in labels)
            or len(set(labels)) < len(labels)
        ):
            raise ModelFormatError(f"{path}: its labels are not a list of two names or more")
        if scheme not in _N_FEATURES or not isinstance(card, dict):
            raise ModelFormatError(f"{path}: its scheme or its card is none")
        n = _N_FEATURES[scheme]
        shapes = {"mean": (n,), "scale": (n,), "weights": (len(labels), n), "bias": (len(labels),)}
        for name, shape in shapes.items():
            tensor = tensors.get(name)
            if tensor is None or tensor.shape != shape or tensor.dtype != np.float64:
                raise ModelFormatError(f"{path}: {name} is not of shape {shape} and float64")
            if not np.isfinite(tensor).all():
                raise ModelFormatError(f"{path}: {name} holds what is no number")
        parameters = header.get("parameters")
        try:
            size = parameters["C"] if isinstance(parameters, dict) else None
            model = cls(C=check_number(size, "C", 1e-6, 1e6))
        except (KeyError, InvalidInputError) as error:
            raise ModelFormatError(f"{path}: its parameters are none ({error})") from None
        model.labels_, model.scheme_, model.card_ = labels, scheme, card
        model._mean, model._scale = tensors["mean"], tensors["scale"]
        model._weights, model._bias = tensors["weights"], tensors["bias"]
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "labels_"):
            raise NotFittedError("the ExpressionClassifier is not fitted; call fit first")


def _features(
    landmarks: NDArray[np.float32], scheme: LandmarkScheme | str, learnt: str | None, place: int
) -> Floats:
    """Return the features of one face, by the points that were learnt, if any were."""
    try:
        if learnt == "ibug49":
            landmarks, scheme = _to_49(landmarks, scheme)
        features = expression_features(landmarks, scheme)
    except InvalidInputError as error:
        raise InvalidInputError(f"face {place}: {error}") from None
    if learnt is not None and len(features) != _N_FEATURES[learnt]:
        raise InvalidInputError(f"the model was trained with the points of {learnt}")
    return features


def _to_49(
    landmarks: NDArray[np.float32], scheme: LandmarkScheme | str
) -> tuple[NDArray[np.float32], str]:
    """Leave out the inner corners of the mouth."""
    inner, name = inner_points(landmarks, scheme, "expression")
    return (inner if name == "ibug49" else np.delete(inner, [43, 47], axis=0)), "ibug49"
