"""Model files: what goes in comes out, nothing half-written, and no damage gets through."""

import json
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface import persistence
from classicface.exceptions import DataFormatError, InvalidInputError, ModelFormatError
from classicface.persistence import FORMAT_VERSION, read_model, replacing, write_model

HEADER = {"class": "SomeFitter", "params": {"depth": 4, "name": "é", "none": None}, "f": 0.1}
TENSORS = {
    "leaves": np.random.default_rng(0).integers(-99, 99, (40, 6)).astype(np.int8),
    "mean": np.linspace(0, 1, 50, dtype=np.float32).reshape(25, 2),
    "empty": np.zeros((0, 3), np.int16),
    "scalar": np.array(3.5),
}


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "face.safetensors"
    write_model(path, HEADER, TENSORS)
    return path.read_bytes()


def same(first, second):
    """Say whether two (header, tensors) pairs hold the same."""
    return (
        first[0] == second[0]
        and first[1].keys() == second[1].keys()
        and all(
            a.dtype == second[1][name].dtype and np.array_equal(a, second[1][name])
            for name, a in first[1].items()
        )
    )


WHOLE = ({**HEADER, "format_version": FORMAT_VERSION}, TENSORS)


def test_what_goes_in_comes_out(tmp_path):
    path = tmp_path / "face.safetensors"
    write_model(path, HEADER, TENSORS)
    assert same(read_model(path), WHOLE)
    assert same(read_model(str(path)), WHOLE)


def test_the_same_content_gives_the_same_bytes(tmp_path, model):
    path = tmp_path / "m"
    for _ in range(10):  # safetensors shuffles its header
        for tensors in (TENSORS, dict(reversed(TENSORS.items()))):
            write_model(path, dict(reversed(HEADER.items())), tensors)
            assert path.read_bytes() == model


def test_other_readers_of_safetensors_can_read_it(tmp_path, model):
    from safetensors import safe_open

    (tmp_path / "m").write_bytes(model)
    with safe_open(tmp_path / "m", "numpy") as stream:
        assert set(stream.keys()) == set(TENSORS)
        assert json.loads(stream.metadata()["classicface"])["class"] == "SomeFitter"
        assert np.array_equal(stream.get_tensor("mean"), TENSORS["mean"])


def test_arrays_of_any_layout(tmp_path):
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    write_model(tmp_path / "m", {}, {"f": np.asfortranarray(array), "s": array[:, ::2]})
    tensors = read_model(tmp_path / "m")[1]
    assert np.array_equal(tensors["f"], array)
    assert np.array_equal(tensors["s"], array[:, ::2])


def test_numpy_numbers_in_the_header(tmp_path):
    params = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": (1, 2)}
    write_model(tmp_path / "m", {"params": params}, {})
    assert read_model(tmp_path / "m")[0]["params"] == {"a": 3, "b": 0.5, "c": True, "d": [1, 2]}


@pytest.mark.parametrize("value", [np.nan, np.inf, np.random.default_rng(0), {1, 2}, np.zeros(2)])
def test_what_json_cannot_hold(tmp_path, value):
    with pytest.raises(InvalidInputError, match="cannot be saved"):
        write_model(tmp_path / "m", {"params": {"a": value}}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_at_every_hundredth_byte(tmp_path, model):
    path = tmp_path / "m"
    for length in [*range(0, len(model), 100), *range(12), len(model) - 1]:
        path.write_bytes(model[:length])
        with pytest.raises(ModelFormatError, match="m: "):
            read_model(path)
    path.write_bytes(model + b"\0")
    with pytest.raises(ModelFormatError):
        read_model(path)


def test_every_byte_flipped(tmp_path, model):
    """Damage is an error, or it does not matter (a space of the padding turned to a tab)."""
    path = tmp_path / "m"
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(len(model)):
        data = bytearray(model)
        data[i] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        try:
            assert same(read_model(path), WHOLE)
        except ModelFormatError:
            refused += 1
    assert refused > 0.99 * len(model)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=9)), min_size=1, max_size=5))
def test_bytes_overwritten(tmp_path_factory, model, patches):
    data = bytearray(model)
    for start, patch in patches:
        start %= len(model)
        data[start : start + len(patch)] = patch
    path = tmp_path_factory.getbasetemp() / "patched"
    path.write_bytes(data)
    try:
        assert same(read_model(path), WHOLE)
    except ModelFormatError:
        assert data != model


@given(st.binary(max_size=300))
def test_any_bytes_are_no_model(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes"
    for content in (data, struct.pack("<Q", max(0, len(data) - 8)) + data):
        path.write_bytes(content)
        with pytest.raises(ModelFormatError):
            read_model(path)


def crafted(metadata, rest=b"", **tensors):
    """Return a safetensors file with any metadata."""
    text = json.dumps({"__metadata__": metadata, **tensors}).encode()
    return struct.pack("<Q", len(text)) + text + rest


def with_header(header):
    text = json.dumps(header)
    return crafted({"classicface": text, "crc32": persistence._checksum(text, {})})


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Bomb()),
        pickle.dumps(TENSORS, protocol=0),
        b"\x89HDF\r\n\x1a\n" + bytes(500),
        b"PK\x03\x04" + bytes(500),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        struct.pack("<Q", 40) + b'{"__metadata__":' + b"9" * 24,
        crafted({}),
        crafted([1]),
        crafted(None),
        crafted({"classicface": 1, "crc32": "0"}),
        crafted({"classicface": "[]", "crc32": "0"}),
        crafted({"classicface": "{}", "crc32": "0"}),
        with_header([]),
        with_header({"format_version": "1"}),
        with_header({"format_version": None}),
        with_header({"format_version": FORMAT_VERSION + 1}),
        crafted(
            {"classicface": '{"format_version": 1}', "crc32": "0"},
            bytes(4),
            a={"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
        ),
        crafted(
            {"classicface": '{"format_version": 1}', "crc32": "0"},
            a={"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]},
        ),
    ],
)
def test_foreign_and_hostile_files(tmp_path, data):
    path = tmp_path / "face.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFormatError, match=r"face\.safetensors"):
        read_model(path)


def test_a_newer_format_says_so(tmp_path):
    path = tmp_path / "m"
    path.write_bytes(with_header({"format_version": 99}))
    with pytest.raises(
        ModelFormatError, match=f"format 99; this version reads up to {FORMAT_VERSION}"
    ):
        read_model(path)


def test_a_huge_header_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(persistence, "MAX_HEADER_BYTES", 1000)
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("parsed"))
    (tmp_path / "m").write_bytes(struct.pack("<Q", 1001) + b" " * 1001)
    with pytest.raises(ModelFormatError):
        read_model(tmp_path / "m")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "m"
    with path.open("wb") as stream:
        stream.truncate(persistence.MAX_MODEL_BYTES + 1)  # a hole: no disk, no memory
    with pytest.raises(ModelFormatError, match="larger than 1024 MiB"):
        read_model(path)


@pytest.mark.parametrize("name", ["missing", "", ".", "a\0b", "x" * 300])
def test_no_file_to_read(tmp_path, name):
    with pytest.raises(ModelFormatError, match=r"no such file|cannot be read"):
        read_model(f"{tmp_path}/{name}")


def test_unwritable_paths(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in (
        tmp_path / "missing" / "m",
        tmp_path / "folder",
        tmp_path / "file" / "m",
        tmp_path / ("x" * 300),
        tmp_path / "a\0b",
        ".",
        "",
        "/",
    ):
        with pytest.raises(DataFormatError, match="cannot be written"):
            write_model(path, HEADER, TENSORS)
    assert {p.name for p in tmp_path.rglob("*")} == {"folder", "file"}


def test_replacing_keeps_the_old_file_on_any_error(tmp_path):
    path = tmp_path / "m.txt"
    path.write_text("old")
    for error in (OSError(28, "No space left on device"), ValueError("x"), KeyboardInterrupt()):
        with (
            pytest.raises((DataFormatError, ValueError, KeyboardInterrupt)),
            replacing(path) as new,
        ):
            new.write_text("half")
            raise error
        assert path.read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["m.txt"]


def test_replacing_a_file(tmp_path):
    path = tmp_path / "m.txt"
    for text in ("first", "second"):
        with replacing(path) as new:
            assert new.parent == path.parent
            assert new.suffix == path.suffix
            new.write_text(text)
        assert path.read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["m.txt"]


def test_a_full_disk_is_named(tmp_path):
    with (
        pytest.raises(DataFormatError, match=r"m: cannot be written: No space left"),
        replacing(tmp_path / "m"),
    ):
        raise OSError(28, "No space left on device")
