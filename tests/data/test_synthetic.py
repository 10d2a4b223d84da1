"""Synthetic faces: exact landmarks, a picture that shows them, and the same for the same seed."""

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.data.synthetic import (
    IDENTITY_MODES,
    FaceParameters,
    draw_face,
    random_face,
    synthetic_faces,
)
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import box_centers_sides, iou, landmark_box
from classicface.shape.schemes import get_scheme

SCHEME = get_scheme("ibug68")
JAW, BROWS, NOSE, EYES, MOUTH = (
    range(17),
    range(17, 27),
    range(27, 36),
    range(36, 48),
    range(48, 68),
)
LOWER_MOUTH = [55, 56, 57, 58, 59, 65, 66, 67]
PIXELS_A_CENTIMETRE = 20.0


def landmarks_of(**parameters):
    canvas = np.zeros((16, 16, 3), np.uint8)
    size = 14.5 * PIXELS_A_CENTIMETRE
    place = (5000.0, 5000.0)  # outside: only the points are wanted
    return draw_face(FaceParameters(**parameters), canvas=canvas, center=place, face_size=size)[1]


def moved(**parameters):
    """Return how far each point moves, in centimetres, when parameters change."""
    change = np.linalg.norm(landmarks_of(**parameters) - landmarks_of(), axis=1)
    return change / PIXELS_A_CENTIMETRE


def identity(name, value):
    return tuple(value if mode == name else 0.0 for mode in IDENTITY_MODES)


@pytest.fixture(scope="module")
def portrait():
    return draw_face(FaceParameters(light=(0, 30), skin=0.1), size=400, face_size=220)


def brightness(picture, point, radius=2):
    x, y = np.round(point).astype(int)
    return picture[y - radius : y + radius + 1, x - radius : x + radius + 1].mean()


class TestSyntheticFaces:
    def test_layout(self):
        faces = synthetic_faces(5, size=120, random_state=3)
        assert faces.scheme == SCHEME
        assert [image.shape for image in faces.images] == [(120, 120)] * 5
        assert all(image.dtype == np.uint8 for image in faces.images)
        np.testing.assert_array_equal(faces.boxes, landmark_box(faces.landmarks))
        assert len(set(faces.names)) == len(set(faces.groups)) == 5

    def test_same_seed_gives_the_same_faces(self):
        a, b = synthetic_faces(4, random_state=7), synthetic_faces(4, random_state=7)
        np.testing.assert_array_equal(a.landmarks, b.landmarks)
        for first, second in zip(a.images, b.images, strict=True):
            np.testing.assert_array_equal(first, second)

    def test_a_larger_set_begins_with_the_smaller_one(self):
        few, many = synthetic_faces(2, random_state=7), synthetic_faces(4, random_state=7)
        np.testing.assert_array_equal(few.landmarks, many.landmarks[:2])
        np.testing.assert_array_equal(few.images[1], many.images[1])

    def test_other_seeds_and_generators_give_other_faces(self):
        sets = [synthetic_faces(1, random_state=seed).landmarks for seed in (0, 1)]
        rng = np.random.default_rng(0)
        sets += [synthetic_faces(1, random_state=rng).landmarks for _ in range(2)]
        assert len({points.tobytes() for points in sets}) == 3  # a fresh generator is its seed
        assert sets[0].tobytes() == sets[2].tobytes()

    def test_faces_are_in_the_middle_with_the_margin_around(self):
        faces = synthetic_faces(30, random_state=1, margin=0.5, size=100)
        centers, sides = box_centers_sides(faces.boxes)
        assert np.abs(centers - 49.5).max() <= 0.04 * sides.max() + 1e-3
        assert np.all(np.abs(sides / 50 - 1) < 0.052)
        assert faces.landmarks.min() > 0
        assert faces.landmarks.max() < 99

    def test_people_share_a_group_and_an_identity(self):
        faces = synthetic_faces(
            6,
            faces_per_person=3,
            max_yaw=0,
            max_pitch=0,
            max_roll=0,
            expression=0,
            random_state=2,
            size=64,
        )
        assert faces.groups == ["person00000"] * 3 + ["person00001"] * 3
        centers, sides = box_centers_sides(faces.boxes)
        shapes = (faces.landmarks - centers[:, None]) / sides[:, None, None]
        within = np.abs(shapes[0] - shapes[2]).max()
        across = np.abs(shapes[0] - shapes[3]).max()
        assert within < 0.02 < across  # only the distance to the camera differs within

    def test_box_jitter(self):
        tight = synthetic_faces(60, size=32, random_state=4)
        loose = synthetic_faces(60, size=32, random_state=4, box_jitter=0.1)
        np.testing.assert_array_equal(tight.landmarks, loose.landmarks)
        centers, sides = box_centers_sides(tight.boxes)
        moved_centers, moved_sides = box_centers_sides(loose.boxes)
        assert np.std((moved_centers - centers) / sides[:, None]) == pytest.approx(0.1, rel=0.3)
        assert np.std(np.log(moved_sides / sides)) == pytest.approx(0.1, rel=0.35)

    def test_picture_and_points_are_related(self):
        """Ridge regression from small grey pictures must beat the mean shape by far."""
        faces = synthetic_faces(320, size=64, random_state=5, margin=0.2, occlusion=0)
        pictures = (
            np.stack([cv2.resize(i, (24, 24), interpolation=cv2.INTER_AREA) for i in faces.images])
            .reshape(320, -1)
            .astype(float)
        )
        pictures -= pictures.mean(axis=1, keepdims=True)
        pictures /= pictures.std(axis=1, keepdims=True)
        shapes = faces.landmarks.reshape(320, -1).astype(float)
        train, test = slice(0, 260), slice(260, 320)
        mean_picture, mean_shape = pictures[train].mean(axis=0), shapes[train].mean(axis=0)
        x = pictures - mean_picture
        gram = x[train] @ x[train].T + 100.0 * np.eye(260)
        predicted = x[test] @ x[train].T @ np.linalg.solve(gram, shapes[train] - mean_shape)
        left = np.abs(shapes[test] - mean_shape - predicted).mean()
        assert left < 0.62 * np.abs(shapes[test] - mean_shape).mean()

    @pytest.mark.parametrize(
        "changes",
        [
            *[
                {"n": 0},
                {"n": 2.5},
                {"size": 16},
                {"size": 4096},
                {"margin": 0},
                {"margin": np.nan},
            ],
            *[{"max_yaw": 61}, {"max_yaw": -1}, {"max_pitch": 50}, {"max_roll": 200}],
            *[{"expression": 2}, {"occlusion": -0.1}, {"faces_per_person": 0}, {"box_jitter": 1}],
            *[{"random_state": "seed"}, {"random_state": -1}, {"n": 10**9}],
        ],
    )
    def test_refuses_bad_parameters(self, changes):
        with pytest.raises(InvalidInputError):
            synthetic_faces(**{"n": 1, **changes})


class TestLandmarks:
    def test_the_mean_head_is_its_own_mirror_image(self):
        points = landmarks_of()
        mirrored = points[list(SCHEME.mirror)] * [-1, 1] + [10000, 0]
        np.testing.assert_allclose(mirrored, points, atol=0.01)

    @pytest.mark.parametrize("pitch", [0, 12])
    def test_opposite_yaws_mirror_each_other(self, pitch):
        left, right = landmarks_of(yaw=-25, pitch=pitch), landmarks_of(yaw=25, pitch=pitch)
        mirrored = left[list(SCHEME.mirror)] * [-1, 1] + [10000, 0]
        np.testing.assert_allclose(mirrored, right, atol=0.01)

    def test_roll_turns_the_picture_about_the_center(self):
        upright, rolled = landmarks_of(yaw=15) - 5000, landmarks_of(yaw=15, roll=30) - 5000
        sine, cosine = np.sin(np.pi / 6), np.cos(np.pi / 6)
        turn = np.array([[cosine, -sine], [sine, cosine]])  # clockwise, as y runs down
        np.testing.assert_allclose(rolled, upright @ turn.T, atol=0.01)

    def test_signs_of_yaw_and_pitch(self):
        tip = landmarks_of()[30]
        assert landmarks_of(yaw=20)[30, 0] > tip[0] + 2 * PIXELS_A_CENTIMETRE
        assert landmarks_of(pitch=20)[30, 1] < tip[1] - 2 * PIXELS_A_CENTIMETRE

    def test_proportions_are_human(self):
        points = landmarks_of() / PIXELS_A_CENTIMETRE
        eyes = points[45, 0] - points[36, 0]
        assert 1.35 < (points[16, 0] - points[0, 0]) / eyes < 1.75
        assert 1.15 < (points[8, 1] - points[[36, 45], 1].mean()) / eyes < 1.45
        assert 0.4 < (points[54, 0] - points[48, 0]) / eyes < 0.65
        rows = [points[list(part), 1].mean() for part in (BROWS, EYES, NOSE, MOUTH)]
        assert rows == sorted(rows)

    def test_points_scale_and_move_with_the_face(self):
        face, canvas = FaceParameters(yaw=10, smile=0.5), np.zeros((20, 20, 3), np.uint8)
        _, small = draw_face(face, canvas=canvas, center=(10, 12), face_size=30)
        _, large = draw_face(face, canvas=canvas, center=(-7, 5), face_size=90)
        np.testing.assert_allclose((large - [-7, 5]) / 3, small - [10, 12], atol=1e-3)

    def test_what_is_not_geometry_moves_nothing(self):
        changes = {"light": (-60.0, 10.0), "light_strength": 1.0, "brightness": 0.5, "skin": 1.0}
        changes |= {"hair_volume": 1.0, "beard": 1.0, "glasses": 1.0, "gaze": (1.0, 0.0)}
        assert moved(**changes).max() == 0

    def test_closing_an_eye_moves_its_lids_only(self):
        change = moved(eyes_closed=(1.0, 0.0))
        assert set(np.flatnonzero(change > 1e-4)) == {37, 38, 40, 41}
        points = landmarks_of(eyes_closed=(1.0, 0.0))
        np.testing.assert_allclose(points[[37, 38]], points[[41, 40]], atol=1e-2)

    def test_opening_the_mouth_moves_the_lower_jaw_only(self):
        change = moved(mouth_open=1.0)
        assert change[[*BROWS, *NOSE, *EYES]].max() < 0.02
        assert change[LOWER_MOUTH].min() > 1.0
        assert change[[50, 51, 52, 61, 62, 63]].max() < 0.15
        assert change[8] > 1.0

    def test_raising_the_brows_moves_the_brows(self):
        change = moved(brow_raise=1.0)
        assert change[list(BROWS)].min() > 0.4
        assert change[[*JAW, *NOSE[2:], *MOUTH]].max() < 0.01
        assert landmarks_of(brow_raise=1.0)[19, 1] < landmarks_of()[19, 1]

    def test_a_smile_draws_the_corners_of_the_mouth_up_and_apart(self):
        neutral, smiling = landmarks_of(), landmarks_of(smile=1.0)
        assert smiling[54, 0] - smiling[48, 0] > 1.15 * (neutral[54, 0] - neutral[48, 0])
        assert np.all(smiling[[48, 54], 1] < neutral[[48, 54], 1] - 0.4 * PIXELS_A_CENTIMETRE)
        assert moved(smile=1.0)[[*BROWS, *EYES]].max() < 0.02

    @pytest.mark.parametrize(
        ("mode", "moving", "still"),
        [
            ("nose length", [30, 33], [*BROWS, 8, 37]),
            ("eye distance", [36, 39, 42, 45], [8, 48, 54]),
            ("mouth width", [48, 54], [*BROWS, *EYES, 8]),
            ("chin length", [7, 8, 9], [*BROWS, *EYES, *NOSE]),
            ("jaw width", [4, 12], [*BROWS, 27, 28]),
            ("brow height", list(BROWS), [*MOUTH, 8]),
            ("asymmetry", [8, 57], [*BROWS, *EYES]),
        ],
    )
    def test_identity_values_move_what_they_name(self, mode, moving, still):
        change = moved(identity=identity(mode, 1.0))
        assert change[moving].min() > 0.1
        assert change[still].max() < 0.5 * change[moving].min()

    @pytest.mark.parametrize("yaw", [-35, -20, 20, 35])
    def test_far_jaw_points_lie_on_the_visible_edge(self, yaw):
        sky = np.full((400, 400, 3), (20, 40, 250), np.uint8)
        face = FaceParameters(yaw=yaw, hair_volume=0.0, light_strength=0.0)
        picture, points = draw_face(face, canvas=sky, face_size=220)
        outward, far = (-1, range(1, 6)) if yaw < 0 else (1, range(11, 16))
        for x, y in points[list(far)]:
            row, outside, inside = round(float(y)), x + 3 * outward, x - 3 * outward
            assert picture[row, round(float(outside))].tolist() == [20, 40, 250]
            assert picture[row, round(float(inside)), 2] < 200

    @settings(max_examples=25)
    @given(st.integers(0, 2**32), st.floats(0, 60), st.floats(0, 45), st.floats(0, 180))
    def test_any_random_face_can_be_drawn(self, seed, max_yaw, max_pitch, max_roll):
        face = random_face(seed, max_yaw=max_yaw, max_pitch=max_pitch, max_roll=max_roll)
        picture, points = draw_face(face, size=64)
        assert picture.shape == (64, 64, 3)
        assert points.shape == (68, 2)
        assert points.dtype == np.float32
        assert np.all((points > -10) & (points < 74))


class TestPicture:
    def test_the_iris_is_dark_and_the_white_of_the_eye_is_not(self, portrait):
        picture, points = portrait
        for eye in (range(36, 42), range(42, 48)):
            center = points[list(eye)].mean(axis=0)
            white = 0.35 * center + 0.65 * points[eye[3] if eye[0] == 36 else eye[0]] + [0, 1]
            assert brightness(picture, center) < 0.5 * brightness(picture, white, 0)

    def test_brows_are_darker_than_the_forehead(self, portrait):
        picture, points = portrait
        for brow in (19, 24):
            assert brightness(picture, points[brow], 1) < 0.75 * brightness(
                picture, points[brow] - [0, 20]
            )

    def test_lips_are_redder_than_the_cheek(self, portrait):
        picture, points = portrait

        def redness(point):
            red, green, _ = picture[round(float(point[1])), round(float(point[0]))].astype(float)
            return red / green

        cheek = (points[3] + points[48]) / 2
        for lip in ((points[51] + points[62]) / 2, (points[57] + points[66]) / 2):
            assert redness(lip) > 1.2 * redness(cheek)

    def test_an_open_mouth_is_dark_inside_and_has_teeth(self):
        face = FaceParameters(mouth_open=1.0, light=(0, 30))
        picture, points = draw_face(face, size=400, face_size=220)
        inside = (0.35 * points[62] + 0.65 * points[66]) - [0, 2]
        lip = (points[57] + points[66]) / 2
        assert brightness(picture, inside) < 0.6 * brightness(picture, lip)
        below_upper_lip = points[62] + [0, 4]
        assert brightness(picture, below_upper_lip, 1) > brightness(picture, inside) + 40

    def test_closed_eyes_show_no_eye_ball(self):
        picture, points = draw_face(FaceParameters(eyes_closed=(1, 0)), size=400, face_size=220)
        grey = picture.mean(axis=2)

        def darkest(first):
            x, y = np.round(points[first : first + 6].mean(axis=0)).astype(int)
            return grey[y - 8 : y - 2, x - 3 : x + 4].min()

        assert darkest(36) > darkest(42) + 40

    def test_light_falls_from_where_it_is_said_to(self):
        halves = {}
        for azimuth in (-70, 70):
            face = FaceParameters(light=(azimuth, 10), light_strength=1.0, hair_volume=0.0)
            picture, points = draw_face(face, size=200, face_size=110)
            cheeks = [brightness(picture, points[[i, 30]].mean(axis=0)) for i in (2, 14)]
            halves[azimuth] = cheeks[1] - cheeks[0]
        assert halves[-70] < -20
        assert halves[70] > 20

    def test_skin_tones_run_from_light_to_dark(self):
        tones = []
        for skin in (0.0, 0.5, 1.0):
            picture, points = draw_face(FaceParameters(skin=skin))
            tones.append(brightness(picture, points[29]))
        assert tones == sorted(tones, reverse=True)

    def test_same_parameters_same_picture(self):
        face = random_face(3)
        first, second = draw_face(face, random_state=1)[0], draw_face(face, random_state=1)[0]
        np.testing.assert_array_equal(first, second)

    def test_the_canvas_is_copied_and_kept_around_the_face(self):
        canvas = np.random.default_rng(0).integers(0, 256, (150, 300, 3)).astype(np.uint8)
        kept = canvas.copy()
        picture, points = draw_face(canvas=canvas, center=(60, 70), face_size=50)
        np.testing.assert_array_equal(canvas, kept)
        np.testing.assert_array_equal(picture[:, 200:], kept[:, 200:])
        assert np.any(picture[:, :100] != kept[:, :100])
        both, others = draw_face(canvas=picture, center=(230, 70), face_size=50)
        np.testing.assert_array_equal(both[:60, :100], picture[:60, :100])
        np.testing.assert_allclose(others - points, np.tile([170, 0], (68, 1)), atol=1e-3)

    @pytest.mark.parametrize("center", [(-500, 50), (50, 900), (2, 2), (98, 60)])
    def test_faces_may_leave_the_canvas(self, center):
        canvas = np.full((100, 100, 3), 7, np.uint8)
        picture, points = draw_face(canvas=canvas, center=center, face_size=60)
        assert picture.shape == canvas.shape
        assert np.all(np.isfinite(points))
        assert np.any(picture != 7) == (max(np.abs(center)) < 200)

    def test_a_face_detector_finds_the_faces(self):
        path = cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml"
        detector = cv2.CascadeClassifier(path)
        found = 0
        for seed in range(20):
            face = random_face(seed, max_yaw=12, max_pitch=8, max_roll=8, expression=0.5)
            picture, points = draw_face(face, size=240, face_size=100, random_state=seed)
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            boxes = detector.detectMultiScale(grey, 1.1, 3, minSize=(40, 40))
            boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], float).reshape(-1, 4)
            found += bool((iou(boxes, landmark_box(points)) > 0.4).any())
        assert found >= 16

    @pytest.mark.parametrize(
        "arguments",
        [
            {"parameters": {"yaw": 3}},
            {"size": 8},
            {"size": 10**6},
            {"canvas": np.zeros((50, 50), np.uint8)},
            {"canvas": np.zeros((50, 50, 3))},
            {"canvas": np.zeros((0, 50, 3), np.uint8)},
            {"center": (1, 2, 3)},
            {"center": (np.nan, 2)},
            {"center": "ab"},
            {"face_size": 0},
            {"face_size": 10**5},
        ],
    )
    def test_refuses_bad_arguments(self, arguments):
        with pytest.raises(InvalidInputError):
            draw_face(**arguments)


class TestParameters:
    def test_random_poses_keep_their_limits_and_favour_the_front(self):
        rng = np.random.default_rng(0)
        faces = [random_face(rng, max_yaw=40, max_pitch=10, max_roll=25) for _ in range(800)]
        poses = np.array([(face.yaw, face.pitch, face.roll) for face in faces])
        limits = np.array([40, 10, 25])
        assert np.all(np.abs(poses) <= limits)
        np.testing.assert_allclose(poses.mean(axis=0) / limits, 0, atol=0.06)
        np.testing.assert_allclose(poses.std(axis=0) / limits, 0.48, atol=0.05)
        people = np.array([face.identity for face in faces])
        np.testing.assert_allclose(people.std(axis=0), 1, atol=0.12)
        assert np.abs(np.corrcoef(people.T) - np.eye(len(IDENTITY_MODES))).max() < 0.16

    def test_no_expression(self):
        face = random_face(5, expression=0)
        assert (face.mouth_open, face.smile, face.pucker, face.brow_raise) == (0, 0, 0, 0)
        assert face.eyes_closed == (0, 0)

    def test_looks_do_not_depend_on_the_limits_of_the_pose(self):
        wide, narrow = random_face(9, max_yaw=60), random_face(9, max_yaw=0)
        assert narrow.yaw == 0
        assert dataclasses.replace(wide, yaw=0.0) == narrow

    def test_replace(self):
        face = FaceParameters().replace(yaw=12, identity=[1] * 16)
        assert face.yaw == 12
        assert face.identity == (1.0,) * 16
        with pytest.raises(InvalidInputError, match="yow"):
            face.replace(yow=3)

    @pytest.mark.parametrize(
        "changes",
        [
            *[{"yaw": 90}, {"yaw": np.nan}, {"yaw": "left"}, {"roll": None}, {"pitch": True}],
            *[{"identity": (0.0,) * 3}, {"identity": 1.0}, {"identity": (9.0,) * 16}],
            *[{"identity": "abcdefghijklmnop"}, {"eyes_closed": (0, 2)}, {"gaze": (0,)}],
            *[{"light": (0, [1])}, {"hair_color": (0, 0, 300)}, {"texture": -1}],
            *[{"texture": 0.5}, {"distance": 10}, {"skin": 1.1}, {"beard": -0.1}],
        ],
    )
    def test_refuses_bad_values(self, changes):
        with pytest.raises(InvalidInputError, match=next(iter(changes))):
            FaceParameters(**changes)
