"""Numbers as the report writes them."""

import math

import pytest

from classicface.evaluation.report import formats
from classicface.evaluation.results import Estimate


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0.5, "0.50 µs"),
        (25.34, "25.3 µs"),
        (253.4, "253 µs"),
        (999.6, "1.00 ms"),
        (1204, "1.20 ms"),
        (31_500, "31.5 ms"),
        (2.5e6, "2.50 s"),
        (None, "–"),  # noqa: RUF001
        (math.nan, "–"),  # noqa: RUF001
    ],
)
def test_durations_have_three_digits(microseconds: float, text: str) -> None:
    assert formats.duration(microseconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034, "34.0 ms"),
        (1.5, "1.50 s"),
        (635, "11 min"),
        (7140, "119 min"),
        (11_100, "3 h 05 min"),
    ],
)
def test_seconds_grow_to_hours(value: float, text: str) -> None:
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "1.00 kB"), (300_000, "300 kB"), (1_400_000, "1.40 MB"), (66_400_000, "66.4 MB"),
     (2_500_000_000, "2.50 GB"), (None, "–")],  # noqa: RUF001
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    assert formats.file_size(size) == text


@pytest.mark.parametrize(
    ("value", "text"), [(13.94, "13.9"), (505.05, "505"), (67_340, "67,300"), (0.5, "0.500")]
)
def test_rates(value: float, text: str) -> None:
    assert formats.rate(value) == text


def test_a_shared_unit_stands_once() -> None:
    assert formats.span("25.6 µs", "29.2 µs") == "25.6 to 29.2 µs"
    assert formats.span("950 µs", "1.10 ms") == "950 µs to 1.10 ms"
    assert formats.interval(Estimate(3.0, 2.9, 3.1)) == "2.90 to 3.10"
    assert formats.interval(Estimate(math.nan, math.nan, math.nan)) == ""


def test_signs_places_and_lists() -> None:
    assert formats.signed(0.345) == "+0.34"
    assert formats.signed(-0.5) == "\N{MINUS SIGN}0.50"
    assert formats.decimals(math.inf) == "∞"
    assert formats.place((1, 1)) == "1"
    assert formats.place((2, 4)) == "2 to 4"
    assert formats.listing(["a"]) == "a"
    assert formats.listing(["a", "b", "c"]) == "a, b and c"


def test_names_come_on_one_line_and_short() -> None:
    assert formats.shorten("two\nlines\x00 and\tmore", 30) == "two lines and more"
    assert formats.shorten("abcdefghij", 5) == "abcd…"
