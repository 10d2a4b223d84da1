from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from classicface.cli import main
from classicface.cli.videos import parse_source
from classicface.data.synthetic import Actor, random_face, synthetic_film
from classicface.exceptions import InvalidInputError
from classicface.image.io import write_image

needs_av = pytest.mark.skipif(
    importlib.util.find_spec("av") is None, reason="PyAV is not installed: no video files"
)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of twelve frames with one moving face."""
    folder = tmp_path_factory.mktemp("film") / "frames"
    folder.mkdir()
    person = random_face(1, expression=0, max_yaw=4, max_pitch=4, max_roll=4)
    film = synthetic_film(
        [lambda t: Actor(person, (110 + 40 * t, 115), 95)], 12, size=(240, 240), random_state=1
    )
    for i, frame in enumerate(film):
        write_image(folder / f"frame{i}.png", frame.image)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_table_of_every_frame(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "points.csv"
    arguments = ["track", str(frames), "--csv", str(table), "--detector", "haar", "--fps", "15"]
    assert main(arguments) == 0
    rows = rows_of(table)
    assert [int(row["frame"]) for row in rows] == list(range(12))
    assert {row["face"] for row in rows} == {"0"}
    assert float(rows[3]["time"]) == pytest.approx(0.2)
    assert all(0.2 < float(row["fit"]) <= 1 for row in rows)
    drift = float(rows[-1]["x30"]) - float(rows[0]["x30"])
    assert 5 < drift < 30
    printed = capsys.readouterr()
    assert "12 frames, 1 face; tracking alone made" in printed.out
    assert f"wrote {table}" in printed.err


@needs_av
def test_a_video_with_the_points_drawn(frames: Path, tmp_path: Path) -> None:
    from classicface.video import open_video

    output = tmp_path / "drawn.mp4"
    assert main(["track", str(frames), "-o", str(output), "--detector", "haar"]) == 0
    with open_video(output) as video:
        drawn = [frame.image for frame in video]
        assert video.faults == []
    assert len(drawn) == 12
    assert drawn[0].shape == (240, 240, 3)
    assert main(["track", str(output), "--csv", str(tmp_path / "again.csv")]) == 0


@needs_av
def test_a_video_that_ends_in_the_middle_of_a_frame(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut, table = tmp_path / "whole.mkv", tmp_path / "cut.mkv", tmp_path / "points.csv"
    assert main(["track", str(frames), "-o", str(whole), "--detector", "haar"]) == 0
    data = whole.read_bytes()
    cut.write_bytes(data[: int(0.6 * len(data))])
    capsys.readouterr()
    assert main(["track", str(cut), "--csv", str(table), "--detector", "haar"]) == 1
    assert "cut.mkv: " in capsys.readouterr().err
    assert 0 < len(rows_of(table)) < 12


def test_no_face_is_said_by_the_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "blank"
    folder.mkdir()
    for i in range(3):
        write_image(folder / f"{i}.png", np.full((100, 100), 128, np.uint8))
    table = tmp_path / "points.csv"
    assert main(["track", str(folder), "--csv", str(table), "--detector", "haar"]) == 0
    assert "3 frames, 0 faces" in capsys.readouterr().out
    assert rows_of(table) == []
    assert "x67" in table.read_text()


def test_mistakes_are_said_in_one_line(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (["nothing.mp4"], "nothing.mp4"),
        ([str(frames), "-o", str(tmp_path / "out.xyz")], ".xyz"),
        ([str(frames), "--csv", str(tmp_path / "none" / "x.csv")], "there is no folder"),
        ([str(frames), "--search-every", "-1"], "search_every"),
        (["12345"], "no camera"),
    ):
        assert main(["track", *arguments, "--detector", "haar"]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_source("0") == 0
    assert parse_source("film.mp4") == Path("film.mp4")
    (tmp_path / "7").mkdir()
    assert parse_source("7") == Path("7")
    with pytest.raises(InvalidInputError, match="no camera"):
        parse_source("99999")
