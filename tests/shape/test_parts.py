"""Parts of a face: every built-in scheme, schemes of one's own, and what is refused."""

import numpy as np
import pytest

from classicface.exceptions import InvalidInputError
from classicface.shape.parts import PARTS, FaceParts, face_parts
from classicface.shape.schemes import SCHEMES, LandmarkScheme, convert_landmarks

SIDES = [("right_eye", "left_eye"), ("right_brow", "left_brow")]

# The parts that the built-in schemes lack.
LACKING = {
    "ibug68": set(),
    "ibug51": {"jaw"},
    "ibug49": {"jaw"},
    "wflw98": set(),
    "lfpw29": {"jaw"},
    "dlib5": set(PARTS) - {"nose"},
}

FIVE = LandmarkScheme(
    "five",
    5,
    {"right_eye": (0,), "left_eye": (1,), "nose_tip": (2,), "mouth": (3, 4)},
    (1, 0, 2, 4, 3),
    eyes=((0,), (1,)),
)


def drawn_points(name):
    """Return the points of a drawn face in a scheme that ibug68 converts to."""
    from classicface.data.synthetic import draw_face

    return convert_landmarks(draw_face(size=320)[1], "ibug68", name)


@pytest.mark.parametrize("name", SCHEMES)
def test_which_parts_the_built_in_schemes_have(name):
    parts = face_parts(name)
    assert {part for part in PARTS if not getattr(parts, part)} == LACKING[name]
    assert set(PARTS) | {"brows_closed"} == set(FaceParts.__dataclass_fields__)


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "dlib5"])
def test_sides_are_mirror_images(name):
    scheme, parts = SCHEMES[name], face_parts(name)
    for right, left in SIDES:
        mirrored = {scheme.mirror[i] for i in getattr(parts, right)}
        assert mirrored == set(getattr(parts, left))
        assert len(getattr(parts, right)) == len(mirrored)
    assert scheme.mirror[parts.mouth_corners[0]] == parts.mouth_corners[1]
    assert scheme.mirror[parts.nose_tip[0]] == parts.nose_tip[0]


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "dlib5"])
def test_loops_begin_in_a_corner_and_have_the_other_half_way_round(name):
    scheme, parts = SCHEMES[name], face_parts(name)
    for side, eye in enumerate((parts.right_eye, parts.left_eye)):
        assert len(eye) % 2 == 0
        assert scheme.outer_eyes[side] in (eye[0], eye[len(eye) // 2])
    for lips in (parts.outer_lips, parts.inner_lips):
        assert len(lips) % 2 == 0
        assert scheme.mirror[lips[0]] == lips[len(lips) // 2]
        assert set(lips) <= set(scheme.regions["mouth"])
    assert parts.mouth_corners == (
        parts.outer_lips[0],
        parts.outer_lips[len(parts.outer_lips) // 2],
    )


@pytest.mark.parametrize("name", ["ibug68", "ibug51", "ibug49"])
def test_points_lie_where_their_part_is(name):
    points, parts = drawn_points(name), face_parts(name)
    middle = (points[parts.right_eye[0], 0] + points[parts.left_eye[3], 0]) / 2
    assert points[list(parts.right_eye), 0].max() < middle < points[list(parts.left_eye), 0].min()
    assert points[parts.mouth_corners[0], 0] < middle < points[parts.mouth_corners[1], 0]
    tip = points[parts.nose_tip[0]]
    assert abs(tip[0] - middle) < 3
    assert points[list(parts.right_eye), 1].max() < tip[1] < points[parts.mouth_corners[0], 1]
    # Facing points of the lids: the upper one first.
    for i in (1, 2):
        assert points[parts.right_eye[i], 1] < points[parts.right_eye[-i], 1]


def test_the_known_indices():
    parts = face_parts("ibug68")
    assert parts.right_eye == (36, 37, 38, 39, 40, 41)
    assert parts.jaw == tuple(range(17))
    assert parts.right_brow == tuple(range(17, 22))
    assert parts.outer_lips == tuple(range(48, 60))
    assert parts.inner_lips == tuple(range(60, 68))
    assert parts.mouth_corners == (48, 54)
    assert parts.nose_tip == (30,)
    assert not parts.brows_closed
    other = face_parts("wflw98")
    assert other.brows_closed
    assert other.right_eye == tuple(range(60, 68))
    assert (other.nose_tip, other.mouth_corners) == ((54,), (76, 82))
    third = face_parts("lfpw29")
    assert (third.nose_tip, third.mouth_corners) == ((20,), (22, 23))


def test_inner_lips_without_corners_borrow_those_of_the_outer_lips():
    parts = face_parts("ibug49")
    assert len(parts.inner_lips) == 8
    assert parts.inner_lips[0] == parts.outer_lips[0]
    assert parts.inner_lips[4] == parts.outer_lips[6]
    of_68 = face_parts("ibug68").inner_lips
    kept = np.array([i for i in range(17, 68) if i not in (60, 64)])
    assert [kept[i] for i in parts.inner_lips[1:4]] == list(of_68[1:4])
    assert [kept[i] for i in parts.inner_lips[5:]] == list(of_68[5:])


def test_five_points_of_ones_own():
    parts = face_parts(FIVE)
    assert parts.nose_tip == (2,)
    assert parts.mouth_corners == (3, 4)
    assert parts.right_eye == ()  # a single point is no loop


@pytest.mark.parametrize(
    ("regions", "mirror", "lines"),
    [
        ({"nose": (0,)}, (0, 1, 2), ()),  # tip or base?
        ({"nose": (0, 1)}, (), ()),  # nothing says where the middle is
        ({"nose": (0, 1, 2)}, (0, 2, 1), (((1, 0, 2), False),)),  # the middle is below the tip
        ({"nose_tip": (0, 1)}, (0, 1, 2), ()),
        ({}, (0, 1, 2), ()),
    ],
)
def test_a_nose_without_a_certain_tip(regions, mirror, lines):
    scheme = LandmarkScheme("nose", 3, regions, mirror, lines=lines)
    assert face_parts(scheme).nose_tip == ()


def test_a_mouth_of_more_points_without_lines_has_no_corners():
    scheme = LandmarkScheme("mouth", 4, {"mouth": (0, 1, 2, 3)}, (1, 0, 2, 3))
    assert face_parts(scheme).mouth_corners == ()


@pytest.mark.parametrize("name", ["points17", "dlib5"])
def test_what_is_missing_is_named(name):
    with pytest.raises(InvalidInputError) as error:
        face_parts(name, ("right_eye", "outer_lips", "nose_tip"), "a kiss")
    text = str(error.value)
    assert text.startswith("a kiss needs the lids of the right eye, the outer edge of the lips")
    assert "the tip of the nose" in text
    assert name in text


def test_what_is_there_is_not_refused():
    assert face_parts("lfpw29", ("right_eye", "nose_tip"), "blinks").right_eye == (8, 12, 10, 13)
    with pytest.raises(InvalidInputError, match="the jaw, which the scheme lfpw29"):
        face_parts("lfpw29", ("right_eye", "jaw"))
    with pytest.raises(InvalidInputError, match="unknown landmark scheme"):
        face_parts("no such scheme")
