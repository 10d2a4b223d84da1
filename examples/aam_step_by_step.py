"""Train active appearance models, look inside, and watch one fit a face step by step.

    python examples/aam_step_by_step.py [FOLDER] [--faces DATA] [--picture FILE]

Writes into FOLDER: aam-convergence.png, a fit after some steps at each scale, with its cost;
aam-template.png, the gradients that the model expects around each landmark; aam-appearance.png,
the modes of a model of grey values. Without data it trains on synthetic faces and fits another.
"""

import argparse
from pathlib import Path

import numpy as np

from classicface import AAMFitter, get_detector, load_dataset, read_image, synthetic_faces
from classicface.aam.appearance import read_appearances
from classicface.plotting import save_figure
from classicface.plotting.appearance import (
    appearance_image,
    plot_appearance_modes,
    plot_convergence,
    plot_orientations,
)
from classicface.shape.similarity import fit_similarity

N_MODES = 4
STEPS = (-2, -1, 0, 1, 2)


def sample_places(arrays):
    """Return where in the reference frame the samples of a scale lie, (m, 2)."""
    segment = np.repeat(np.arange(len(arrays.anchors)), np.diff(arrays.starts))
    corners = arrays.mean[arrays.anchors[segment]]
    return np.einsum("vm,mvd->md", arrays.weights, corners) + arrays.offsets


def appearance_modes(faces, face_size=100.0):
    """Train a model of grey values in the mean shape; return its modes as pictures, and shares."""
    fitter = AAMFitter(
        features="intensity", parts=False, spacing=1.0, face_sizes=(face_size,), n_appearance=20
    ).fit(faces)
    (scale,) = fitter.scales_
    template, basis = scale.arrays.template, scale.arrays.basis
    # How far faces go along each component: the training faces once more.
    poses = fit_similarity(fitter.shape_model_.mean, faces.landmarks)
    _, pattern = fitter._layout(0, fitter.shape_model_)
    values = read_appearances(
        faces.images, faces.landmarks, poses, scale.frame, pattern, "intensity", 0, 1
    )
    values -= template
    variances = np.var(values @ basis.T, axis=0)[:N_MODES]
    places = sample_places(scale.arrays)
    pictures = [
        [
            appearance_image(places, template + step * np.sqrt(variances[j]) * basis[j], 1.0)
            for step in STEPS
        ]
        for j in range(N_MODES)
    ]
    return np.array(pictures), variances / values.var(axis=0).sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("aam"))
    parser.add_argument("--faces", type=Path, help="annotated faces to train on")
    parser.add_argument("--picture", type=Path, help="a picture with one face, to fit")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    faces = load_dataset(arguments.faces) if arguments.faces else synthetic_faces(150)
    faces = faces.with_mirror()
    if arguments.picture:
        picture = read_image(arguments.picture)
        box = get_detector("haar").detect(picture).boxes[0]
    else:
        other = synthetic_faces(1, random_state=10_000)
        picture, box = other.images[0], other.boxes[0]
    # A start that is off by 15 % of the box's side, so that there is something to see.
    box = box + 0.15 * (box[2] - box[0])

    fitter = AAMFitter().fit(faces)
    trace = fitter.trace(picture, box)
    for scale in trace:
        print(
            f"scale of {scale.face_size:g} pixels: {len(scale.costs)} steps, cost"
            f" {scale.costs[0]:.4f} to {scale.costs[-1]:.4f}, converged: {scale.converged}"
        )
    figure = plot_convergence(
        picture,
        [scale.shapes for scale in trace],
        [scale.costs for scale in trace],
        [f"{scale.face_size:g} px" for scale in trace],
        fitter.scheme_,
    )
    save_figure(figure, arguments.folder / "aam-convergence.png", dpi=100)

    finest = fitter.scales_[-1].arrays
    channels = finest.template.reshape(len(finest.offsets), -1)
    figure = plot_orientations(sample_places(finest), channels, length=1.2 * fitter.spacing)
    save_figure(figure, arguments.folder / "aam-template.png", dpi=100)

    pictures, shares = appearance_modes(faces)
    figure = plot_appearance_modes(pictures, STEPS, shares.tolist())
    save_figure(figure, arguments.folder / "aam-appearance.png", dpi=100)


if __name__ == "__main__":
    main()
