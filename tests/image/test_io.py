"""Picture files: every kind read right, and damage, bombs and bad paths turned away."""

import contextlib
import io
import struct
import time
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from classicface.exceptions import ClassicFaceError, DataFormatError, InvalidInputError
from classicface.image.io import IMAGE_SUFFIXES, list_images, read_image, write_image

LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")


@pytest.fixture(scope="module")
def picture():
    """Return a smooth colour picture, so that JPEG keeps it, with no symmetry."""
    y, x = np.mgrid[:48, :64]
    return np.dstack([x * 3, y * 4, (x + y) * 2]).astype(np.uint8)


def encoded(array, name, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, name, **options)
    return buffer.getvalue()


def png(width, height):
    """Return a PNG whose header says any size, with next to no data."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_written_and_read(tmp_path, picture, suffix):
    for image, mode in [(picture, "rgb"), (picture[:, :, 1], "grey")]:
        path = tmp_path / f"a{suffix.upper()}"
        write_image(path, image)
        again = read_image(path, mode)
        assert again.dtype == np.uint8
        assert again.shape == image.shape
        largest = np.abs(again.astype(int) - image).max()
        assert largest <= (0 if suffix in LOSSLESS else 25)
        assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_modes_agree(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    grey = read_image(tmp_path / "a.png")
    weights = picture @ [0.299, 0.587, 0.114]
    assert np.abs(grey - weights).max() <= 1
    write_image(tmp_path / "b.png", grey)
    rgb = read_image(tmp_path / "b.png", "rgb")
    assert np.array_equal(rgb, np.dstack([grey] * 3))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation(tmp_path, picture, orientation, name):
    stored = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, 1),
        7: picture.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "a"
    path.write_bytes(encoded(np.ascontiguousarray(stored), name, exif=exif))
    upright = read_image(path, "rgb")
    assert upright.shape == picture.shape
    assert np.abs(upright.astype(int) - picture).mean() < 6


RAMP = np.arange(0, 256, 5, dtype=np.uint8)[None].repeat(3, axis=0)


@pytest.mark.parametrize(
    "data",
    [
        encoded(RAMP.astype(np.uint16) * 257, "PNG"),
        encoded(RAMP.astype(np.uint16) * 257, "TIFF"),
        b"P5 52 3 65535\n" + (RAMP.astype(np.uint16) * 257).astype(">u2").tobytes(),
        encoded((RAMP / 255).astype(np.float32), "TIFF"),
        encoded(np.dstack([RAMP] * 3 + [RAMP[::-1]]), "PNG"),
        encoded(np.dstack([RAMP, RAMP[:, ::-1]]), "PNG"),
    ],
    ids=["png16", "tiff16", "pgm16", "tiff float", "rgba", "grey and alpha"],
)
def test_deep_pictures_and_alpha(tmp_path, data):
    path = tmp_path / "a"
    path.write_bytes(data)
    assert np.array_equal(read_image(path), RAMP)
    assert np.array_equal(read_image(path, "rgb"), np.dstack([RAMP] * 3))


def test_palettes_and_bits(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(RAMP).convert("P").save(path, transparency=bytes(range(200)))
    assert np.array_equal(read_image(path), RAMP)
    Image.fromarray(RAMP > 100).save(path)
    assert np.array_equal(read_image(path), np.where(RAMP > 100, 255, 0))
    Image.fromarray(np.dstack([RAMP] * 3)).convert("CMYK").save(tmp_path / "a.jpg")
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - RAMP).max() < 12


def test_a_float_picture_out_of_range(tmp_path):
    (tmp_path / "a.tif").write_bytes(encoded(RAMP.astype(np.float32), "TIFF"))
    with pytest.raises(DataFormatError, match=r"a\.tif.*expected \[0, 1\]"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_a_file_cut_at_many_places(tmp_path, picture, name):
    data = encoded(np.kron(picture, np.ones((3, 3, 1), np.uint8)), name)
    path = tmp_path / "cut"
    whole = Image.open(io.BytesIO(data)).convert("L")
    for length in sorted({*range(0, len(data) - 16, max(1, len(data) // 150)), len(data) - 100}):
        path.write_bytes(data[:length])
        try:
            read = read_image(path)
        except DataFormatError as error:
            assert error.path == str(path)
        else:  # only bytes that do not matter were cut, such as the end mark
            assert length > 0.9 * len(data)
            assert np.array_equal(read, np.asarray(whole))


def test_a_jpeg_cut_in_its_picture(tmp_path, picture):
    data = encoded(np.kron(picture, np.ones((3, 3, 1), np.uint8)), "JPEG")
    path = tmp_path / "cut.jpg"
    for length in range(0, len(data) - 32, len(data) // 80):
        path.write_bytes(data[:length])
        with pytest.raises(DataFormatError, match=r"cut\.jpg"):
            read_image(path)


@given(
    st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM"]),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=6)), min_size=1, max_size=6),
)
def test_damage_is_a_picture_or_our_error(tmp_path_factory, name, patches):
    data = bytearray(encoded(RAMP, name))
    for start, patch in patches:
        start %= len(data)
        data[start : start + len(patch)] = patch
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's on damaged metadata
        with contextlib.suppress(ClassicFaceError):
            assert read_image(path, "rgb").shape[2] == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_no_picture(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(data)
    with pytest.raises(DataFormatError, match="bytes: "):
        read_image(path)


@pytest.mark.parametrize("size", [(20_000, 20_000), (14_143, 14_143), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(*size))
    start = time.perf_counter()
    with pytest.raises(DataFormatError, match=f"{size[0]} x {size[1]} pixels; at most 200 mega"):
        read_image(path)
    assert time.perf_counter() - start < 0.5


def test_large_pictures_below_the_limit_do_not_warn(tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((9_500, 9_500), np.uint8)).save(path, compress_level=1)
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read_image(path).shape == (9_500, 9_500)
    assert [w for w in caught if issubclass(w.category, Image.DecompressionBombWarning)] == []
    assert limit == Image.MAX_IMAGE_PIXELS


def test_formats_that_run_programs_are_not_opened(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(DataFormatError, match="identify"):
        read_image(path)


def test_paths_that_hold_no_picture(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    for path, words in [
        (tmp_path / "missing.jpg", "no such picture"),
        (tmp_path / "empty.jpg", r"empty\.jpg: cannot be read"),
        (tmp_path, "cannot be read"),
        (f"{tmp_path}/a\0b.jpg", "null"),
    ]:
        with pytest.raises(DataFormatError, match=words):
            read_image(path)


def test_unwritable_paths(tmp_path, picture):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in ("missing/a.png", "folder.png", "file/a.png", "a\0b.png", "a.gif", "a", "x" * 300):
        with pytest.raises(DataFormatError, match=r"cannot be written|unknown ending"):
            write_image(tmp_path / path, picture)
    assert {p.name for p in tmp_path.rglob("*")} == {"folder.png", "file"}


def test_a_side_that_the_format_does_not_allow(tmp_path):
    with pytest.raises(DataFormatError, match=r"a\.webp: cannot be written"):
        write_image(tmp_path / "a.webp", np.zeros((1, 20_000), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
        "picture",
        None,
    ],
)
def test_what_cannot_be_written(tmp_path, image):
    with pytest.raises(InvalidInputError, match="expected uint8"):
        write_image(tmp_path / "a.png", image)
    assert list(tmp_path.iterdir()) == []


def test_list_images(tmp_path):
    (tmp_path / "sub" / "deep.jpg").mkdir(parents=True)
    for name in ("b.JPG", "a.png", "notes.txt", "._a.png", "sub/c.webp", "sub/deep.jpg/d.tif"):
        (tmp_path / name).write_bytes(b"")
    names = [p.relative_to(tmp_path).as_posix() for p in list_images(tmp_path)]
    assert names == ["a.png", "b.JPG"]
    deep = [p.relative_to(tmp_path).as_posix() for p in list_images(tmp_path, recursive=True)]
    assert deep == ["a.png", "b.JPG", "sub/c.webp", "sub/deep.jpg/d.tif"]


@pytest.mark.parametrize("recursive", [False, True])
def test_list_images_of_no_folder(tmp_path, recursive):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing", tmp_path / "file", f"{tmp_path}/a\0b"):
        with pytest.raises(DataFormatError, match="no such folder"):
            list_images(path, recursive=recursive)
