"""One warm process: everything is loaded before a study comes, and nothing of it stays behind.

The worker starts it with one end of a socket. It says that it is ready, executes the flow runs that it
is told, one after another, and ends when the worker says so or is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import inspect
import logging
import os
import signal
import socket
import sys
import time
from functools import cache
from typing import Any

import psutil
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import AsyncClientContext
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow_async
from prefect.flows import Flow, load_flow_from_entrypoint

from flows.memory import give_back
from flows.worker.protocol import Done, Ready, Run, receive, send

__all__ = ["main"]

_LOG = logging.getLogger(__name__)


@cache
def _flow(entrypoint: str) -> Flow[Any, Any]:
    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


async def _prepare(modules: list[str], load: bool) -> None:
    for name in modules:
        warm_up = getattr(importlib.import_module(name), "warm_up", None)
        if warm_up is not None and load:
            result = warm_up()
            if inspect.isawaitable(result):
                await result


async def _execute(run: Run) -> Done:
    """Execute one flow run; what goes wrong outside the flow itself is told in ``error``."""
    state_name, error = "Unknown", None
    try:
        flow_run = FlowRun.model_validate(run.flow_run)
        state: State[Any] = await run_flow_async(  # type: ignore[assignment]
            _flow(run.entrypoint),
            flow_run=flow_run,
            parameters=flow_run.parameters,
            return_type="state",
        )
        state_name = state.name or state.type.value.title()
    except (Abort, Pause) as signal_from_server:
        state_name = type(signal_from_server).__name__
    except Exception as problem:
        _LOG.exception("flow run %s did not come to an end", run.flow_run_id)
        error = type(problem).__name__
    give_back()
    return Done(flow_run_id=run.flow_run_id, state=state_name, memory_bytes=_resident_bytes(), error=error)


async def _serve(descriptor: int, modules: list[str], load: bool) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
    await _prepare(modules, load)
    async with AsyncClientContext.get_or_create():
        give_back()
        gc.freeze()
        seconds = time.time() - psutil.Process().create_time()
        await send(writer, Ready(memory_bytes=_resident_bytes(), seconds=seconds))
        message = await receive(reader)
        while isinstance(message, Run):
            running = asyncio.create_task(_execute(message))
            following = asyncio.create_task(receive(reader))
            await asyncio.wait({running, following}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                # The worker is gone or wants an end: whoever reconciles takes the run from here.
                os._exit(1)
            await send(writer, await running)
            message = await following


def main() -> None:
    """Run until the worker is gone."""
    parser = argparse.ArgumentParser(description="A warm process of the resident worker.")
    parser.add_argument("--descriptor", type=int, required=True)
    parser.add_argument("--module", action="append", default=[], dest="modules")
    parser.add_argument("--load", action="store_true", help="warm up now, not with the first run")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Ctrl-C in a terminal reaches every process of the group; only the worker decides about an end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(arguments.descriptor, arguments.modules, arguments.load))
    # Prefect's background threads may wait for a server that is gone; nothing is left to be done.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
