"""Head pose and measures of expression: on a photograph, and as a face turns and moves.

    python examples/head_pose_and_expression.py [FOLDER] [--picture FILE]

Writes into FOLDER: pose-astronaut.png, a photograph with the axes of its heads and the measures of
the first; pose-sweep.png, a synthetic face that turns, with the angles that were found; and
expression-causes.png, what each measure does as one cause after the other goes from rest to much.
"""

import argparse
from pathlib import Path

import numpy as np

from classicface import Landmarker, read_image
from classicface.apps.expression import MEASURES, measure_expression
from classicface.apps.pose import head_pose
from classicface.data.synthetic import FaceParameters, draw_face
from classicface.image.io import write_image
from classicface.plotting import draw_landmarks, draw_pose, labelled_grid, save_figure

CAUSES = {
    "mouth open": lambda t: {"mouth_open": 0.8 * t},
    "smile": lambda t: {"smile": t},
    "pucker": lambda t: {"pucker": t},
    "brows raised": lambda t: {"brow_raise": t},
    "right eye closed": lambda t: {"eyes_closed": (t, 0.0)},
}


def with_axes(picture, points, scheme):
    """Draw landmarks and the axes of a head: x red, y green, out of the face blue."""
    pose = head_pose(points, scheme)
    drawn = draw_landmarks(picture, points, scheme)
    return draw_pose(drawn, pose.rotation, pose.origin, 7.0 * pose.scale), pose


def photograph(picture):
    """Return the part of a photograph around its faces with their axes; print the first's."""
    faces = Landmarker().detect(picture)
    if len(faces) == 0:
        raise SystemExit("no face found")
    drawn = draw_landmarks(picture, faces.landmarks[:0], scale=2)
    for points in 2 * faces.landmarks + 0.5:
        drawn, _ = with_axes(drawn, points, faces.scheme)
    pose = head_pose(faces.landmarks[0], faces.scheme)
    print(f"yaw {pose.yaw:.1f}, pitch {pose.pitch:.1f}, roll {pose.roll:.1f} degrees;", end=" ")
    print("give or take {:.1f}, {:.1f} and {:.1f}".format(*pose.deviations))
    expression = measure_expression(faces.landmarks[0], faces.scheme, pose=pose)
    for name in MEASURES:
        print(f"  {name:<20} {getattr(expression, name):6.3f}")
    low, high = faces.landmarks.min(axis=(0, 1)), faces.landmarks.max(axis=(0, 1))
    side = 0.5 * (high - low).max()
    x0, y0 = 2 * np.maximum(low - side, 0).astype(int)
    x1, y1 = 2 * (high + side).astype(int)
    return drawn[y0:y1, x0:x1]


def sweep():
    """Return a sheet of a synthetic face that turns; print the angles found beside the true."""
    person = FaceParameters(
        identity=(
            0.8,
            -0.5,
            0.6,
            1.0,
            -0.9,
            0.7,
            0.5,
            -0.6,
            0.4,
            0.8,
            -0.7,
            0.5,
            0.9,
            -0.4,
            0.3,
            0,
        ),
        smile=0.4,
    )
    tiles, captions = [], []
    turns = [{"yaw": y} for y in (-40, -20, 0, 20, 40)] + [{"pitch": p} for p in (-25, -12, 12, 25)]
    for turn in [*turns, {"yaw": 25, "pitch": 15, "roll": 20}]:
        picture, points = draw_face(person.replace(**turn), size=170, random_state=4)
        tile, pose = with_axes(picture, points, "ibug68")
        true = FaceParameters(**turn)
        tiles.append(tile)
        true = FaceParameters(**turn)
        found = " ".join(f"{abs(a) and round(a)}" for a in (pose.yaw, pose.pitch, pose.roll))
        captions.append(f"{true.yaw:.0f} {true.pitch:.0f} {true.roll:.0f} / {found}")
        print(
            f"true {true.yaw:5.1f} {true.pitch:5.1f} {true.roll:5.1f}"
            f"   found {pose.yaw:5.1f} {pose.pitch:5.1f} {pose.roll:5.1f}"
        )
    return labelled_grid(tiles, captions, n_columns=5)


def causes(path):
    """Plot the change of each measure from rest as causes grow, straight on and at 30 degrees."""
    import matplotlib.pyplot as plt

    still = draw_face()[1]
    amounts = np.linspace(0.0, 1.0, 9)
    figure, axes = plt.subplots(
        1, len(CAUSES), figsize=(13, 3.6), sharey=True, layout="constrained"
    )
    colors = dict(zip(MEASURES, plt.get_cmap("tab10").colors, strict=True))
    for axis, (cause, change) in zip(axes, CAUSES.items(), strict=True):
        for yaw, style in ((0.0, "-"), (30.0, ":")):
            faces = [FaceParameters(yaw=yaw, **change(t)) for t in amounts]
            rows = [measure_expression(draw_face(f)[1], "ibug68", still).as_array() for f in faces]
            for name, values in zip(MEASURES, np.transpose(rows), strict=True):
                label = name if yaw == 0 else None
                axis.plot(amounts, values, style, color=colors[name], label=label)
        axis.set(title=cause, xlabel="how much")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("change from rest")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    save_figure(figure, path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("pose"))
    parser.add_argument("--picture", type=Path, help="by default scikit-image's astronaut")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.picture is None:
        from skimage.data import astronaut

        picture = astronaut()
    else:
        picture = read_image(arguments.picture, "rgb")
    write_image(arguments.folder / "pose-astronaut.png", photograph(picture))
    write_image(arguments.folder / "pose-sweep.png", sweep())
    causes(arguments.folder / "expression-causes.png")


if __name__ == "__main__":
    main()
