import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.data.boxes_csv import read_boxes
from classicface.exceptions import ClassicFaceError, DataFormatError

HEAD = b"image,x0,y0,x1,y1,source\n"
VALID = HEAD + b"a.jpg,1,2,30,40.5,hog\nb.jpg,-1,2,30,40,landmarks\n"
EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("boxes") / "boxes.csv"


def test_rows_from_landmarks_are_drawn_as_the_detector_does(path):
    path.write_bytes(VALID)
    rows = read_boxes(path)
    assert {name: row.source for name, row in rows.items()} == {"a.jpg": "hog", "b.jpg": "hog"}
    np.testing.assert_array_equal(rows["a.jpg"].box, [1, 2, 30, 40.5])
    assert rows["b.jpg"].line == 3


def test_rows_from_landmarks_alone_are_landmark_boxes(path):
    path.write_bytes(VALID.replace(b"hog", b"landmarks"))
    assert {row.source for row in read_boxes(path).values()} == {"landmarks"}


def test_rows_from_landmarks_beside_two_detectors_are_ambiguous(path, monkeypatch):
    from classicface.data import boxes_csv

    monkeypatch.setitem(boxes_csv.BOX_MAPS, "other", boxes_csv.BOX_MAPS["hog"])
    path.write_bytes(VALID + b"c.jpg,1,2,3,4,other\n")
    with pytest.raises(DataFormatError, match=r"boxes\.csv:3: .*hog and other: drawn as whose"):
        read_boxes(path)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (b"1,2,30,40.5", b"1,2,30", 2, "5 cells; expected 6"),
        (b"40.5", b"nan", 2, "y1 is 'nan'"),
        (b"40.5", b"", 2, "y1 is ''"),
        (b"40.5", b"2", 2, "the box is empty"),
        (b"30,40,", b"-1,40,", 3, "the box is empty"),
        (b"hog", b"yolo", 2, "unknown source 'yolo'; known are"),
        (b"b.jpg", b"a.jpg", 3, "a second box for a.jpg; the first is on line 2"),
        (b"b.jpg", b"c.jpg", 3, "there is no picture 'c.jpg'"),
        (b"image,x0", b"image,left", 1, "the first row must be image,x0,y0,x1,y1,source"),
        (b"hog", b"\xff", 2, "UTF-8"),
    ],
)
def test_faults_name_file_and_line(path, old, new, line, message):
    assert old in VALID
    path.write_bytes(VALID.replace(old, new, 1))
    with pytest.raises(DataFormatError) as caught:
        read_boxes(path, ["a.jpg", "b.jpg"])
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), line)


def test_every_fault_is_found(path):
    path.write_bytes(VALID.replace(b"hog", b"yolo") + b"b.jpg,1,2,3,4,hog\nc.jpg,x,2,3,4,hog\n")
    faults = []
    assert list(read_boxes(path, None, faults.append)) == ["b.jpg"]
    assert [fault.line for fault in faults] == [2, 4, 5]


@given(st.binary(max_size=100), EDITS)
def test_random_and_damaged_files_give_boxes_or_our_error(path, mutate, content, edits):
    for data in (content, HEAD + content, mutate(VALID, edits)):
        path.write_bytes(data)
        try:
            for row in read_boxes(path).values():
                assert (row.box[2:] > row.box[:2]).all()
        except ClassicFaceError as error:
            assert "boxes.csv" in str(error)


def test_helen(data_dir):
    rows = read_boxes(data_dir / "300w" / "helen" / "testset" / "boxes.csv")
    assert len(rows) == 330
    assert {row.source for row in rows.values()} == {"hog"}
