"""Chips: points land on their places, there and back, any picture, any scheme, any size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.apps.align import (
    TEMPLATES,
    ChipTemplate,
    align_face,
    align_faces,
    check_alignment,
)
from classicface.apps.align._tables import mean_face
from classicface.data.synthetic import FaceParameters, draw_face
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import SCHEMES, LandmarkScheme, convert_landmarks
from classicface.shape.similarity import apply_similarity

ARCFACE = [
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
]


@pytest.fixture(scope="module")
def face():
    return draw_face(FaceParameters(yaw=12, roll=15, smile=0.5), size=400)


def similar(points, scale, degrees, shift):
    angle = math.radians(degrees)
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    return apply_similarity(np.array([a, b, *shift]), np.asarray(points, float))


def five_of(points):
    """Return ArcFace's five points of the 68."""
    points = np.asarray(points, float)
    return np.array([points[36:42].mean(axis=0), points[42:48].mean(axis=0), *points[[30, 48, 54]]])


def dots(shape, places, sigma):
    """Draw Gaussian dots on black."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    spots = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in places]
    return np.rint(250 * np.max(spots, axis=0)).astype(np.uint8)


def centroid(pixels, place, radius):
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    mass = pixels * ((x - place[0]) ** 2 + (y - place[1]) ** 2 <= radius**2).astype(float)
    return np.array([(x * mass).sum(), (y * mass).sum()]) / mass.sum()


@given(
    scale=st.floats(0.02, 20),
    degrees=st.floats(-180, 180),
    shift=st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
    template=st.sampled_from(TEMPLATES),
)
def test_there_and_back(scale, degrees, shift, template):
    points = similar(mean_face() * 50, scale, degrees, shift)
    image = np.zeros((300, 300), np.uint8)
    points += 150 - points.mean(axis=0)
    chip = align_face(image, points, "ibug68", template)
    there = chip.to_chip(points)
    np.testing.assert_allclose(chip.to_image(there), points, atol=1e-6)
    np.testing.assert_allclose(there, chip.landmarks, atol=1e-3)
    homogeneous = np.column_stack([points, np.ones(68)])
    np.testing.assert_allclose(homogeneous @ chip.matrix.T, there, atol=1e-6)
    assert chip.to_chip(points[3]).shape == (2,)
    assert chip.scale == pytest.approx(math.hypot(*chip.transform[:2]))


@pytest.mark.parametrize("degrees", [0, 30, -90, 180])
@pytest.mark.parametrize("scale", [0.4, 1.0, 4.7])
def test_arcface_places_are_met_by_a_face_of_that_form(scale, degrees):
    """A similarity of the places themselves comes back to them, whatever it was."""
    picture_points = similar(np.array(ARCFACE) - 56, scale, degrees, (310, 295))
    scheme = LandmarkScheme(
        "five",
        5,
        {"nose_tip": (2,), "mouth": (3, 4)},
        (1, 0, 2, 4, 3),
        eyes=((0,), (1,)),
    )
    image = np.full((600, 600, 3), 9, np.uint8)
    chip = align_face(image, picture_points, scheme)
    assert chip.pixels.shape == (112, 112, 3)
    np.testing.assert_allclose(chip.landmarks, ARCFACE, atol=1e-3)
    assert chip.residual < 1e-3


def test_five_points_are_those_of_the_least_squares(face):
    """No other similarity brings them nearer: the gradient of the squares vanishes."""
    image, points = face
    chip = align_face(image, points, "ibug68")
    miss = chip.to_chip(five_of(points)) - ARCFACE
    assert chip.residual == pytest.approx(np.sqrt((miss**2).sum(axis=1).mean()))
    x, y = five_of(points).T
    for direction in ([x, y], [-y, x], [x * 0 + 1, y * 0], [x * 0, y * 0 + 1]):
        assert abs((miss * np.transpose(direction)).sum()) < 1e-6 * np.abs(x).max()


@pytest.mark.parametrize("size", [112, 224, 75, (96, 112), (200, 112)])
@pytest.mark.parametrize("margin", [0.0, 0.3, -0.1])
def test_eyes_lie_on_their_places_at_any_size_and_margin(face, size, margin):
    image, points = face
    chip = align_face(image, points, "ibug68", "eyes", size=size, margin=margin)
    width, height = (size, size) if isinstance(size, int) else size
    assert chip.pixels.shape == (height, width, 3)
    eyes = chip.to_chip(five_of(points)[:2])
    # A share of the height from the middle of the chip, pixels being areas around their centres.
    shares = (np.array(ARCFACE[:2]) + 0.5 - 56) / 112
    expected = shares * height / (1 + 2 * margin) + np.array([width, height]) / 2 - 0.5
    np.testing.assert_allclose(eyes, expected, atol=1e-4)
    assert chip.residual < 1e-6


@pytest.mark.parametrize("width", [60, 150, 330, 700])
@pytest.mark.parametrize("colour", [False, True])
def test_pixels_are_where_the_transform_says(width, colour):
    points = similar(mean_face(), width / 1.6, 20, (600, 350))
    marked = points[[36, 45, 30, 48, 54, 8]]
    scale = align_face(np.zeros((9, 9)), points - points.mean(axis=0), "ibug68").scale
    image = dots((1000, 1100), marked, 2.0 * max(1 / scale, 0.6))
    if colour:
        image = np.stack([image, image // 2, 255 - image], axis=-1)
    chip = align_face(image, points, "ibug68", margin=0.1)
    first = chip.pixels[..., 0] if colour else chip.pixels
    for place in chip.to_chip(marked):
        assert np.linalg.norm(centroid(first, place, 5) - place) < 0.15
    if colour:
        np.testing.assert_allclose(chip.pixels[..., 2], 255 - first.astype(int), atol=2)


def test_a_colour_chip_is_the_grey_chips_of_its_channels(face):
    image, points = face
    chip = align_face(image, points, "ibug68", "dlib150", size=60)
    for k in range(3):
        grey = align_face(image[..., k], points, "ibug68", "dlib150", size=60)
        assert grey.pixels.shape == (60, 60)
        np.testing.assert_array_equal(grey.pixels, chip.pixels[..., k])


def test_pictures_of_other_kinds(face):
    image, points = face
    chip = align_face(image, points, "ibug68").pixels
    rgba = np.concatenate([image, image[..., :1]], axis=2)
    np.testing.assert_array_equal(align_face(rgba, points, "ibug68").pixels, chip)
    as_float = align_face(image / 255.0, points, "ibug68").pixels
    np.testing.assert_array_equal(as_float, chip)
    deep = align_face(image.astype(np.uint16) * 257, points, "ibug68").pixels
    np.testing.assert_array_equal(deep, chip)
    single = align_face(image[..., :1], points, "ibug68").pixels
    np.testing.assert_array_equal(single, align_face(image[..., 0], points, "ibug68").pixels)


def test_a_large_face_does_not_alias():
    y, x = np.mgrid[:1500, :1500]
    image = (((x // 3 + y // 3) % 2) * 255).astype(np.uint8)
    points = similar(mean_face(), 600, 10, (750, 600))
    chip = align_face(image, points, "ibug68")
    assert chip.scale < 1 / 8
    assert chip.pixels.std() < 12


def test_dlib_cuts_the_same_chips(face):
    dlib = pytest.importorskip("dlib")
    image, points = face
    points = np.rint(points)

    def theirs(numbers, size):
        """Return dlib's chip, and the picture's points at its corners: upper left, upper right."""
        parts = dlib.points([dlib.point(int(x), int(y)) for x, y in numbers])
        detection = dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), parts)
        details = dlib.get_face_chip_details(detection, size, 0.25)
        rect, angle = details.rect, details.angle
        corners = np.array([[rect.left(), rect.top()], [rect.right(), rect.top()]])
        middle = np.array([rect.left() + rect.right(), rect.top() + rect.bottom()]) / 2
        turned = similar(corners - middle, 1.0, math.degrees(angle), middle)
        return dlib.get_face_chip(image, detection, size=size).astype(int), turned

    five = convert_landmarks(points, "ibug68", "dlib5")
    for numbers, scheme, size in [
        (points, "ibug68", 150),
        (points, "ibug68", 240),
        (five, "dlib5", 150),
    ]:
        chip = align_face(image, numbers, scheme, "dlib150", size=size, border=0)
        other, corners = theirs(numbers, size)
        apart = chip.to_chip(corners) - [(0, 0), (size - 1, 0)]
        assert np.abs(apart).max() <= 0.5
        near = np.abs(chip.pixels.astype(int) - other).mean()
        moved = np.abs(np.roll(chip.pixels, 2, axis=1).astype(int) - other).mean()
        assert near < 3
        assert near < 0.5 * moved


def test_schemes_serve_what_they_can():
    served = {
        name: {t for t in TEMPLATES if not _refused(lambda t=t, n=name: check_alignment(n, t))}
        for name in (*SCHEMES, "points17")
    }
    every = set(TEMPLATES)
    assert served == {
        "ibug68": every,
        "ibug51": every,
        "ibug49": every,
        "wflw98": every,
        "lfpw29": {"arcface112", "eyes"},
        "dlib5": {"dlib150", "eyes", "all"},
        "points17": set(),
    }


def _refused(call):
    try:
        call()
    except InvalidInputError:
        return True
    return False


@pytest.mark.parametrize("template", TEMPLATES)
def test_schemes_of_fewer_points_give_nearly_the_same_chip(face, template):
    image, points = face
    whole = align_face(image, points, "ibug68", template)
    for name in ("ibug51", "ibug49"):
        fewer = convert_landmarks(points, "ibug68", name)
        chip = align_face(image, fewer, name, template)
        corners = np.array([[0, 0], [111, 0], [0, 111]])
        apart = np.linalg.norm(chip.to_image(corners) - whole.to_image(corners), axis=1)
        assert apart.max() < 12 / whole.scale
    if template in ("arcface112", "eyes"):
        assert apart.max() < 1e-4


def test_a_mean_shape_of_ones_own_scheme():
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(17, 2))
    template = ChipTemplate.of_shape(mean, "points17", size=80, margin=0.1)
    points = similar(mean, 70, 33, (200, 210))
    chip = align_face(np.zeros((400, 400), np.uint8), points, "points17", template)
    assert chip.pixels.shape == (80, 80)
    assert chip.residual < 1e-4
    span = np.ptp(chip.landmarks, axis=0).max()
    assert span == pytest.approx(80 / 1.2, abs=1e-3)
    middle = (chip.landmarks.min(axis=0) + chip.landmarks.max(axis=0)) / 2
    np.testing.assert_allclose(middle, 39.5, atol=1e-3)


def test_eyes_on_places_of_ones_own(face):
    image, points = face
    template = ChipTemplate.of_eyes((30, 40), (70, 44), size=100)
    chip = align_face(image, points, "ibug68", template)
    np.testing.assert_allclose(chip.to_chip(five_of(points)[:2]), [(30, 40), (70, 44)], atol=1e-4)


def test_half_a_face_outside_the_picture(face):
    image, points = face
    middle = int(points[30, 0]) // 8 * 8  # where halving meets the same pixels
    half, moved = image[:, middle:], points - [middle, 0]
    repeated = align_face(half, moved, "ibug68")
    black = align_face(half, moved, "ibug68", border=0)
    grey = align_face(half, moved, "ibug68", border=77)
    whole = align_face(image, points, "ibug68")
    assert 0.3 < black.inside < 0.8
    assert whole.inside == 1.0
    outside = black.to_image(np.mgrid[:112, :112][::-1].reshape(2, -1).T)[:, 0] < -3
    outside = outside.reshape(112, 112)
    assert np.all(black.pixels[outside] == 0)
    assert np.all(grey.pixels[outside] == 77)
    assert repeated.pixels[outside].std() > 1
    assert abs(outside.mean() - (1 - black.inside)) < 0.05
    inside = black.to_image(np.mgrid[:112, :112][::-1].reshape(2, -1).T)[:, 0] > 4
    inside = inside.reshape(112, 112)
    np.testing.assert_allclose(
        repeated.pixels[inside].astype(int), whole.pixels[inside].astype(int), atol=12
    )


def test_missing_points(face):
    image, points = face
    gone = points.copy()
    gone[:27] = np.nan
    for template in TEMPLATES:  # none of them needs the jaw and the brows
        chip = align_face(image, gone, "ibug68", template)
        assert np.isnan(chip.landmarks[:27]).all()
        assert np.isfinite(chip.landmarks[27:]).all()
    gone[37] = np.nan
    with pytest.raises(InvalidInputError, match=r"missing \(NaN\): \[37\]"):
        align_face(image, gone, "ibug68")
    with pytest.raises(InvalidInputError, match=r"template all needs landmarks that are missing"):
        align_face(image, np.where(np.arange(68)[:, None] < 40, np.nan, points), "ibug68", "all")
    with pytest.raises(InvalidInputError, match="NaN"):
        align_face(image, np.full((68, 2), np.nan), "ibug68", "eyes")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"landmarks": np.full((68, 2), 50.0)}, "all lie in one place"),
        ({"landmarks": np.zeros((67, 2))}, "67 landmarks"),
        ({"landmarks": np.zeros((2, 68, 2))}, "align_faces takes several"),
        ({"landmarks": "abc"}, "regular array"),
        ({"scheme": "dlib5", "landmarks": np.eye(5, 2)}, "tip of the nose, the corners of the mou"),
        ({"scheme": "points17", "landmarks": np.zeros((17, 2))}, "points17 does not have"),
        ({"scheme": "nothing"}, "unknown landmark scheme"),
        ({"template": "facenet"}, "there are arcface112, dlib150, eyes, all"),
        ({"template": None}, "unknown template"),
        ({"size": 7}, "from 8 to 2048"),
        ({"size": 10**9}, "from 8 to 2048"),
        ({"size": 112.0}, "expected an integer"),
        ({"size": (112,)}, "width and height"),
        ({"size": "112"}, "expected an integer"),
        ({"margin": float("nan")}, "margin"),
        ({"margin": -0.5}, "margin"),
        ({"border": "mirror"}, "'repeat' or a grey level"),
        ({"border": 256}, "border"),
        ({"image": np.zeros((0, 5, 3), np.uint8)}, "empty"),
        ({"image": np.zeros((5, 5, 2), np.uint8)}, "shape"),
        ({"image": np.full((5, 5, 3), 7.0)}, r"\[0, 1\]"),
        ({"image": [[1, 2], [3]]}, "regular array"),
    ],
)
def test_bad_input_is_refused(face, change, message):
    image, points = face
    arguments = {"image": image, "landmarks": points, "scheme": "ibug68", **change}
    with pytest.raises(InvalidInputError, match=message):
        align_face(**arguments)


def test_a_scheme_without_the_parts_is_told_what_it_can_do():
    with pytest.raises(InvalidInputError, match="it has what dlib150 and eyes and all need"):
        check_alignment("dlib5", "arcface112")
    with pytest.raises(InvalidInputError, match="needs the points of ibug68, which the scheme lf"):
        check_alignment("lfpw29", "all")


def test_a_face_outside_the_picture_is_refused(face):
    image, points = face
    for shift in (5000, -5000, 9e5):
        with pytest.raises(InvalidInputError, match="wholly outside the 400 x 400 picture"):
            align_face(image, points + shift, "ibug68")


@given(seed=st.integers(0, 10**6), spread=st.sampled_from([1e-2, 1.0, 100.0, 1e5]))
def test_points_that_are_no_face_give_a_chip_or_a_reason(seed, spread):
    points = np.random.default_rng(seed).normal(size=(68, 2)) * spread + 50
    points = np.clip(points, -1e6, 1e6)
    for template in TEMPLATES:
        try:
            chip = align_face(np.zeros((100, 120), np.uint8), points, "ibug68", template, size=16)
        except InvalidInputError:
            continue
        assert chip.pixels.shape == (16, 16)
        assert np.isfinite(chip.transform).all()
        assert 0 < chip.inside <= 1


def test_several_faces(face):
    image, points = face
    others = np.stack([points, points + 20, points * 0.5])
    chips = align_faces(image, others, "ibug68", "eyes", size=50)
    for chip, one in zip(chips, others, strict=True):
        single = align_face(image, one, "ibug68", "eyes", size=50)
        np.testing.assert_array_equal(chip.pixels, single.pixels)
        np.testing.assert_array_equal(chip.transform, single.transform)
    assert align_faces(image, np.zeros((0, 68, 2)), "ibug68") == []
    with pytest.raises(InvalidInputError, match="face 1: the landmarks all lie in one place"):
        align_faces(image, [points, points * 0], "ibug68")


def test_inputs_stay_as_they_are(face):
    image, points = face
    before = image.copy(), points.copy()
    align_face(image, points, "ibug68").pixels[:] = 0
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(points, before[1])


@pytest.mark.parametrize(
    "places",
    [
        {},
        {"eyes": np.zeros((3, 2))},
        {"eyes": np.ones((2, 2))},
        {"ibug68": np.full((68, 2), np.nan)},
    ],
)
def test_bad_templates_are_refused(places):
    with pytest.raises(InvalidInputError):
        ChipTemplate("bad", 100, places)
    with pytest.raises(InvalidInputError):
        ChipTemplate.of_shape(np.full((68, 2), 3.0), "ibug68")


def test_real_faces_from_predicted_points(data_dir):
    """The eyes of the annotation lie near their places in chips made of predicted points."""
    import classicface

    faces = classicface.load_dataset(data_dir / "300w" / "helen" / "testset")
    predictor = classicface.load("best68")
    chosen = range(0, len(faces), 15)
    near = []
    for i in chosen:
        points = predictor.predict(faces.images[i], faces.boxes[i])[0]
        chip = align_face(faces.images[i], points, "ibug68", "eyes")
        apart = chip.to_chip(five_of(faces.landmarks[i])[:2]) - ARCFACE[:2]
        near.append(np.linalg.norm(apart, axis=1).max() < 2)
    assert np.mean(near) > 0.85
