"""The figures of a face verifier: what it tells apart, by kind; calibration; its templates."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from verifier_samples import Sample
from verifier_training import sigmoid

from classicface.landmarker._verifier_kernels import network
from classicface.landmarker.description import FaceDescriber
from classicface.landmarker.verifier import FaceVerifier


class Table(NamedTuple):
    """Described samples, a row each."""

    features: np.ndarray
    errors: np.ndarray
    visible: np.ndarray
    kinds: np.ndarray

    @property
    def good(self) -> np.ndarray:
        """Whether the points lie on the face."""
        return (self.errors < 0.06) & (self.visible > 0.8)

    @property
    def bad(self) -> np.ndarray:
        """Whether they do not."""
        return np.isnan(self.errors) | (self.errors > 0.15) | (self.visible < 0.5)


def tabulate(describer: FaceDescriber, samples: Iterable[Sample]) -> Table:
    """Describe samples; those that have no description are left out."""
    rows = []
    for sample in samples:
        found = describer.describe(sample.image, np.ascontiguousarray(sample.points, np.float32))
        if found is not None:
            rows.append((found.features.astype(np.float16), *sample[2:]))
    features, errors, visible, kinds = zip(*rows, strict=True)
    return Table(np.stack(features), np.array(errors), np.array(visible), np.array(kinds))


def fits_of(verifier: FaceVerifier, features: np.ndarray) -> np.ndarray:
    """Return the fits of described samples, by the network as it is shipped."""
    v = verifier
    bias = np.float32(v.last_bias)
    scores = [
        network(row.astype(np.float32), v.weights, v.biases, v.last_weights, bias)
        for row in features
    ]
    return sigmoid(np.array(scores))


def measure(verifier: FaceVerifier, table: Table) -> tuple[np.ndarray, dict[str, float]]:
    """Return the fits of samples, and how well they tell good points from bad."""
    fits = fits_of(verifier, table.features)
    good, bad = fits[table.good], fits[table.bad]
    seen = (table.visible > 0.8) & (table.errors < 0.3)
    return fits, {
        "good": len(good),
        "bad": len(bad),
        "auc": _auc(good, bad),
        "found_1": float((good > np.quantile(bad, 0.99)).mean()),
        "found": float((good > 0.5).mean()),
        "false": float((bad > 0.5).mean()),
        "rank_correlation": float(-spearmanr(fits[seen], table.errors[seen])[0]),
    }


def separation(templates: np.ndarray, people: np.ndarray, videos: np.ndarray) -> dict[str, float]:
    """Return how well likeness tells one person's frames of a video from other people's frames."""
    likeness = templates @ templates.T
    pairs = np.triu_indices(len(people), 1)
    person = (people[:, None] == people)[pairs]
    video = (videos[:, None] == videos)[pairs]
    values = likeness[pairs]
    threshold = float(np.quantile(values[~person], 0.99))
    return {
        "auc": _auc(values[video], values[~person]),
        "threshold_1": threshold,
        "found_1": float((values[video] > threshold).mean()),
        "same": float(values[video].mean()),
        "other": float(values[~person].mean()),
        "other_deviation": float(values[~person].std()),
        "auc_other_video": _auc(values[person & ~video], values[~person]),
    }


def _auc(high: np.ndarray, low: np.ndarray) -> float:
    """Return the area under the curve of values that should be high and low; 1 where none are."""
    if len(high) == 0:
        return 1.0
    truth = np.repeat([1, 0], [len(high), len(low)])
    return float(roc_auc_score(truth, np.concatenate([high, low])))


def pooled(tables: Iterable[Table]) -> Table:
    """Return the samples of several tables in one."""
    return Table(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))


def report(verifier: FaceVerifier, tables: dict[str, Table]) -> Iterator[str]:
    """Yield the lines of a Markdown page; `tables` by source and predictor."""
    yield "| points of | on | good, bad | AUC | found at 1 % false | good over 0.5 | bad over 0.5 |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for name, table in tables.items():
        source, _, predictor = name.partition(" ")
        m = measure(verifier, table)[1]
        yield (
            f"| {predictor} | {source} | {m['good']}, {m['bad']} | {m['auc']:.4f}"
            f" | {100 * m['found_1']:.1f} % | {100 * m['found']:.1f} % | {100 * m['false']:.1f} % |"
        )
    for source in ("helen", "ytf", "drawn"):
        whole = pooled(table for name, table in tables.items() if name.startswith(source))
        fits, m = measure(verifier, whole)
        yield f"\n### {source}: all predictors\n"
        yield (
            f"AUC {m['auc']:.4f}; {100 * m['found_1']:.1f} % of the good points are found at 1 %"
            f" false; rank correlation of fit and error {m['rank_correlation']:.3f}.\n"
        )
        yield from by_kind(whole, fits)
        yield from by_error(whole, fits)
        yield from calibration(whole, fits)


def by_kind(table: Table, fits: np.ndarray) -> Iterator[str]:
    """Yield how many bad points of each kind pass, and how many good ones."""
    yield "| kind | bad | over 0.5 | over 0.2 | good | over 0.5 | over 0.2 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in np.unique(table.kinds):
        cells = [kind]
        for chosen in (table.bad, table.good):
            values = fits[chosen & (table.kinds == kind)]
            shares = [
                f"{100 * (values > level).mean():.1f} %" for level in (0.5, 0.2) if len(values)
            ]
            cells += [str(len(values)), *(shares or ["", ""])]
        yield "| " + " | ".join(cells) + " |"


def by_error(table: Table, fits: np.ndarray) -> Iterator[str]:
    """Yield the mean fit of points that are seen, by their error."""
    edges = np.array([0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 50]) / 100
    yield "\n| error | " + " | ".join(f"{100 * e:.0f} % to" for e in edges[:-1]) + " |"
    yield "| --- " * len(edges) + "|"
    seen = table.visible > 0.8
    means = [
        fits[seen & (table.errors >= low) & (table.errors < high)]
        for low, high in itertools.pairwise(edges)
    ]
    yield "| mean fit | " + " | ".join(f"{v.mean():.2f}" if len(v) else "" for v in means) + " |"


def calibration(table: Table, fits: np.ndarray) -> Iterator[str]:
    """Yield how often points lie on the face, by their fit; good and bad count alike."""
    edges = np.array([0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0 + 1e-9])
    lies = (table.errors < 0.1) & (table.visible > 0.5)
    weights = np.where(lies, 0.5 / lies.sum(), 0.5 / (~lies).sum())
    names, shares = [], []
    for low, high in itertools.pairwise(edges):
        chosen = (fits >= low) & (fits < high)
        names.append(f"{low:.1f} to {min(high, 1.0):.1f}")
        share = (weights * lies)[chosen].sum() / max(weights[chosen].sum(), 1e-12)
        shares.append(f"{share:.2f}")
    yield "\n| fit | " + " | ".join(names) + " |"
    yield "| --- " * len(edges) + "|"
    yield "| lie on the face | " + " | ".join(shares) + " |"
