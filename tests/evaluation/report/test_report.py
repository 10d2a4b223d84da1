"""The files of a report: whole, readable by programs, the same every time, safe with any name."""

import csv
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from classicface.data.dataset import LandmarkDataset
from classicface.evaluation.report import write_report
from classicface.evaluation.results import Comparison
from classicface.exceptions import DataFormatError, InvalidInputError

FILES = ["report.html", "report.md", "results.json", "methods.csv", "faces.csv", "landmarks.csv"]
CHARTS = ["pareto.svg", "ced.svg", "landmarks.svg", "robustness.svg"]
VOID = {"meta", "img", "br", "link", "input", "hr"}
HOSTILE = "<script>alert(\"x\")</script> & 'q' |*_$a$_*| {{ 7 * 7 }} `c` \x01 \\"


class Page(HTMLParser):
    """The elements of a page; a tag that is not closed, or closes another, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, name: str) -> list[str]:
        return [value for _, attrs in self.elements if (value := attrs.get(name)) is not None]


@pytest.fixture(scope="module")
def folder(full: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report with every part."""
    folder = tmp_path_factory.mktemp("report")
    written = write_report(full, folder, n_gallery=3)
    names = [*FILES, *(f"images/{name}" for name in [*CHARTS, "gallery.jpg", "worst.jpg"])]
    assert written == [folder / name for name in names]
    return folder


def page_of(comparison: Comparison, folder: Path, n_gallery: int = 2) -> Page:
    write_report(comparison, folder, n_gallery=n_gallery)
    for path in (folder / "images").glob("*.svg"):
        ElementTree.parse(path)
    json.loads((folder / "results.json").read_text())
    return Page((folder / "report.html").read_text())


def test_nothing_else_is_left(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {*FILES, *(f"images/{name}" for name in [*CHARTS, "gallery.jpg", "worst.jpg"])}


def test_the_page_is_whole_and_ids_are_unique(folder: Path) -> None:
    page = Page((folder / "report.html").read_text())
    ids = page.all("id")
    assert len(set(ids)) == len(ids)
    anchors = [value[1:] for value in page.all("href") if value.startswith("#")]
    assert set(anchors) <= set(ids)
    for word in ("In short", "All methods", "Robustness", "Detection, apart", "not found"):
        assert word in page.text


def test_the_page_refers_to_nothing_outside(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    page = Page(text)
    assert all(value.startswith("#") for value in page.all("href"))
    assert all(value.startswith("data:image/jpeg;base64,") for value in page.all("src"))
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert all(address.startswith("#") for address in re.findall(r"url\(([^)]*)\)", text))
    assert "@import" not in text


def test_svg_files_stand_alone(folder: Path) -> None:
    for name in CHARTS:
        root = ElementTree.parse(folder / "images" / name).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("width") and root.get("height")
        text = (folder / "images" / name).read_text()
        assert "var(--" not in text and "matplotlib.org" not in text


def test_markdown_refers_to_the_pictures_beside_it(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert sorted(links) == sorted(f"images/{p.name}" for p in (folder / "images").iterdir())
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) > 8
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert sum(path.stat().st_size for path in (folder / "images").iterdir()) < 600_000


def test_json_is_the_comparison(folder: Path, full: Comparison) -> None:
    assert json.loads((folder / "results.json").read_text()) == json.loads(
        json.dumps(full.to_dict())
    )


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_csv_reads_back_to_the_same_numbers(folder: Path, full: Comparison) -> None:
    rows = read(folder / "methods.csv")
    assert [row["method"] for row in rows] == [method.name for method in full.methods]
    for row, method in zip(rows, full.methods, strict=True):
        mean = method.accuracy["interpupil"].mean
        assert float(row["nme_mean_interpupil_percent"]) == mean.value
        assert float(row["nme_mean_interpupil_high_percent"]) == mean.high
        assert method.speed is not None
        assert float(row["one_face_third_quartile_us"]) == method.speed.one_face_quartiles_us[1]
        assert int(row["on_front"]) == (method.name in full.front())
    assert [row["training_seconds"] for row in rows].count("") == 3
    faces = read(folder / "faces.csv")
    marks = read(folder / "landmarks.csv")
    assert [row["face"] for row in faces] == full.dataset.names
    assert marks[36]["region"] == "right_eye"
    for method in full.methods:
        column = f"{method.name}_nme_interocular_percent"
        errors = [float(row[column]) for row in faces]
        assert math.isinf(errors[5])
        assert np.array_equal(errors, 100 * method.errors["interocular"])
        assert np.array_equal(
            [float(row[column]) for row in marks], method.per_landmark["interocular"]
        )


def test_the_same_comparison_gives_the_same_bytes(
    folder: Path, full: Comparison, tmp_path: Path
) -> None:
    for path in write_report(full, tmp_path, n_gallery=3):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes(), path.name


def renamed(comparison: Comparison, name: str) -> Comparison:
    """Give every text that a user chooses a hostile value."""
    first = comparison.methods[0]
    old = first.name

    def new(text: str) -> str:
        return name if text == old else text

    hostile = replace(first, name=name, spec=name, kind=name, terms=name)
    dataset = comparison.dataset.subset(np.arange(len(comparison.dataset)))
    dataset.names = [f"{name} {i}" for i in range(len(dataset))]
    pairs = tuple(replace(p, first=new(p.first), second=new(p.second)) for p in comparison.pairs)
    levels = {k: replace(v, title=name, unit=name) for k, v in comparison.levels.items()}
    return replace(
        comparison,
        methods=(hostile, *comparison.methods[1:]),
        pairs=pairs,
        levels=levels,
        dataset=dataset,
        data=name,
        boxes=name,
        about={name: name},
    )


def test_names_are_text_whatever_they_hold(full: Comparison, tmp_path: Path) -> None:
    page = page_of(renamed(full, HOSTILE), tmp_path)
    scripts = [attrs for tag, attrs in page.elements if tag == "script"]
    assert len(scripts) == 2
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert page.text.count(HOSTILE) > 15
    whole = (tmp_path / "report.html").read_text()
    data = whole.partition('id="facts">')[2].partition("</script>")[0]
    assert "<" not in data
    assert json.loads(data)[0]["name"] == HOSTILE
    for chart in CHARTS:
        root = ElementTree.parse(tmp_path / "images" / chart).getroot()
        texts = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]
        assert any("<script>" in text for text in texts), chart
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    markdown = (tmp_path / "report.md").read_text()
    assert "<script" not in markdown
    assert "\\|\\*\\_\\$a\\$\\_\\*\\|" in markdown
    table = next(part for part in markdown.split("\n\n") if part.startswith("| Place"))
    unescaped = [len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()]
    assert len(set(unescaped)) == 1
    assert read(tmp_path / "methods.csv")[0]["method"] == HOSTILE


def test_a_name_of_no_known_letters_and_of_great_length(full: Comparison, tmp_path: Path) -> None:
    page = page_of(renamed(full, "_顔 " + "x" * 300), tmp_path)
    assert "x" * 300 in page.text


@pytest.fixture
def shifted() -> Callable[[LandmarkDataset, float], Any]:
    def shift(dataset: LandmarkDataset, pixels: float) -> Any:
        rng = np.random.default_rng(0)
        return dataset.landmarks + rng.normal(size=dataset.landmarks.shape) * pixels

    return shift


def test_one_method_without_anything_beside_accuracy(
    build: Any, few: LandmarkDataset, shifted: Any, tmp_path: Path
) -> None:
    page = page_of(build(few, {"only": shifted(few, 1.0)}, about={}), tmp_path)
    assert "1 method on" in page.text
    for word in ("Which methods differ", "Robustness", "Speed, memory and size", "front"):
        assert word not in page.text
    assert not (tmp_path / "images" / "pareto.svg").exists()


def test_fifteen_methods(build: Any, few: LandmarkDataset, shifted: Any, tmp_path: Path) -> None:
    from classicface.evaluation.results import Speed

    found = {f"method {i}": shifted(few, 0.5 + 0.1 * i) for i in range(15)}
    rest = {
        name: {"speed": Speed(10.0 * 2**i, (9.0 * 2**i, 11.0 * 2**i), 5.0 * 2**i, (4.0, 6.0))}
        for i, name in enumerate(found)
        if i != 7
    }
    page = page_of(build(few, found, rest), tmp_path, n_gallery=6)
    assert "Not on the chart, for want of a time or an error: method 7." in page.text
    assert (tmp_path / "report.html").stat().st_size < 4_000_000
    assert sum(path.stat().st_size for path in (tmp_path / "images").iterdir()) < 600_000


def test_a_scheme_without_eyes_goes_by_the_box(
    build: Any, few: LandmarkDataset, shifted: Any, tmp_path: Path
) -> None:
    plain = LandmarkDataset(few.images, few.landmarks[:, :7], scheme="points7")
    found = {"a": shifted(plain, 1.0), "b": shifted(plain, 2.0)}
    page = page_of(build(plain, found), tmp_path)
    assert "landmark box" in page.text
    assert "inter-ocular" not in page.text
    assert "By region" not in page.text


@pytest.mark.parametrize("scheme", ["dlib5", "ibug51"])
def test_other_schemes(
    build: Any, few: LandmarkDataset, shifted: Any, tmp_path: Path, scheme: str
) -> None:
    faces = few.convert(scheme)
    page = page_of(build(faces, {"a": shifted(faces, 1.0), "b": shifted(faces, 1.0)}), tmp_path)
    assert scheme in page.text


def test_ninety_eight_points(
    build: Any, few: LandmarkDataset, shifted: Any, tmp_path: Path
) -> None:
    points = np.concatenate([few.landmarks, few.landmarks[:, :30] + 1.5], axis=1)
    faces = LandmarkDataset(few.images, points)
    assert faces.scheme.name == "wflw98"
    assert "98" in page_of(build(faces, {"a": shifted(faces, 1.0)}), tmp_path).text


def test_missing_truths_and_faces_that_no_method_found(
    build: Any, few: LandmarkDataset, shifted: Any, tmp_path: Path
) -> None:
    points = few.landmarks.copy()
    points[0] = np.nan
    points[:, 4] = np.nan
    faces = LandmarkDataset(few.images, points, few.boxes)
    found = {"a": shifted(few, 1.0), "lost": np.full_like(points, np.nan)}
    page = page_of(build(faces, found), tmp_path, n_gallery=24)
    assert "not found" in page.text
    assert read(tmp_path / "faces.csv")[0]["a_nme_interocular_percent"] == ""
    assert read(tmp_path / "landmarks.csv")[4]["a_nme_interocular_percent"] == ""


def test_no_gallery_shows_no_face(full: Comparison, tmp_path: Path) -> None:
    write_report(full, tmp_path)
    assert list((tmp_path / "images").glob("*.jpg"))
    page = page_of(full, tmp_path, n_gallery=0)
    assert page.all("src") == []
    assert not list((tmp_path / "images").glob("*.jpg"))
    assert ".jpg" not in (tmp_path / "report.md").read_text()


def test_faults_are_told(full: Comparison, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="n_gallery"):
        write_report(full, tmp_path, n_gallery=25)
    with pytest.raises(DataFormatError, match="cannot be written"):
        write_report(full, tmp_path / "nowhere", n_gallery=0)
    assert list(tmp_path.iterdir()) == []
