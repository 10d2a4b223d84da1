"""dlib's numbers, against a plain twin of its format; also with NUMBA_DISABLE_JIT=1."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.peers import _kernels as kernels

floats = st.floats(-1e9, 1e9, width=32)


def whole(value):
    """Write a whole number as dlib does."""
    size = max(1, -(-abs(value).bit_length() // 8))
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def real(value):
    """Write a real number of single precision as dlib does."""
    fraction, exponent = math.frexp(value)
    mantissa, exponent = int(fraction * 2**24), exponent - 24
    for _ in range(8):
        if mantissa & 255 == 0:
            mantissa, exponent = mantissa >> 8, exponent + 8
    return whole(mantissa) + whole(exponent)


def data(*parts):
    return np.frombuffer(b"".join(parts), np.uint8)


def written(kernel, *values):
    out = np.zeros(1000, np.uint8)
    at = kernel(*values, out, 3)
    assert not out[:3].any()
    assert not out[at:].any()
    return out[3:at].tobytes()


@given(value=st.integers(-(2**63) + 1, 2**63 - 1))
def test_whole_numbers(value):
    assert kernels.read_whole(data(b"x", whole(value)), 1) == (value, 1 + len(whole(value)))
    assert written(kernels.write_whole, value) == whole(value)


@given(value=floats)
def test_real_numbers(value):
    assert kernels.read_real(data(b"x", real(value)), 1) == (value, 1 + len(real(value)))
    assert written(kernels.write_real, np.float32(value)) == real(value)


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-45, -1e-45, 2.0**-149, 1.0, 255.0, 2.0**-126])
def test_real_numbers_at_the_edge(value):
    value = float(np.float32(value))
    assert written(kernels.write_real, np.float32(value)) == real(value)
    assert kernels.read_real(data(real(value)), 0)[0] == value


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([], kernels.CUT),
        ([b"\x01"], kernels.CUT),
        ([b"\x08abcdefg"], kernels.CUT),
        ([b"\x00abc"], kernels.MALFORMED),
        ([b"\x09abcdefghi"], kernels.MALFORMED),
        ([b"\x11a"], kernels.MALFORMED),
        ([b"\x08" + b"\xff" * 8], kernels.MALFORMED),
    ],
)
def test_what_is_no_whole_number(parts, error):
    assert kernels.read_whole(data(*parts), 0)[1] == error


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        *[([whole(m), whole(e)], kernels.RANGE) for m in (0, 1) for e in (32000, 32001, 32002)],
        *[([whole(1), whole(e)], kernels.RANGE) for e in (34, 128, 10**6, -(10**6), 2**62)],
        ([whole(2**62), whole(0)], kernels.RANGE),
        ([whole(1)], kernels.CUT),
        ([b"3.25 "], kernels.TEXT),
        ([whole(1), b"\x00"], kernels.MALFORMED),
    ],
)
def test_what_is_no_finite_number(parts, error):
    assert kernels.read_real(data(*parts), 0)[1] == error


@given(values=st.lists(floats, min_size=1, max_size=9), sign=st.sampled_from([1, -1]))
def test_matrices(values, sign):
    numbers = b"".join(map(real, values))
    text = whole(sign * len(values)) + whole(sign) + numbers
    out = np.empty(len(values), np.float32)
    assert kernels.read_matrix(data(text), 0, out) == len(text)
    np.testing.assert_array_equal(out, np.float32(values))
    expected = whole(-len(values)) + whole(-1) + numbers
    assert written(kernels.write_matrix, out) == expected
    longer = np.empty(len(values) + 1, np.float32)
    assert kernels.read_matrix(data(text), 0, longer) == kernels.UNEVEN


@given(
    splits=st.lists(
        st.tuples(st.integers(0, 65535), st.integers(0, 65535), st.floats(-1e5, 1e5, width=32)),
        min_size=3,
        max_size=3,
    ),
    differences=st.lists(st.integers(-255, 255), max_size=20),
)
def test_splits_ask_what_dlib_asks(splits, differences):
    text = whole(1) + whole(3)
    text += b"".join(whole(a) + whole(b) + real(t) for a, b, t in splits)
    text += whole(4) + (whole(-1) + whole(-1) + real(1.0)) * 4
    packed, leaves = np.empty((1, 3), np.int64), np.empty((1, 4, 1), np.float32)
    assert kernels.read_trees(data(text), 0, packed, leaves) == len(text)
    for (first, second, threshold), split in zip(splits, packed[0].tolist(), strict=True):
        assert (split >> 16 & 65535, split & 65535) == (first, second)
        for difference in differences:  # of dlib's first pixel and its second
            assert (-difference > split >> 32) == (not difference > threshold)
    again = np.empty_like(packed)
    out = written(kernels.write_trees, packed, leaves)
    assert kernels.read_trees(data(out), 0, again, leaves) == len(out)
    assert np.array_equal(again, packed)


@given(noise=st.binary(max_size=60), at=st.integers(0, 60))
def test_any_bytes_are_read_within_bounds(noise, at):
    packed, leaves = np.empty((2, 1), np.int64), np.empty((2, 2, 2), np.float32)
    for kernel, arguments in [
        (kernels.read_trees, (packed, leaves)),
        (kernels.read_anchors, (3, np.empty(4, np.int16))),
        (kernels.read_reals, (np.empty(4, np.float32),)),
        (kernels.read_matrix, (np.empty(4, np.float32),)),
        (kernels.read_count, (3,)),
    ]:
        stop = kernel(data(noise), at, *arguments)
        assert kernels.TEXT <= stop < 0 or at < stop <= len(noise)


def test_anchors():
    anchors = np.array([0, 300, 7], np.int16)
    text = whole(3) + whole(0) + whole(300) + whole(7)
    assert written(kernels.write_anchors, anchors) == text
    out = np.empty(3, np.int16)
    assert kernels.read_anchors(data(text), 0, 301, out) == len(text)
    assert np.array_equal(out, anchors)
    assert kernels.read_anchors(data(text), 0, 300, out) == kernels.INDEX
    assert kernels.read_anchors(data(whole(3), whole(-1)), 0, 300, out) == kernels.INDEX
    assert kernels.read_anchors(data(whole(2)), 0, 300, out) == kernels.UNEVEN
