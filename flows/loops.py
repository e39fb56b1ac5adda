"""Work that is repeated for ever, through everything that passes: a server or a database that is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import NoReturn

import httpx
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from flows.journal import JournalError

__all__ = ["PassIncomplete", "repeat_for_ever"]

_LOG = logging.getLogger(__name__)

# A server is back within seconds and asked in vain at little cost; a database or disk needs more patience.
_LONGEST_WAIT_FOR_SERVER_S = 2.0
_FIRST_BACK_OFF_S = 2.0
_LONGEST_BACK_OFF_S = 10.0


class PassIncomplete(Exception):
    """A part of the work failed and was logged; the rest was done."""


_PASSING = (
    httpx.HTTPError,
    OperationalError,
    InterfaceError,
    InternalError,
    NoConnectionFree,
    JournalError,
    OSError,
    PassIncomplete,
)


async def repeat_for_ever(
    name: str, work: Callable[[], Awaitable[object]], pause_s: float, wake: asyncio.Event | None = None
) -> NoReturn:
    """Do ``work``, pause, and again, until cancelled.

    What passes by itself is logged by its kind alone, for the text of an error may quote what must not be
    logged, and makes the pause longer. Any other error ends the loop if the work never succeeded: then the
    program or its set-up is wrong. Later it is logged with its place, and the other loops go on.

    Parameters
    ----------
    name : str
        What the work is, for the log.
    pause_s : float
        Seconds between two passes.
    wake : asyncio.Event, optional
        Cuts a pause short.
    """
    pause, failing, succeeded = pause_s, "", False
    while True:
        try:
            await work()
        except Exception as error:
            passing = isinstance(error, _PASSING)
            if not passing and not succeeded:
                raise
            kind = type(error).__name__
            if not passing:
                _LOG.error("%s: %s\n%s", name, kind, "".join(traceback.format_tb(error.__traceback__)))
            elif kind != failing:
                _LOG.warning("%s waits: %s", name, kind)
            pause, failing = _longer(error, pause, pause_s), kind
        else:
            if failing:
                _LOG.warning("%s goes on", name)
            pause, failing, succeeded = pause_s, "", True
        await _sleep(pause, wake)


def _longer(error: Exception, pause: float, pause_s: float) -> float:
    """Return the pause after one more failure, never shorter than the usual one."""
    if isinstance(error, httpx.HTTPError):
        return max(pause_s, min(pause * 2, _LONGEST_WAIT_FOR_SERVER_S))
    return max(pause_s, min(max(pause * 2, _FIRST_BACK_OFF_S), _LONGEST_BACK_OFF_S))


async def _sleep(pause: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(pause)
        return
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), pause)
    wake.clear()
