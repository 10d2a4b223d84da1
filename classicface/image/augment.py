"""Random variation of training faces: how they lie in the crop, how they are lit and hidden."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.validation import check_flag, check_number

__all__ = ["Augmentation"]

# Draws are cut at this many standard deviations: no face is lost out of the crop.
_LIMIT = 2.5

# The largest value of each parameter that is a number.
_LIMITS = {
    "rotation": 90.0,
    "scale": 0.4,
    "shift": 0.4,
    "tight": 1.0,
    "contrast": 2.0,
    "brightness": 1.0,
    "gamma": 2.0,
    "lighting": 1.0,
    "blur": 1.0,
    "low_resolution": 1.0,
    "noise": 100.0,
    "occlusion": 1.0,
}

# Every grey level, white being 1.
_GREYS = np.arange(256) / 255

# The side of the square of noise that is drawn once and then read at random places.
_NOISE_SIDE = 512


@dataclass(frozen=True)
class Augmentation:
    """What varies at random between two views of a training face, and how much.

    The defaults cover the errors of usual face detectors, and are strong enough for a network
    that trains on less than a thousand faces.

    Parameters
    ----------
    rotation : float, default 15
        Standard deviation of the angle, in degrees; at most 90. This draw and all others that are
        normal are cut at 2.5 standard deviations.
    scale : float, default 0.1
        Standard deviation of the logarithm of the box's side; at most 0.4.
    shift : float, default 0.06
        Standard deviation of the box's centre along x and along y, in sides of the box; at most
        0.4.
    mirror : bool, default True
        Whether every second face is mirrored.
    contrast : float, default 0.2
        Standard deviation of the logarithm of the contrast; at most 2.
    brightness : float, default 0.08
        Standard deviation of what is added to the grey, white being 1; at most 1.
    gamma : float, default 0.25
        Standard deviation of the logarithm of the exponent of the grey; at most 2.
    lighting : float, default 0.05
        Standard deviation of what a light from one side adds at the border of the crop and takes
        away at the opposite one, white being 1; at most 1.
    blur : float, default 0.2
        The share of faces that a Gaussian blurs; its standard deviation is from 0.4 pixels to
        1/50 of the crop's side more.
    low_resolution : float, default 0.1
        The share of faces that are made coarser, up to 4 times.
    noise : float, default 8
        The noise's largest standard deviation, in grey levels up to 255; at most 100. Every second
        face has noise.
    occlusion : float, default 0.35
        The share of faces of which rectangles are hidden: one large or a few small ones, grey,
        noise, or parts of other faces.
    tight : float, default 0.5
        The share of views that start from the tight box of the face's landmarks instead of its
        given one, with half of the shift and of the scale: what a face looks like when it is
        cropped again by the points that were found.

    Raises
    ------
    InvalidInputError
        A parameter is out of range.

    Notes
    -----
    Hiding parts follows DeVries and Taylor, "Improved regularization of convolutional neural
    networks with cutout" (2017), and Zhong et al., "Random erasing data augmentation" (AAAI 2020);
    parts of other faces follow Yun et al., "CutMix" (ICCV 2019), but keep the landmarks' truth.
    """

    rotation: float = 15.0
    scale: float = 0.1
    shift: float = 0.06
    mirror: bool = True
    contrast: float = 0.2
    brightness: float = 0.08
    gamma: float = 0.25
    lighting: float = 0.05
    blur: float = 0.2
    low_resolution: float = 0.1
    noise: float = 8.0
    occlusion: float = 0.35
    tight: float = 0.5

    def __post_init__(self) -> None:
        for name, high in _LIMITS.items():
            check_number(getattr(self, name), name, 0.0, high)
        check_flag(self.mirror, "mirror")

    @classmethod
    def none(cls) -> Augmentation:
        """Return the augmentation that changes nothing."""
        nothing: dict[str, Any] = dict.fromkeys(_LIMITS, 0.0)
        return cls(mirror=False, **nothing)

    def reach(self, margin: float) -> float:
        """Return the side of an upright square that holds every crop, in sides of the plain crop.

        Parameters
        ----------
        margin : float
            What the crop shows beyond the box on each side, in sides of the box.
        """
        turn = min(math.radians(_LIMIT * self.rotation), math.pi / 4)
        longest = math.exp(_LIMIT * self.scale) * (math.cos(turn) + math.sin(turn))
        return longest + 2 * _LIMIT * self.shift / (1 + 2 * margin)

    def draw_pose(self, rng: np.random.Generator) -> tuple[float, float, float, float]:
        """Draw how the box is changed.

        Returns
        -------
        shift_x, shift_y : float
            Of the box's centre, in sides of the box.
        scale : float
            The logarithm of the factor on the box's side.
        angle : float
            By how much the face is turned in the crop, in radians.
        """
        x, y, scale, angle = _normal(rng, 4)
        return (
            x * self.shift,
            y * self.shift,
            scale * self.scale,
            angle * math.radians(self.rotation),
        )

    def photometric(
        self,
        pixels: NDArray[np.uint8],
        rng: np.random.Generator,
        donors: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Change how a face is lit, seen and hidden.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (size, size)
        rng : numpy.random.Generator
        donors : ndarray of uint8, shape (n, size, size), optional
            Other faces, parts of which may hide parts of this one.

        Returns
        -------
        ndarray of uint8, shape (size, size)
            A new array.
        """
        import cv2

        hides, blurs, width, coarsens, factor, noise = rng.random(6).tolist()
        pixels = pixels.copy()
        if hides < self.occlusion:
            _hide(pixels, rng, donors)
        size = len(pixels)
        if blurs < self.blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), 0.4 + width * size / 50)
        if coarsens < self.low_resolution:
            fewer = max(round(size / (1 + 3 * factor)), 1)
            coarse = cv2.resize(pixels, (fewer, fewer), interpolation=cv2.INTER_AREA)
            pixels = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
        contrast, brightness, gamma, light_x, light_y = _normal(rng, 5)
        if self.contrast or self.brightness or self.gamma:
            mean = cv2.mean(pixels)[0] / 255
            curve = _GREYS ** math.exp(gamma * self.gamma) - mean ** math.exp(gamma * self.gamma)
            curve = curve * math.exp(contrast * self.contrast) + mean + brightness * self.brightness
            pixels = cv2.LUT(pixels, np.clip(255 * curve + 0.5, 0, 255).astype(np.uint8))
        deviation = max(2 * noise - 1, 0) * self.noise
        if deviation or self.lighting:
            ramp = np.linspace(-255 * self.lighting, 255 * self.lighting, size, dtype=np.float32)
            change = np.add.outer(light_y * ramp, light_x * ramp)
            if deviation:
                change = cv2.scaleAdd(_noise(rng, size, size), deviation, change)
            pixels = cv2.add(pixels, change, dtype=cv2.CV_8U)
        return np.asarray(pixels, np.uint8)


def _normal(rng: np.random.Generator, count: int) -> list[float]:
    """Draw standard normal numbers that are cut at the limit."""
    return [min(max(x, -_LIMIT), _LIMIT) for x in rng.standard_normal(count).tolist()]


@functools.cache
def _noise_table() -> NDArray[np.float32]:
    """Return standard normal noise."""
    return np.random.default_rng(0).standard_normal((_NOISE_SIDE, _NOISE_SIDE), np.float32)


def _noise(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Return standard normal noise from a random place of the table; of any size."""
    table = _noise_table()
    y, x = (rng.random(2) * _NOISE_SIDE).astype(int).tolist()
    if max(y + height, x + width) <= _NOISE_SIDE:
        return table[y : y + height, x : x + width]
    rows, columns = np.arange(y, y + height), np.arange(x, x + width)
    return table[np.ix_(rows % _NOISE_SIDE, columns % _NOISE_SIDE)]


def _hide(
    pixels: NDArray[np.uint8], rng: np.random.Generator, donors: NDArray[np.uint8] | None
) -> None:
    """Hide one large rectangle or a few small ones, in place."""
    size = len(pixels)
    count, low, high = (1, 0.15, 0.5) if rng.random() < 0.5 else (rng.integers(2, 6), 0.05, 0.2)
    for x, y, width, height, kind, grey in rng.random((count, 6)).tolist():
        across = max(int(size * (low + (high - low) * width)), 1)
        down = max(int(size * (low + (high - low) * height)), 1)
        left, top = int(x * (size - across + 1)), int(y * (size - down + 1))
        part = pixels[top : top + down, left : left + across]
        if donors is not None and len(donors) and kind < 0.5:
            donor = donors[rng.integers(len(donors))]
            x, y = rng.random(2).tolist()
            left, top = int(x * (size - across + 1)), int(y * (size - down + 1))
            part[:] = donor[top : top + down, left : left + across]
        elif kind < 0.75:
            part[:] = int(256 * grey)
        else:
            part[:] = np.clip(255 * grey + 60 * _noise(rng, down, across), 0, 255)
