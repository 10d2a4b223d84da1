import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.exceptions import ClassicFaceError, DataFormatError, InvalidInputError
from classicface.shape.schemes import SCHEMES, LandmarkScheme, convert_landmarks, get_scheme

scheme_names = pytest.mark.parametrize("name", sorted(SCHEMES))


@scheme_names
def test_mirror_is_an_involution_that_swaps_the_sides(name):
    scheme = SCHEMES[name]
    mirror = np.array(scheme.mirror)
    assert sorted(mirror) == list(range(scheme.n_landmarks))
    assert np.array_equal(mirror[mirror], np.arange(scheme.n_landmarks))
    swapped = {"right_brow": "left_brow", "right_eye": "left_eye"}
    for region, points in scheme.regions.items():
        other = swapped.get(region, region if not region.startswith("left") else None)
        if other in scheme.regions:
            assert sorted(mirror[list(points)]) == sorted(scheme.regions[other])
    assert mirror[scheme.outer_eyes[0]] == scheme.outer_eyes[1]
    assert sorted(mirror[list(scheme.eyes[0])]) == sorted(scheme.eyes[1])


@scheme_names
def test_regions_part_the_points(name):
    scheme = SCHEMES[name]
    points = [i for region in scheme.regions.values() for i in region]
    assert sorted(points) == list(range(scheme.n_landmarks))
    assert set(scheme.outer_eyes) <= {*scheme.regions["right_eye"], *scheme.regions["left_eye"]}


@scheme_names
def test_lines_mirror_onto_lines(name):
    scheme = SCHEMES[name]

    def edges(lines):
        found = set()
        for points, closed in lines:
            ends = [*points[1:], points[0]] if closed else points[1:]
            found |= {frozenset(pair) for pair in zip(points, ends, strict=False)}
        return found

    mirrored = [(tuple(scheme.mirror[i] for i in line), shut) for line, shut in scheme.lines]
    assert edges(mirrored) == edges(scheme.lines)


@scheme_names
def test_dict_round_trip_through_json(name):
    scheme = SCHEMES[name]
    again = LandmarkScheme.from_dict(json.loads(json.dumps(scheme.to_dict())))
    assert again == scheme
    assert hash(again) == hash(scheme)


def test_known_points_of_the_field():
    assert SCHEMES["ibug68"].outer_eyes == (36, 45)
    assert SCHEMES["ibug68"].mirror[48] == 54
    assert SCHEMES["ibug68"].mirror[60] == 64
    assert SCHEMES["ibug51"].n_landmarks == 51
    assert SCHEMES["ibug51"].outer_eyes == (19, 28)
    assert SCHEMES["ibug49"].n_landmarks == 49
    assert SCHEMES["wflw98"].outer_eyes == (60, 72)
    assert SCHEMES["lfpw29"].eyes == ((16,), (17,))


def test_mirror_points_twice_gives_the_points_back():
    scheme = SCHEMES["wflw98"]
    points = np.random.default_rng(0).uniform(0, 200, (3, 98, 2)).astype(np.float32)
    points[0, 4] = np.nan
    once = scheme.mirror_points(points, 201)
    assert once[1, 32, 0] == pytest.approx(200 - points[1, 0, 0], abs=1e-4)
    assert np.isnan(once[0, 28]).all()
    np.testing.assert_allclose(scheme.mirror_points(once, 201), points, atol=1e-4)


def test_mirror_needs_a_mirror_and_points_of_the_scheme():
    with pytest.raises(InvalidInputError, match="does not say what its points become"):
        get_scheme(7).mirror_points(np.zeros((7, 2)), 10)
    with pytest.raises(InvalidInputError, match="expected 68"):
        get_scheme(68).mirror_points(np.zeros((7, 2)), 10)


def test_get_scheme():
    assert get_scheme(68) is SCHEMES["ibug68"]
    assert get_scheme("wflw98") is SCHEMES["wflw98"]
    assert get_scheme(SCHEMES["dlib5"]) is SCHEMES["dlib5"]
    assert get_scheme(12) == get_scheme("points12") == LandmarkScheme("points12", 12)
    # Five points may be dlib's or pupils and mouth corners: no guess, as a wrong mirror ruins data.
    assert get_scheme(5).mirror == ()


@pytest.mark.parametrize(
    "wrong", ["ibug", "", "points", "points0", "points-3", "points\uff11", 0, 10**9]
)
def test_unknown_schemes_are_named(wrong):
    with pytest.raises(InvalidInputError):
        get_scheme(wrong)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"n_landmarks": 3}, "no entry name"),
        ({"name": "a", "n_landmarks": 3, "sides": []}, "unknown entry 'sides'"),
        ({"name": "a", "n_landmarks": 3, "mirror": [1, 2, 0]}, "naming each other"),
        ({"name": "a", "n_landmarks": 3, "mirror": [1, 0]}, "expected 3 indices"),
        ({"name": "a", "n_landmarks": 3, "mirror": [1, 0, 3]}, "mirror of scheme a is 3"),
        ({"name": "a", "n_landmarks": 3, "regions": {"b": [True]}}, "region b"),
        ({"name": "a", "n_landmarks": 3, "regions": [1]}, "regions"),
        ({"name": "a", "n_landmarks": 3, "outer_eyes": [1]}, "outer_eyes"),
        ({"name": "a", "n_landmarks": 3, "eyes": [[1], []]}, "eyes"),
        ({"name": "a", "n_landmarks": 3, "lines": [[[0, 1]]]}, "lines"),
        ({"name": "", "n_landmarks": 3}, "name"),
        ({"name": "a", "n_landmarks": 10**8}, "n_landmarks"),
        ([], "dict"),
    ],
)
def test_bad_schemes_are_refused(content, message):
    with pytest.raises(InvalidInputError, match=message):
        LandmarkScheme.from_dict(content)


def test_scheme_file(tmp_path):
    path = tmp_path / "paw.json"
    path.write_text('{"name": "paw", "n_landmarks": 3, "mirror": [1, 0, 2]}')
    scheme = get_scheme(path)
    assert scheme == get_scheme(str(path))
    assert (scheme.name, scheme.mirror) == ("paw", (1, 0, 2))
    path.write_text('{"name": "paw",\n "n_landmarks": }')
    with pytest.raises(DataFormatError, match=r"paw\.json:2: not JSON"):
        get_scheme(path)
    path.write_bytes(b" " * (2 << 20))
    with pytest.raises(DataFormatError, match="larger than 1 MiB"):
        get_scheme(path)
    with pytest.raises(DataFormatError, match="cannot be read"):
        get_scheme(tmp_path / "none.json")
    path.write_text("[" * 100_000)
    with pytest.raises(DataFormatError):
        get_scheme(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["name", "n_landmarks", *SCHEMES["ibug68"].to_dict()]), values, max_size=7
    )
)
def test_any_content_gives_a_scheme_or_our_error(content):
    try:
        scheme = LandmarkScheme.from_dict(content)
    except ClassicFaceError:
        return
    assert LandmarkScheme.from_dict(scheme.to_dict()) == scheme


def test_subset_keeps_meaning_and_order():
    part = SCHEMES["ibug68"].subset("eyes", [45, 42, 36, 39])
    assert part.mirror == (2, 3, 0, 1)
    assert part.outer_eyes == (2, 0)
    assert part.regions == {"right_eye": (2, 3), "left_eye": (1, 0)}
    assert SCHEMES["ibug68"].subset("half", [45, 42]).mirror == ()
    with pytest.raises(InvalidInputError, match="twice"):
        SCHEMES["ibug68"].subset("double", [4, 4])


def test_conversions_keep_eyes_and_commute_with_the_mirror():
    rng = np.random.default_rng(1)
    for source, target in [
        *(("ibug68", name) for name in ("ibug51", "ibug49", "dlib5")),
        *(("wflw98", name) for name in ("ibug68", "ibug51", "ibug49", "dlib5")),
        *[("ibug51", "ibug49"), ("ibug51", "dlib5"), ("ibug49", "dlib5")],
    ]:
        a, b = SCHEMES[source], SCHEMES[target]
        points = rng.uniform(0, 99, (a.n_landmarks, 2)).astype(np.float32)
        converted = convert_landmarks(points, source, target)
        assert converted.shape == (b.n_landmarks, 2)
        np.testing.assert_array_equal(converted[list(b.outer_eyes)], points[list(a.outer_eyes)])
        np.testing.assert_array_equal(
            b.mirror_points(converted, 100), convert_landmarks(a.mirror_points(points, 100), a, b)
        )


def test_conversion_by_way_of_another_scheme_is_the_same():
    points = np.arange(136, dtype=np.float32).reshape(1, 68, 2)
    by_51 = convert_landmarks(convert_landmarks(points, "ibug68", "ibug51"), "ibug51", "ibug49")
    np.testing.assert_array_equal(by_51, convert_landmarks(points, "ibug68", "ibug49"))
    five = convert_landmarks(points, "ibug68", "dlib5")[0, :, 0] / 2
    np.testing.assert_array_equal(five, [45, 42, 36, 39, 33])


def test_impossible_conversions_say_what_is_possible():
    with pytest.raises(InvalidInputError, match="ibug51 converts to ibug49, dlib5"):
        convert_landmarks(np.zeros((51, 2)), "ibug51", "ibug68")
    with pytest.raises(InvalidInputError, match="no other scheme"):
        convert_landmarks(np.zeros((29, 2)), "lfpw29", "dlib5")
    own = LandmarkScheme("ibug68", 68)
    with pytest.raises(InvalidInputError, match="no conversion"):
        convert_landmarks(np.zeros((68, 2)), own, "ibug51")
