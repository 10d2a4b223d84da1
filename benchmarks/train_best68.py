"""Train the bundled model ``best68`` on HELEN's training set and write it with its card.

    python benchmarks/train_best68.py [--data FOLDER] [-o classicface/weights]

The bundled ``heatmap68`` is its first predictor, and is taken as it is; an active shape model that
starts from its points is trained here, without mirror images: HELEN's annotation is not mirrored
quite, and on a split of the training set they made the error larger. The test set is only used for
the accuracy that the card and the file's header state.
"""

from train_ert68 import SEED, bundle

from classicface import ASMFitter, ChainFitter, load

if __name__ == "__main__":
    bundle(
        "best68",
        ChainFitter(
            load("heatmap68"),
            ASMFitter(face_sizes=(120.0,), random_state=SEED),
            refit_first=False,
            folds=0,
            noise=1.0,
            random_state=SEED,
        ),
        "The bundled `heatmap68`, and an active shape model at one fine scale that starts from its"
        " points\n(`ChainFitter`), for the 68 points of the iBUG scheme. The training time is that"
        " of the shape model.",
        SEED,
        mirror=False,
    )
