"""Run in a fresh process: load a model, predict a face, print seconds and bytes as JSON.

``python -m classicface.evaluation._probe MODEL FACE.npz``
"""

import json
import re
import sys
import time
from pathlib import Path


def resident_bytes(peak: bool) -> int | None:
    """Return the memory of this process, now or at its peak; None where it cannot be known.

    ``/proc`` goes first: what `resource` tells may be the peak of the process that started this
    one.
    """
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _peak_of_resource() if peak else None
    found = re.search(rf"^Vm{'HWM' if peak else 'RSS'}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _peak_of_resource() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def main(model: str, face: str) -> None:
    """Measure one model on one face and print the result."""
    start = time.perf_counter()
    import numpy as np

    from classicface.evaluation.methods import load_method

    imported = time.perf_counter()
    base = resident_bytes(peak=False)
    with np.load(face, allow_pickle=False) as arrays:
        image, box = arrays["image"], arrays["box"]
    loading = time.perf_counter()
    predictor = load_method(model).predictor
    loaded = time.perf_counter()
    predictor.predict(image, box)
    result = {
        "import_seconds": imported - start,
        "load_seconds": loaded - loading,
        "first_seconds": time.perf_counter() - loaded,
        "base_bytes": base,
        "peak_bytes": resident_bytes(peak=True),
    }
    sys.stdout.write("\n" + json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
