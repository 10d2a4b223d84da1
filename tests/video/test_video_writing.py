"""VideoWriter: what is written can be read back, exactly in time, and never half."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classicface.exceptions import DataFormatError, InvalidInputError, MissingDependencyError
from classicface.video import VideoWriter, open_video

av = pytest.importorskip("av", reason="needs PyAV")


def times_of(path: Path) -> list[float]:
    with open_video(path) as video:
        times = [frame.time for frame in video]
        assert video.faults == []
        if path.suffix in (".mp4", ".avi"):  # others do not say how many there are
            assert len(times) == video.n_frames
        return times


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm"])
def test_given_times_are_kept(scene: Any, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"film.{ending}"
    times = 5.0 + np.cumsum(np.random.default_rng(3).uniform(0.005, 0.4, 25))
    with VideoWriter(path, fps=30) as out:
        for image, time in zip(scene(25), times, strict=True):
            out.write(image, time=time)
    # Matroska keeps milliseconds, mp4 ticks of 1/90000 s.
    atol = 6e-6 if ending == "mp4" else 5.1e-4
    np.testing.assert_allclose(times_of(path), times - times[0], atol=atol)


@pytest.mark.parametrize("fps", [1, 10, 23.976, 24, 25, 29.97, 30, 60, 120, 240])
def test_usual_rates_are_kept(scene: Any, tmp_path: Path, fps: float) -> None:
    for ending, atol in (("mp4", 6e-6), ("avi", 1e-3)):
        path = tmp_path / f"film.{ending}"
        with VideoWriter(path, fps=fps) as out:
            for image in scene(12):
                out.write(image)
        np.testing.assert_allclose(times_of(path), np.arange(12) / fps, atol=atol)
        with open_video(path) as video:
            assert video.fps == pytest.approx(fps, rel=2e-3)


def test_frames_without_a_time_follow_the_one_before(scene: Any, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps=10) as out:
        for image, time in zip(scene(4), [None, 0.5, None, 0.75], strict=True):
            out.write(image, time=time)
    np.testing.assert_allclose(times_of(tmp_path / "a.mp4"), [0, 0.5, 0.6, 0.75], atol=1e-5)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "webm"])
@pytest.mark.parametrize("size", [(33, 21), (32, 21), (33, 22), (1, 1), (2, 1)])
def test_odd_sides_are_filled_up(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    width, height = size
    image = np.full((height, width, 3), 60, np.uint8)
    image[:, width // 2 :] = 200
    path = tmp_path / f"odd.{ending}"
    if ending == "webm" and min(size) < 2:
        pytest.skip("too small for VP9")
    with VideoWriter(path, fps=25, quality=100) as out:
        for _ in range(3):
            out.write(image)
    with open_video(path) as video:
        assert video.size == (width + width % 2, height + height % 2)
        frame = next(iter(video)).image
    assert np.abs(frame[:height, :width].astype(int) - image).mean() < 12


def test_grey_pictures_are_written(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1))
    with VideoWriter(tmp_path / "grey.mp4", fps=25, quality=95) as out:
        out.write(ramp)
        out.write(ramp[:, ::-1])  # not contiguous
    with open_video(tmp_path / "grey.mp4") as video:
        first, second = (frame.image for frame in video)
    assert np.abs(first.astype(int) - ramp[:, :, None]).mean() < 6
    assert np.abs(second.astype(int) - ramp[:, ::-1, None]).mean() < 6


def test_colours_come_back_and_are_named(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :16, 0] = image[:, 16:32, 1] = image[:, 32:48, 2] = 230
    for ending in ("mp4", "mkv", "avi", "webm"):
        path = tmp_path / f"colours.{ending}"
        with VideoWriter(path, fps=25, quality=95) as out:
            out.write(image)
        with open_video(path) as video:
            frame = next(iter(video)).image.astype(int)
        for at in (8, 24, 40, 56):
            assert np.abs(frame[24, at] - image[24, at]).max() < 12
    with av.open(str(tmp_path / "colours.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.colorspace) == ("h264", "yuv420p", 1)


def test_quality_goes_from_small_to_good(scene: Any, tmp_path: Path) -> None:
    for ending in ("mp4", "avi", "webm"):
        sizes, errors = [], []
        for quality in (0, 50, 100):
            path = tmp_path / f"{quality}.{ending}"
            with VideoWriter(path, fps=25, quality=quality) as out:
                for image in scene(10):
                    out.write(image)
            sizes.append(path.stat().st_size)
            with open_video(path) as video:
                errors.append(
                    np.mean(
                        [
                            np.abs(f.image - i.astype(int)).mean()
                            for f, i in zip(video, scene(10), strict=True)
                        ]
                    )
                )
        assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True)


def test_browsers_can_start_before_the_end(films: Any) -> None:
    data = films["mp4"].read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_same_frames_give_the_same_file(scene: Any, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        with VideoWriter(tmp_path / name, fps=25) as out:
            for image in scene(10):
                out.write(image)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_file_appears_when_it_is_complete(scene: Any, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older")
    with VideoWriter(path, fps=25) as out:
        for image in scene(10):
            out.write(image)
            assert path.read_bytes() == b"older"
    assert len(times_of(path)) == 10
    assert list(tmp_path.iterdir()) == [path]


class StoppedError(OSError):
    """Stands for an error of the caller's own."""


def test_an_error_leaves_nothing_and_stays_the_callers(scene: Any, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older")
    with pytest.raises(StoppedError), VideoWriter(path, fps=25) as out:
        out.write(scene(1)[0])
        raise StoppedError
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InvalidInputError, match="inside the with block"):
        out.write(scene(1)[0])


def test_no_frames_no_video(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "film.mp4", fps=25)
    with pytest.raises(InvalidInputError, match="no frame was written"), writer:
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_frame_is_refused(scene: Any, tmp_path: Path) -> None:
    image = scene(1)[0]
    bad: list[Any] = [
        image.astype(float),
        image[:0],
        np.zeros((4, 4, 4), np.uint8),
        np.zeros(4, np.uint8),
        np.uint8(3),
        None,
        image[1:],  # of another size than the first
        np.zeros((1, 100_000_000), np.uint8),
    ]
    with VideoWriter(tmp_path / "film.mp4", fps=25) as out:
        out.write(image)
        for other in bad:
            with pytest.raises(InvalidInputError):
                out.write(other)
        out.write(image)
    assert len(times_of(tmp_path / "film.mp4")) == 2


def test_times_must_grow(scene: Any, tmp_path: Path) -> None:
    image = scene(1)[0]
    with VideoWriter(tmp_path / "film.mp4", fps=25) as out:
        out.write(image, time=1.0)
        for time in (1.0, 0.5, 1.000001, float("nan"), float("inf"), "2"):
            with pytest.raises(InvalidInputError):
                out.write(image, time=time)
        out.write(image, time=1.5)
    np.testing.assert_allclose(times_of(tmp_path / "film.mp4"), [0, 0.5])


def test_avi_refuses_times_that_it_cannot_keep(scene: Any, tmp_path: Path) -> None:
    image = scene(1)[0]
    with VideoWriter(tmp_path / "film.avi", fps=25) as out:
        out.write(image, time=3.0)
        with pytest.raises(InvalidInputError, match="only multiples"):
            out.write(image, time=3.05)
        out.write(image, time=3.04)
    np.testing.assert_allclose(times_of(tmp_path / "film.avi"), [0, 0.04])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film", {}),
        ("film.gif", {}),
        ("film.mp4", {"fps": 0}),
        ("film.mp4", {"fps": float("nan")}),
        ("film.mp4", {"quality": 101}),
        ("film.mp4", {"quality": 7.5}),
    ],
)
def test_parameters_are_checked(tmp_path: Path, name: str, options: Any) -> None:
    with pytest.raises(InvalidInputError):
        VideoWriter(tmp_path / name, **{"fps": 25, **options})


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="cannot be written"):
        VideoWriter(tmp_path / "absent" / "film.mp4", fps=25).__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
import json, resource, signal, sys
import numpy as np
from classicface.exceptions import DataFormatError
from classicface.video import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
noise = np.random.default_rng(0)
try:
    with VideoWriter(sys.argv[1], fps=25, quality=100) as out:
        for _ in range(60):
            out.write(noise.integers(0, 256, (120, 160, 3), np.uint8))
except DataFormatError as error:
    print(json.dumps(str(error)))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "film.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot be written" in json.loads(done.stdout)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_encoder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = av.codecs_available - {"libx264"}
    monkeypatch.setattr(av, "codecs_available", there)
    with pytest.raises(MissingDependencyError, match=r"lacks the encoder libx264; it has mpeg4"):
        VideoWriter(tmp_path / "film.mp4", fps=25)
    monkeypatch.setattr(av, "codecs_available", set())
    with pytest.raises(MissingDependencyError, match="it has none"):
        VideoWriter(tmp_path / "film.avi", fps=25)


def test_missing_pyav_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match="classicface"):
        VideoWriter(tmp_path / "film.mp4", fps=25)
