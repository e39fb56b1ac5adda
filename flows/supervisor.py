"""Child processes that are started again when they end, with growing pauses, and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Program", "SupervisedProcess", "end_with_parent"]

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_SETTLED_AFTER_S = 30.0
_LARGEST_LOG_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Program:
    """What is run.

    Parameters
    ----------
    name : str
        For logs and the name of the log file.
    command : tuple of str
        Program and arguments; no shell takes part.
    environment : mapping
        The whole environment.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


class SupervisedProcess:
    """A program that runs until it is stopped on purpose.

    Parameters
    ----------
    program : Program
        What is run.
    log_file : pathlib.Path, optional
        Where its output goes; to ours by default.
    grace_s : float
        Seconds between SIGTERM and SIGKILL.
    on_exit : callable, optional
        Called with the exit status whenever the program ended by itself.
    """

    def __init__(
        self,
        program: Program,
        *,
        log_file: Path | None = None,
        grace_s: float = 10.0,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        self.program = program
        self._log_file = log_file
        self._grace_s = grace_s
        self._on_exit = on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the program and keep it running from now on."""
        await self._spawn()
        self._task = asyncio.create_task(self._keep_running(), name=f"supervise {self.program.name}")

    async def stop(self) -> None:
        """End the program: SIGTERM, then SIGKILL to its whole group after the grace time."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._grace_s)
        except TimeoutError:
            _LOG.warning("%s did not end within %.0f s and is killed", self.program.name, self._grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _spawn(self) -> None:
        with contextlib.ExitStack() as stack:
            output: IO[bytes] | None = None
            if self._log_file is not None:
                self._log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                fresh = not self._log_file.exists() or self._log_file.stat().st_size > _LARGEST_LOG_BYTES
                output = stack.enter_context(self._log_file.open("wb" if fresh else "ab"))
            self._process = await asyncio.create_subprocess_exec(
                *self.program.command,
                env=dict(self.program.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT if output is not None else None,
                start_new_session=True,
            )
        self.starts += 1

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_S
        while self._process is not None:
            started = loop.time()
            status = await self._process.wait()
            if loop.time() - started > _SETTLED_AFTER_S:
                pause = _FIRST_PAUSE_S
            _LOG.warning(
                "%s ended with status %d; it is started again in %.1f s", self.program.name, status, pause
            )
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            if self._on_exit is not None:
                self._on_exit(status)
            while True:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                try:
                    await self._spawn()
                except OSError as error:
                    kind = type(error).__name__ if error.errno is None else os.strerror(error.errno)
                    _LOG.error(
                        "%s could not be started (%s); next try in %.1f s", self.program.name, kind, pause
                    )
                else:
                    break


def end_with_parent() -> None:
    """End this process when the one that started it is gone, also when that one was killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5.0)
        os._exit(1)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()
