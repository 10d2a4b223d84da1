"""Batches: points move with the pixels, draws follow from the seed alone, threads end."""

import contextlib
import gc
import threading
import time

import numpy as np
import pytest

from classicface.cnn.pipeline import Batches
from classicface.exceptions import InvalidInputError
from classicface.image.augment import Augmentation
from classicface.image.crop import crop_face, crop_pose
from classicface.shape.boxes import landmark_box
from classicface.shape.similarity import apply_similarity

NONE = Augmentation.none()
GEOMETRIC = Augmentation(
    25.0, 0.2, 0.12, True, contrast=0, brightness=0, gamma=0, lighting=0, blur=0,
    low_resolution=0, noise=0, occlusion=0,
)  # fmt: skip

# Five points far apart, each with a grey of its own; in a mirror 0 and 1 change places, 3 and 4.
POINTS = np.array([[-0.5, -0.4], [0.5, -0.35], [0.05, 0.05], [-0.35, 0.45], [0.4, 0.5]])
GREYS = np.array([250.0, 90, 170, 130, 210])
MIRROR = (1, 0, 2, 4, 3)


def dotted_faces(n, side=80.0, shape=(220, 200), seed=0):
    """Return pictures with a bright dot at each landmark, the landmarks and their boxes."""
    rng = np.random.default_rng(seed)
    images, landmarks = [], []
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    for _ in range(n):
        points = POINTS * side + rng.uniform(-3, 3, (5, 2)) + [shape[1] / 2, shape[0] / 2]
        image = np.zeros(shape)
        for (px, py), grey in zip(points, GREYS, strict=True):
            square = (x - px) ** 2 + (y - py) ** 2
            image = np.maximum(image, grey * np.exp(-square / (2 * (side / 20) ** 2)))
        images.append(np.rint(image).astype(np.uint8))
        landmarks.append(points)
    landmarks = np.array(landmarks, np.float32)
    return images, landmarks, landmark_box(landmarks)


def make(n=20, augmentation=GEOMETRIC, *, size=48, batch_size=8, seed=0, n_workers=2, ahead=4, **k):
    faces = dotted_faces(n, **k)
    return Batches(*faces, MIRROR, size, 0.5, augmentation, batch_size, seed, n_workers, ahead)


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("classicface-batches")]


def wait_for_the_end(seconds=5.0):
    end = time.monotonic() + seconds
    while workers() and time.monotonic() < end:
        time.sleep(0.01)
    assert not workers()


def same(first, second):
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def spot(pixels, place, radius):
    """Return the centre of mass near a place, and the largest grey there."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(float)
    mass = pixels * ((x - place[0]) ** 2 + (y - place[1]) ** 2 <= radius**2)
    return np.array([(x * mass).sum(), (y * mass).sum()]) / max(mass.sum(), 1), mass.max()


@pytest.mark.parametrize("side", [30.0, 80.0, 160.0])
def test_points_move_with_the_pixels(side):
    size = 96
    shape = (round(3 * side), round(3.1 * side))
    batches = make(60, size=size, batch_size=60, side=side, shape=shape)
    mirrored = 0
    for pixels, points, weights in batches.epoch(3):
        assert pixels.shape == (60, size, size, 1)
        assert pixels.dtype == np.uint8
        assert points.shape == (60, 5, 2)
        assert points.dtype == weights.dtype == np.float32
        assert np.all(weights == 1)
        for view, face in zip(pixels[..., 0], points, strict=True):
            inside = np.all((face > 8) & (face < size - 9), axis=1)
            found = [spot(view, place, 7) for place in face]
            for k in np.flatnonzero(inside):
                assert np.linalg.norm(found[k][0] - face[k]) < 0.25
            if inside.all():
                greys = np.array([grey for _, grey in found])
                plain = np.corrcoef(greys, GREYS)[0, 1]
                flipped = np.corrcoef(greys, GREYS[list(MIRROR)])[0, 1]
                assert max(plain, flipped) > 0.98
                mirrored += flipped > plain
    assert 15 <= mirrored <= 45


def test_without_augmentation_a_view_is_the_crop_of_prediction():
    images, landmarks, boxes = dotted_faces(12, side=130.0, shape=(301, 333))
    noise = np.random.default_rng(0)
    images = [image // 2 + noise.integers(0, 100, image.shape, np.uint8) for image in images]
    batches = Batches(images, landmarks, boxes, MIRROR, 32, 0.25, NONE, 4, 0, 1)
    seen = {view.tobytes(): points for views, faces, _ in batches.epoch(0)
            for view, points in zip(views, faces, strict=True)}  # fmt: skip
    for image, points, (x0, y0, x1, y1) in zip(images, landmarks, boxes.tolist(), strict=True):
        pose = crop_pose(((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, y1 - y0), 32, 0.25)
        expected = apply_similarity(pose, points.astype(np.float64))
        found = seen.pop(crop_face(image, pose, 32).tobytes())
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not seen


def test_threads_change_nothing():
    full = Augmentation()
    expected = list(make(augmentation=full, n_workers=1, ahead=1).epoch(5))
    same(make(augmentation=full, n_workers=3, ahead=2).epoch(5), expected)
    again = make(augmentation=full, n_workers=2, ahead=10)
    list(again.epoch(4))
    same(again.epoch(5), expected)


def test_seed_and_epoch_change_everything():
    first = next(make(seed=0).epoch(0))
    for other in (next(make(seed=0).epoch(1)), next(make(seed=1).epoch(0))):
        for a, b in zip(first[:2], other[:2], strict=True):
            assert not np.array_equal(a, b)


def test_a_sample_does_not_depend_on_its_batch():
    def views(batch_size):
        return {view.tobytes() for batch in make(24, batch_size=batch_size).epoch(1)
                for view in batch[0]}  # fmt: skip

    assert views(6) == views(8)


@pytest.mark.parametrize(("n", "batch_size", "sizes"), [
    (20, 8, [8, 8]), (16, 8, [8, 8]), (5, 8, [5]), (1, 1, [1]), (3, 1, [1, 1, 1]),
])  # fmt: skip
def test_steps_of_an_epoch(n, batch_size, sizes):
    batches = make(n, NONE, batch_size=batch_size)
    assert batches.n_steps == len(sizes)
    orders = set()
    for number in range(12):
        views = [batch[0] for batch in batches.epoch(number)]
        assert [len(view) for view in views] == sizes
        order = [view.tobytes() for view in np.concatenate(views)]
        assert len(set(order)) == sum(sizes)  # no face twice
        orders.add(tuple(order))
    assert (len(orders) > 1) == (n > 1)


def test_a_missing_landmark_has_no_weight():
    images, landmarks, boxes = dotted_faces(16)
    whole = Batches(images, landmarks, boxes, MIRROR, 48, 0.5, GEOMETRIC, 16, 0, 1)
    gone = landmarks.copy()
    gone[:, 3] = np.nan
    batches = Batches(images, gone, boxes, MIRROR, 48, 0.5, GEOMETRIC, 16, 0, 1)
    (_, points, weights), (_, expected, _) = next(batches.epoch(0)), next(whole.epoch(0))
    missing = weights == 0
    assert np.all(missing.sum(axis=1) == 1)
    assert set(np.nonzero(missing)[1]) == {3, 4}  # 4 where mirrored
    assert np.all(points[missing] == 0)
    np.testing.assert_array_equal(points[~missing], expected[~missing])


@pytest.mark.parametrize("mirror", [(), MIRROR])
def test_no_face_is_mirrored_where_that_is_not_wanted_or_known(mirror):
    images, landmarks, boxes = dotted_faces(16)
    augmentation = Augmentation.none() if mirror else Augmentation(0.0, 0.0, 0.0, True)
    batches = Batches(images, landmarks, boxes, mirror, 48, 0.5, augmentation, 16, 0, 1)
    for number in range(3):
        points = next(batches.epoch(number))[1]
        assert np.all(points[:, 0, 0] < points[:, 1, 0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (2, 3), (60, 60)])
@pytest.mark.parametrize("place", [(0, 0), (59, 59), (-30, 20), (500, 500)])
def test_faces_at_the_edge_and_tiny_pictures(shape, place):
    landmarks = (POINTS * 40 + place).astype(np.float32)[None]
    image = np.full(shape, 77, np.uint8)
    batches = Batches(
        [image], landmarks, landmark_box(landmarks), MIRROR, 16, 0.3, GEOMETRIC, 4, 0, 1
    )
    for number in range(5):
        pixels, points, _ = next(batches.epoch(number))
        assert np.all(pixels == 77)
        assert np.isfinite(points).all()


def test_an_iterator_that_is_closed_early_leaves_no_thread():
    batches = make(60, batch_size=2)
    with contextlib.closing(batches.epoch(0)) as epoch:
        next(epoch)
        assert workers()
    assert not workers()
    epoch = batches.epoch(1)
    next(epoch)
    del epoch
    gc.collect()
    wait_for_the_end()
    batches.epoch(2)  # not even begun
    assert len(list(batches.epoch(3))) == 30
    assert not workers()


def test_an_error_in_a_worker_reaches_the_consumer(monkeypatch):
    batches = make(60, batch_size=2)
    made = batches._batch

    def failing(number, faces):
        if 17 in faces:
            raise MemoryError("no room for face 17")
        return made(number, faces)

    monkeypatch.setattr(batches, "_batch", failing)
    with pytest.raises(MemoryError, match="face 17"):
        list(batches.epoch(0))
    wait_for_the_end()


def test_an_error_of_the_consumer_ends_the_threads():
    def consume():
        for _ in make(60, batch_size=2).epoch(0):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    gc.collect()
    wait_for_the_end()


def test_no_more_is_made_ahead_than_asked(monkeypatch):
    batches = make(60, batch_size=2, ahead=3)
    made = []
    work = batches._batch
    monkeypatch.setattr(
        batches, "_batch", lambda number, faces: (made.append(1), work(number, faces))[1]
    )
    epoch = batches.epoch(0)
    for taken in range(1, 5):
        next(epoch)
        time.sleep(0.05)
        assert taken <= len(made) <= taken + 3
    epoch.close()


def test_large_faces_are_kept_small_and_small_ones_as_views():
    images, landmarks, boxes = dotted_faces(3, side=400.0, shape=(1400, 1500))
    batches = Batches(images, landmarks, boxes, MIRROR, 32, 0.25, Augmentation(), 2, 0, 1)
    for face, image in zip(batches._faces, images, strict=True):
        assert face.pixels.size < (2 * 32 * 2.5) ** 2
        assert not np.shares_memory(face.pixels, image)
    images, landmarks, boxes = dotted_faces(3, side=30.0)
    batches = Batches(images, landmarks, boxes, MIRROR, 64, 0.25, Augmentation(), 2, 0, 1)
    for face, image in zip(batches._faces, images, strict=True):
        assert np.shares_memory(face.pixels, image)


@pytest.mark.parametrize(("name", "value"), [
    ("size", 0), ("batch_size", 0), ("seed", -1), ("n_workers", 0), ("ahead", 0), ("size", 1.5),
])  # fmt: skip
def test_numbers_out_of_range_are_refused(name, value):
    with pytest.raises(InvalidInputError, match=name):
        make(2, **{name: value})


def test_inputs_that_do_not_fit_together_are_refused():
    images, landmarks, boxes = dotted_faces(3)
    for faces in ([], [], []), (images, landmarks[:2], boxes), (images[:2], landmarks, boxes):
        with pytest.raises(InvalidInputError, match="one of each a face"):
            Batches(*faces, MIRROR, 48, 0.5, NONE, 8, 0, 1)


def test_real_faces_lie_under_their_points(data_dir):
    """A turned view, turned back by its points, looks like the plain crop."""
    import cv2

    from classicface.data.dataset import load_dataset
    from classicface.shape.similarity import fit_similarity

    faces = load_dataset(data_dir / "300w" / "helen" / "testset").subset(range(12))
    for i, image in enumerate(faces.images):
        face = ([image], faces.landmarks[i : i + 1], faces.boxes[i : i + 1], faces.scheme.mirror)
        (pixels,), (points,), _ = next(Batches(*face, 64, 0.25, GEOMETRIC, 1, i, 1).epoch(0))
        (plain,), (target,), _ = next(Batches(*face, 64, 0.25, NONE, 1, 0, 1).epoch(0))
        if np.linalg.norm(apply_similarity(fit_similarity(points, target), points) - target) > 0.1:
            pixels, points = pixels[:, ::-1], faces.scheme.mirror_points(points, 64)
        a, b, x, y = fit_similarity(points, target)
        left = apply_similarity(np.array([a, b, x, y]), points) - target
        assert np.abs(left).max() < 0.01
        matrix = np.array([[a, -b, x], [b, a, y]])
        back = cv2.warpAffine(np.ascontiguousarray(pixels), matrix, (64, 64))
        shown = cv2.warpAffine(np.ones((64, 64), np.float32), matrix, (64, 64)) == 1
        assert shown.mean() > 0.2
        assert np.corrcoef(back[shown], plain[shown, 0])[0, 1] > 0.9
