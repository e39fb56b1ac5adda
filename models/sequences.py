"""The MR sequences of a brain tumour protocol, by the names that packages, readings and code share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

__all__ = ["SEQUENCES", "Sequence", "all_in_words", "in_words"]

Sequence = Literal["T1", "T1C", "T2", "FLAIR"]

SEQUENCES: Final[tuple[Sequence, ...]] = get_args(Sequence)
"""T1 is the one without contrast, T1C the one after contrast."""

_WORDS: Final[dict[str, str]] = {"T1": "T1", "T1C": "T1 with contrast", "T2": "T2", "FLAIR": "FLAIR"}


def in_words(name: str) -> str:
    """Return what people call a sequence.

    Raises
    ------
    ValueError
        It is none of :data:`SEQUENCES`.
    """
    try:
        return _WORDS[name]
    except KeyError:
        raise ValueError(f"a sequence is one of {', '.join(SEQUENCES)}, not {name!r}") from None


def all_in_words(names: Iterable[str]) -> tuple[str, ...]:
    """Return what people call these sequences, each once, in the order of :data:`SEQUENCES`.

    Raises
    ------
    ValueError
        One is none of :data:`SEQUENCES`.
    """
    words = {in_words(name) for name in names}
    return tuple(_WORDS[name] for name in SEQUENCES if _WORDS[name] in words)
