"""``classicface train shape``: files, provenance, components, mirror images, mistakes."""

import numpy as np
import pytest

import classicface
from classicface.cli import main
from classicface.data.arrays import write_npz
from classicface.data.pts import read_pts
from classicface.exceptions import ModelFormatError
from classicface.persistence import read_model
from classicface.shape.pdm import PointDistributionModel


def train(folder, output, *more):
    assert main(["train", "shape", str(folder), "-o", str(output), *more]) == 0
    return PointDistributionModel.load(output)


def points_of(folder):
    return np.stack([read_pts(path) for path in sorted(folder.glob("*.pts"))])


def test_a_model_of_the_shapes_and_their_mirror_images(face_folder, tmp_path, capsys):
    output = tmp_path / "shape.safetensors"
    model = train(face_folder, output, "--terms", "any use")
    out, err = capsys.readouterr()
    assert out == ""
    assert "20 shapes to learn from" in err
    assert f"{model.n_components} components with 9" in err
    header, _ = read_model(output)
    assert header["class"] == "PointDistributionModel"
    assert header["scheme"]["name"] == "ibug68"
    origin = header["provenance"]
    assert origin["command"] == "classicface train shape faces --components 0.98"
    assert origin["terms"] == "any use"
    assert "seed" not in origin
    assert str(tmp_path) not in str(header)
    # A symmetric set has a symmetric mean.
    scheme = classicface.get_scheme("ibug68")
    np.testing.assert_allclose(scheme.mirror_points(model.mean, 1.0), model.mean, atol=1e-6)


def test_without_mirror_images_it_is_what_fit_gives(face_folder, tmp_path):
    model = train(face_folder, tmp_path / "m.safetensors", "--no-mirror", "--components", "4")
    expected = PointDistributionModel.fit(points_of(face_folder), 4)
    np.testing.assert_array_equal(model.components, expected.components)
    assert model.n_samples == 10
    command = read_model(tmp_path / "m.safetensors")[0]["provenance"]["command"]
    assert command == "classicface train shape faces --components 4 --no-mirror"


@pytest.mark.parametrize(("text", "n"), [("0", 0), ("3", 3), ("all", 9), ("1.0", 9), ("1", 1)])
def test_components(face_folder, tmp_path, text, n):
    more = ("--no-mirror", "--components", text)
    assert train(face_folder, tmp_path / "m.safetensors", *more).n_components == n


def test_no_picture_is_read(face_folder, tmp_path):
    model = train(face_folder, tmp_path / "a.safetensors")
    for picture in face_folder.glob("*.png"):
        picture.write_bytes(b"")
    again = train(face_folder, tmp_path / "b.safetensors")
    assert again.n_samples == model.n_samples == 20
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_several_places_and_other_formats(faces, face_folder, tmp_path):
    write_npz(tmp_path / "more.npz", faces.subset(range(10, 20)))
    command = [str(face_folder), str(tmp_path / "more.npz"), "-o", str(tmp_path / "m.safetensors")]
    assert main(["train", "shape", *command]) == 0
    assert PointDistributionModel.load(tmp_path / "m.safetensors").n_samples == 40


def test_update(faces, face_folder, tmp_path, capsys):
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    write_npz(tmp_path / "more.npz", faces.subset(range(10, 40)))
    train(tmp_path / "more.npz", old, "--terms", "mine")
    model = train(face_folder, new, "--update", str(old))
    assert model.n_samples == 80
    origin = read_model(new)[0]["provenance"]
    assert origin["command"].endswith("--update old.safetensors")
    assert origin["updated"]["terms"] == "mine"
    write_npz(tmp_path / "five.npz", faces.convert("dlib5"))
    capsys.readouterr()
    command = ["train", "shape", str(tmp_path / "five.npz"), "-o", str(new), "--update", str(old)]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "is of scheme ibug68, the faces are of dlib5" in err


def test_a_scheme_without_mirror(faces, tmp_path, capsys):
    plain = classicface.LandmarkDataset(faces.images, faces.landmarks[:, :20], faces.boxes)
    write_npz(tmp_path / "points.npz", plain)
    assert train(tmp_path / "points.npz", tmp_path / "m.safetensors").n_samples == 40
    assert "points20 does not say how its points mirror" in capsys.readouterr().err


def test_missing_points_are_filled_in(faces, tmp_path):
    holed = faces.subset(range(40))
    holed.landmarks[::4, 20] = np.nan
    write_npz(tmp_path / "points.npz", holed)
    model = train(tmp_path / "points.npz", tmp_path / "m.safetensors")
    assert np.isfinite(model.components).all()


def test_faulty_faces_stop_or_are_left_out(face_folder, tmp_path, capsys):
    (face_folder / "face3.pts").write_text("version: 1\nn_points: 68\n{\n1 2\n}\n")
    output = tmp_path / "m.safetensors"
    assert main(["train", "shape", str(face_folder), "-o", str(output)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "face3.pts:" in err
    assert not output.exists()
    assert train(face_folder, output, "--skip-faulty", "--no-mirror").n_samples == 9
    assert "left out 1 faulty face" in capsys.readouterr().err


def test_mistakes_leave_the_old_file(face_folder, tmp_path, capsys):
    output = tmp_path / "m.safetensors"
    output.write_bytes(b"old")
    other = tmp_path / "not-a-model"
    other.write_bytes(b"x")
    for more, message in (
        (["--components", "1.5"], "--components '1.5'"),
        (["--components", "-3"], "--components '-3'"),
        (["--components", "many"], "expected a count"),
        (["--scheme", "dlib5"], "scheme dlib5 has 5"),
        (["--update", str(other)], "not a classicface model"),
        (["--update", "ert68"], "holds no shape model"),
    ):
        assert main(["train", "shape", str(face_folder), "-o", str(output), *more]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
        assert output.read_bytes() == b"old"
    assert main(["train", "shape", str(tmp_path / "none"), "-o", str(output)]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["train", "shape", str(empty), "-o", str(output)]) == 2


def test_load_says_what_the_file_is(face_folder, tmp_path):
    output = tmp_path / "shape.safetensors"
    train(face_folder, output)
    with pytest.raises(ModelFormatError, match=r"a shape model.*PointDistributionModel\.load"):
        classicface.load(output)
