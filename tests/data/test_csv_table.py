import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.data.csv_table import read_csv, write_csv
from classicface.exceptions import ClassicFaceError, DataFormatError

VALID = b"""image,x0,y0,x1,y1,box_x0,box_y0,box_x1,box_y1,group
a.png,1,2,3.5,-4,0,0,9,9,anna
b.png,1,2,,,,,,,
"a.png",5,6,7e0,8,1,1,2,2,anna
"""
FRAMES = b",0,1,2,3\nAnn_Lee_01.jpg,1,2,3,4\nAnn_Lee_22.jpg,5,6,7,8\nBo_02.jpg,1,1,2,2\n"
EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    (folder / "a.png").write_bytes(b"")
    (folder / "training").mkdir()
    for name in ("b.png", "Ann_Lee_01.jpg", "Ann_Lee_22.jpg", "Bo_02.jpg"):
        (folder / "training" / name).write_bytes(b"")
    return folder / "faces.csv"


def test_own_layout(path):
    path.write_bytes(VALID)
    first, second, third = read_csv(path)
    np.testing.assert_array_equal(first.landmarks, [[1, 2], [3.5, -4]])
    np.testing.assert_array_equal(second.landmarks, [[1, 2], [np.nan, np.nan]])
    np.testing.assert_array_equal(first.box, [0, 0, 9, 9])
    assert second.box is None
    assert [r.group for r in (first, second, third)] == ["anna", None, "anna"]
    assert [r.line for r in (first, second, third)] == [2, 3, 4]
    assert first.image == third.image == path.parent / "a.png"
    assert second.image == path.parent / "training" / "b.png"


def test_columns_may_stand_in_any_order(path):
    path.write_bytes(b"\xef\xbb\xbfImage,group,y0,x0\r\na.png,anna,2,1\r\n\r\n")
    (record,) = read_csv(path)
    np.testing.assert_array_equal(record.landmarks, [[1, 2]])
    assert record.group == "anna"


def test_frames_layout(path):
    path.write_bytes(FRAMES)
    records = read_csv(path)
    np.testing.assert_array_equal(records[1].landmarks, [[5, 6], [7, 8]])
    assert [record.group for record in records] == ["Ann_Lee", "Ann_Lee", "Bo"]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (b"3.5", b"nan", 2, "column 4: 'nan' is not a finite number"),
        (b"3.5", b"inf", 2, "column 4: 'inf'"),
        (b"3.5", b"2e6", 2, "column 4: '2e6'"),
        (b"3.5", b"3,5", 2, "11 cells; expected 10"),
        (b"3.5", b"", 2, "point 1 has one coordinate and not the other"),
        (b"b.png", b"none.png", 3, "no picture 'none.png'"),
        (b"b.png", b"", 3, "no picture ''"),
        (b"b.png", b"x" * 5000, 3, "no picture 'xxx"),
        (b"b.png", b"../..", 3, "no picture '../..'"),
        (b",1,1,2,2,", b",1,1,1,2,", 4, "the box is empty"),
        (b",1,1,2,2,", b",1,1,,2,", 4, "the box is empty"),
        (b"x1", b"x2", 1, "unexpected 'x2'; no column 'x1'"),
        (b"x1", b"x0", 1, "unexpected 'x0'"),
        (b"group", b"who", 1, "unexpected 'who'"),
        (b"box_y1", b"box", 1, "unexpected 'box'"),
        (b"image", b"file", 1, "the first row must be image"),
        (b'"a.png"', b'"a.png', 4, "not CSV"),
        (b"3.5", b"\xff", 2, "UTF-8"),
        (b"3.5", b"\0", 2, "zero byte"),
        (VALID, b"image,x0,y0\n", None, "holds no face"),
        (VALID, b"", 1, "the first row must be"),
        (VALID, b",0,1,2\na.png,1,2,3\n", 1, "3 columns of coordinates"),
    ],
)
def test_faults_name_file_and_line(path, old, new, line, message):
    assert old in VALID
    path.write_bytes(VALID.replace(old, new, 1))
    with pytest.raises(DataFormatError) as caught:
        read_csv(path)
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), line)


def test_every_fault_is_found(path):
    path.write_bytes(VALID.replace(b"3.5", b"?").replace(b"b.png", b"d.png"))
    faults = []
    assert [record.line for record in read_csv(path, faults.append)] == [4]
    assert [fault.line for fault in faults] == [2, 3]


def test_absurd_files_are_refused(path):
    path.write_bytes(b"image,x0,y0\na.png," + b"1" * 2_000_000)
    with pytest.raises(DataFormatError, match=r"faces\.csv:2: line longer than"):
        read_csv(path)
    with path.open("wb") as stream:
        stream.truncate(10 << 30)
    with pytest.raises(DataFormatError, match="larger than"):
        read_csv(path)
    columns = ",".join(f"x{i},y{i}" for i in range(10_010))
    path.write_text(f"image,{columns}\n")
    with pytest.raises(DataFormatError, match="more columns than 10000 points need"):
        read_csv(path)


names = st.sampled_from(["a.png", "b.png"])
coordinates = st.floats(-1e6, 1e6, width=32)
rows = st.lists(
    st.tuples(
        names, st.lists(st.tuples(coordinates, coordinates) | st.none(), min_size=3, max_size=3)
    ),
    min_size=1,
    max_size=5,
)


@given(rows, st.booleans(), st.booleans())
def test_round_trip_is_exact(path, rows, with_boxes, with_groups):
    images = [name for name, _ in rows]
    landmarks = np.array(
        [[(np.nan, np.nan) if p is None else p for p in points] for _, points in rows], np.float32
    )
    boxes = np.tile(np.float32([0.1, 0.2, 9.3, 1e5 / 3]), (len(rows), 1)) if with_boxes else None
    groups = [None if i % 2 else f"person, {i}" for i in range(len(rows))] if with_groups else None
    write_csv(path, images, landmarks, boxes, groups)
    records = read_csv(path)
    assert [record.name for record in records] == images
    np.testing.assert_array_equal(np.stack([record.landmarks for record in records]), landmarks)
    for i, record in enumerate(records):
        assert (record.box is None) == (boxes is None)
        assert boxes is None or np.array_equal(record.box, boxes[i])
        assert record.group == (groups[i] if groups else None)


def test_names_that_no_table_holds(path):
    path.write_bytes(b"kept")
    for name in ("a\nb.png", "\udcff.png"):
        with pytest.raises(DataFormatError, match="characters no table holds"):
            write_csv(path, [name], np.zeros((1, 2, 2)))
    assert path.read_bytes() == b"kept"


@given(st.binary(max_size=150) | st.text(alphabet='image,xy01.pnga"\n', max_size=80))
def test_random_content_gives_our_error(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        assert read_csv(path)
    except ClassicFaceError as error:
        assert "faces.csv" in str(error)


@given(st.sampled_from([VALID, FRAMES]), EDITS)
def test_damaged_files_give_faces_or_our_error(path, mutate, content, edits):
    path.write_bytes(mutate(content, edits))
    try:
        for record in read_csv(path):
            assert record.landmarks.shape[1] == 2
    except ClassicFaceError as error:
        assert "faces.csv" in str(error)


def test_youtube_faces(data_dir):
    table = data_dir / "ytf" / "training_frames_keypoints.csv"
    if not table.is_file():
        pytest.skip(f"no {table}")
    records = read_csv(table)
    assert len(records) == 3462
    assert {len(record.landmarks) for record in records} == {68}
    assert records[0].name == "Luis_Fonsi_21.jpg"
    np.testing.assert_array_equal(records[0].landmarks[:2], [[45, 98], [47, 106]])
    groups = {record.group for record in records}
    assert None not in groups
    assert len(groups) == 347
