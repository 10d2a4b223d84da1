"""FaceParameters: everything that says how one synthetic face looks; and random ones."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from classicface.data.synthetic._modes import IDENTITY_MODES
from classicface.exceptions import InvalidInputError
from classicface.validation import check_integer, check_number, check_random_state

__all__ = ["FaceParameters", "random_face"]

Color = tuple[float, ...]

# RGB of hair and of irises.
_HAIR: list[Color] = [
    (28, 22, 20),
    (50, 34, 26),
    (86, 56, 36),
    (120, 82, 48),
    (178, 138, 84),
    (150, 146, 142),
]
_IRIS: list[Color] = [(58, 38, 24), (84, 56, 30), (96, 92, 52), (70, 100, 84), (84, 118, 148)]

# The limits of every number of FaceParameters.
_LIMITS = {
    "yaw": (-60.0, 60.0),
    "pitch": (-45.0, 45.0),
    "roll": (-180.0, 180.0),
    "distance": (40.0, 10_000.0),
    "mouth_open": (0.0, 1.0),
    "smile": (-1.0, 1.0),
    "pucker": (0.0, 1.0),
    "brow_raise": (-1.0, 1.0),
    "light_strength": (0.0, 1.0),
    "brightness": (0.2, 2.0),
    "skin": (0.0, 1.0),
    "hair_volume": (0.0, 1.0),
    "hairline": (-1.0, 1.0),
    "long_hair": (0.0, 1.0),
    "brow_density": (0.0, 1.0),
    "lip_color": (0.0, 1.0),
    "beard": (0.0, 1.0),
    "glasses": (0.0, 1.0),
}
# Those of its tuples, with their lengths.
_TUPLES = {
    "identity": (len(IDENTITY_MODES), -4.0, 4.0),
    "eyes_closed": (2, -0.5, 1.0),
    "gaze": (2, -1.0, 1.0),
    "light": (2, -90.0, 90.0),
    "hair_color": (3, 0.0, 255.0),
    "iris_color": (3, 0.0, 255.0),
    "clothes": (3, 0.0, 255.0),
}


@dataclass(frozen=True)
class FaceParameters:
    """How one synthetic face looks. Sides are the subject's; angles are in degrees.

    Parameters
    ----------
    yaw, pitch, roll : float
        Pose. Positive yaw looks to the right of the picture, positive pitch looks up, positive roll
        turns clockwise in the picture. Up to 60, 45 and 180 either way.
    distance : float
        From the camera to the head in centimetres; near means more perspective.
    identity : tuple of 16 floats
        The person, one number for each of `IDENTITY_MODES`, in standard deviations.
    mouth_open, smile, pucker, brow_raise : float
        Expression; 0 is neutral, 1 is much. `smile` and `brow_raise` may be negative.
    eyes_closed : tuple of two floats
        The right and the left eye; 0 is open, 1 is closed, negative is wide open.
    gaze : tuple of two floats
        Where the eyes look beside straight ahead: to the right of the picture, and down.
    light : tuple of two floats
        Azimuth (positive comes from the right of the picture) and elevation.
    light_strength : float
        0 is soft light from all sides, 1 a lamp.
    brightness : float
        Factor on the light.
    skin : float
        0 is the lightest tone, 1 the darkest.
    hair_color, iris_color, clothes : tuple of three floats
        RGB, 0 to 255.
    hair_volume, hairline, long_hair : float
        0 is bald; negative hairlines recede, positive ones are a fringe; long hair from 0.5.
    brow_density, lip_color, beard, glasses : float
        From none (0) to much (1).
    texture : int
        Seed of the fine grain of skin and hair.

    Raises
    ------
    InvalidInputError
        A number out of its range, or a tuple of another length.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 100.0
    identity: tuple[float, ...] = (0.0,) * len(IDENTITY_MODES)
    mouth_open: float = 0.0
    smile: float = 0.0
    pucker: float = 0.0
    brow_raise: float = 0.0
    eyes_closed: tuple[float, ...] = (0.0, 0.0)
    gaze: tuple[float, ...] = (0.0, 0.0)
    light: tuple[float, ...] = (20.0, 35.0)
    light_strength: float = 0.6
    brightness: float = 1.0
    skin: float = 0.25
    hair_color: Color = (62.0, 44.0, 34.0)
    iris_color: Color = (84.0, 62.0, 40.0)
    clothes: Color = (70.0, 90.0, 120.0)
    hair_volume: float = 0.5
    hairline: float = 0.0
    long_hair: float = 0.0
    brow_density: float = 0.7
    lip_color: float = 0.5
    beard: float = 0.0
    glasses: float = 0.0
    texture: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            object.__setattr__(self, name, check_number(getattr(self, name), name, low, high))
        for name, (length, low, high) in _TUPLES.items():
            object.__setattr__(self, name, _numbers(getattr(self, name), name, length, low, high))
        texture = check_integer(self.texture, "texture", 0, 2**63 - 1)
        object.__setattr__(self, "texture", texture)

    def replace(self, **changes: Any) -> FaceParameters:
        """Return the same face with some parameters changed."""
        known = {field.name for field in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                raise InvalidInputError(
                    f"no face parameter is called {name!r}; there are {', '.join(sorted(known))}"
                )
        return dataclasses.replace(self, **changes)


def _numbers(values: object, name: str, length: int, low: float, high: float) -> tuple[float, ...]:
    if not isinstance(values, (tuple, list, np.ndarray)) or len(values) != length:
        raise InvalidInputError(f"{name} is {values!r}; expected {length} numbers")
    return tuple(check_number(value, f"{name}[{i}]", low, high) for i, value in enumerate(values))


def random_face(
    random_state: int | np.random.Generator | None = None,
    *,
    max_yaw: float = 30.0,
    max_pitch: float = 15.0,
    max_roll: float = 20.0,
    expression: float = 1.0,
) -> FaceParameters:
    """Draw the parameters of a random person in a random pose under a random light.

    Parameters
    ----------
    random_state : int, numpy.random.Generator or None
    max_yaw, max_pitch, max_roll : float
        Largest angles in degrees; small angles are the more frequent (a normal distribution with
        half of it as the standard deviation, cut there).
    expression : float, default 1.0
        From 0 (all neutral with open eyes) to 1.

    Returns
    -------
    FaceParameters

    Raises
    ------
    InvalidInputError
        An angle beyond 60, 45 and 180 degrees, or an expression outside 0 to 1.
    """
    rng = check_random_state(random_state)
    check_number(max_yaw, "max_yaw", 0.0, _LIMITS["yaw"][1])
    check_number(max_pitch, "max_pitch", 0.0, _LIMITS["pitch"][1])
    check_number(max_roll, "max_roll", 0.0, _LIMITS["roll"][1])
    check_number(expression, "expression", 0.0, 1.0)
    yaw, pitch, roll = np.clip(rng.normal(0.0, 0.5, 3), -1, 1) * [max_yaw, max_pitch, max_roll]
    values: dict[str, Any] = {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "distance": rng.uniform(60.0, 160.0),
        "light": (rng.uniform(-65.0, 65.0), rng.uniform(0.0, 65.0)),
        "light_strength": rng.uniform(0.15, 0.9),
        "brightness": rng.uniform(0.85, 1.2),
    }
    return FaceParameters(**values, **_random_person(rng), **_random_expression(rng, expression))


def _random_person(rng: np.random.Generator) -> dict[str, Any]:
    woman = rng.random() < 0.5
    skin = rng.beta(1.1, 1.6)
    return {
        "identity": tuple(np.clip(rng.normal(0.0, 1.0, len(IDENTITY_MODES)), -2.5, 2.5).tolist()),
        "skin": skin,
        "hair_color": _vary(rng, _HAIR[rng.integers(2 if skin > 0.6 else len(_HAIR))], 10.0),
        "iris_color": _vary(rng, _IRIS[rng.integers(2 if skin > 0.5 else len(_IRIS))], 10.0),
        "clothes": tuple(rng.uniform(15.0, 235.0, 3).tolist()),
        "hair_volume": rng.uniform(0.2, 1.0) if woman or rng.random() < 0.85 else 0.0,
        "hairline": rng.uniform(0.3, 1.0) if rng.random() < 0.25 else rng.uniform(-1.0, 0.2),
        "long_hair": float(woman and rng.random() < 0.75),
        "brow_density": rng.uniform(0.35, 0.8) if woman else rng.uniform(0.5, 1.0),
        "lip_color": rng.uniform(0.3, 1.0) if woman else rng.uniform(0.0, 0.5),
        "beard": 0.0 if woman else float(np.clip(rng.uniform(-0.8, 1.0), 0.0, 1.0)),
        "glasses": rng.uniform(0.3, 1.0) if rng.random() < 0.12 else 0.0,
        "texture": int(rng.integers(2**31)),
    }


def _random_expression(rng: np.random.Generator, strength: float) -> dict[str, Any]:
    """Draw an expression; a good part of the faces keep the mouth shut and the eyes open."""
    opened = strength * max(0.0, rng.uniform(-0.9, 1.0)) ** 1.5
    smile = strength * float(np.clip(rng.normal(0.3, 0.4), -0.5, 1.0))
    pucker = strength * rng.uniform(0.3, 1.0) if rng.random() < 0.06 else 0.0
    lids = rng.uniform(-0.15, 0.35) if rng.random() < 0.88 else rng.uniform(0.35, 1.0)
    wink = rng.uniform(0.5, 1.0) if rng.random() < 0.03 else 0.0
    eyes = np.clip([lids + wink, lids + rng.normal(0.0, 0.03)], -0.2, 1.0) * strength
    return {
        "mouth_open": opened,
        "smile": smile,
        "pucker": pucker,
        "brow_raise": strength * float(np.clip(rng.normal(0.0, 0.4), -0.8, 1.0)),
        "eyes_closed": tuple(eyes[:: rng.choice([-1, 1])].tolist()),
        "gaze": tuple(np.clip(rng.normal(0.0, 0.35, 2), -0.9, 0.9).tolist()),
    }


def _vary(rng: np.random.Generator, color: Color, spread: float) -> Color:
    change = rng.normal(0.0, spread) + rng.normal(0.0, 0.25 * spread, 3)
    return tuple(np.clip(change + color, 5.0, 250.0).tolist())
