"""The fraction done of a comparison."""

import pytest

from classicface.evaluation.plan import Plan


def test_fractions_go_by_expected_seconds_and_never_fall() -> None:
    said: list[tuple[float, str]] = []
    plan = Plan({"a": 10.0, "b": 30.0}, lambda fraction, text: said.append((fraction, text)))
    plan.report("a", 0.5, "a")
    plan.part("b")(0.5, "b")
    plan.expected["b"] = 190.0
    plan.report("b", 0.5, "b again")
    plan.report("b", 1.0, "end")
    assert [fraction for fraction, _ in said] == pytest.approx([0.125, 0.625, 0.625, 1.0])
    assert [text for _, text in said] == ["a", "b", "b again", "end"]
