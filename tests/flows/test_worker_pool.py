"""The pool of warm processes while the machine has nothing to start one with."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from flows.worker import pool as pool_module
from flows.worker.pool import ChildPool, PoolLimits

_LIMITS = PoolLimits(processes=1, spares=1)


async def until(what: str, ready: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.05)


async def test_processes_that_cannot_be_started_are_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    start = asyncio.create_subprocess_exec
    calls = 0

    async def short_of_memory(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return await start(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", short_of_memory)
    pool = ChildPool(("json",), _LIMITS)
    pool.start()
    try:
        await until("both processes", lambda: pool.idle == 2)
        assert calls == 4
    finally:
        await pool.close()


async def test_a_process_that_vanishes_while_it_gets_ready_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identify = pool_module.process_identity
    pids: list[int] = []

    def vanished_once(pid: int) -> str:
        pids.append(pid)
        if len(pids) == 1:
            raise psutil.NoSuchProcess(pid)
        return identify(pid)

    monkeypatch.setattr(pool_module, "process_identity", vanished_once)
    pool = ChildPool(("json",), PoolLimits(processes=1, spares=0))
    pool.start()
    try:
        await until("the second process", lambda: pool.idle == 1)
        assert len(set(pids)) == 2
        assert not psutil.pid_exists(pids[0])
    finally:
        await pool.close()
