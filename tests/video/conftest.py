"""Small real films for the tests, written with VideoWriter."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from classicface.video import VideoWriter

Images = list[Any]


def moving_scene(n: int, width: int = 96, height: int = 64) -> Images:
    """Return RGB pictures of a disc that moves over a background that moves the other way."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    ground = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    images = []
    for i in range(n):
        image = np.roll(ground, 2 * i, axis=1).copy()
        cv2.circle(image, (20 + i, height // 2), 10, (255, 200, 150), -1)
        images.append(image)
    return images


@pytest.fixture(scope="session")
def scene() -> Callable[..., Images]:
    return moving_scene


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return films of 30 frames at 25 frames a second, by their endings."""
    pytest.importorskip("av", reason="needs PyAV")
    folder = tmp_path_factory.mktemp("films")
    paths = {}
    for ending in ("mp4", "mkv", "avi", "webm"):
        paths[ending] = folder / f"film.{ending}"
        with VideoWriter(paths[ending], fps=25) as out:
            for image in moving_scene(30):
                out.write(image)
    return paths


@pytest.fixture
def encode(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a film with PyAV alone, so that any codec and container go."""
    av = pytest.importorskip("av", reason="needs PyAV")

    def write(
        name: str,
        codec: str = "libx264",
        n: int = 30,
        pixels: str = "yuv420p",
        prepare: Callable[[Any], None] | None = None,
        **options: str,
    ) -> Path:
        if codec not in av.codecs_available:
            pytest.skip(f"this build of PyAV has no {codec}")
        path = tmp_path / name
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
            if prepare is not None:
                prepare(stream)
            for image in moving_scene(n):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            out.mux(stream.encode(None))
        return path

    return write
