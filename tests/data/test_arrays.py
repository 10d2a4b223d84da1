import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.data.arrays import read_npz, write_npz
from classicface.data.dataset import LandmarkDataset
from classicface.exceptions import ClassicFaceError, DataFormatError
from classicface.shape.schemes import LandmarkScheme

EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 6)), min_size=1, max_size=4
)


def some_faces():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in [(9, 7), (4, 12)]]
    landmarks = rng.uniform(0, 6, (2, 3, 2))
    landmarks[1, 2] = np.nan
    scheme = LandmarkScheme("paw", 3, mirror=(1, 0, 2))
    origins = rng.uniform(0, 9, (2, 3))
    boxes = [[0, 0, 5, 5], [1, 1, 2, 3.5]]
    return LandmarkDataset(images, landmarks, boxes, ["ä.png", "b"], [None, "bo"], scheme, origins)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("npz") / "faces.npz"


@pytest.fixture(scope="module")
def valid(path):
    write_npz(path, some_faces())
    return path.read_bytes()


def test_round_trip_is_exact(path, valid):
    path.write_bytes(valid)
    faces, again = some_faces(), read_npz(path)
    for image, copy in zip(faces.images, again.images, strict=True):
        np.testing.assert_array_equal(image, copy)
    for name in ("landmarks", "boxes", "origins"):
        np.testing.assert_array_equal(getattr(faces, name), getattr(again, name))
    assert (again.names, again.groups, again.scheme) == (faces.names, faces.groups, faces.scheme)
    write_npz(path, again)
    assert path.read_bytes() == valid


def test_numpy_reads_it_without_pickle(path, valid):
    path.write_bytes(valid)
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["shapes"].tolist() == [[9, 7], [4, 12]]


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_plain_arrays_of_others(path, compressed):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 8, 9, 3), dtype=np.uint8)
    save = np.savez_compressed if compressed else np.savez
    save(path, images=images, landmarks=np.asfortranarray(rng.uniform(0, 8, (2, 4, 2))))
    faces = read_npz(path)
    assert faces.scheme.name == "points4"
    assert faces.images[1].shape == (8, 9)
    assert faces.names == ["0", "1"]


def save(path, **changes):
    faces = some_faces()
    arrays = {
        "images": np.concatenate([image.ravel() for image in faces.images]),
        "shapes": np.array([image.shape for image in faces.images]),
        "landmarks": faces.landmarks,
    }
    arrays = {key: value for key, value in {**arrays, **changes}.items() if value is not None}
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"landmarks": None}, "no array 'landmarks'"),
        ({"landmarks": np.zeros((2, 3))}, "landmarks have shape"),
        ({"landmarks": np.full((2, 3, 2), np.inf)}, "landmarks reach beyond"),
        ({"landmarks": np.array([[["a", "b"]]])}, "landmarks"),
        ({"shapes": np.array([[9, 7], [4, 13]])}, "111 pixels; the shapes need 115"),
        ({"shapes": np.array([[9, 7], [-4, -12]])}, "images and shapes"),
        ({"shapes": np.array([[9.0, 7], [4, 12]])}, "images and shapes"),
        ({"images": np.zeros(111)}, "images and shapes"),
        ({"images": np.array([{}, {}], object)}, "holds objects"),
        ({"names": np.array([1, 2])}, "'names' must hold text"),
        ({"names": np.array(["a"])}, "1 names for 2 images"),
        ({"boxes": np.zeros((2, 4))}, "box 0"),
        ({"origins": np.zeros((2, 2))}, "origins"),
        ({"scheme": np.array("{")}, "damaged one"),
        ({"scheme": np.array('{"name": "a", "n_landmarks": 9}')}, "expected 9"),
    ],
)
def test_arrays_that_do_not_fit(path, changes, message):
    save(path, **changes)
    with pytest.raises(DataFormatError, match=message) as caught:
        read_npz(path)
    assert caught.value.path == str(path)


def npy(shape, data, dtype="|u1"):
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


def test_shapes_beyond_the_file_are_not_believed(path):
    for shape in [(1 << 40,), (1 << 62, 4), (-1, -3), (2, 3)]:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", npy(shape, b"abc"))
            archive.writestr("landmarks.npy", npy((1, 1, 2), b"ab"))
        with pytest.raises(DataFormatError, match=r"is not what follows|damaged"):
            read_npz(path)


def test_bombs_are_refused_before_they_unpack(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", npy((50 << 20,), bytes(50 << 20)))
        archive.writestr("landmarks.npy", npy((1, 1, 2), b"ab"))
    with pytest.raises(DataFormatError, match="absurd size"):
        read_npz(path)


def test_an_archive_too_large_for_memory_is_refused(path, monkeypatch):
    images = np.zeros((2, 80, 80), np.uint8)
    np.savez_compressed(path, images=images, landmarks=np.ones((2, 3, 2)))
    monkeypatch.setattr("classicface.data.arrays.MAX_NPZ_BYTES", 10_000)
    with pytest.raises(DataFormatError, match="unpacks to"):
        read_npz(path)
    path.write_bytes(bytes(10_001))
    with pytest.raises(DataFormatError, match="larger than"):
        read_npz(path)


def test_what_is_no_archive(path, tmp_path):
    path.write_bytes(b"")
    with pytest.raises(DataFormatError, match=r"no \.npz archive"):
        read_npz(path)
    with pytest.raises(DataFormatError, match="cannot be read"):
        read_npz(tmp_path / "none.npz")


@given(EDITS)
def test_damaged_files_give_faces_or_our_error(path, valid, mutate, edits):
    path.write_bytes(mutate(valid, edits))
    try:
        assert len(read_npz(path)) > 0
    except ClassicFaceError as error:
        assert "faces.npz" in str(error)


@given(st.binary(max_size=120))
def test_random_arrays_give_our_error(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + content)
        archive.writestr("landmarks.npy", content)
    with pytest.raises(ClassicFaceError):
        read_npz(path)
