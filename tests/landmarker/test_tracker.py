from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import classicface
from classicface.data.synthetic import FilmFrame
from classicface.exceptions import InvalidInputError
from classicface.landmarker import Faces, FaceTracker, Landmarker, TrackerOptions
from classicface.metrics import nme
from classicface.shape.boxes import landmark_box

BLANK = np.full((240, 320, 3), 127, np.uint8)


class Watched:
    """A detector that counts its calls."""

    def __init__(self) -> None:
        self.detector = classicface.get_detector("haar", min_face=60)
        self.calls = 0

    def __call__(self, image: Any) -> NDArray[np.float32]:
        self.calls += 1
        found = self.detector.detect(image)
        return np.column_stack([found.boxes, found.scores])


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker("ert68", classicface.get_detector("haar", min_face=60))


def follow(tracker: FaceTracker, film: list[FilmFrame], start: float = 0.0) -> list[Faces]:
    return [tracker.update(frame.image, start + frame.time) for frame in film]


def owners(film: list[FilmFrame], seen: list[Faces]) -> list[dict[int, int]]:
    """Return, for each frame, which actor each number lies on: the one with the nearest centre."""
    result = []
    for frame, faces in zip(film, seen, strict=True):
        actors = landmark_box(frame.landmarks).reshape(-1, 2, 2).mean(axis=1)
        found = landmark_box(faces.measured).reshape(-1, 2, 2).mean(axis=1)
        near = np.hypot(*(found[:, None] - actors[None]).transpose(2, 0, 1))
        result.append(dict(zip(faces.ids.tolist(), near.argmin(axis=1).tolist(), strict=True)))
    return result


def test_one_face_keeps_its_number_and_the_detector_rests(walk: list[FilmFrame]) -> None:
    watched = Watched()
    seen = follow(Landmarker("ert68", watched).tracker(), walk)
    assert [faces.ids.tolist() for faces in seen] == [[0]] * len(walk)
    assert watched.calls == 2  # at 0 and at 1 second
    errors = [
        nme(faces.measured, frame.landmarks, faces.scheme, "interocular")[0]
        for frame, faces in zip(walk, seen, strict=True)
    ]
    assert np.mean(errors) < 0.12
    assert np.isfinite(seen[0].scores).all()
    assert np.isnan(seen[1].scores).all()


def test_numbers_are_kept_through_a_crossing(
    landmarker: Landmarker, crossing: list[FilmFrame]
) -> None:
    seen = follow(landmarker.tracker(), crossing)
    who = owners(crossing, seen)
    first, last = who[2], who[-1]
    assert len(first) == 2
    assert first == last
    for now in who:
        assert all(first.get(identity, actor) == actor for identity, actor in now.items())
    assert {identity for now in who for identity in now} == set(first)


def test_a_lost_face_returns_under_its_number_within_the_memory(
    landmarker: Landmarker, walk: list[FilmFrame]
) -> None:
    tracker = landmarker.tracker(TrackerOptions(memory=1.0))
    assert follow(tracker, walk[:5])[-1].ids.tolist() == [0]
    for i in range(12):
        gone = tracker.update(BLANK, 0.2 + i / 30)
    assert len(gone) == 0
    assert follow(tracker, walk[:6], 0.61)[-1].ids.tolist() == [0]
    for i in range(45):
        tracker.update(BLANK, 1.0 + i / 30)
    assert follow(tracker, walk[:6], 3.0)[-1].ids.tolist() == [1]


def test_a_covered_face_is_lost_at_once(landmarker: Landmarker, walk: list[FilmFrame]) -> None:
    tracker = landmarker.tracker()
    follow(tracker, walk[:5])
    covered = walk[5].image.copy()
    x0, y0, x1, y1 = landmark_box(walk[5].landmarks[0]).astype(int).tolist()
    rng = np.random.default_rng(0)
    covered[y0:y1, x0:x1] = rng.integers(0, 255, (y1 - y0, x1 - x0, 1))
    assert len(tracker.update(covered, walk[5].time)) == 0


def test_a_cut_to_somebody_else_gives_a_new_number(
    landmarker: Landmarker, crossing: list[FilmFrame], walk: list[FilmFrame]
) -> None:
    tracker = landmarker.tracker()
    follow(tracker, walk[:3])
    after = follow(tracker, crossing[:18], 0.2)
    assert all(0 not in faces.ids.tolist() for faces in after)
    assert len(after[-1]) == 2


def test_nothing_is_found_in_nothing(landmarker: Landmarker) -> None:
    faces = landmarker.tracker().update(BLANK, 0.0)
    assert len(faces) == 0
    assert faces.landmarks.shape == (0, 68, 2)
    assert faces.boxes.shape == (0, 4)
    assert len(faces.largest()) == 0


def test_searches_go_on_while_no_face_is_there() -> None:
    watched = Watched()
    tracker = Landmarker("ert68", watched).tracker()
    for i in range(30):
        tracker.update(BLANK, i / 30)
    assert watched.calls == 10


def test_time_must_move_on(landmarker: Landmarker) -> None:
    tracker = landmarker.tracker()
    tracker.update(BLANK, 1.0)
    for time in (1.0, 0.5):
        with pytest.raises(InvalidInputError, match="must come in order"):
            tracker.update(BLANK, time)
    with pytest.raises(InvalidInputError, match="time is nan"):
        tracker.update(BLANK, float("nan"))
    tracker.reset()
    tracker.update(BLANK, 0.0)


def test_points_are_smoothed_unless_asked_not_to(
    landmarker: Landmarker, walk: list[FilmFrame]
) -> None:
    plain = follow(landmarker.tracker(TrackerOptions(smooth=False)), walk[:10])
    smooth = follow(landmarker.tracker(), walk[:10])
    for a, b in zip(plain, smooth, strict=True):
        np.testing.assert_array_equal(a.landmarks, a.measured)
        np.testing.assert_array_equal(a.measured, b.measured)
    assert np.abs(smooth[-1].landmarks - smooth[-1].measured).max() > 0
    side = np.ptp(smooth[-1].measured, axis=1).max()
    assert np.abs(smooth[-1].landmarks - smooth[-1].measured).max() < 0.05 * side


def test_the_same_film_gives_the_same_points(landmarker: Landmarker, walk: list[FilmFrame]) -> None:
    once, again = follow(landmarker.tracker(), walk[:8]), follow(landmarker.tracker(), walk[:8])
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a.landmarks, b.landmarks)


def test_no_more_faces_than_asked_for(landmarker: Landmarker, crossing: list[FilmFrame]) -> None:
    seen = follow(landmarker.tracker(TrackerOptions(max_faces=1)), crossing[:5])
    assert [len(faces) for faces in seen] == [1] * 5


def test_a_scheme_without_a_fit_needs_the_detector(walk: list[FilmFrame]) -> None:
    """Points that cannot be judged are dropped when the detector no longer sees the face."""
    from classicface.data.synthetic import synthetic_faces

    drawn = synthetic_faces(40)
    few = classicface.ERTFitter(n_stages=2, n_trees=10, random_state=0).fit(
        drawn.images, drawn.landmarks[:, 27:48], drawn.boxes
    )
    tracker = Landmarker(few, Watched()).tracker(TrackerOptions(search_every=0.1))
    faces = follow(tracker, walk[:5])[-1]
    assert len(faces) == 1
    assert np.isnan(faces.fits).all()
    gone = [len(tracker.update(BLANK, 1.0 + i / 10)) for i in range(5)]
    assert gone[-1] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("search_every", -1.0),
        ("memory", float("nan")),
        ("keep_fit", 2.0),
        ("max_jump", 0.0),
        ("max_faces", 0),
        ("smooth", "yes"),
    ],
)
def test_options_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=name):
        TrackerOptions(**{name: value})
