"""Train the bundled model ``aam68`` on HELEN's training set and write it with its card.

    python benchmarks/train_aam68.py [--data FOLDER] [-o classicface/weights]

Uses the default parameters, and no mirror images: with some hundreds of faces they made the error
larger on each of three splits of the training set. Nothing in training is random. The test set is
only used for the accuracy that the card and the file's header state.
"""

from train_ert68 import bundle

from classicface import AAMFitter

if __name__ == "__main__":
    bundle(
        "aam68",
        AAMFitter(),
        "An active appearance model (`AAMFitter`, default parameters) for the 68 points of the iBUG"
        " scheme.\nThe components of its appearance are averages over all the training faces; none"
        " is a photograph.",
        None,
        mirror=False,
    )
