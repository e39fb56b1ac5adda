"""How a command ends when it cannot do what it was asked: one line on stderr and a status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CommandError", "failing_on"]


class CommandError(Exception):
    """What went wrong, in one line for people.

    Parameters
    ----------
    message : str
        What, where, and what to do.
    exit_code : int
        1 for a failure, 2 for a wrong call or wrong settings.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code


@contextmanager
def failing_on(*errors: type[Exception], exit_code: int = 1) -> Iterator[None]:
    """Turn expected errors into the end of the command; others stay tracebacks, as they are defects."""
    try:
        yield
    except errors as error:
        raise CommandError(str(error) or type(error).__name__, exit_code) from error
