import os
from pathlib import Path

import numpy as np
import pytest

from classicface.data.arrays import write_npz
from classicface.data.csv_table import write_csv
from classicface.data.dataset import LandmarkDataset
from classicface.data.pts import read_pts, write_pts
from classicface.data.validate import validate
from classicface.image.io import read_image, write_image


def told(faults):
    """Return the faults as text, without the folder that they are in."""
    return [str(f).replace(f"{Path(f.path).parent}{os.sep}", "") for f in faults]


def test_a_sound_folder_has_no_fault(faces_folder):
    seen = []
    assert validate(faces_folder, progress=lambda *args: seen.append(args)) == []
    assert seen[-1] == (1.0, "3 of 3 pictures")


def test_every_fault_of_a_folder_is_found(faces_folder):
    points = read_pts(faces_folder / "b.pts")
    for stem in "defgh":
        write_image(faces_folder / f"{stem}.png", np.full((40, 50), ord(stem), np.uint8))
        write_pts(faces_folder / f"{stem}.pts", points)
    (faces_folder / "c.png").write_bytes((faces_folder / "b.png").read_bytes())
    (faces_folder / "d.png").write_bytes(b"")
    write_pts(faces_folder / "e.pts", np.full((5, 2), 3))
    write_pts(faces_folder / "f.pts", points + np.float32([30, 0]))
    write_pts(faces_folder / "g.pts", points + 1000)
    (faces_folder / "h.pts").write_text("n_points: 5\n{\n1 1\n}\n")
    write_image(faces_folder / "i.png", np.zeros((4, 4), np.uint8))
    rows = "".join(f"{s}.png,1,1,30,30,landmarks\n" for s in "abcdfgi")
    (faces_folder / "boxes.csv").write_text(
        f"image,x0,y0,x1,y1,source\n{rows}z.png,1,1,2,2,hog\na.png,1,1,2,x,hog\n"
    )
    found = told(validate(faces_folder))
    outside = sum(read_pts(faces_folder / "f.pts")[:, 0] >= 49.5)
    assert found == [
        "boxes.csv:9: error: there is no picture 'z.png' beside the table",
        "boxes.csv:10: error: y1 is 'x'; expected a number",
        "c.pts: warning: c.png is the same picture as b.png",
        "d.png: error: cannot be read as a picture: cannot identify image file 'd.png'",
        "e.pts: error: all points coincide",
        f"f.pts: warning: f.png: {outside} of 5 points lie outside the picture",
        "g.pts: error: g.png: the whole face lies outside the picture of 50 x 40",
        "h.pts:4: error: n_points is 5, but there are 1",
        "i.png: warning: no i.pts for this picture",
    ]


def test_a_face_without_box_is_found(faces_folder):
    (faces_folder / "boxes.csv").write_text(
        "image,x0,y0,x1,y1,source\na.png,1,1,30,30,hog\nb.png,1,1,30,30,hog\n"
    )
    assert told(validate(faces_folder)) == ["c.pts: error: no box for c.png"]


def test_table(faces_folder):
    points = np.stack([read_pts(faces_folder / f"{stem}.pts") for stem in "aba"])
    write_csv(faces_folder / "all.csv", ["a.png", "none.png", "a.png"], points)
    assert told(validate(faces_folder / "all.csv")) == [
        "all.csv:3: error: no picture 'none.png' beside the table or in a folder beside it",
        "all.csv:4: warning: a.png: the same face again (line 2)",
    ]


def test_archive(faces_folder, tmp_path):
    images = [read_image(faces_folder / "a.png")] * 2
    points = np.stack([read_pts(faces_folder / "a.pts")] * 2)
    points[1, 0] = 500
    write_npz(tmp_path / "a.npz", LandmarkDataset(images, points))
    assert told(validate(tmp_path / "a.npz")) == [
        "a.npz: warning: 1 (face 1): 1 of 5 points lie outside the picture",
        "a.npz: warning: 1 (face 1) is the same picture as 0 (face 0)",
    ]


@pytest.mark.parametrize("name", ["none", "none.csv", "none.xml", "none.npz", "a.txt"])
def test_what_is_no_data_set_is_one_fault(tmp_path, name):
    (tmp_path / "a.txt").write_text("")
    (fault,) = validate(tmp_path / name)
    assert fault.severity == "error"
    assert str(fault).startswith(str(tmp_path / name))


def test_real_data(data_dir):
    assert validate(data_dir / "300w" / "helen" / "testset") == []
    faults = validate(data_dir / "ytf" / "training_frames_keypoints.csv")
    assert {fault.severity for fault in faults} == {"warning"}
    assert any("is the same picture as" in fault.message for fault in faults)
