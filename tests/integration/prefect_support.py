"""A real Prefect server and real workers for tests, as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from flows.journal import open_journal
from flows.prefect_server import child_environment, is_healthy, server_program
from flows.settings import Settings, load_settings
from tests.peers import free_port, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


def write_settings(folder: Path, text: str) -> Settings:
    """Write a configuration and read it back as the processes will."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "secondread.toml"
    path.write_text(text)
    return load_settings(path)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a child process, which also finds the tests' own modules."""
    found = child_environment(settings)
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(REPOSITORY), found.get("PYTHONPATH"))))
    return found


def spawn(settings: Settings, *command: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a Python program of ours with its output in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment(settings),
            cwd=log.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], timeout: float = 20) -> None:
    """Stop a program, with force if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout)


@dataclass
class PrefectServer:
    """A server that can be killed and started again."""

    settings: Settings
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.settings.prefect.url

    def start(self) -> None:
        program = server_program(self.settings)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                program.command,
                env={**program.environment, "PYTHONPATH": environment(self.settings)["PYTHONPATH"]},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until("the Prefect server to answer", lambda: is_healthy(self.url), timeout=90)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)


@contextmanager
def prefect_server(folder: Path, database_url: str | None = None) -> Iterator[PrefectServer]:
    """Run a server on a free port, on SQLite unless a database is named."""
    database = f'database_url = "{database_url}"\n' if database_url else ""
    settings = write_settings(
        folder, f'state_dir = "state"\nroutes = []\n[prefect]\nport = {free_port()}\n{database}'
    )
    server = PrefectServer(settings, folder / "server.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def eventually(
    what: str, ask: Callable[[], Awaitable[Any]], timeout: float = 30, interval: float = 0.05
) -> Any:
    """Ask until the answer is true and return it."""
    import asyncio

    deadline = time.monotonic() + timeout
    while True:
        answer = await ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}"
        await asyncio.sleep(interval)


async def final_run(client: PrefectClient, flow_run_id: UUID, timeout: float = 30) -> FlowRun:
    """Wait for the end of a flow run."""

    async def ended() -> FlowRun | None:
        run = await client.read_flow_run(flow_run_id)
        return run if run.state is not None and run.state.is_final() else None

    run: FlowRun = await eventually("the flow run to end", ended, timeout)
    return run


async def running_run(client: PrefectClient, flow_run_id: UUID, timeout: float = 30) -> FlowRun:
    """Wait until a flow run runs in a known process."""

    async def started() -> FlowRun | None:
        run = await client.read_flow_run(flow_run_id)
        assert run.state is not None and not run.state.is_final(), run.state
        return run if run.state.is_running() and run.infrastructure_pid else None

    run: FlowRun = await eventually("the flow run to start", started, timeout)
    return run


def make_journal(settings: Settings) -> None:
    """Create the tables that the warm processes expect."""
    open_journal(settings, upgrade=True).close()
