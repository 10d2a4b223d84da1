"""Align faces: chips in each template, a mean face from a turning head, points there and back.

    python examples/align_faces.py [FOLDER]

Writes align-templates.jpg (a photograph and two drawn faces, their chips) and align-frontal.jpg (a
head that turns: plain chips, the frontal warp, what it really shows) to FOLDER.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from skimage.data import astronaut

import classicface
from classicface import draw_landmarks, get_detector, write_image
from classicface.apps.align import align_face, frontalize
from classicface.data.synthetic import FaceParameters, draw_face, random_face
from classicface.plotting import grid

SIDE = 128  # of each picture, in pixels
LABEL = 18
TEMPLATES = ("arcface112", "dlib150", "eyes", "all")


def labelled(picture: np.ndarray, text: str) -> np.ndarray:
    """Write a word above a picture."""
    strip = np.full((LABEL, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([strip, picture])


def before(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the surroundings of a face with its points, upright as the picture is."""
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    half = 0.8 * float(np.ptp(points, axis=0).max())
    to_tile = np.column_stack([np.eye(2), half - center]) * SIDE / (2 * half)
    shown = cv2.warpAffine(
        picture, to_tile, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    in_tile = points @ to_tile[:, :2].T + to_tile[:, 2]
    return draw_landmarks(shown, in_tile.astype(np.float32), "ibug68")


def templates() -> np.ndarray:
    """Draw a row for each of three faces: the picture, a chip in each template, the mean face."""
    photograph = astronaut()
    boxes = get_detector("haar")(photograph).boxes[:1]
    faces = [(photograph, classicface.load("best68").predict(photograph, boxes)[0])]
    faces += [draw_face(random_face(seed), size=480, random_state=seed) for seed in (7, 14)]
    rows = []
    for i, (picture, points) in enumerate(faces):
        tiles = [before(picture, points)]
        for name in TEMPLATES:
            chip = align_face(picture, points, "ibug68", name, size=SIDE)
            # A chip knows the way back: its corners, and any point, in the picture.
            assert np.abs(chip.to_image(chip.landmarks) - points).max() < 0.01
            tiles.append(chip.pixels)
        face = frontalize(picture, points, "ibug68", size=SIDE)
        around = frontalize(picture, points, "ibug68", size=SIDE, surroundings=True)
        tiles += [face.pixels, around.pixels]
        if i == 0:
            names = ("picture", *TEMPLATES, "frontal", "surroundings")
            tiles = [labelled(tile, name) for tile, name in zip(tiles, names, strict=True)]
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def turning_head() -> np.ndarray:
    """Draw a head that turns: chips, the frontal warp, and what of it the mask keeps."""
    columns = []
    for yaw in (-45, -30, -15, 0, 15, 30, 45):
        person = FaceParameters(yaw=yaw, smile=0.3, beard=0.4)
        picture, points = draw_face(person, size=480, random_state=3)
        chip = align_face(picture, points, "ibug68", "all", size=SIDE)
        face = frontalize(picture, points, "ibug68", size=SIDE)
        tiles = [labelled(chip.pixels, f"{yaw} degrees"), face.pixels]
        tiles.append(
            labelled(face.pixels * face.mask[..., None], f"{100 * face.shown:.0f} % shown")
        )
        columns.append(np.concatenate(tiles))
    return grid(columns, len(columns))


def main(folder: str = ".") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_image(Path(folder) / "align-templates.jpg", templates())
    write_image(Path(folder) / "align-frontal.jpg", turning_head())


if __name__ == "__main__":
    main(*sys.argv[1:2])
