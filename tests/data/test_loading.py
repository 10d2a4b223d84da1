import csv
import logging
import time

import numpy as np
import pytest

from classicface.data.boxes_csv import read_boxes
from classicface.data.csv_table import write_csv
from classicface.data.dataset import load_dataset
from classicface.data.dlib_xml import write_dlib_xml
from classicface.data.pts import read_folder, read_pts, write_pts
from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.image.io import read_image, write_image
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import BoxMap, box_centers_sides, landmark_box
from classicface.shape.schemes import LandmarkScheme


def test_folder(faces_folder):
    seen = []
    data = load_dataset(faces_folder, margin=3, progress=lambda *told: seen.append(told))
    assert data.names == ["a.png", "b.png", "c.png"]
    assert data.scheme.name == "points5"
    np.testing.assert_array_equal(data.images[1], read_image(faces_folder / "b.png"))
    np.testing.assert_array_equal(data.landmarks[1], read_pts(faces_folder / "b.pts"))
    np.testing.assert_array_equal(data.boxes, landmark_box(data.landmarks))
    assert seen[-1] == (1.0, "3 of 3 pictures")
    assert data.n_skipped == 0


def test_own_scheme(faces_folder):
    scheme = LandmarkScheme("paw", 5, mirror=(1, 0, 2, 3, 4))
    assert load_dataset(faces_folder, scheme=scheme).with_mirror().scheme is scheme
    with pytest.raises(DataFormatError, match="5 points a face, but scheme ibug68 has 68"):
        load_dataset(faces_folder, scheme="ibug68")


def write_boxes(folder, rows):
    with (folder / "boxes.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["image", "x0", "y0", "x1", "y1", "source"], *rows])


def test_detector_boxes_are_mapped_to_landmark_boxes(faces_folder):
    box_map = BoxMap(0.1, -0.05, 0.8)
    tight = landmark_box(np.stack([face.landmarks for face in read_folder(faces_folder)]))
    raw = box_map.invert(tight)
    write_boxes(
        faces_folder, [[f"{s}.png", *b, "hog"] for s, b in zip("abc", raw.tolist(), strict=True)]
    )
    # Five points are not the 68 that the map was measured on, so it is measured here.
    data = load_dataset(faces_folder, margin=9)
    wanted = box_centers_sides(tight)
    for got, want in zip(box_centers_sides(data.boxes), wanted, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-3)
    assert np.array_equal(load_dataset(faces_folder, margin=9, boxes="landmarks").boxes, tight)
    rows = [[f"{s}.png", *b, "landmarks"] for s, b in zip("abc", raw.tolist(), strict=True)]
    write_boxes(faces_folder, rows)
    np.testing.assert_allclose(load_dataset(faces_folder, margin=9).boxes, raw, atol=1e-4)


def test_boxes_of_another_file_and_faults_in_them(faces_folder, tmp_path):
    write_boxes(tmp_path, [[f"{s}.png", 1, 2, 30, 31, "landmarks"] for s in "abc"])
    data = load_dataset(faces_folder, boxes=tmp_path / "boxes.csv", margin=9)
    np.testing.assert_array_equal(data.boxes, [[1, 2, 30, 31]] * 3)
    write_boxes(faces_folder, [["a.png", 1, 2, 30, 31, "landmarks"]])
    with pytest.raises(DataFormatError, match=r"b\.pts: no box for b\.png"):
        load_dataset(faces_folder)
    write_boxes(faces_folder, [["d.png", 1, 2, 30, 31, "landmarks"]])
    with pytest.raises(DataFormatError, match=r"boxes\.csv:2: there is no picture 'd\.png'"):
        load_dataset(faces_folder)
    with pytest.raises(InvalidInputError, match="expected 'auto', 'landmarks', a file, a BoxMap"):
        load_dataset(faces_folder, boxes="landmark")


def test_table_and_xml_give_the_same_faces(faces_folder):
    folder = load_dataset(faces_folder, margin=9)
    whole = np.round(folder.landmarks)
    boxes = np.array([[4, 4, 30, 34], [5, 5, 33, 32], [6, 6, 30, 30]], np.float32)
    write_csv(faces_folder / "all.csv", folder.names, whole, boxes, ["x", None, "y"])
    write_dlib_xml(faces_folder / "all.xml", folder.names, whole, boxes)
    table = load_dataset(faces_folder / "all.csv", margin=9)
    xml = load_dataset(faces_folder / "all.xml", margin=9)
    for data in (table, xml):
        np.testing.assert_array_equal(data.landmarks, whole)
        np.testing.assert_array_equal(data.images[2], folder.images[2])
    assert table.groups == ["x", None, "y"]
    np.testing.assert_array_equal(table.boxes, boxes)
    np.testing.assert_array_equal(xml.boxes, landmark_box(whole))
    mapped = load_dataset(faces_folder / "all.xml", margin=9, boxes=BoxMap(0.1, 0, 0.5)).boxes
    np.testing.assert_allclose(mapped, BoxMap(0.1, 0, 0.5).apply(boxes), atol=1e-4)


def test_several_faces_of_one_picture(tmp_path):
    write_image(tmp_path / "a.png", np.arange(0, 200, dtype=np.uint8).reshape(10, 20))
    landmarks = np.array([[[1, 1], [4, 4]], [[12, 3], [17, 8]]], np.float32)
    write_csv(tmp_path / "a.csv", ["a.png", "a.png"], landmarks)
    data = load_dataset(tmp_path / "a.csv", margin=0)
    np.testing.assert_array_equal(data.landmarks + data.origins[:, None, :2], landmarks)
    assert data.images[0].shape == (6, 6)


def test_faults_stop_the_load_or_are_skipped(faces_folder, caplog):
    (faces_folder / "a.pts").write_text("1 1\n2 2\n3 3\n4 4\n5 nan\n")
    (faces_folder / "b.png").write_bytes(b"no picture")
    with pytest.raises(DataFormatError, match=r"a\.pts:5: expected two numbers"):
        load_dataset(faces_folder)
    with caplog.at_level(logging.WARNING):
        data = load_dataset(faces_folder, on_error="skip")
    assert data.names == ["c.png"]
    assert data.n_skipped == 2
    assert "a.pts:5: error: expected two numbers" in caplog.text
    assert "b.png: error: cannot be read as a picture" in caplog.text
    (faces_folder / "c.png").unlink()
    with pytest.raises(DataFormatError, match="no face that can be read"):
        load_dataset(faces_folder, on_error="skip")


def test_faces_that_cannot_be_one(faces_folder):
    write_pts(faces_folder / "a.pts", np.full((5, 2), 7))
    with pytest.raises(DataFormatError, match=r"a\.pts: all points coincide"):
        load_dataset(faces_folder)
    write_pts(faces_folder / "a.pts", np.arange(10).reshape(5, 2) + 900)
    with pytest.raises(DataFormatError, match=r"a\.pts: the whole face lies outside"):
        load_dataset(faces_folder)
    write_csv(faces_folder / "a.csv", ["a.png"], np.full((1, 5, 2), np.nan))
    with pytest.raises(DataFormatError, match=r"a\.csv:2: all points are missing"):
        load_dataset(faces_folder / "a.csv")


def test_what_cannot_be_loaded(tmp_path):
    with pytest.raises(DataFormatError, match="no such file or folder"):
        load_dataset(tmp_path / "none")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataFormatError, match="unknown kind of data"):
        load_dataset(tmp_path / "a.txt")
    for wrong in ({"margin": -1}, {"max_side": 4}, {"on_error": "ignore"}):
        with pytest.raises(InvalidInputError, match=next(iter(wrong))):
            load_dataset(tmp_path, **wrong)


def test_helen_comes_through_unchanged(data_dir):
    folder = data_dir / "300w" / "helen" / "testset"
    started = time.perf_counter()
    data = load_dataset(folder)
    assert time.perf_counter() - started < 30
    assert (len(data), data.scheme.name) == (330, "ibug68")
    np.testing.assert_array_equal(data.origins, [[0, 0, 1]] * 330)
    for i in (0, 77, 329):
        path = folder / data.names[i]
        np.testing.assert_array_equal(data.images[i], read_image(path))
        np.testing.assert_array_equal(data.landmarks[i], read_pts(path.with_suffix(".pts")))
    row = read_boxes(folder / "boxes.csv")[data.names[0]]
    np.testing.assert_array_equal(data.boxes[0], BOX_MAPS["hog"].apply(row.box)[0])
    centers, sides = box_centers_sides(data.boxes)
    true_centers, true_sides = box_centers_sides(landmark_box(data.landmarks))
    relation = np.column_stack([(centers - true_centers) / true_sides[:, None], sides / true_sides])
    np.testing.assert_allclose(relation.mean(axis=0), [0, 0, 1], atol=0.03)


def test_large_photographs_are_cut_and_scaled(data_dir):
    data = load_dataset(data_dir / "photos", max_side=200)
    assert len(data) == 10
    for image, landmarks, origin, name in zip(
        data.images, data.landmarks, data.origins, data.names, strict=True
    ):
        assert 190 < max(image.shape) <= 200
        path = (data_dir / "photos" / name).with_suffix(".pts")
        back = landmarks / origin[2] + origin[:2]
        np.testing.assert_allclose(back, read_pts(path), atol=0.01)
