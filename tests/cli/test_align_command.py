"""``classicface align``: a file for every face, a row for every file, one line for a mistake."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import classicface
from classicface.apps.align import align_face, frontalize
from classicface.cli import align
from classicface.detect import Detections, Detector
from classicface.exceptions import ClassicFaceError
from classicface.image.io import read_image, write_image
from classicface.shape.boxes import IDENTITY
from classicface.shape.similarity import apply_similarity


def run(*arguments: object) -> int:
    """Run the command as the application would, errors and all."""
    app = typer.Typer()
    app.command()(align.command)
    return app(args=[str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def found(faces: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the detector find what a test says: boxes and scores of any picture."""
    answer = {"boxes": faces.boxes[:1], "scores": np.array([2.5], np.float32)}

    class Found(Detector):
        name = "found"
        box_map = IDENTITY

        def detect_raw(self, image: Any) -> Any:
            return answer["boxes"], answer["scores"]

        def detect(self, image: Any) -> Detections:
            return Detections(*self.detect_raw(image))  # boxes that lie on one another stay

    monkeypatch.setattr("classicface.landmarker.model.get_detector", lambda name: Found())
    return answer


@pytest.fixture
def points(mean_model: Path, found: Any) -> Any:
    """Return a function from a picture to the landmarks that the model finds there."""
    return lambda picture: classicface.load(mean_model).predict(picture, found["boxes"])


def test_a_chip_for_each_picture_and_a_table(
    mean_model: Path, face_folder: Path, points: Any, tmp_path: Path
) -> None:
    folder, table = tmp_path / "deep" / "chips", tmp_path / "chips.csv"
    assert run(face_folder, "-o", folder, "--model", mean_model, "--csv", table) == 0
    assert sorted(p.name for p in folder.iterdir()) == [f"face{i}.png" for i in range(10)]
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [row["chip"] for row in rows] == [f"face{i}.png" for i in range(10)]
    for row in rows:
        picture = read_image(row["picture"], "rgb")
        landmarks = points(picture)[0]
        expected = align_face(picture, landmarks, "ibug68")
        np.testing.assert_array_equal(read_image(folder / row["chip"], "rgb"), expected.pixels)
        transform = np.array([float(row[key]) for key in ("a", "b", "tx", "ty")])
        np.testing.assert_allclose(
            apply_similarity(transform, landmarks), expected.landmarks, atol=0.01
        )
        assert float(row["residual"]) == pytest.approx(expected.residual, abs=1e-3)
        assert (row["face"], row["score"]) == ("1", "2.5")


@pytest.mark.parametrize("template", ["dlib", "eyes", "all", "frontal"])
def test_templates_sizes_and_margins(
    mean_model: Path, face_folder: Path, points: Any, tmp_path: Path, template: str
) -> None:
    path = face_folder / "face3.png"
    options = ["--template", template, "--size", 70, "--margin", 0.2, "--model", mean_model]
    assert run(path, "-o", tmp_path / "chips", *options) == 0
    picture = read_image(path, "rgb")
    name = {"dlib": "dlib150", "frontal": "all"}.get(template, template)
    cut = frontalize if template == "frontal" else align_face
    expected = cut(picture, points(picture)[0], "ibug68", name, size=70, margin=0.2)
    chip = read_image(tmp_path / "chips" / "face3.png", "rgb")
    np.testing.assert_array_equal(chip, expected.pixels)


def test_several_faces_are_numbered_best_first(
    mean_model: Path,
    face_folder: Path,
    faces: Any,
    found: Any,
    points: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found["boxes"] = faces.boxes[:3]
    found["scores"] = np.array([3.0, 2.0, 1.0], np.float32)
    # Another picture has the name that the first one's second face would have.
    picture = face_folder / "face0.png"
    (face_folder / "face0-face2.png").write_bytes(picture.read_bytes())
    names = [picture, face_folder / "face0-face2.png"]
    folder = tmp_path / "chips"
    arguments = [*names, "-o", folder, "--model", mean_model, "--json", "-"]
    assert run(*arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["scheme"] == "ibug68"
    assert document["template"] == "arcface"
    assert [row["picture"] for row in document["pictures"]] == [str(name) for name in names]
    chips = [face["chip"] for row in document["pictures"] for face in row["faces"]]
    assert chips[:3] == ["face0.png", "face0-face2_.png", "face0-face3.png"]
    assert len(set(chips)) == 6
    assert sorted(p.name for p in folder.iterdir()) == sorted(chips)
    first = document["pictures"][0]
    assert (first["width"], first["height"]) == (160, 160)
    assert [face["score"] for face in first["faces"]] == [3.0, 2.0, 1.0]
    expected = points(read_image(picture, "rgb"))
    for face, landmarks in zip(first["faces"], expected, strict=True):
        np.testing.assert_allclose(face["landmarks"], landmarks, atol=0.002)
        chip = read_image(folder / face["chip"], "rgb")
        same = align_face(read_image(picture, "rgb"), landmarks, "ibug68").pixels
        np.testing.assert_array_equal(chip, same)


def test_no_face_is_said_and_is_no_error(
    mean_model: Path,
    face_folder: Path,
    found: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found["boxes"], found["scores"] = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    table = tmp_path / "chips.csv"
    arguments = [face_folder / "face1.png", "-o", tmp_path / "chips", "--csv", table]
    assert run(*arguments, "--model", mean_model) == 0
    assert "face1.png: no face found" in capsys.readouterr().err
    assert len(table.read_text().splitlines()) == 1
    assert list((tmp_path / "chips").iterdir()) == []


def test_a_face_that_cannot_be_cut_is_said(
    mean_model: Path,
    face_folder: Path,
    faces: Any,
    found: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found["boxes"] = np.stack([faces.boxes[0], [20, 20, 20.01, 20.01]]).astype(np.float32)
    found["scores"] = np.array([2.0, 1.0], np.float32)
    arguments = [face_folder / "face0.png", "-o", tmp_path / "chips", "--csv", "-"]
    assert run(*arguments, "--model", mean_model) == 0
    out, err = capsys.readouterr()
    assert "face0.png: face 2: the landmarks all lie in one place" in err
    assert [row["face"] for row in csv.DictReader(io.StringIO(out))] == ["1"]


@pytest.mark.usefixtures("found")
def test_one_bad_picture_does_not_stop_the_others(
    mean_model: Path, face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (face_folder / "face4.png").write_bytes(b"no picture")
    folder = tmp_path / "chips"
    assert run(face_folder, "-o", folder, "--model", mean_model) == 1
    assert "face4.png: cannot be read as a picture" in capsys.readouterr().err
    assert len(list(folder.iterdir())) == 9
    arguments = [face_folder / "face4.png", "-o", folder, "--model", mean_model]
    assert run(*arguments, "--csv", tmp_path / "none.csv") == 2
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", 5], "from 8 to 2048"),
        (["--size", 10**7], "from 8 to 2048"),
        (["--margin", -2], "margin"),
        (["--csv", "nowhere/chips.csv"], "there is no folder"),
        (["--json", "."], "is a folder"),
        (["--model", "nothing"], "nothing"),
    ],
)
def test_mistakes_are_found_before_the_first_picture(
    mean_model: Path, face_folder: Path, tmp_path: Path, options: list[object], message: str
) -> None:
    folder = tmp_path / "chips"
    with pytest.raises(ClassicFaceError, match=message):
        run(face_folder, "-o", folder, "--model", mean_model, *options)
    assert not folder.exists()


@pytest.mark.usefixtures("found")
def test_a_model_without_the_points_of_the_template(
    mean_shape: Any, faces: Any, face_folder: Path, tmp_path: Path
) -> None:
    model = tmp_path / "five.safetensors"
    mean_shape().fit(faces.convert("dlib5")).save(model)
    folder = tmp_path / "chips"
    with pytest.raises(ClassicFaceError, match=r"the tip of the nose.*dlib150 and eyes"):
        run(face_folder, "-o", folder, "--model", model)
    assert run(face_folder, "-o", folder, "--model", model, "--template", "dlib") == 0
    assert read_image(folder / "face0.png", "rgb").shape == (150, 150, 3)


def test_a_folder_that_cannot_be_made(mean_model: Path, face_folder: Path, found: Any) -> None:
    with pytest.raises(ClassicFaceError, match="cannot make this folder"):
        run(face_folder, "-o", face_folder / "face0.png", "--model", mean_model)


def test_astronaut(tmp_path: Path) -> None:
    """The real detector and a bundled model: both eyes lie where the template wants them."""
    data = pytest.importorskip("skimage.data")
    write_image(tmp_path / "astronaut.png", data.astronaut())
    arguments = [tmp_path / "astronaut.png", "-o", tmp_path / "chips", "--detector", "haar"]
    assert run(*arguments, "--template", "eyes", "--csv", tmp_path / "chips.csv") == 0
    row = next(csv.DictReader(io.StringIO((tmp_path / "chips.csv").read_text())))
    transform = np.array([float(row[key]) for key in ("a", "b", "tx", "ty")])
    eyes = apply_similarity(transform, np.array([[203.5, 101.0], [247.3, 103.3]]))
    apart = np.linalg.norm(eyes - [(38.3, 51.7), (73.5, 51.5)], axis=1)
    assert apart.max() < 2.5
