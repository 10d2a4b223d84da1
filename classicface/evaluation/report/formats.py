"""Numbers as people read them, the same in HTML, Markdown and charts."""

from __future__ import annotations

import math
import unicodedata

from classicface.evaluation.results import Estimate

__all__ = [
    "MISSING",
    "capital",
    "decimals",
    "duration",
    "file_size",
    "interval",
    "listing",
    "place",
    "rate",
    "seconds",
    "shorten",
    "signed",
    "span",
]

#: What stands where nothing was measured.
MISSING = "–"  # noqa: RUF001

_TIMES = ((1.0, "µs"), (1e3, "ms"), (1e6, "s"))
_SIZES = ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"))


def capital(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def decimals(value: float | None, digits: int = 2) -> str:
    """Return a number with so many decimals."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞"
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float, digits: int = 2) -> str:
    """Return a difference with its sign."""
    return ("+" if value > 0 else "") + decimals(value, digits)


def interval(estimate: Estimate, digits: int = 2) -> str:
    """Return the interval of an estimate; empty where there is none."""
    return span(decimals(estimate.low, digits), decimals(estimate.high, digits))


def span(low: str, high: str) -> str:
    """Return two formatted bounds as one text, their unit once where they share it."""
    if MISSING in (low, high):
        return ""
    number, _, unit = low.partition(" ")
    return f"{number if unit and high.endswith(' ' + unit) else low} to {high}"


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """Return a value of three digits in the unit that suits it."""
    size, unit = next((one for one in reversed(units) if value >= 0.9995 * one[0]), units[0])
    scaled = value / size
    digits = 0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2
    return f"{scaled:.{digits}f} {unit}"


def duration(microseconds: float | None) -> str:
    """Return a short time: 25.3 µs, 1.20 ms, 2.50 s."""
    if microseconds is None or not math.isfinite(microseconds):
        return MISSING
    return _scaled(microseconds, _TIMES)


def seconds(value: float | None) -> str:
    """Return a time that may be long: 0.25 s, 12 min, 3 h 05 min."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value < 120:
        return duration(1e6 * value)
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def file_size(n_bytes: float | None) -> str:
    """Return a size of bytes; 1 MB is a million."""
    return MISSING if n_bytes is None else _scaled(float(n_bytes), _SIZES)


def rate(per_second: float) -> str:
    """Return a number a second, of three digits."""
    if not math.isfinite(per_second):
        return MISSING
    digits = max(0, 2 - math.floor(math.log10(max(per_second, 0.01))))
    return f"{float(f'{per_second:.3g}'):,.{digits}f}"


def place(rank: tuple[int, int]) -> str:
    """Return the places that the tests leave to a method: 1, or 2 to 4."""
    best, worst = rank
    return str(best) if best == worst else f"{best} to {worst}"


def listing(items: list[str]) -> str:
    """Return items as a phrase: a; a and b; a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def shorten(name: str, length: int) -> str:
    """Return a name on one line and of limited length, without control characters."""
    plain = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in name)
    plain = " ".join(plain.split())
    return plain if len(plain) <= length else plain[: length - 1].rstrip() + "…"
