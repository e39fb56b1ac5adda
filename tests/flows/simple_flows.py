"""Flows that do what the worker's tests need."""

from __future__ import annotations

import asyncio
import os
import signal

from prefect import flow, task

KEPT: list[str] = []


@task(persist_result=False)
async def step(number: int) -> int:
    return number


@flow(name="simple", persist_result=False)
async def simple(what: str = "pass", seconds: float = 0.0) -> None:
    KEPT.append(what)
    for number in range(3):
        await step(number)
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "raise":
        raise RuntimeError("as asked")
    await asyncio.sleep(seconds)
