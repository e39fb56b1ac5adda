"""Giving freed memory back to the system, in processes that wait most of the time."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time

__all__ = ["give_back", "give_back_regularly"]


def give_back() -> None:
    """Collect garbage and return free pages of the heap; glibc keeps them otherwise."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def give_back_regularly(interval_s: float = 60.0, first_after_s: float = 10.0) -> None:
    """Do so in the background, first after the start, whose memory is mostly not needed again."""

    def repeat() -> None:
        time.sleep(first_after_s)
        while True:
            give_back()
            time.sleep(interval_s)

    threading.Thread(target=repeat, name="give-memory-back", daemon=True).start()
