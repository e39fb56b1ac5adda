"""What the text of View Position says of a mammogram.

References
----------
PS3.16 CID 4014 and CID 4015, columns "ACR MQCM 1999 Equivalent": M and S stand before the view, ID, RL, RM,
NP and others after it, and CV, AT and TAN stand for the view itself. Devices put the side before all that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Position", "read_position"]

_VIEWS: Final = ("XCCL", "XCCM", "XCC", "MLO", "LMO", "SIO", "ISO", "CC", "ML", "LM", "FB")
_SUFFIXES: Final = ("IMF", "TAN", "ID", "RL", "RM", "RI", "RS", "NP", "AC", "AX", "CV", "AT")
_INSTEAD: Final = {"CV": "CC", "AT": "MLO", "TAN": ""}
_WHOLE = re.compile(
    rf"(?P<side>[LR]?)(?P<before>[MS]{{0,2}})(?P<view>{'|'.join(_VIEWS)})(?P<after>(?:{'|'.join(_SUFFIXES)})*)"
)
_ALONE = re.compile(rf"(?P<side>[LR]?)(?P<before>[MS]{{0,2}})(?P<instead>{'|'.join(_INSTEAD)})")


@dataclass(frozen=True, slots=True)
class Position:
    """A View Position taken apart; what it does not say is empty."""

    view: str = ""
    modifiers: tuple[str, ...] = ()
    laterality: str = ""


def read_position(value: str) -> Position:
    """Take the text of View Position apart; a text that is no view of the breast says nothing.

    A view as it stands wins over the same letters read as a side and a view: LMO is latero-medial oblique,
    and LAT is the lateral view of other body parts rather than the left axillary tail.
    """
    word = re.sub(r"[\s_.-]", "", value.upper())
    if word in _VIEWS:
        return Position(word)
    if word == "LAT":
        return Position()
    if found := _WHOLE.fullmatch(word):
        after = re.findall("|".join(_SUFFIXES), found["after"])
        return Position(found["view"], _once(*found["before"], *after), found["side"])
    if found := _ALONE.fullmatch(word):
        instead = found["instead"]
        return Position(_INSTEAD[instead], _once(*found["before"], instead), found["side"])
    return Position()


def _once(*modifiers: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(modifiers))
