"""Cross-validation of an `ExpressionClassifier`, and the card that says what came out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.apps.expression.classifier import ExpressionClassifier, check_labels
from classicface.exceptions import InvalidInputError
from classicface.validation import check_integer

__all__ = ["LIMITS", "card_text", "cross_validate_expression"]

Floats = NDArray[np.float64]

#: What every card says.
LIMITS = (
    "It tells labels of faces that look like those it was trained on: the same camera, light, age"
    " and poses. Other faces may be told worse, and some groups of people worse than others;"
    " nothing here was measured on them.",
    "A label is how a face was sorted, not what the person feels: recognising emotion from faces"
    " is disputed science, and restricted by law in places, at work and in schools above all."
    " Ask the people whom you film.",
)

RESAMPLES = 2000


def cross_validate_expression(
    features: Floats,
    labels: Sequence[str] | NDArray[Any],
    people: Sequence[str] | None,
    scheme: str,
    *,
    C: float = 0.05,
    folds: int = 5,
    random_state: int = 0,
) -> dict[str, Any]:
    """Test a classifier on faces that it was not trained on.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
        `classicface.apps.expression_classifier.expression_features` of each face.
    labels : sequence of str, length n
    people : sequence of str, length n, optional
        Who each face is. Nobody is then tested by a classifier that has seen them.
    scheme : str
        ``ibug51`` or ``ibug49``.
    C : float, default 0.05
        See `ExpressionClassifier`.
    folds : int, default 5
        2 to 20; fewer where a label has fewer people.
    random_state : int, default 0

    Returns
    -------
    dict
        The card: plain numbers, texts and lists.

    Raises
    ------
    InvalidInputError
        Too few faces, or people, of a label to hold any out.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    texts = check_labels(labels, len(features))
    names = np.unique(texts)
    check_integer(folds, "folds", 2, 20)
    check_integer(random_state, "random_state", 0, 2**32 - 1)
    groups = np.arange(len(texts)) if people is None else np.unique(people, return_inverse=True)[1]
    if len(groups) != len(texts):
        raise InvalidInputError(f"{len(groups)} people for {len(texts)} faces; expected one each")
    fewest = min(len(np.unique(groups[texts == name])) for name in names)
    if fewest < 2:
        raise InvalidInputError(
            "a label has faces of one person only, so nobody can be held out; add other people"
        )
    folds = min(folds, fewest)
    splitter = (StratifiedKFold if people is None else StratifiedGroupKFold)(
        folds, shuffle=True, random_state=random_state
    )
    guessed = np.empty_like(texts)
    for train, test in splitter.split(features, texts, None if people is None else groups):
        model = ExpressionClassifier(C).fit_features(features[train], texts[train], scheme)
        guessed[test] = np.array(model.labels_)[model.proba_of(features[test]).argmax(axis=1)]
    confusion = np.array(
        [[(guessed[texts == row] == name).sum() for name in names] for row in names]
    )
    return {
        "labels": names.tolist(),
        "pictures": confusion.sum(axis=1).tolist(),
        "people": None if people is None else len(np.unique(groups)),
        "split": "by picture" if people is None else "by person",
        "folds": folds,
        "confusion": confusion.tolist(),
        "limits": list(LIMITS),
        **_scores(confusion, guessed == texts, groups, random_state),
    }


def _scores(
    confusion: NDArray[np.integer], right: NDArray[np.bool_], groups: NDArray[np.integer], seed: int
) -> dict[str, Any]:
    """Return accuracy with its interval, chance, and precision and recall of each label."""
    hits, given = np.diag(confusion), confusion.sum(axis=0)
    share = confusion.sum(axis=1) / confusion.sum()
    # Pictures of one person stand or fall together, so whole people are drawn again.
    _, group = np.unique(groups, return_inverse=True)
    n = np.bincount(group)
    n_right = np.bincount(group, weights=right)
    drawn = np.random.default_rng(seed).integers(len(n), size=(RESAMPLES, len(n)))
    shares = n_right[drawn].sum(axis=1) / n[drawn].sum(axis=1)
    precision = [float(h / g) if g else None for h, g in zip(hits, given, strict=True)]
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval": np.percentile(shares, [2.5, 97.5]).tolist(),
        "chance": float(share.max()),
        "recall": (hits / confusion.sum(axis=1)).tolist(),
        "precision": precision,
    }


def card_text(card: dict[str, Any]) -> str:
    """Return a card as people read it: what it was tested on, what came out, and its limits."""
    labels = [str(label) for label in card["labels"]]
    n = sum(card["pictures"])
    who = "people unknown" if card["people"] is None else f"{card['people']} people"
    low, high = card["accuracy_interval"]
    lines = [
        f"tested on {n} pictures ({who}), {card['folds']} folds split {card['split']}",
        f"right: {100 * card['accuracy']:.1f} % (95 % interval {100 * low:.1f} to"
        f" {100 * high:.1f}); always saying the commonest label: {100 * card['chance']:.1f} %",
    ]
    if card["people"] is None:
        lines.append(
            "who is who is not known: where a person is in several pictures, the figures are too"
            " good for people it has not seen"
        )
    width = max(len(label) for label in labels)
    cell = max(width, 6)
    lines += ["", "rows: as sorted; columns: as told"]
    lines.append(" " * width + "".join(f"  {label:>{cell}}" for label in labels))
    for label, row in zip(labels, card["confusion"], strict=True):
        lines.append(f"{label:<{width}}" + "".join(f"  {count:>{cell}}" for count in row))
    lines += ["", f"{'':<{width}}  pictures  precision  recall"]
    for i, label in enumerate(labels):
        told = card["precision"][i]
        precision = "never told" if told is None else f"{100 * told:.0f} %"
        recall = f"{100 * card['recall'][i]:.0f} %"
        lines.append(f"{label:<{width}}  {card['pictures'][i]:>8}  {precision:>9}  {recall:>6}")
    limits = [textwrap.fill(str(limit), 96) for limit in card["limits"]]
    return "\n".join([*lines, "", *limits])
