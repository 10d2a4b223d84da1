import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classicface
from classicface.cli import main
from classicface.cli.faces import unique_stems
from classicface.data.pts import read_pts
from classicface.image.io import read_image


@pytest.fixture
def boxes_csv(faces: Any, face_folder: Path) -> Path:
    """Return a boxes.csv for the ten faces, so that no detector is asked."""
    path = face_folder / "boxes.csv"
    rows = [f"face{i}.png,{','.join(map(str, faces.boxes[i]))},landmarks" for i in range(10)]
    path.write_text("\n".join(["image,x0,y0,x1,y1,source", *rows]))
    return path


@pytest.fixture
def expected(mean_model: Path, faces: Any) -> Any:
    """Return the landmarks that the model gives for the ten faces."""
    return classicface.load(mean_model).predict_many(faces.images[:10], faces.boxes[:10])


@pytest.fixture
def arguments(mean_model: Path, boxes_csv: Path) -> list[str]:
    return ["predict", "--model", str(mean_model), "--boxes", str(boxes_csv)]


def test_json_on_stdout(
    arguments: list[str], face_folder: Path, expected: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, str(face_folder)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["scheme"] == "ibug68"
    assert [Path(row["picture"]).name for row in result["pictures"]] == [
        f"face{i}.png" for i in range(10)
    ]
    for row, points in zip(result["pictures"], expected, strict=True):
        assert (row["width"], row["height"]) == (160, 160)
        assert row["faces"][0]["score"] is None
        np.testing.assert_allclose(row["faces"][0]["landmarks"], points, atol=0.002)


def test_csv_reads_back_as_a_data_set(
    arguments: list[str], face_folder: Path, expected: Any, tmp_path: Path
) -> None:
    output = tmp_path / "elsewhere" / "points.csv"
    output.parent.mkdir()
    assert main([*arguments, str(face_folder), "--format", "csv", "-o", str(output)]) == 0
    dataset = classicface.load_dataset(output)
    assert len(dataset) == 10
    original = dataset.landmarks / dataset.origins[:, None, 2:] + dataset.origins[:, None, :2]
    np.testing.assert_allclose(original, expected, atol=1e-3)


def test_csv_on_stdout(
    arguments: list[str], face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = str(face_folder / "face3.png")
    assert main([*arguments, picture, "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0][:3] == ["image", "x0", "y0"]
    assert [row[0] for row in rows[1:]] == [picture]


def test_pts(arguments: list[str], face_folder: Path, expected: Any, tmp_path: Path) -> None:
    output = tmp_path / "points"
    assert main([*arguments, str(face_folder), "--format", "pts", "-o", str(output)]) == 0
    assert len(list(output.iterdir())) == 10
    np.testing.assert_allclose(read_pts(output / "face7.pts"), expected[7], atol=1e-3)


def test_drawings(arguments: list[str], face_folder: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "deep" / "drawn"
    picture = face_folder / "face0.png"
    output = str(tmp_path / "points.json")
    assert main([*arguments, str(picture), "-o", output, "--draw", str(drawn)]) == 0
    assert [path.name for path in drawn.iterdir()] == ["face0.jpg"]
    difference = read_image(drawn / "face0.jpg", "rgb") != read_image(picture, "rgb")
    assert difference.any()


def test_one_bad_picture_does_not_stop_the_others(
    arguments: list[str], face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (face_folder / "face1.png").read_bytes()
    (face_folder / "face1.png").write_bytes(data[: len(data) // 2])
    (face_folder / "face2.png").write_bytes(b"")
    assert main([*arguments, str(face_folder)]) == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)["pictures"]) == 8
    assert err.count("\n") == 2
    assert "face1.png: cannot be read as a picture" in err
    assert "face2.png" in err


def test_nothing_but_bad_pictures_is_a_mistake(
    arguments: list[str], face_folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (face_folder / "face0.png").write_bytes(b"")
    output = tmp_path / "out.json"
    assert main([*arguments, str(face_folder / "face0.png"), "-o", str(output)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert not output.exists()


def test_a_picture_without_a_box_is_named(
    arguments: list[str], face_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (face_folder / "other.png").write_bytes((face_folder / "face0.png").read_bytes())
    assert main([*arguments, str(face_folder / "other.png")]) == 2
    assert "has no box for this picture" in capsys.readouterr().err


@pytest.mark.parametrize("box", ["0,0,0,9", "nan,0,9,9", "9,9,0,0", "500,500,600,600", "1,2,3"])
def test_bad_boxes_are_one_line(
    mean_model: Path, face_folder: Path, box: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = face_folder / "boxes.csv"
    table.write_text(f"image,x0,y0,x1,y1,source\nface0.png,{box},landmarks\n")
    picture = str(face_folder / "face0.png")
    assert main(["predict", "--model", str(mean_model), "--boxes", str(table), picture]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert str(face_folder) in err


def test_no_face_is_no_error(
    mean_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plain.png"
    classicface.write_image(path, np.full((200, 200), 128, np.uint8))
    for form in ("json", "csv"):
        arguments = ["predict", "--model", str(mean_model), "--detector", "haar", str(path)]
        assert main([*arguments, "--format", form]) == 0
        out, err = capsys.readouterr()
        assert "no face found" in err
        assert "plain.png" not in out or json.loads(out)["pictures"][0]["faces"] == []


@pytest.mark.parametrize("output", [".", "nowhere/out.json"])
def test_unwritable_output_is_one_line(
    arguments: list[str], face_folder: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, str(face_folder), "-o", output]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1


def test_a_folder_without_pictures(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main([*arguments, str(tmp_path / "empty")]) == 2
    assert "empty: no picture in this folder" in capsys.readouterr().err


def test_pictures_of_one_name_get_different_files() -> None:
    paths = [Path("a/x.jpg"), Path("b/x.jpg"), Path("b/x.png"), Path("b/x-2.png")]
    stems = unique_stems(paths)
    assert len(set(stems.values())) == 4
    assert stems[paths[0]] == "x"


def test_whole_photographs(
    data_dir: Path, mean_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = str(data_dir / "photos")
    arguments = ["predict", "--model", str(mean_model), "--detector", "haar", photos]
    assert main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)["pictures"]
    assert len(rows) == 10
    found = 0
    for row in rows:
        true = read_pts(Path(row["picture"]).with_suffix(".pts"))
        center, size = true.mean(axis=0), np.ptp(true, axis=0).max()
        centers = [np.mean(face["landmarks"], axis=0) for face in row["faces"]]
        found += any(np.linalg.norm(c - center) < 0.25 * size for c in centers)
    assert found >= 6
