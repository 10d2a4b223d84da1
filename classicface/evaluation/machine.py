"""What a comparison ran on: the machine and the versions of the libraries."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path

from classicface._version import __version__
from classicface.predictor import n_threads

__all__ = ["describe_machine", "describe_versions"]

#: Distributions whose versions are told where they are installed.
_LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "scikit-learn",
    "opencv-python",
    "opencv-contrib-python",
    "dlib",
    "dlib-bin",
    "onnxruntime",
)


def describe_machine() -> str:
    """Return processor, cores and memory of this machine, as far as they can be known."""
    parts = [_processor(), f"{n_threads(None)} cores"]
    with contextlib.suppress(AttributeError, OSError, ValueError):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        parts.append(f"{total / 2**30:.0f} GiB of memory")
    return ", ".join([*parts, f"{platform.system()} {platform.machine()}"])


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def describe_versions() -> str:
    """Return the versions of classicface, Python and the libraries that compute."""
    parts = [f"classicface {__version__}", f"Python {platform.python_version()}"]
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            parts.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(parts)
