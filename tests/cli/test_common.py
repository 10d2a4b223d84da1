import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.cli import common
from classicface.exceptions import DataFormatError, InvalidInputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("1h2m3s", 3723)],
)
def test_durations(text: str, seconds: float) -> None:
    assert common.parse_duration(text) == pytest.approx(seconds)


@given(st.text(max_size=20))
def test_any_text_is_a_positive_duration_or_our_error(text: str) -> None:
    try:
        assert common.parse_duration(text) > 0
    except InvalidInputError as error:
        assert repr(text) in str(error)


@pytest.mark.parametrize("text", ["", "0", "0m", "-5m", "10x", "m", "nan", "1e9", "5m1h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidInputError, match="10m"):
        common.parse_duration(text)


def test_settings_are_typed() -> None:
    settings = ["a=3", "b=0.5", "c=name", "d=true", "e=None", "f=[1, 2]", "g=False", "h = 1"]
    values = common.parse_settings(settings)
    assert values == dict(a=3, b=0.5, c="name", d=True, e=None, f=(1, 2), g=False, h=1)  # noqa: C408


@pytest.mark.parametrize("settings", [["a"], ["=3"], ["a="], ["a=1", "a=2"]])
def test_bad_settings(settings: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="--set"):
        common.parse_settings(settings)


@given(st.text(max_size=30))
def test_any_setting_parses_or_is_our_error(text: str) -> None:
    try:
        assert len(common.parse_settings([text])) == 1
    except InvalidInputError:
        assert not all(part.strip() for part in text.partition("="))


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(12, "12 bytes"), (3_940_000, "3.9 MB"), (2e9, "2.0 GB")]
)
def test_sizes(n_bytes: float, text: str) -> None:
    assert common.size_text(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.25, "1.2 s"), (245, "4 min 05 s"), (7380, "2 h 03 min")]
)
def test_duration_texts(seconds: float, text: str) -> None:
    assert common.duration_text(seconds) == text


def test_output_to_a_file_is_atomic(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    common.write_output(json.dumps({"a": 1}), path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_places_are_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="is a folder"):
        common.check_writable(tmp_path)
    with pytest.raises(DataFormatError, match="no folder"):
        common.check_writable(tmp_path / "missing" / "out.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFormatError, match="cannot make this folder"):
        common.make_folder(tmp_path / "file" / "below")
