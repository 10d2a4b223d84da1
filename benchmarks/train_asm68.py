"""Train the bundled model ``asm68`` on HELEN's training set and write it with its card.

    python benchmarks/train_asm68.py [--data FOLDER] [-o classicface/weights]

Uses the preset ``default`` and the same seed each time; the test set is only used for the accuracy
that the card and the file's header state.
"""

from train_ert68 import SEED, bundle

from classicface import ASMFitter

if __name__ == "__main__":
    bundle(
        "asm68",
        ASMFitter.from_preset("default", random_state=SEED),
        "An active shape model (`ASMFitter`, preset `default`) for the 68 points of the iBUG"
        " scheme.",
        SEED,
    )
