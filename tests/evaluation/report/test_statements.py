"""What the report says in short: firm words for firm differences alone."""

from dataclasses import replace
from typing import Any

from classicface.evaluation.report.statements import Statement, in_short
from classicface.evaluation.results import Comparison


def said(comparison: Comparison) -> dict[str, Statement]:
    return {statement.label: statement for statement in in_short(comparison)}


def without(comparison: Comparison, *names: str) -> Comparison:
    methods = tuple(method for method in comparison.methods if method.name not in names)
    pairs = tuple(p for p in comparison.pairs if not {p.first, p.second} & set(names))
    return replace(comparison, methods=methods, pairs=pairs)


def test_methods_alike_share_the_first_place(full: Comparison) -> None:
    statements = said(full)
    best = statements["Most accurate"]
    assert set(best.headline.split(" and ")) == {"exact", "alike"}
    assert "no method that is clearly more accurate" in best.text
    assert "inter-ocular" in best.text


def test_the_fastest_is_of_the_most_accurate(full: Comparison) -> None:
    fastest = said(full)["Fastest at that accuracy"]
    assert fastest.headline == "alike"
    assert fastest.text.startswith("400 µs for one face on one thread; 4,550 faces a second")


def test_a_clear_winner_is_called_one(full: Comparison) -> None:
    best = said(without(full, "alike"))["Most accurate"]
    assert best.headline == "exact"
    assert best.text.endswith("Every other method is clearly less accurate.")


def test_times_that_overlap_are_not_ranked(full: Comparison) -> None:
    slow = full["exact"].speed
    assert slow is not None
    near = replace(slow, one_face_us=890.0, one_face_quartiles_us=(850.0, 980.0))
    methods = tuple(
        replace(method, speed=near) if method.name == "alike" else method for method in full.methods
    )
    fastest = said(replace(full, methods=methods))["Fastest at that accuracy"]
    assert fastest.headline == "alike and exact"
    assert fastest.text.endswith("Their quartiles overlap.")


def test_the_front_names_time_and_error(full: Comparison) -> None:
    front = said(full)["Fastest at each accuracy"]
    assert front.headline == "quick and alike"
    assert front.items[0].startswith("quick: 25.0 µs for a mean NME of ")
    assert "clearly faster and not clearly less accurate" in front.text


def test_the_smallest(full: Comparison) -> None:
    smallest = said(full)["Smallest"]
    assert (smallest.headline, smallest.text[:8]) == ("alike", "1.40 MB,")


def test_what_was_not_measured_is_not_spoken_of(full: Comparison) -> None:
    bare = tuple(replace(m, speed=None, footprint=None) for m in full.methods)
    assert list(said(replace(full, methods=bare))) == ["Most accurate"]


def test_one_method_is_not_compared(full: Comparison) -> None:
    statements = said(without(full, "alike", "quick", "outside"))
    assert list(statements) == ["Accuracy", "Speed", "Size"]
    assert {statement.headline for statement in statements.values()} == {"exact"}
    assert "clearly" not in " ".join(statement.text for statement in statements.values())


def test_all_lost(build: Any, few: Any) -> None:
    import numpy as np

    nowhere = np.full_like(few.landmarks, np.nan)
    assert in_short(build(few, {"a": nowhere, "b": nowhere})) == []
