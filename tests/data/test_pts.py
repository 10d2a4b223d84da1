import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from classicface.data.pts import read_folder, read_pts, write_pts
from classicface.exceptions import ClassicFaceError, DataFormatError, InvalidInputError

VALID = b"version: 1\nn_points:  3\n{\n1 1\n2.5 3e0\n-4 .5\n}\n"
POINTS = np.array([[0, 0], [1.5, 2], [-5, -0.5]], np.float32)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("pts") / "face.pts"


@pytest.mark.parametrize(
    "content",
    [
        VALID,
        VALID.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + VALID,
        b"1 1\n2.5 3\n-4 .5",
        b"\n1\t1\n\n2.5 3\n-4 .5\n\n",
        b"n_points:3\n{\n1 1\n2.5 3\n-4 .5\n}",
    ],
)
def test_reads_with_and_without_header(path, content):
    path.write_bytes(content)
    np.testing.assert_array_equal(read_pts(path), POINTS)
    assert read_pts(path, 3).dtype == np.float32


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (VALID.replace(b"3\n{", b"4\n{"), 7, "n_points is 4, but there are 3"),
        (VALID.replace(b"3\n{", b"x\n{"), 2, "n_points is 'x'"),
        (VALID.replace(b"3\n{", b"99999999\n{"), 2, "n_points is '99999999'"),
        (VALID.replace(b"{\n", b""), 3, "expected '{'"),
        (VALID.replace(b"}", b""), 7, "closing '}' is missing"),
        (VALID + b"5 5\n", 8, "after the closing"),
        (VALID.replace(b"2.5", b"nan"), 5, "expected two numbers"),
        (VALID.replace(b"2.5", b"inf"), 5, "expected two numbers"),
        (VALID.replace(b"2.5", b"1e99"), 5, "expected two numbers"),
        (VALID.replace(b"2.5", b"1_0"), 5, "expected two numbers"),
        (VALID.replace(b"2.5", b"2,5"), 5, "expected two numbers"),
        (VALID.replace(b"2.5 ", b""), 5, "expected two numbers"),
        (VALID.replace(b"2.5", b"2.5 1"), 5, "found '2.5 1 3e0'"),
        (VALID.replace(b"2.5", b"\xff\xfe"), 5, "UTF-8"),
        (VALID.replace(b"2.5", b"\0"), 5, "zero byte"),
        (b"\x89PNG\r\n\x1a\n", 1, "UTF-8"),
        (b"", None, "no points"),
        (b"version: 1\nn_points: 0\n{\n}\n", 2, "n_points is '0'"),
    ],
)
def test_faults_name_file_and_line(path, content, line, message):
    path.write_bytes(content)
    with pytest.raises(DataFormatError) as caught:
        read_pts(path)
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), line)


def test_wrong_number_and_missing_file(path, tmp_path):
    path.write_bytes(VALID)
    with pytest.raises(DataFormatError, match="3 points; expected 68"):
        read_pts(path, 68)
    with pytest.raises(DataFormatError, match="cannot be read"):
        read_pts(tmp_path / "none.pts")
    with pytest.raises(DataFormatError, match="cannot be read"):
        read_pts(tmp_path)


def test_a_huge_file_is_not_read(path):
    with path.open("wb") as stream:
        stream.truncate(10 << 30)
    with pytest.raises(DataFormatError, match="larger than"):
        read_pts(path)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 8), st.just(2)),
        elements=st.floats(-9e4, 9e4, width=32),
    )
)
def test_round_trip(path, points):
    write_pts(path, points)
    np.testing.assert_allclose(read_pts(path), points, rtol=1e-6, atol=1e-5)


def test_files_are_one_based(path):
    write_pts(path, [[0, 0], [10.25, 3]])
    assert path.read_bytes() == b"version: 1\nn_points: 2\n{\n1 1\n11.25 4\n}\n"


def test_what_cannot_be_written(path, tmp_path):
    path.write_bytes(b"kept")
    with pytest.raises(DataFormatError, match="point 1 is missing"):
        write_pts(path, [[0, 0], [np.nan, np.nan]])
    with pytest.raises(InvalidInputError, match="one face"):
        write_pts(path, np.zeros((2, 3, 2)))
    assert path.read_bytes() == b"kept"
    with pytest.raises(DataFormatError, match="cannot be written"):
        write_pts(tmp_path / "none" / "a.pts", [[0, 0]])


@given(st.binary(max_size=200) | st.text(alphabet="0123456789.-e{}: nvpoints\n", max_size=80))
def test_random_content_gives_points_or_our_error(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        points = read_pts(path)
    except ClassicFaceError:
        return
    assert points.ndim == 2
    assert np.isfinite(points).all()


@given(EDITS)
def test_damaged_files_give_points_or_our_error(path, mutate, edits):
    path.write_bytes(mutate(VALID, edits))
    try:
        assert np.isfinite(read_pts(path)).all()
    except ClassicFaceError as error:
        assert "face.pts" in str(error)


def test_folder(faces_folder):
    (faces_folder / "._a.pts").write_bytes(b"hidden, as some systems write them")
    records = read_folder(faces_folder)
    assert [record.name for record in records] == ["a.png", "b.png", "c.png"]
    assert all(record.image.is_file() and record.landmarks.shape == (5, 2) for record in records)


def test_faults_of_a_folder_are_all_found(faces_folder):
    (faces_folder / "a.pts").write_text("1 1\n")
    (faces_folder / "b.jpg").write_bytes((faces_folder / "b.png").read_bytes())
    (faces_folder / "d.pts").write_text("1 1\n2 2\n3 3\n4 4\nx x\n")
    (faces_folder / "e.png").write_bytes((faces_folder / "b.png").read_bytes())
    (faces_folder / "f.pts").write_bytes((faces_folder / "c.pts").read_bytes())
    (faces_folder / "f.png").write_bytes((faces_folder / "c.png").read_bytes())
    faults = []
    records = read_folder(faces_folder, faults.append)
    assert [record.name for record in records] == ["c.png", "f.png"]
    told = "\n".join(str(fault) for fault in faults)
    assert "a.pts: error: 1 points, but 2 other faces have 5" in told
    assert "not clear to which picture it belongs: b.jpg and b.png" in told
    assert "d.pts: error: no picture named d.jpg" in told
    assert "d.pts:5: error: expected two numbers" in told
    assert "e.png: warning: no e.pts" in told
    assert len(faults) == 5


def test_folder_without_annotation_points_to_one_with(faces_folder):
    with pytest.raises(DataFormatError, match=r"no \.pts file.*there are some in .*faces"):
        read_folder(faces_folder.parent)
    with pytest.raises(DataFormatError, match="no such folder"):
        read_folder(faces_folder / "none")
