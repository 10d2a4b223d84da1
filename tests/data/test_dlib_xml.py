import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.data.dlib_xml import parse_dlib_xml, read_dlib_xml, write_dlib_xml
from classicface.exceptions import ClassicFaceError, DataFormatError

VALID = b"""<?xml version='1.0' encoding='ISO-8859-1'?>
<?xml-stylesheet type='text/xsl' href='image_metadata_stylesheet.xsl'?>
<dataset>
<name>faces &amp; more</name>
<images>
  <image file='a.png' width='50' height='40'>
    <box top='2' left='1' width='20' height='30' occluded='1'>
      <label>left</label>
      <part name='02' x='9' y='8'/>
      <part name='00' x='3' y='4'/>
    </box>
    <box top='0' left='0' width='5' height='5' ignore='1'/>
    <box top='5' left='5' width='10' height='10'>
      <part name='00' x='6' y='6'/><part name='01' x='7' y='8'/><part name='02' x='9' y='9'/>
    </box>
  </image>
</images>
</dataset>
"""
EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xml")
    (folder / "a.png").write_bytes(b"")
    return folder / "faces.xml"


def test_reads_boxes_and_parts(path):
    path.write_bytes(VALID)
    first, second = read_dlib_xml(path)
    np.testing.assert_array_equal(first.landmarks, [[3, 4], [np.nan, np.nan], [9, 8]])
    np.testing.assert_array_equal(second.landmarks, [[6, 6], [7, 8], [9, 9]])
    np.testing.assert_array_equal(first.box, [1, 2, 20, 31])
    assert (first.name, first.line, second.line) == ("a.png", 7, 13)
    boxes, names = parse_dlib_xml(path)
    assert [box.ignore for box in boxes] == [False, True, False]
    assert boxes[0].attributes["occluded"] == "1"
    assert names == ["00", "01", "02"]


def test_part_names_are_sorted_as_numbers_or_as_text(path):
    template = "<dataset><images><image file='a.png'><box left='0' top='0' width='9' height='9'>{}"
    end = "</box></image></images></dataset>"
    for names, order in [(["10", "9"], ["9", "10"]), (["nose", "10", "9"], ["10", "9", "nose"])]:
        parts = "".join(f"<part name='{name}' x='1' y='2'/>" for name in names)
        path.write_text(template.format(parts) + end)
        assert parse_dlib_xml(path)[1] == order


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (b"x='9' y='8'", b"x='9'", 9, "<part> 02 without y="),
        (b"x='9' y='8'", b"x='nan' y='8'", 9, "<part> 02: x is 'nan'"),
        (b"x='9' y='8'", b"x='9' y='1e9'", 9, "<part> 02: y is '1e9'"),
        (b"name='00' x='3'", b"name='02' x='3'", 10, "a second <part> '02'"),
        (b"name='00' x='3'", b"x='3'", 10, "<part> needs a name"),
        (b"width='20' height='30'", b"width='0' height='30'", 7, "empty"),
        (b"top='2' left='1'", b"top='2'", 7, "<box> without left="),
        (b"file='a.png'", b"", 6, "<image> without file"),
        (b"file='a.png'", b"file='none.png'", 7, "no picture 'none.png'"),
        (b"file='a.png'", b"file='" + b"x" * 5000 + b"'", 7, "no picture 'xxx"),
        (b"</box>", b"", 16, "mismatched tag"),
        (b"<dataset>", b"<faces>", 3, "expected imglab's <dataset>"),
        (b"<dataset>", b"<!DOCTYPE d [<!ENTITY a 'b'>]><dataset>", 3, "refused"),
        (b"ISO-8859-1", b"nonsense", 1, "unknown encoding"),
    ],
)
def test_faults_name_file_and_line(path, old, new, line, message):
    assert old in VALID
    path.write_bytes(VALID.replace(old, new, 1))
    with pytest.raises(DataFormatError) as caught:
        read_dlib_xml(path)
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), line)


def test_a_faulty_part_leaves_out_its_face_only(path):
    path.write_bytes(VALID.replace(b"x='9' y='8'", b"x='9' y='?'"))
    faults = []
    records = read_dlib_xml(path, faults.append)
    assert [record.line for record in records] == [13]
    assert [fault.line for fault in faults] == [9]


def test_entities_and_outside_files_are_never_followed(path, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    bomb = "".join(f"<!ENTITY e{i + 1} '{f'&e{i};' * 10}'>" for i in range(9))
    for doctype in (
        f"<!DOCTYPE dataset [<!ENTITY e0 'lol'>{bomb}]>",
        f"<!DOCTYPE dataset [<!ENTITY e9 SYSTEM '{secret}'>]>",
        f"<!DOCTYPE dataset SYSTEM '{secret}'>",
    ):
        path.write_text(f"<?xml version='1.0'?>{doctype}<dataset><name>&e9;</name></dataset>")
        with pytest.raises(DataFormatError, match="refused"):
            read_dlib_xml(path)


def test_absurd_files_are_refused(path):
    path.write_bytes(b"<dataset>" + b"<a>" * 200)
    with pytest.raises(DataFormatError, match="nested too deep"):
        read_dlib_xml(path)
    path.write_bytes(b"<dataset a='" + b"x" * (4 << 20) + b"'/>")
    with pytest.raises(DataFormatError, match="tag or comment longer than"):
        read_dlib_xml(path)
    parts = "".join(f"<part name='{i}' x='1' y='1'/>" for i in range(10_001))
    box = "<box left='0' top='0' width='9' height='9'>"
    path.write_text(f"<dataset><image file='a.png'>{box}{parts}</box></image></dataset>")
    faults = []
    with pytest.raises(DataFormatError, match="more than 10000 part names"):
        read_dlib_xml(path, faults.append)
    with path.open("wb") as stream:
        stream.truncate(10 << 30)
    with pytest.raises(DataFormatError, match="larger than"):
        read_dlib_xml(path)


def test_a_long_file_of_short_tags_is_fine(path):
    path.write_bytes(VALID.replace(b"<images>", b"<images>" + b"<!-- x -->   \n" * 200_000))
    assert len(read_dlib_xml(path)) == 2


def test_file_without_faces(path, tmp_path):
    path.write_bytes(b"<dataset></dataset>")
    with pytest.raises(DataFormatError, match="no box with parts"):
        read_dlib_xml(path)
    with pytest.raises(DataFormatError, match="cannot be read"):
        read_dlib_xml(tmp_path / "none.xml")


@given(st.integers(0, 2**32 - 1), st.text(min_size=1, max_size=8), st.integers(1, 120))
def test_round_trip_to_half_a_pixel(path, seed, comment, n_landmarks):
    rng = np.random.default_rng(seed)
    landmarks = rng.uniform(-20, 300, (3, n_landmarks, 2)).astype(np.float32)
    landmarks[0, rng.integers(n_landmarks)] = np.nan
    landmarks[1:, 0] = 7  # no name may be absent from all
    landmarks[1] = rng.uniform(-20, 300, (n_landmarks, 2))
    boxes = np.array([[0.5, 1, 30.2, 40], [5, 5, 6, 6], [0, 0, 9, 9]], np.float32)
    if not comment.isprintable():
        with pytest.raises(DataFormatError, match="characters"):
            write_dlib_xml(path, ["a.png"] * 3, landmarks, boxes, comment)
        return
    write_dlib_xml(path, ["a.png"] * 3, landmarks, boxes, comment)
    records = read_dlib_xml(path)
    kept = [not np.isnan(face).all() for face in landmarks]
    assert len(records) == sum(kept)
    read = np.stack([record.landmarks for record in records])
    np.testing.assert_allclose(read, landmarks[kept], atol=0.5001)
    read_boxes = np.stack([record.box for record in records])
    assert (read_boxes[:, :2] <= boxes[kept, :2]).all()
    assert (read_boxes[:, 2:] >= boxes[kept, 2:]).all()
    assert path.read_text(encoding="utf-8").count("<image ") == 1


def test_names_are_quoted(path):
    (path.parent / "it's <a> & b.png").write_bytes(b"")
    landmarks, boxes = np.full((1, 2, 2), 3.0), np.array([[1, 1, 5, 5]])
    write_dlib_xml(path, ["it's <a> & b.png"], landmarks, boxes)
    assert read_dlib_xml(path)[0].name == "it's <a> & b.png"
    with pytest.raises(DataFormatError, match="characters"):
        write_dlib_xml(path, ["a\nb.png"], landmarks, boxes)


def test_dlib_trains_on_what_we_write(tmp_path):
    dlib = pytest.importorskip("dlib")
    from classicface.image.io import write_image

    rng = np.random.default_rng(0)
    write_image(tmp_path / "a.png", rng.integers(0, 256, (60, 60), dtype=np.uint8))
    landmarks = rng.uniform(10, 50, (2, 4, 2))
    boxes = np.array([[5, 5, 55, 55], [6, 4, 50.5, 51]])
    write_dlib_xml(tmp_path / "a.xml", ["a.png", "a.png"], landmarks, boxes)
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.num_trees_per_cascade_level = 1, 2
    options.oversampling_amount = 2
    dlib.train_shape_predictor(str(tmp_path / "a.xml"), str(tmp_path / "a.dat"), options)
    assert (tmp_path / "a.dat").stat().st_size > 0


@given(st.binary(max_size=200))
def test_random_bytes_give_our_error(path, content):
    path.write_bytes(content)
    with pytest.raises(ClassicFaceError):
        read_dlib_xml(path)


@given(EDITS)
def test_damaged_files_give_faces_or_our_error(path, mutate, edits):
    path.write_bytes(mutate(VALID, edits))
    try:
        for record in read_dlib_xml(path):
            assert record.landmarks.ndim == 2
    except ClassicFaceError as error:
        assert "faces.xml" in str(error)
