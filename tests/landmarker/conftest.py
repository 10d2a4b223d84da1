"""Films that the tests of the tracker share, drawn once."""

from __future__ import annotations

import pytest

from classicface.data.synthetic import Actor, FilmFrame, random_face, synthetic_film

SIZE = (320, 240)


def person(seed: int):  # type: ignore[no-untyped-def]
    """Return a person who looks into the camera."""
    return random_face(seed, expression=0, max_yaw=4, max_pitch=4, max_roll=4)


@pytest.fixture(scope="session")
def walk() -> list[FilmFrame]:
    """Return 45 frames, 1.5 s, of one face that moves and turns its head."""

    def walker(time: float) -> Actor:
        face = person(1).replace(yaw=10 * time)
        return Actor(face, (130 + 40 * time, 115 + 10 * time), 95)

    return list(synthetic_film([walker], 45, size=SIZE, random_state=1))


@pytest.fixture(scope="session")
def crossing() -> list[FilmFrame]:
    """Return 75 frames, 2.5 s, of two faces that pass each other, one behind the other."""

    def behind(time: float) -> Actor:
        return Actor(person(2), (70 + 75 * time, 120), 80)

    def before(time: float) -> Actor:
        return Actor(person(9), (255 - 75 * time, 125), 90)

    return list(synthetic_film([behind, before], 75, size=SIZE, random_state=2))
