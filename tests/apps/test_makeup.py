from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.apps.makeup import LOOKS, Makeup, MovingMakeup, Paint, apply_makeup, makeup_masks
from classicface.apps.makeup import _lips as _makeup_lips
from classicface.data.synthetic import FaceParameters, draw_face
from classicface.exceptions import InvalidInputError
from classicface.shape.parts import face_parts
from classicface.shape.schemes import SCHEMES, LandmarkScheme, convert_landmarks

KINDS: dict[str, Any] = {
    "lipstick": ("#a01030", 1.0),
    "blush": ("#d05060", 1.0),
    "eyeshadow": ("#604080", 1.0),
    "liner": ("black", 1.0),
    "brows": ("#201008", 1.0),
    "smooth": 1.0,
}


def _draw(size: int = 240, **changes: Any) -> tuple[Any, Any]:
    wall = np.full((size, size, 3), (150, 170, 190), np.uint8)
    return draw_face(FaceParameters(**{"hairline": -0.5, **changes}), canvas=wall)


def _lab(picture: Any) -> Any:
    from skimage.color import rgb2lab

    return rgb2lab(picture)


def _polygon(points: Any, shape: tuple[int, ...]) -> Any:
    import cv2

    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask > 0


def _between_lips(points: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return masks of the lips and of the mouth within them, both without their edges."""
    import cv2

    parts = face_parts("ibug68")
    outer = _polygon(points[list(parts.outer_lips)], shape)
    inner = _polygon(points[list(parts.inner_lips)], shape)
    kernel = np.ones((5, 5), np.uint8)
    lips = outer & (cv2.dilate(inner.astype(np.uint8), kernel) == 0)
    lips = cv2.erode(lips.astype(np.uint8), kernel[:3, :3]) > 0
    return lips, cv2.erode(inner.astype(np.uint8), kernel) > 0


def test_colours() -> None:
    expected = Paint((160, 16, 48), 0.8)
    for given_as in ("#a01030:0.8", ("#a01030", 0.8), [(160, 16, 48), 0.8], expected):
        assert Makeup(lipstick=given_as).lipstick == expected
    assert Paint.of(" Crimson ").color == (220, 20, 60)
    assert Paint.of(" Crimson ").strength == 0.7
    assert Paint.of((1, 2, 3)).color == (1, 2, 3)
    assert Makeup().kinds == ()
    assert Makeup(lipstick="red:0", smooth=0.0).kinds == ()
    assert LOOKS["evening"].kinds == ("smooth", "blush", "eyeshadow", "brows", "liner", "lipstick")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("#12345", "is not a colour"),
        ("#11223344", "is not a colour"),
        ("reddish", "is not a colour"),
        ("x" * 5000, "is not a colour"),
        ((1, 2, 300), "is not a colour"),
        ((0.1, 0.2, 0.3), "is not a colour"),
        (7, "is not a colour"),
        ("red:much", "has the strength 'much'"),
        ("red:1.5", "strength is 1.5"),
        (("red", -1), "strength is -1"),
        (("red", "much"), "strength is 'much'"),
    ],
)
def test_what_is_no_colour(value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        Makeup(blush=value)
    assert str(caught.value).startswith("blush: ")


@pytest.mark.parametrize("value", [1.2, -0.1, "much", float("nan"), None])
def test_what_is_no_share(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="smooth"):
        Makeup(smooth=value)


def test_strength_zero_is_the_identity() -> None:
    picture, points = _draw(mouth_open=0.5)
    nothing = Makeup(**{kind: ((9, 9, 9), 0.0) if kind != "smooth" else 0.0 for kind in KINDS})
    result = apply_makeup(picture, points, nothing, "ibug68")
    np.testing.assert_array_equal(result, picture)
    assert result is not picture


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [60, 240, 900])
def test_each_layer_stays_where_it_belongs(kind: str, size: int) -> None:
    picture, points = _draw(size, mouth_open=0.4, yaw=15)
    before = picture.copy()
    makeup = Makeup(**{kind: KINDS[kind]})
    result = apply_makeup(picture, points, makeup, "ibug68")
    np.testing.assert_array_equal(picture, before)
    changed = (result != picture).any(axis=2)
    assert changed.any()
    masks = makeup_masks(picture, points, makeup, "ibug68")
    assert list(masks) == [kind]
    assert not changed[masks[kind] == 0].any()
    side = float(np.ptp(points, axis=0).max())
    y, x = np.nonzero(changed)
    pad = 0.05 * side + 2
    forehead = 0.2 * side if kind == "smooth" else 0.0
    assert x.min() > points[:, 0].min() - pad
    assert x.max() < points[:, 0].max() + pad
    assert y.min() > points[:, 1].min() - pad - forehead
    assert y.max() < points[:, 1].max() + pad
    # No layer goes over an eyeball; make-up of the skin not over the lips either.
    for eye in (slice(36, 42), slice(42, 48)):
        ball = points[eye].mean(axis=0) + 0.5 * (points[eye] - points[eye].mean(axis=0))
        inside = _polygon(ball, picture.shape) & (size > 100)
        if kind != "liner":
            assert not changed[inside].any()
    if kind in ("blush", "smooth") and size > 100:
        assert not changed[_between_lips(points, picture.shape)[0]].any()


@pytest.mark.parametrize("skin", [0.0, 0.3, 0.6, 1.0])
def test_lipstick_colours_lips_and_spares_teeth(skin: float) -> None:
    picture, points = _draw(300, mouth_open=0.7, smile=0.4, skin=skin)
    result = apply_makeup(picture, points, Makeup(lipstick=KINDS["lipstick"]), "ibug68")
    lips, mouth = _between_lips(points, picture.shape)
    assert lips.sum() > 200
    assert mouth.sum() > 200
    difference = np.abs(result.astype(int) - picture).max(axis=2)
    assert np.mean(difference[mouth] > 8) < 0.02
    before, after = _lab(picture)[lips], _lab(result)[lips]
    target = _lab(np.array([[[160, 16, 48]]], np.uint8))[0, 0]
    off = [np.linalg.norm((lab.mean(axis=0) - target)[1:]) for lab in (before, after)]
    assert off[1] < 0.5 * off[0]
    assert off[1] < 20
    # The light stays: what was lighter is lighter.
    assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] > 0.85
    assert abs(after[:, 0].mean() - target[0]) < abs(before[:, 0].mean() - target[0]) + 1


def test_points_that_are_off_are_corrected_by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, points = _draw(300, mouth_open=0.7, smile=0.4)
    off = points.copy()
    off[60:68, 1] += 3.0  # the inner edge lies on the teeth above and on the lip below
    masks = makeup_masks(picture, off, Makeup(lipstick=KINDS["lipstick"]), "ibug68")
    lab = _lab(picture)
    teeth = _between_lips(points, picture.shape)[1] & (lab[:, :, 0] > 40) & (lab[:, :, 1] < 5)
    assert teeth.sum() > 100
    assert masks["lipstick"][teeth].mean() < 0.04
    monkeypatch.setattr(_makeup_lips, "INNER_ERROR", 1e-4)
    masks = makeup_masks(picture, off, Makeup(lipstick=KINDS["lipstick"]), "ibug68")
    assert masks["lipstick"][teeth].mean() > 0.08


def test_a_closed_mouth_has_no_hole() -> None:
    picture, points = _draw(300)
    masks = makeup_masks(picture, points, Makeup(lipstick=KINDS["lipstick"]), "ibug68")
    outer = _polygon(points[48:60], picture.shape)
    row = int(points[[61, 62, 63, 65, 66, 67], 1].mean())
    line = masks["lipstick"][row, outer[row]]
    assert np.median(line) > 0.6
    assert masks["lipstick"].sum() > 0.8 * outer.sum()


@pytest.mark.parametrize("skin", [0.0, 0.5, 1.0])
def test_blush_and_shadow_keep_the_light(skin: float) -> None:
    picture, points = _draw(skin=skin)
    for kind in ("blush", "eyeshadow"):
        makeup = Makeup(**{kind: KINDS[kind]})
        painted = makeup_masks(picture, points, makeup, "ibug68")[kind] > 0.2
        before = _lab(picture)[painted]
        after = _lab(apply_makeup(picture, points, makeup, "ibug68"))[painted]
        assert len(before) > 60
        assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] > 0.7
        red = after.mean(axis=0) - before.mean(axis=0)
        assert np.linalg.norm(red[1:]) > 1.5
        assert abs(red[0]) < (5 if kind == "blush" else 23)


def test_the_far_cheek_gets_less_blush() -> None:
    shares = []
    for yaw in (0, 30, 55):
        picture, points = _draw(yaw=yaw)
        mask = makeup_masks(picture, points, Makeup(blush=KINDS["blush"]), "ibug68")["blush"]
        middle = int(points[27:31, 0].mean())
        left, right = mask[:, :middle].sum(), mask[:, middle:].sum()
        shares.append(min(left, right) / max(left, right))
    assert shares[0] > 0.6
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.1


def test_smoothing_lowers_noise_but_keeps_some_and_keeps_edges() -> None:
    picture, points = _draw(300)
    noise = np.random.default_rng(0).normal(0, 6, (300, 300, 1))
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    result = apply_makeup(noisy, points, Makeup(smooth=1.0), "ibug68")
    cheek = makeup_masks(noisy, points, Makeup(smooth=1.0), "ibug68")["smooth"] > 0.9
    assert cheek.sum() > 2000
    clean = _lab(picture)[cheek][:, 0]
    before = (_lab(noisy)[cheek][:, 0] - clean).std()
    after = (_lab(result)[cheek][:, 0] - clean).std()
    assert 0.2 * before < after < 0.75 * before
    assert abs((_lab(result)[cheek][:, 0] - clean).mean()) < 1.0


def test_brows_are_coloured_only_where_hairs_are() -> None:
    picture, points = _draw(brow_density=1.0)
    bald, _ = _draw(brow_density=0.0)
    makeup = Makeup(brows=("#0000ff", 1.0))
    hairy = makeup_masks(picture, points, makeup, "ibug68")["brows"].sum()
    # No bar is painted where a scheme puts a brow but the picture shows none.
    assert makeup_masks(bald, points, makeup, "ibug68")["brows"].sum() < 0.35 * hairy
    blue = _lab(apply_makeup(picture, points, makeup, "ibug68"))[:, :, 2].min()
    assert blue < _lab(picture)[:, :, 2].min() - 8


def test_scale_does_not_matter() -> None:
    import cv2

    picture, points = _draw(320, mouth_open=0.5)
    evening = LOOKS["evening"]
    large = apply_makeup(picture, points, evening, "ibug68")
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    small = apply_makeup(half, (points + 0.5) / 2 - 0.5, evening, "ibug68")
    shrunk = cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    difference = np.abs(small.astype(int) - shrunk).max(axis=2)
    changed = (small != half).any(axis=2)
    assert difference[changed].mean() < 7
    assert (
        difference[changed].mean()
        < 0.3 * np.abs(small.astype(int) - half)[changed].max(axis=1).mean() + 3
    )


def test_a_turned_picture_gets_the_same_makeup() -> None:
    picture, points = _draw(mouth_open=0.5)
    evening = LOOKS["evening"]
    upright = apply_makeup(picture, points, evening, "ibug68")
    turned_points = np.column_stack([239 - points[:, 1], points[:, 0]])
    turned = apply_makeup(np.rot90(picture, -1), turned_points, evening, "ibug68")
    difference = np.abs(np.rot90(turned).astype(int) - upright).max(axis=2)
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99.5) < 25


def test_faces_are_made_up_one_by_one() -> None:
    scene = np.full((200, 420, 3), (150, 170, 190), np.uint8)
    scene, first = draw_face(FaceParameters(), canvas=scene, center=(105, 110), face_size=110)
    scene, second = draw_face(FaceParameters(skin=0.9), canvas=scene, center=(310, 110),
                              face_size=110)  # fmt: skip
    both = apply_makeup(scene, np.stack([first, second]), LOOKS["day"], "ibug68")
    one = apply_makeup(scene, first, LOOKS["day"], "ibug68")
    two = apply_makeup(scene, second[None], LOOKS["day"], "ibug68")
    np.testing.assert_array_equal(both[:, :200], one[:, :200])
    np.testing.assert_array_equal(both[:, 220:], two[:, 220:])
    none = apply_makeup(scene, np.zeros((0, 68, 2)), LOOKS["day"], "ibug68")
    np.testing.assert_array_equal(none, scene)


def test_kinds_of_pictures() -> None:
    picture, points = _draw(120)
    expected = apply_makeup(picture, points, LOOKS["day"], "ibug68")
    rgba = np.dstack([picture, np.full((120, 120), 9, np.uint8)])
    for same in (rgba, picture / 255.0, picture.astype(np.uint16) * 257):
        np.testing.assert_array_equal(apply_makeup(same, points, LOOKS["day"], "ibug68"), expected)
    grey = picture[:, :, 1]
    result = apply_makeup(grey, points, Makeup(lipstick=KINDS["lipstick"]), "ibug68")
    assert result.shape == (120, 120, 3)
    assert (result[:, :, 0] != result[:, :, 1]).sum() > 50
    for wrong in (np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 2)), np.full((5, 5), 2.0)):
        with pytest.raises(InvalidInputError, match="image"):
            apply_makeup(wrong, points, LOOKS["day"], "ibug68")


def test_a_layer_whose_points_are_missing_is_left_out() -> None:
    picture, points = _draw()
    points = points.copy()
    points[50] = np.nan
    for kind in ("lipstick", "blush", "smooth"):
        result = apply_makeup(picture, points, Makeup(**{kind: KINDS[kind]}), "ibug68")
        np.testing.assert_array_equal(result, picture)
    points[38] = np.nan  # of the right eye, left in the picture
    mask = makeup_masks(picture, points, Makeup(liner=KINDS["liner"]), "ibug68")["liner"]
    middle = int(points[27, 0])
    assert mask[:, :middle].sum() == 0
    assert mask[:, middle:].sum() > 10


@pytest.mark.parametrize(
    ("scheme", "kind", "message"),
    [
        ("dlib5", "lipstick", "lipstick needs the outer edge of the lips, which the scheme dlib5"),
        ("dlib5", "eyeshadow", "eye shadow needs the lids of the right eye"),
        ("points68", "brows", "colour for brows needs the right brow, the left brow"),
    ],
)
def test_a_scheme_without_the_parts_is_refused(scheme: str, kind: str, message: str) -> None:
    points = np.zeros((5 if scheme == "dlib5" else 68, 2))
    with pytest.raises(InvalidInputError, match=message):
        apply_makeup(np.zeros((9, 9), np.uint8), points, Makeup(**{kind: KINDS[kind]}), scheme)


def test_other_schemes() -> None:
    picture, points = _draw(mouth_open=0.4)
    for name in ("ibug51", "ibug49"):
        fewer = convert_landmarks(points, "ibug68", name)
        masks = makeup_masks(picture, fewer, LOOKS["evening"], name)
        whole = makeup_masks(picture, points, LOOKS["evening"], "ibug68")
        for kind in masks:
            overlap = np.minimum(masks[kind], whole[kind]).sum()
            assert overlap > 0.55 * max(masks[kind].sum(), whole[kind].sum()), (name, kind)


def test_a_scheme_without_inner_lips_goes_by_colour() -> None:
    picture, points = _draw(300, mouth_open=0.7, smile=0.4)
    lips = LandmarkScheme(
        "lips", 12, {"mouth": tuple(range(12))}, lines=((tuple(range(12)), True),)
    )
    mask = makeup_masks(picture, points[48:60], Makeup(lipstick=KINDS["lipstick"]), lips)
    coloured, mouth = _between_lips(points, picture.shape)
    teeth = mouth & (_lab(picture)[:, :, 0] > 60)
    row = points[[62, 66], 1].mean()
    teeth[: int(row) - 3] = teeth[int(row) + 4 :] = False
    assert mask["lipstick"][coloured].mean() > 0.8
    assert mask["lipstick"][teeth].mean(initial=0.0) < 0.3 if teeth.any() else True


def test_outlined_brows_and_few_points() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 90, 3)).astype(np.uint8)
    for name in ("wflw98", "lfpw29"):
        points = rng.uniform(5, 85, (SCHEMES[name].n_landmarks, 2))
        assert apply_makeup(picture, points, LOOKS["evening"], name).shape == (90, 90, 3)


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_any_points_are_borne(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    points = rng.normal(25, rng.choice([0.0, 0.5, 10.0, 100.0]), (68, 2))
    points[rng.random(68) < rng.choice([0.0, 0.05, 0.9])] = np.nan
    assert apply_makeup(picture, points, LOOKS["evening"], "ibug68").shape == picture.shape


@pytest.mark.parametrize("shift", [(-120, 0), (0, -110), (110, 60), (5000, 0), (1e6 - 500, 0)])
def test_half_a_face(shift: tuple[float, float]) -> None:
    picture, points = _draw()
    result = apply_makeup(picture, points + np.float32(shift), LOOKS["evening"], "ibug68")
    assert result.shape == picture.shape


@pytest.mark.parametrize("side", [2, 8, 16])
def test_tiny_faces(side: int) -> None:
    import cv2

    picture, points = _draw()
    scale = side / float(np.ptp(points, axis=0).max())
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    result = apply_makeup(small, (points + 0.5) * scale - 0.5, LOOKS["evening"], "ibug68")
    assert result.shape == small.shape


def test_memory_does_not_grow_with_the_face() -> None:
    import tracemalloc

    import cv2

    picture, points = _draw()
    apply_makeup(picture, points, LOOKS["evening"], "ibug68")
    scale = 3000 / float(np.ptp(points, axis=0).max())
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    tracemalloc.start()
    apply_makeup(large, (points + 0.5) * scale - 0.5, LOOKS["evening"], "ibug68")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < large.nbytes + 30e6


class TestMovingMakeup:
    def test_first_frame_is_that_of_a_picture(self) -> None:
        picture, points = _draw()
        paint = MovingMakeup(LOOKS["evening"], "ibug68")
        expected = apply_makeup(picture, points, LOOKS["evening"], "ibug68")
        np.testing.assert_array_equal(paint(picture, points[None], [3], 0.0), expected)

    def test_flicker_is_less(self) -> None:
        picture, points = _draw(mouth_open=0.3)
        rng = np.random.default_rng(0)
        makeup = Makeup(lipstick=("#400818", 1.0))
        paint = MovingMakeup(makeup, "ibug68", memory=0.5)
        lips, _ = _between_lips(points, picture.shape)
        steady, single, wanted = [], [], []
        for i in range(24):
            # The lips' own colour is changed to and fro, as a lamp or a compressor changes it.
            frame = picture.astype(float)
            frame[lips] += rng.normal(0, 14)
            frame = np.clip(frame, 0, 255).astype(np.uint8)
            steady.append(paint(frame, points[None], [1], i / 30)[lips].mean(axis=0))
            single.append(apply_makeup(frame, points, makeup, "ibug68")[lips].mean(axis=0))
            wanted.append(frame[lips].mean(axis=0))
        # The light of each frame stays in both; what is steady is the map from light to light.
        skip = slice(8, None)
        slope = [np.corrcoef(np.array(wanted)[skip, 0], np.array(s)[skip, 0])[0, 1]
                 for s in (steady, single)]  # fmt: skip
        assert slope[0] > 0.9
        assert slope[0] > slope[1]

    def test_identities_keep_their_own_colours_and_are_forgotten(self) -> None:
        light, points = _draw(skin=0.0)
        dark, _ = _draw(skin=1.0)
        paint = MovingMakeup(LOOKS["evening"], "ibug68", memory=0.1)
        paint(light, points[None], [1], 0.0)
        other = paint(dark, points[None], [2], 0.03)
        expected = apply_makeup(dark, points, LOOKS["evening"], "ibug68")
        np.testing.assert_array_equal(other, expected)
        assert (paint(dark, points[None], [1], 0.06) != expected).any()
        np.testing.assert_array_equal(paint(dark, points[None], [1], 5.0), expected)

    def test_no_faces_and_bad_input(self) -> None:
        picture, points = _draw(60)
        paint = MovingMakeup(LOOKS["natural"], "ibug68")
        empty = paint(picture, np.zeros((0, 68, 2)), [], 0.0)
        np.testing.assert_array_equal(empty, picture)
        with pytest.raises(InvalidInputError, match="2 ids for 1 face"):
            paint(picture, points[None], [1, 2], 0.1)
        with pytest.raises(InvalidInputError, match="time"):
            paint(picture, points[None], [1], float("nan"))
        with pytest.raises(InvalidInputError, match="expected a Makeup"):
            MovingMakeup("evening", "ibug68")


def test_masks_are_of_one_face() -> None:
    with pytest.raises(InvalidInputError, match="those of one face"):
        makeup_masks(np.zeros((9, 9), np.uint8), np.zeros((2, 68, 2)), LOOKS["day"], "ibug68")


def test_photographs(data_dir: Any) -> None:
    """With annotated points, on real mouths: lips are coloured and the space between them not."""
    from classicface.data.pts import read_pts
    from classicface.image.io import read_image

    covered, spilled = [], []
    for path in sorted((data_dir / "photos").glob("*.jpg")):
        picture = read_image(path, mode="rgb")
        points = read_pts(path.with_suffix(".pts"))
        mask = makeup_masks(picture, points, Makeup(lipstick=KINDS["lipstick"]), "ibug68")[
            "lipstick"
        ]
        lips, mouth = _between_lips(points, picture.shape)
        covered.append(mask[lips].mean())
        spilled.append(mask[mouth].mean() if mouth.sum() > 100 else 0.0)
    assert np.mean(covered) > 0.75
    assert np.mean(spilled) < 0.1
