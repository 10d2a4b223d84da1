import numpy as np
import pytest

from classicface.data.arrays import write_npz
from classicface.data.convert import convert
from classicface.data.csv_table import write_csv
from classicface.data.dataset import LandmarkDataset, load_dataset
from classicface.data.pts import read_pts
from classicface.exceptions import DataFormatError


@pytest.fixture
def boxed(faces_folder):
    rows = "".join(f"{stem}.png,4.25,5,33,32,landmarks\n" for stem in "abc")
    (faces_folder / "boxes.csv").write_text(f"image,x0,y0,x1,y1,source\n{rows}")
    return faces_folder


def same(a, b, atol=1e-4, box_atol=1e-4):
    for x, y in zip(a.images, b.images, strict=True):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_allclose(a.landmarks, b.landmarks, atol=atol)
    np.testing.assert_allclose(a.boxes, b.boxes, atol=box_atol)


@pytest.mark.parametrize("first", ["a.csv", "a.npz", "folder", "a.xml"])
@pytest.mark.parametrize("second", ["b.csv", "b.npz", "new/folder", "b.xml"])
def test_there_and_on_again(boxed, tmp_path, first, second):
    wanted = load_dataset(boxed, margin=9)
    assert convert(boxed, tmp_path / first, margin=9) == 3
    (tmp_path / "new").mkdir()
    assert convert(tmp_path / first, tmp_path / second, margin=9) == 3
    # An .xml holds whole pixels, and its boxes follow no known convention.
    loose = "a.xml" in first or "b.xml" in second
    again = load_dataset(tmp_path / second, margin=9)
    same(wanted, again, 1.01 if loose else 1e-4, 99 if loose else 1e-4)
    left = {path.name for path in tmp_path.iterdir()} - {"faces", "new", "b", first, second}
    assert left == set()


def test_groups_are_kept(faces_folder, tmp_path):
    points = np.stack([read_pts(faces_folder / f"{stem}.pts") for stem in "ab"])
    write_csv(faces_folder / "a.csv", ["a.png", "b.png"], points, None, ["x", None])
    convert(faces_folder / "a.csv", tmp_path / "b.npz")
    convert(tmp_path / "b.npz", tmp_path / "c.csv")
    assert load_dataset(tmp_path / "c.csv").groups == ["x", None]


def test_table_to_pts_beside_its_pictures(faces_folder):
    points = np.stack([read_pts(faces_folder / f"{stem}.pts") for stem in "ab"]) + 1
    write_csv(faces_folder / "a.csv", ["a.png", "b.png"], points)
    before = set(faces_folder.iterdir())
    assert convert(faces_folder / "a.csv", faces_folder) == 2
    assert set(faces_folder.iterdir()) == before
    np.testing.assert_allclose(read_pts(faces_folder / "b.pts"), points[1], atol=1e-5)
    write_csv(faces_folder / "a.csv", ["a.png", "a.png"], points + 5)
    with pytest.raises(DataFormatError, match="several faces for a"):
        convert(faces_folder / "a.csv", faces_folder)
    np.testing.assert_allclose(read_pts(faces_folder / "a.pts"), points[0], atol=1e-5)


def test_several_faces_of_a_picture_become_several_pictures(faces_folder, tmp_path):
    points = np.stack([read_pts(faces_folder / f"{stem}.pts") for stem in "ab"])
    write_csv(faces_folder / "a.csv", ["a.png", "a.png"], points)
    convert(faces_folder / "a.csv", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a.png", "a.pts", "a_2.png", "a_2.pts", "boxes.csv"]


def test_names_of_an_archive_do_not_lead_out_of_the_folder(tmp_path):
    names = ["../../evil.png", "a\\b:c.jpg", "..", "", "boxes", "x" * 300]
    images = [np.full((9, 9), i, np.uint8) for i in range(6)]
    landmarks = np.tile(np.float32([[1, 1], [5, 5]]), (6, 1, 1))
    write_npz(tmp_path / "a.npz", LandmarkDataset(images, landmarks, names=names))
    convert(tmp_path / "a.npz", tmp_path / "sub" / "out")
    inside = {path.stem for path in (tmp_path / "sub" / "out").glob("*.png")}
    assert inside == {"evil", "b_c", "face", "face_2", "boxes_2", "x" * 100}
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "sub"}
    assert {path.name for path in (tmp_path / "sub").iterdir()} == {"out"}


def test_nothing_half_written_is_left(faces_folder, tmp_path):
    points = np.stack([read_pts(faces_folder / f"{stem}.pts") for stem in "ab"])
    points[1, 2] = np.nan
    write_csv(faces_folder / "a.csv", ["a.png", "b.png"], points)
    with pytest.raises(DataFormatError, match=r"b\.png lacks points"):
        convert(faces_folder / "a.csv", tmp_path / "out")
    (faces_folder / "c.pts").write_text("x")
    for target in ("b.csv", "b.xml", "b.npz", "out"):
        with pytest.raises(DataFormatError, match=r"c\.pts:1"):
            convert(faces_folder, tmp_path / target)
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_a_full_folder_is_not_written_to(faces_folder, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("x")
    with pytest.raises(DataFormatError, match="not an empty folder"):
        convert(faces_folder, tmp_path / "full")
    with pytest.raises(DataFormatError, match="not an empty folder"):
        convert(faces_folder, tmp_path / "full" / "precious")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["precious"]
    convert(faces_folder, tmp_path / "a.npz")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "precious").write_text("x")
    with pytest.raises(DataFormatError, match="not an empty folder"):
        convert(tmp_path / "a.npz", tmp_path / "b.csv")
