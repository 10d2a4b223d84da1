"""Train the bundled model ``aam68`` on HELEN's training set and write it with its card.

    python benchmarks/train_aam68.py [--data FOLDER] [-o classicface/weights]

Uses the default parameters; nothing in training is random. The test set is only used for the
accuracy that the card and the file's header state.
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
    )
