"""``classicface drowsiness``: the report of a film, its files, several faces, mistakes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer

from classicface.apps.drowsiness import DrowsinessLimits
from classicface.cli.drowsiness import _label, command
from classicface.cli.drowsiness_watch import MOST_PEOPLE, People
from classicface.data.synthetic import (
    Actor,
    FaceParameters,
    blink_lids,
    draw_face,
    random_face,
    synthetic_film,
)
from classicface.exceptions import ClassicFaceError
from classicface.image.io import write_image
from classicface.shape.boxes import landmark_box
from classicface.shape.schemes import get_scheme

BLINKS = [4.6, 5.4]


def run(*arguments: object) -> int:
    """Run the command as the application does."""
    app = typer.Typer()
    app.command()(command)
    try:
        return app(args=[str(argument) for argument in arguments], standalone_mode=False) or 0
    except ClassicFaceError:
        return 2


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a film of 6.2 s at 15 frames a second, with two slow blinks."""
    folder = tmp_path_factory.mktemp("drowsiness") / "film"
    folder.mkdir()
    person = random_face(2, expression=0, max_yaw=3, max_pitch=3, max_roll=3)

    def actor(time: float) -> Actor:
        lids = blink_lids(time, BLINKS, 0.35)
        return Actor(person.replace(eyes_closed=(lids, lids)), (80, 80), 80)

    frames = synthetic_film([actor], 93, fps=15, size=(160, 160), random_state=2)
    for i, frame in enumerate(frames):
        write_image(folder / f"{i:03d}.jpg", frame.image)
    return folder


def test_report_table_document_and_plot(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot, table, document = tmp_path / "d.png", tmp_path / "d.csv", tmp_path / "d.json"
    options = ["--fps", 15, "--detector", "haar", "--csv", table, "--json", document]
    assert run(film, "-o", plot, *options) == 0
    printed = capsys.readouterr()
    assert re.search(r"blinks +2,", printed.out)
    assert re.search(r"microsleeps +0", printed.out)
    assert re.search(r"PERCLOS, worst minute +unknown", printed.out)
    assert f"wrote {plot}" in printed.err
    assert plot.stat().st_size > 5000
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 93
    assert rows[-1]["state"] == "awake"
    found = json.loads(document.read_text())
    assert [event["kind"] for event in found["events"]] == ["blink", "blink"]
    for event, start in zip(found["events"], BLINKS, strict=True):
        assert start < event["start"] < event["end"] < start + 0.4


def test_no_face(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(3):
        write_image(tmp_path / f"{i}.png", np.full((120, 120, 3), 90, np.uint8))
    assert run(tmp_path, "--detector", "haar", "--fps", 10) == 2
    assert "no face found" in capsys.readouterr().err


def test_mistakes_are_told_before_the_work(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(film, "-o", tmp_path / "plot.doc") == 2
    assert run(film, "--csv", tmp_path / "none" / "d.csv") == 2
    assert run(tmp_path / "none.mp4") == 2
    assert run(film, "--microsleep", -1) == 2
    assert capsys.readouterr().out == ""


class Crowd(SimpleNamespace):
    """Stands for the faces of a frame."""

    def __len__(self) -> int:
        return len(self.ids)


def crowd(points: list[np.ndarray], ids: list[int]) -> Any:
    stacked = np.stack(points) if points else np.zeros((0, 68, 2), np.float32)
    boxes = landmark_box(stacked) if points else np.zeros((0, 4), np.float32)
    return Crowd(boxes=boxes, measured=stacked, ids=np.array(ids, np.int64))


def test_of_several_people_the_largest_for_the_longest() -> None:
    face = draw_face(FaceParameters(), size=200)[1]
    people = People(get_scheme("ibug68"), DrowsinessLimits())
    for i in range(60):
        points, ids = [face, 2 * face], [3, 4]
        if 20 <= i < 25:  # larger, but only for a moment
            points, ids = [*points, 3 * face], [3, 4, 5]
        if i > 50:
            points, ids = points[:1], ids[:1]
        states = people.update(i / 10, crowd(points, ids))
        assert set(states) == set(ids)
    chosen = people.chosen()
    assert chosen is not None
    assert chosen.identity == 4
    assert people.n_seen == 3
    assert len(chosen.record) == 60  # the frames without the face too
    assert chosen.seconds == pytest.approx(5.0, abs=0.15)
    assert chosen.record.states[-1] in ("calibrating", "awake")


def test_people_without_end_are_forgotten() -> None:
    face = draw_face(FaceParameters(), size=100)[1]
    people = People(get_scheme("ibug68"), DrowsinessLimits())
    for i in range(20):
        people.update(i / 10, crowd([2 * face], [0]))
    for i in range(3 * MOST_PEOPLE):
        people.update(2 + i / 10, crowd([face], [1 + i]))
    assert people.n_seen == 1 + 3 * MOST_PEOPLE
    assert len(people._people) == MOST_PEOPLE
    chosen = people.chosen()
    assert chosen is not None
    assert chosen.identity == 0


def test_nobody() -> None:
    people = People(get_scheme("ibug68"), DrowsinessLimits())
    people.update(0.0, crowd([], []))
    assert people.chosen() is None


def test_the_label_at_a_face() -> None:
    def state(**changes: Any) -> Any:
        return SimpleNamespace(**{"state": "awake", "closed_for": 0.0, "openness": 1.2, **changes})

    assert _label(state()) == "awake, eyes 100 % open"
    assert _label(state(closed_for=1.26, state="drowsy")) == "drowsy, eyes closed 1.3 s"
    assert _label(state(state="calibrating", openness=float("nan"))) == "calibrating"
