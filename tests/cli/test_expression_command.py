import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classicface import landmarker as room
from classicface.apps.expression import MEASURES, ExpressionClassifier
from classicface.cli import app as application
from classicface.cli import expression, main
from classicface.data.synthetic import random_face
from classicface.data.synthetic._render import pose_face
from classicface.image.io import write_image
from classicface.landmarker import Faces
from classicface.shape.boxes import landmark_box
from classicface.shape.schemes import SCHEMES

LABELS: dict[str, dict[str, float]] = {"neutral": {}, "smile": {"smile": 0.9}}


@pytest.fixture(autouse=True)
def command() -> None:
    """Register the command, where the application does not do so itself."""
    groups = [group.name for group in application.app.registered_groups]
    if "expression" not in groups:
        application.app.add_typer(expression.app, name="expression")


class Known:
    """A landmarker that knows its pictures: the first pixel says which points to give."""

    scheme = SCHEMES["ibug68"]
    points: list[Any] = []  # noqa: RUF012

    def __init__(self, *_: Any) -> None:
        self.detector = type("Detector", (), {"name": "known"})()

    def detect(self, image: Any) -> Faces:
        assert image.ndim == 3
        found = self.points[int(image[0, 0, 0])]
        points = np.array([] if found is None else [found], np.float32).reshape(-1, 68, 2)
        n = np.full(len(points), np.nan, np.float32)
        ids = np.arange(len(points))
        return Faces(landmark_box(points), points, n, n, ids, points, self.scheme)


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that writes a picture whose face has the points that are given."""
    monkeypatch.setattr(room, "Landmarker", Known)
    monkeypatch.setattr(Known, "points", [])

    def write(name: str, points: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.full((8, 8, 3), len(Known.points), np.uint8))
        Known.points.append(points)
        return path

    return write


@pytest.fixture
def sort(picture: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that fills a folder with sorted pictures."""

    def fill(people: int = 6, *, named: bool = True, each: int = 2) -> Path:
        rng = np.random.default_rng(0)
        for person in range(people):
            base = random_face(rng, expression=0)
            for label, changes in LABELS.items():
                for k in range(each):
                    face = base.replace(yaw=rng.uniform(-15, 15), **changes)
                    folder = f"sorted/{label}/p{person}" if named else f"sorted/{label}"
                    name = f"{folder}/{person}-{k}.png"
                    picture(name, pose_face(face).landmarks * 15 + 100)
        return tmp_path / "sorted"

    return fill


def test_training(
    sort: Callable[..., Path],
    picture: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, path = sort(), tmp_path / "model.safetensors"
    picture("sorted/smile/p0/nobody.png", None)
    picture("sorted/smile/p1/spot.png", np.full((68, 2), 3.0))
    assert main(["expression", "train", str(folder), "-o", str(path), "--folds", "3"]) == 0
    out, err = capsys.readouterr()
    assert "nobody.png: no face found" in err and "spot.png: the landmarks lie within" in err
    assert "left out 2 pictures without a usable face" in out
    assert "tested on 24 pictures (6 people), 3 folds split by person" in out
    model = ExpressionClassifier.load(path)
    assert model.labels_ == ["neutral", "smile"]
    assert model.card_["accuracy"] >= 0.75
    assert (model.card_["without_face"], model.card_["landmarks"]) == (2, "ert68")
    assert main(["expression", "card", str(path)]) == 0
    shown = capsys.readouterr().out.strip()
    assert shown and shown in out


def test_people_that_are_not_known(
    sort: Callable[..., Path],
    picture: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, path = sort(named=False), tmp_path / "model.safetensors"
    assert main(["expression", "train", str(folder), "-o", str(path)]) == 0
    assert "who is who is not known" in capsys.readouterr().out
    picture("sorted/smile/anna/1.png", Known.points[2])
    assert main(["expression", "train", str(folder), "-o", str(path)]) == 0
    assert "24 pictures lie in no person's folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("people", "each", "said"), [(2, 2, "too few faces to learn from"), (1, 6, "one person only")]
)
def test_too_few(
    sort: Callable[..., Path],
    people: int,
    each: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, path = sort(people, each=each), tmp_path / "model.safetensors"
    assert main(["expression", "train", str(folder), "-o", str(path)]) == 2
    assert said in capsys.readouterr().err
    assert not path.exists()


def test_folders_that_are_none(
    picture: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "model.safetensors")
    assert main(["expression", "train", str(tmp_path / "none"), "-o", path]) == 2
    assert "no such folder" in capsys.readouterr().err
    picture("flat/1.png", None)
    assert main(["expression", "train", str(tmp_path / "flat"), "-o", path]) == 2
    assert "one sub-folder a label" in capsys.readouterr().err
    for i in range(6):
        picture(f"one/smile/{i}.png", None)
    assert main(["expression", "train", str(tmp_path / "one"), "-o", path]) == 2
    assert "there must be two at least" in capsys.readouterr().err
    for i in range(6):
        picture(f"one/sad/{i}.png", None)
    assert main(["expression", "train", str(tmp_path / "one"), "-o", path]) == 2
    assert "there must be two at least" in capsys.readouterr().err


def test_measuring(
    sort: Callable[..., Path],
    picture: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, path = sort(), tmp_path / "model.safetensors"
    main(["expression", "train", str(folder), "-o", str(path)])
    capsys.readouterr()
    smiling, rest = folder / "smile/p2/2-0.png", folder / "neutral/p2/2-0.png"
    nobody = picture("nobody.png", None)
    arguments = ["expression", "measure", str(smiling), str(nobody), "--model", str(path)]
    assert main([*arguments, "--csv"]) == 0
    out, err = capsys.readouterr()
    assert "nobody.png: no face found" in err
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["label"] == "smile" and row["picture"] == str(smiling)
    assert float(row["p(smile)"]) + float(row["p(neutral)"]) == pytest.approx(1, abs=1e-5)
    assert all(np.isfinite(float(row[name])) for name in MEASURES)
    table = tmp_path / "table.csv"
    assert main([*arguments, "--neutral", str(rest), "-o", str(table)]) == 0
    (change,) = csv.DictReader(io.StringIO(table.read_text()))
    assert float(change["smile"]) > 0.08 and abs(float(change["mouth_openness"])) < 0.02
    capsys.readouterr()
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "face 0" in out and "right_brow_raise" in out and "smile" in out


def test_pictures_that_cannot_be_measured(
    picture: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert main(["expression", "measure", str(broken)]) == 2
    assert "broken.png" in capsys.readouterr().err
    spot = picture("spot.png", np.full((68, 2), 3.0))
    assert main(["expression", "measure", str(spot), str(broken), "--csv"]) == 1
    out, err = capsys.readouterr()
    assert "spot.png: face 0: the landmarks lie within" in err
    assert out.count("\n") == 1
    nobody = picture("nobody.png", None)
    assert main(["expression", "measure", str(spot), "--neutral", str(nobody)]) == 2
    assert "cannot be the neutral one" in capsys.readouterr().err


def test_models_that_are_none(
    picture: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = str(picture("one.png", None))
    path = tmp_path / "model.safetensors"
    assert main(["expression", "measure", one, "--model", str(path)]) == 2
    assert "no such file" in capsys.readouterr().err
    rng = np.random.default_rng(0)
    model = ExpressionClassifier().fit_features(
        rng.normal(size=(10, 112)), ["a", "b"] * 5, "ibug51"
    )
    model.save(path)
    assert main(["expression", "card", str(path)]) == 2
    assert "has no card" in capsys.readouterr().err
    model.card_ = {"labels": 3}
    model.save(path)
    assert main(["expression", "card", str(path)]) == 2
    assert "its card is damaged" in capsys.readouterr().err


def test_a_photograph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from skimage.data import astronaut

    path = tmp_path / "astronaut.png"
    write_image(path, astronaut())
    assert main(["expression", "measure", str(path), "--csv", "--detector", "haar"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert abs(float(row["yaw"])) < 10 and abs(float(row["pitch"])) < 12
    assert float(row["smile"]) > 0.05 and float(row["pose_error"]) < 0.04
