"""What a comparison says in short: only differences that the tests and quartiles bear out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from classicface.evaluation.report.formats import (
    decimals,
    duration,
    file_size,
    interval,
    listing,
    rate,
)
from classicface.evaluation.results import NORMALIZER_NAMES, Comparison, MethodResult

__all__ = ["Statement", "in_short"]


@dataclass(frozen=True)
class Statement:
    """A finding: what it is about, the methods, a sentence or two, and figures a line each."""

    label: str
    headline: str
    text: str
    items: tuple[str, ...] = ()


def in_short(comparison: Comparison) -> list[Statement]:
    """Return the findings that the comparison allows."""
    if len(comparison.methods) == 1:
        return _of_one(comparison)
    best = _most_accurate(comparison)
    found = [_accuracy(comparison, best), _fastest(best), _front(comparison), _smallest(comparison)]
    return [statement for statement in found if statement is not None]


def _nme(comparison: Comparison, method: MethodResult) -> str:
    return f"{decimals(method.accuracy[comparison.normalizer].mean.value)} %"


def _mean(comparison: Comparison, method: MethodResult) -> str:
    """Return the mean error with its interval, where it has one, and its normaliser."""
    mean = method.accuracy[comparison.normalizer].mean
    kind = NORMALIZER_NAMES[comparison.normalizer]
    qualified = ", ".join(filter(None, (interval(mean), kind)))
    return f"Mean NME {_nme(comparison, method)} ({qualified})."


def _most_accurate(comparison: Comparison) -> list[MethodResult]:
    """Return the methods than which no other is clearly more accurate."""
    known = [
        method
        for method in comparison.methods
        if math.isfinite(method.accuracy[comparison.normalizer].mean.value)
    ]
    names = [method.name for method in known]
    return [m for m in known if not any(comparison.order(name, m.name) > 0 for name in names)]


def _accuracy(comparison: Comparison, best: list[MethodResult]) -> Statement | None:
    if not best:
        return None
    headline = listing([method.name for method in best])
    if len(best) == 1:
        text = f"{_mean(comparison, best[0])} "
        others = [m.name for m in comparison.methods if m is not best[0]]
        if all(comparison.order(best[0].name, name) > 0 for name in others):
            text += "Every other method is clearly less accurate."
        else:
            text += "For every other method there is one that is clearly more accurate."
        return Statement("Most accurate", headline, text)
    means = sorted(method.accuracy[comparison.normalizer].mean.value for method in best)
    kind = NORMALIZER_NAMES[comparison.normalizer]
    whole = f"{decimals(means[0])} to {decimals(means[-1])} %"
    text = f"Mean NME {whole} ({kind}). The tests find no method that is clearly more accurate"
    return Statement("Most accurate", headline, f"{text} than one of these.")


def _fastest(best: list[MethodResult]) -> Statement | None:
    """Return which of the most accurate methods is fastest."""
    timed = [(method.speed, method.name) for method in best if method.speed is not None]
    if not timed:
        return None
    first, _ = min(timed, key=lambda one: one[0].one_face_us)
    limit = first.one_face_quartiles_us[1]
    alike = [(speed, n) for speed, n in timed if speed.one_face_quartiles_us[0] <= limit]
    alike.sort(key=lambda one: one[0].one_face_us)
    times = listing([duration(speed.one_face_us) for speed, _ in alike])
    rates = listing([rate(speed.faces_per_second) for speed, _ in alike])
    text = f"{times} for one face on one thread; {rates} faces a second on all cores."
    if len(alike) > 1:
        text += " Their quartiles overlap."
    return Statement("Fastest at that accuracy", listing([name for _, name in alike]), text)


def _front(comparison: Comparison) -> Statement | None:
    front = [comparison[name] for name in comparison.front()]
    if not front:
        return None
    items = []
    for method in front:
        assert method.speed is not None
        time = duration(method.speed.one_face_us)
        items.append(f"{method.name}: {time} for a mean NME of {_nme(comparison, method)}")
    text = ""
    if len(front) < len([m for m in comparison.methods if m.speed is not None]):
        text = (
            "For each other method there is one that is clearly faster and not clearly less"
            " accurate, or clearly more accurate and not clearly slower."
        )
    headline = listing([method.name for method in front])
    return Statement("Fastest at each accuracy", headline, text, tuple(items))


def _smallest(comparison: Comparison) -> Statement | None:
    sizes = [
        (method.footprint.model_bytes, method)
        for method in comparison.methods
        if method.footprint is not None and method.footprint.model_bytes is not None
    ]
    if not sizes:
        return None
    least = min(size for size, _ in sizes)
    names = [method.name for size, method in sizes if size == least]
    errors = listing([_nme(comparison, method) for size, method in sizes if size == least])
    return Statement("Smallest", listing(names), f"{file_size(least)}, mean NME {errors}.")


def _of_one(comparison: Comparison) -> list[Statement]:
    (method,) = comparison.methods
    found = [Statement("Accuracy", method.name, _mean(comparison, method))]
    speed = _fastest([method])
    if speed is not None:
        found.append(Statement("Speed", method.name, speed.text))
    size = _smallest(comparison)
    if size is not None:
        found.append(Statement("Size", method.name, size.text))
    return found
