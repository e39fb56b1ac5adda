"""The warm processes of a worker: started early, replaced when they are old, swollen or dead."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import psutil

from flows.worker.protocol import Done, Ready, Run, Stop, receive, send

__all__ = ["Child", "ChildPool", "PoolLimits", "RunEnd", "RunOutcome", "is_gone", "process_identity"]

_LOG = logging.getLogger(__name__)

_START_TIMEOUT_S = 120.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_STOP_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many processes there are, and when one is replaced.

    Parameters
    ----------
    processes : int
        Flow runs at one time.
    spares : int
        Warm processes beside them.
    maximum_runs : int
        A process is replaced after so many runs.
    maximum_growth_bytes : int
        A process is replaced when its resident memory grew by so much since it was ready.
    run_timeout_s : float
        A run that takes longer is ended.
    """

    processes: int = 1
    spares: int = 1
    maximum_runs: int = 200
    maximum_growth_bytes: int = 300 * 2**20
    run_timeout_s: float = 900.0


class RunEnd(Enum):
    """How the execution of a flow run ended, seen from outside."""

    FINISHED = "finished"
    DIED = "died"
    TIMED_OUT = "timed out"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The end of a flow run in a child; ``done`` is what the child said, when it could."""

    end: RunEnd
    exit_status: int | None = None
    done: Done | None = None


class Child:
    """One process and the worker's end of its socket."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self.loaded = False
        self.identity = ""
        self.runs = 0
        self.memory_at_ready = 0
        self.memory = 0
        self.flow_run_id: str | None = None
        self.killed = False

    @property
    def pid(self) -> int:
        """Process ID."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended, as far as we know."""
        return self.process.returncode is None

    @classmethod
    async def start(cls, modules: tuple[str, ...], environment: Mapping[str, str], *, load: bool) -> Child:
        """Start a process; it is not ready yet. With ``load`` it warms up, without it only imports."""
        with contextlib.ExitStack() as undo:
            ours, theirs = socket.socketpair()
            # Where descriptors run short, a start that fails must not keep one.
            undo.callback(ours.close)
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "flows.worker.child",
                    "--descriptor",
                    str(theirs.fileno()),
                    *(f"--module={name}" for name in modules),
                    *(["--load"] if load else []),
                    env=dict(environment),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                )
            undo.callback(_kill, process)
            reader, writer = await asyncio.open_connection(sock=ours)
            undo.pop_all()
        child = cls(process, reader, writer)
        child.loaded = load
        return child

    async def wait_until_ready(self) -> Ready:
        """Wait for the process to be warm; ChildProcessError when it ends before."""
        message = await asyncio.wait_for(receive(self._reader), _START_TIMEOUT_S)
        if not isinstance(message, Ready):
            raise ChildProcessError(
                f"a warm process ended with {await self.process.wait()} before it was ready"
            )
        self.memory_at_ready = self.memory = message.memory_bytes
        self.identity = process_identity(self.pid)
        return message

    async def run(self, request: Run, timeout_s: float) -> RunOutcome:
        """Execute a flow run and wait for its end."""
        self.flow_run_id = request.flow_run_id
        self.runs += 1
        try:
            await send(self._writer, request)
            message = await asyncio.wait_for(receive(self._reader), timeout_s)
        except TimeoutError:
            await self.kill()
            return RunOutcome(RunEnd.TIMED_OUT, self.process.returncode)
        except ConnectionError:
            message = None
        if isinstance(message, Done):
            self.memory = message.memory_bytes
            self.loaded = True
            if self.runs == 1:
                # What the first real run leaves are caches and lazily loaded code, not the study.
                self.memory_at_ready = max(self.memory_at_ready, self.memory)
            self.flow_run_id = None
            return RunOutcome(RunEnd.FINISHED, done=message)
        status = await self.process.wait()
        return RunOutcome(RunEnd.KILLED if self.killed else RunEnd.DIED, status)

    async def kill(self) -> None:
        """End the process at once, on purpose."""
        self.killed = True
        _kill(self.process)
        await self.process.wait()
        self._writer.close()

    async def stop(self) -> None:
        """Ask an idle process to end, and end it if it does not."""
        with contextlib.suppress(ConnectionError):
            await send(self._writer, Stop())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), _STOP_GRACE_S)
        await self.kill()


class ChildPool:
    """Keeps ``processes + spares`` children ready and hands them out one run at a time.

    As many as may run at one time have their models loaded. A spare has imported everything and loads
    with its first run, so that it costs half the memory while nothing happens; it stands in at once for a
    process that died or is replaced.

    Parameters
    ----------
    modules : tuple of str
        What a child imports; each may have a ``warm_up`` function.
    limits : PoolLimits
        How many, how long.
    environment : mapping, optional
        Environment of the children; ours by default.
    on_ready : callable, optional
        Called with each child that became ready.
    """

    def __init__(
        self,
        modules: tuple[str, ...],
        limits: PoolLimits,
        environment: Mapping[str, str] | None = None,
        on_ready: Callable[[Child], None] | None = None,
    ) -> None:
        self._modules = modules
        self._limits = limits
        self._environment = dict(os.environ if environment is None else environment)
        self._on_ready = on_ready
        self._members: set[Child] = set()
        self._free: list[Child] = []
        self._freed = asyncio.Event()
        self._loading = 0
        self._starting: set[asyncio.Task[Child]] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def size(self) -> int:
        """How many children there should be."""
        return self._limits.processes + self._limits.spares

    @property
    def idle(self) -> int:
        """How many children are ready and free."""
        return sum(child.alive for child in self._free)

    @property
    def members(self) -> frozenset[Child]:
        """All warm children, busy ones too."""
        return frozenset(self._members)

    def start(self) -> None:
        """Begin to start all children."""
        for _ in range(self.size):
            self._replenish()

    async def close(self) -> None:
        """End all children; those with a run are killed."""
        self._closed = True
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(
            *(child.stop() if child.flow_run_id is None else child.kill() for child in self._members)
        )
        self._members.clear()

    async def acquire(self) -> Child:
        """Take a free child, one with loaded models first, waiting for one if need be."""
        while True:
            self._free = [child for child in self._free if child.alive]
            if self._free:
                child = max(self._free, key=lambda one: one.loaded)
                self._free.remove(child)
                return child
            self._freed.clear()
            await self._freed.wait()

    async def release(self, child: Child) -> None:
        """Give a child back; it is replaced if it is dead, old or swollen."""
        if child.alive and not self._is_spent(child):
            self._offer(child)
            return
        self._drop(child)
        if child.alive:
            await child.stop()

    def _offer(self, child: Child) -> None:
        self._free.append(child)
        self._freed.set()

    async def kill(self, flow_run_id: str) -> bool:
        """End the child that executes a flow run; False where none does."""
        for child in self._members:
            if child.flow_run_id == flow_run_id:
                await child.kill()
                return True
        return False

    async def execute(self, child: Child, request: Run) -> RunOutcome:
        """Execute a flow run in an acquired child and give the child back."""
        try:
            return await child.run(request, self._limits.run_timeout_s)
        finally:
            await self.release(child)

    def _is_spent(self, child: Child) -> bool:
        if child.runs >= self._limits.maximum_runs:
            _LOG.info("warm process %d is replaced after %d runs", child.pid, child.runs)
            return True
        growth = child.memory - child.memory_at_ready
        if growth > self._limits.maximum_growth_bytes:
            _LOG.warning("warm process %d is replaced: it grew by %d MB", child.pid, growth // 2**20)
            return True
        return False

    def _drop(self, child: Child) -> None:
        if child in self._members:
            self._members.discard(child)
            self._replenish()

    def _replenish(self) -> None:
        if self._closed or len(self._members) + len(self._starting) >= self.size:
            return
        loaded = sum(child.loaded for child in self._members) + self._loading
        load = loaded < self._limits.processes
        self._loading += load
        task = asyncio.create_task(self._start_one(load), name="start warm process")
        self._starting.add(task)
        task.add_done_callback(lambda done: self._started(done, load))

    def _started(self, task: asyncio.Task[Child], load: bool) -> None:
        self._starting.discard(task)
        self._loading -= load
        if task.cancelled() or self._closed:
            return
        error = task.exception()
        if error is not None:
            _LOG.error("a warm process is missing (%s) and is started later", type(error).__name__)
            asyncio.get_running_loop().call_later(_LONGEST_PAUSE_S, self._replenish)
            return
        child = task.result()
        self._members.add(child)
        self._watch(child)
        self._offer(child)
        if self._on_ready is not None:
            self._on_ready(child)

    async def _start_one(self, load: bool) -> Child:
        """Start a child, however often it takes."""
        pause = _FIRST_PAUSE_S
        while True:
            child: Child | None = None
            try:
                child = await Child.start(self._modules, self._environment, load=load)
                ready = await child.wait_until_ready()
            except (OSError, psutil.Error, ValueError) as error:
                if child is not None:
                    await child.kill()
                _LOG.error("a warm process could not be started (%s); next try in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            except asyncio.CancelledError:
                if child is not None:
                    await child.kill()
                raise
            else:
                _LOG.info(
                    "warm process %d is ready after %.1f s with %d MB%s",
                    child.pid,
                    ready.seconds,
                    ready.memory_bytes // 2**20,
                    ", models loaded" if load else ", a spare",
                )
                return child

    def _watch(self, child: Child) -> None:
        """Replace a child that dies while it is idle, not when the next run needs it."""

        async def wait() -> None:
            status = await child.process.wait()
            if not self._closed and child in self._members:
                _LOG.warning("warm process %d ended with status %d and is replaced", child.pid, status)
                self._drop(child)

        task = asyncio.create_task(wait(), name=f"watch warm process {child.pid}")
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def process_identity(pid: int) -> str:
    """Return a name of a process that no later process has: host, process ID, and when it started."""
    return f"{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.2f}"


def is_gone(identity: str) -> bool:
    """Return whether an identified process is known to have ended; False for other hosts and formats."""
    host, _, rest = identity.partition(":")
    pid, _, _ = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        return process_identity(int(pid)) != identity
    except psutil.NoSuchProcess:
        return True
