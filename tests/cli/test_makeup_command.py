from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from classicface.apps.makeup import LOOKS, Makeup, apply_makeup
from classicface.cli import makeup as command_module
from classicface.data.synthetic import FaceParameters, draw_face
from classicface.exceptions import ClassicFaceError
from classicface.image.io import read_image, write_image
from classicface.landmarker import Faces, Landmarker
from classicface.shape.schemes import get_scheme


@pytest.fixture(scope="module")
def drawn() -> tuple[Any, Any]:
    wall = np.full((200, 220, 3), (150, 170, 190), np.uint8)
    return draw_face(FaceParameters(mouth_open=0.3), canvas=wall)


@pytest.fixture(autouse=True)
def points_are_known(monkeypatch: pytest.MonkeyPatch, drawn: tuple[Any, Any]) -> None:
    """Spare the detector: a picture that shows anything shows the drawn face."""
    scheme = get_scheme("ibug68")

    def found(image: Any) -> Faces:
        points = drawn[1][None][: int(np.ptp(image) > 20)]
        count = len(points)
        boxes = np.tile(np.array([0, 0, 9, 9], np.float32), (count, 1))
        ones = np.ones(count, np.float32)
        return Faces(boxes, points, ones, ones, np.arange(count), points, scheme)

    class Known:
        def __init__(self, model: str, detector: str | None, *, min_fit: float = 0.0) -> None:
            self.scheme = scheme

        def detect(self, image: Any) -> Faces:
            return found(image)

        def tracker(self) -> Any:
            return self

        def update(self, image: Any, time: float) -> Faces:
            return found(image)

    monkeypatch.setattr("classicface.landmarker.Landmarker", Known)


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command and gives its exit status and what it said."""
    app = typer.Typer()
    app.command()(command_module.command)
    program = typer.main.get_command(app)

    def call(*arguments: object) -> tuple[int, str]:
        status = program([str(argument) for argument in arguments], standalone_mode=False)
        return status, capsys.readouterr().err

    return call


@pytest.fixture
def picture(tmp_path: Path, drawn: tuple[Any, Any]) -> Path:
    write_image(tmp_path / "face.png", drawn[0])
    return tmp_path / "face.png"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    write_image(tmp_path / "wall.png", np.full((50, 60, 3), 90, np.uint8))
    return tmp_path / "wall.png"


def test_a_picture(run: Run, picture: Path, tmp_path: Path, drawn: tuple[Any, Any]) -> None:
    output = tmp_path / "out.png"
    status, text = run(picture, "--lipstick", "#a01030:0.8", "--smooth", 0.3, "-o", output)
    assert (status, text) == (0, "classicface: wrote 1 picture\n")
    expected = apply_makeup(*drawn, Makeup(lipstick="#a01030:0.8", smooth=0.3), "ibug68")
    np.testing.assert_array_equal(read_image(output, "rgb"), expected)


def test_a_look_with_changes_beside_the_original(
    run: Run, picture: Path, tmp_path: Path, drawn: tuple[Any, Any]
) -> None:
    output = tmp_path / "out.png"
    arguments = ["--look", "evening", "--blush", "none", "--gloss", 0, "--before-after"]
    assert run(picture, *arguments, "-o", output)[0] == 0
    evening = LOOKS["evening"]
    changed = Makeup(evening.lipstick, None, evening.eyeshadow, evening.liner, evening.brows,
                     evening.smooth)  # fmt: skip
    result = read_image(output, "rgb")
    np.testing.assert_array_equal(result[:, :220], drawn[0])
    np.testing.assert_array_equal(result[:, 220:], apply_makeup(*drawn, changed, "ibug68"))


def test_looks_of_the_library_are_those_of_the_command() -> None:
    assert [look.value for look in command_module.Look] == list(LOOKS)


def test_a_folder_with_a_picture_without_a_face(
    run: Run, picture: Path, empty: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    output = tmp_path / "out"
    status, text = run(tmp_path, "--look", "natural", "-o", output)
    assert status == 1
    assert f"{empty}: no face found" in text
    assert "broken.jpg: cannot be read as a picture" in text
    assert "wrote 1 picture" in text
    assert [path.name for path in output.iterdir()] == ["face.jpg"]


def test_no_face_at_all(run: Run, empty: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    status, text = run(empty, "--look", "day", "-o", output)
    assert status == 1
    assert f"{empty}: no face found" in text
    assert not output.exists()


def test_a_video(run: Run, tmp_path: Path, drawn: tuple[Any, Any]) -> None:
    pytest.importorskip("av")
    from classicface.video import VideoWriter, open_video

    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    with VideoWriter(source, fps=25) as film:
        for _ in range(4):
            film.write(drawn[0])
    arguments = ["--lipstick", "#0000ff:1", "--before-after", "-o", output]
    assert run(source, *arguments)[0] == 0
    with open_video(output) as video:
        frames = [frame.image for frame in video]
    assert len(frames) == 4
    lips = np.round(drawn[1][[51, 57]].mean(axis=0)).astype(int)
    for frame in frames:
        assert frame.shape == (200, 440, 3)
        before, after = frame[:, :220].astype(int), frame[:, 220:].astype(int)
        change = np.abs(after - before).max(axis=2)
        assert np.unravel_index(change.argmax(), change.shape)[0] == pytest.approx(lips[1], abs=14)
        assert change.max() > 60


def test_a_folder_becomes_a_video(run: Run, picture: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    output = tmp_path / "film.mp4"
    status, text = run(tmp_path, "--look", "day", "-o", output)
    assert status == 0
    assert f"wrote {output}" in text
    assert output.stat().st_size > 500


def test_a_video_without_a_face(run: Run, empty: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    status, text = run(tmp_path, "--look", "day", "-o", tmp_path / "film.mp4")
    assert status == 1
    assert "no face found in any frame" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no make-up is asked for"),
        (["--lipstick", "none"], "no make-up is asked for"),
        (["--lipstick", "reddish"], "lipstick: 'reddish' is not a colour"),
        (["--blush", "red:2"], "blush: strength is 2.0"),
        (["--smooth", "1.5"], "smooth is 1.5"),
    ],
)
def test_bad_options(
    run: Run, picture: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(ClassicFaceError, match=message):
        run(picture, *arguments, "-o", tmp_path / "out.png")


def test_bad_places(run: Run, picture: Path, empty: Path, tmp_path: Path) -> None:
    look = ["--look", "day", "-o"]
    with pytest.raises(ClassicFaceError, match="there are 2 pictures; expected"):
        run(picture, empty, *look, tmp_path / "out.jpg")
    with pytest.raises(ClassicFaceError, match="there is no folder"):
        run(picture, *look, tmp_path / "nowhere" / "out.jpg")
    with pytest.raises(ClassicFaceError, match="no such picture or folder"):
        run(tmp_path / "nothing.jpg", *look, tmp_path / "out.jpg")
    film = tmp_path / "film.mp4"
    film.write_bytes(b"x")
    with pytest.raises(ClassicFaceError, match=r"film\.mp4 is a video; make it up alone"):
        run(film, picture, *look, tmp_path / "out.mp4")


def test_with_a_real_detector(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skimage.data import astronaut

    monkeypatch.setattr("classicface.landmarker.Landmarker", Landmarker)
    picture = astronaut()[:300, 100:400]
    write_image(tmp_path / "astronaut.png", picture)
    output = tmp_path / "out.png"
    arguments = ["--lipstick", "#a01030:1", "--detector", "haar", "-o", output]
    assert run(tmp_path / "astronaut.png", *arguments)[0] == 0
    changed = (read_image(output, "rgb") != picture).any(axis=2)
    assert 200 < changed.sum() < 2500


def test_what_no_point_fits_gets_no_makeup(
    monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path
) -> None:
    """A wall that a detector takes for a face stays as it is."""
    rng = np.random.default_rng(0)
    wall = tmp_path / "wall.png"
    write_image(wall, rng.integers(90, 160, (200, 200, 3)).astype(np.uint8))

    class Mistaken(Landmarker):
        def __init__(self, model: str, detector: str | None, *, min_fit: float = 0.0) -> None:
            super().__init__("ert68", lambda image: [[50, 50, 150, 150]], min_fit=min_fit)

    monkeypatch.setattr("classicface.landmarker.Landmarker", Mistaken)
    status, said = run(wall, "--lipstick", "red", "-o", tmp_path / "out.png")
    assert status == 1
    assert "no face found" in said
    assert not (tmp_path / "out.png").exists()
