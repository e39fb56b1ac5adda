"""What can be wrong with a result."""

from __future__ import annotations

__all__ = ["ResultInvalid"]


class ResultInvalid(ValueError):
    """A result that must not leave: the text lists every problem, without patient data."""
