"""Draw what classicface.plotting draws, on the astronaut of scikit-image and on synthetic faces.

python examples/plotting_gallery.py [folder]
"""

import sys
from pathlib import Path

import numpy as np
from skimage import data

from classicface import Landmarker, draw_landmarks, write_image
from classicface.apps.pose import head_pose
from classicface.data.synthetic import draw_face, random_face
from classicface.plotting import (
    before_after,
    draw_boxes,
    draw_pose,
    draw_regions,
    draw_tracks,
    labelled_grid,
)
from classicface.shape.boxes import landmark_box


def astronaut() -> tuple[np.ndarray, np.ndarray]:
    """Return the head of the astronaut and its landmarks."""
    faces = Landmarker().detect(data.astronaut())
    crop = slice(20, 260), slice(110, 350)
    return data.astronaut()[crop], faces.landmarks[0] - np.float32([110, 20])


def overlays(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    box, pose = landmark_box(points[None]), head_pose(points, "ibug68")
    drawings = {
        "draw_landmarks": draw_landmarks(picture, points, "ibug68"),
        "draw_boxes": draw_boxes(picture, box, ["face 0.98"]),
        "draw_regions": draw_regions(picture, points, "ibug68"),
        "draw_regions, outlined": draw_regions(
            picture, points, "ibug68", style="outlined", legend=False
        ),
        f"draw_pose, roll {pose.roll:.0f}°": draw_pose(picture, pose.rotation, pose.origin, 60),
        "draw_landmarks, indices": draw_landmarks(
            picture[60:180, 55:175], points - np.float32([55, 60]), indices=True, scale=2
        ),
    }
    return labelled_grid(list(drawings.values()), list(drawings), 3)


def crowd() -> np.ndarray:
    """Draw faces of many sizes, one on the other, with identities and where they came from."""
    scene = np.tile(np.linspace(60, 230, 720).astype(np.uint8)[None, :, None], (360, 1, 3))
    scene = np.random.default_rng(0).integers(-40, 25, scene.shape) + scene
    scene = np.clip(scene, 0, 255).astype(np.uint8)
    places = [(130, 190, 170), (330, 150, 110), (415, 190, 80), (505, 60, 60), (640, 250, 140)]
    places += [(565, 75, 36), (250, 40, 40), (700, 90, 26), (470, 310, 60)]
    faces, trails = [], {}
    for i, (x, y, size) in enumerate(places):
        scene, points = draw_face(
            random_face(i + 30), canvas=scene, center=(float(x), float(y)), face_size=float(size)
        )
        faces.append(points)
        share = np.linspace(0, 1, 30)
        sway = 0.15 * size * np.sin(9 * (1 - share))
        trails[i + 1] = np.column_stack([x + size * (share - 1), y + sway])
    ids = np.arange(1, len(faces) + 1)
    return draw_tracks(
        scene,
        np.array(faces),
        ids,
        "ibug68",
        boxes=landmark_box(np.array(faces)),
        trails={5: trails[5], 2: trails[2]},
    )


def main(folder: str = ".") -> None:
    picture, points = astronaut()
    write_image(Path(folder) / "plotting-overlays.jpg", overlays(picture, points))
    write_image(Path(folder) / "plotting-tracks.jpg", crowd())
    drawn = draw_regions(picture, points, "ibug68", legend=False)
    shown = [
        before_after(picture, drawn, split=0.5, captions=("photograph", "regions")),
        before_after(picture, drawn, captions=("photograph", "regions")),
    ]
    write_image(
        Path(folder) / "plotting-before-after.jpg",
        labelled_grid(shown, ["split=0.5", "side by side"], 2, text_size=13),
    )


if __name__ == "__main__":
    main(*sys.argv[1:2])
