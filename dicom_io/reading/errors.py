"""The one error of reading: an image that the package cannot or must not read."""

from __future__ import annotations

__all__ = ["UnsuitableImage"]


class UnsuitableImage(ValueError):
    """An instance that is not read, and why.

    Parameters
    ----------
    code : str
        Machine-readable reason, such as ``"lateral-view"``; the codes are a closed set per release.
    reason : str
        The same in words, with the offending value of technical attributes only: never PHI.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnsuitableImage], tuple[str, str]]:
        """Keep the code across processes."""
        return type(self), (self.code, self.reason)
