"""A coded concept: what something is, in a coding scheme that others know."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Concept"]


@dataclass(frozen=True, slots=True)
class Concept:
    """A code with its scheme and meaning, e.g. (27925004, SCT, "Nodule"); PS3.3 section 8.

    Raises
    ------
    ValueError
        A part is empty or longer than the standard allows (16, 16 and 64 characters).
    """

    code: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        for name, value, longest in (
            ("code", self.code, 16),
            ("scheme", self.scheme, 16),
            ("meaning", self.meaning, 64),
        ):
            if not 0 < len(value) <= longest:
                raise ValueError(f"the {name} of a concept has 1 to {longest} characters, not {value!r}")
