"""What is put on a face: the kinds of make-up, their paints, and ready-made looks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from classicface.apps.makeup._colors import Paint
from classicface.exceptions import InvalidInputError
from classicface.validation import check_number

__all__ = ["LOOKS", "NEEDS", "Makeup"]

#: What a paint may be given as; a `Makeup` keeps it as a `Paint`.
PaintLike = Paint | str | tuple[Any, ...] | None

_EYES = ("right_eye", "left_eye")
_BROWS = ("right_brow", "left_brow")
#: The parts of a face that each kind of make-up needs, and how it is called in a message.
NEEDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "smooth": ("skin smoothing", (*_EYES, "outer_lips")),
    "blush": ("blush", (*_EYES, "nose", "outer_lips")),
    "eyeshadow": ("eye shadow", (*_EYES, *_BROWS)),
    "brows": ("colour for brows", _BROWS),
    "liner": ("eye liner", _EYES),
    "lipstick": ("lipstick", ("outer_lips",)),
}


@dataclass(frozen=True)
class Makeup:
    """What is put on a face; nothing by default.

    A paint is given as a `Paint`, a colour (``"#a01030"``, ``"crimson"``, ``(160, 16, 48)``), a
    colour with its strength from 0 to 1 (``"#a01030:0.8"``, ``("#a01030", 0.8)``), or None.

    Parameters
    ----------
    lipstick, blush, eyeshadow, liner, brows : Paint, colour or None
        Kept as `Paint`. `brows` colours hairs that are there; it draws none.
    smooth : float, default 0
        How far the skin is smoothed, from 0 to 1.
    gloss : float, default 0
        How much the shine of lips with lipstick is raised, from 0 (matt) to 1.

    Raises
    ------
    InvalidInputError
        No such colour, or a number out of its range.

    Examples
    --------
    >>> Makeup(lipstick="#a01030:0.8").lipstick
    Paint(color=(160, 16, 48), strength=0.8)
    """

    lipstick: PaintLike = None
    blush: PaintLike = None
    eyeshadow: PaintLike = None
    liner: PaintLike = None
    brows: PaintLike = None
    smooth: float = 0.0
    gloss: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value: Any = getattr(self, field.name)
            if field.name in ("smooth", "gloss"):
                value = check_number(value, field.name, 0.0, 1.0)
            elif value is not None:
                try:
                    value = Paint.of(value)
                except InvalidInputError as error:
                    raise InvalidInputError(f"{field.name}: {error}") from None
            object.__setattr__(self, field.name, value)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of make-up that are put on, names of fields, in the order of their layers."""
        chosen = []
        for kind in NEEDS:
            value = getattr(self, kind)
            strength = value if isinstance(value, float) else value.strength if value else 0.0
            if strength > 0:
                chosen.append(kind)
        return tuple(chosen)


#: Ready-made looks by name.
LOOKS: dict[str, Makeup] = {
    "natural": Makeup(
        lipstick=Paint((178, 84, 88), 0.5),
        blush=Paint((214, 120, 116), 0.4),
        eyeshadow=Paint((150, 112, 96), 0.35),
        smooth=0.3,
    ),
    "day": Makeup(
        lipstick=Paint((186, 62, 86), 0.65),
        blush=Paint((218, 110, 118), 0.5),
        eyeshadow=Paint((140, 104, 104), 0.45),
        liner=Paint((52, 38, 34), 0.5),
        smooth=0.4,
    ),
    "evening": Makeup(
        lipstick=Paint((158, 16, 44), 0.85),
        blush=Paint((206, 88, 100), 0.6),
        eyeshadow=Paint((84, 62, 92), 0.7),
        liner=Paint((22, 18, 20), 0.9),
        brows=Paint((62, 44, 36), 0.4),
        smooth=0.5,
        gloss=0.3,
    ),
}
