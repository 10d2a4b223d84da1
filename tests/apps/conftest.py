"""A drawn person with scripted lids, and a monitor that watches."""

import numpy as np
import pytest

from classicface.apps.drowsiness import DrowsinessMonitor, DrowsinessRecord
from classicface.data.synthetic import FaceParameters, draw_face


@pytest.fixture(scope="module")
def eyes():
    """Return a function from the closure of the lids to landmarks, by interpolation."""
    steps = np.linspace(0, 1, 21)
    faces = np.stack([draw_face(FaceParameters(eyes_closed=(c, c)), size=240)[1] for c in steps])

    def at(closed):
        i = min(int(closed * 20), 19)
        share = closed * 20 - i
        return (1 - share) * faces[i] + share * faces[i + 1]

    return at


@pytest.fixture(scope="module")
def watch(eyes):
    """Return a function that watches a person whose lids are closed by `lids(time)`."""

    def run(times, lids, noise=0.0, limits=None, seed=0):
        """Return the record of a person whose lids are closed by `lids(time)`; None is no face."""
        rng = np.random.default_rng(seed)
        monitor = DrowsinessMonitor("ibug68", limits, pose=False)
        record = DrowsinessRecord(monitor.limits)
        for time in times:
            closed = lids(time)
            face = None if closed is None else eyes(closed) + rng.normal(0, noise, (68, 2))
            record.add(monitor.update(time, face))
        record.close(monitor.finish())
        return record

    return run
