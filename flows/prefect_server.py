"""The Prefect server that ``serve`` starts itself, and the environment of every Prefect process.

Nothing here imports Prefect: the main process starts the server as a child and asks its health over HTTP.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from flows.settings import Settings, is_loopback
from flows.supervisor import Program

__all__ = [
    "child_environment",
    "is_healthy",
    "prefect_environment",
    "server_program",
    "wait_until_healthy",
]

_HEALTH_TIMEOUT_S = 2.0


def prefect_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that every Prefect process of this installation gets.

    No analytics and no telemetry leave the machine, a missing server is an error instead of a silently
    started temporary one, results of tasks are never stored, and everything that Prefect keeps lies in
    the state folder.
    """
    return {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": settings.prefect.url,
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        "PREFECT_HOME": str(settings.state_dir.resolve() / "prefect"),
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "INFO",
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "INFO",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
        "PREFECT_WORKER_QUERY_SECONDS": str(settings.worker.poll_interval_s),
    }


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the whole environment of a child process: ours, Prefect's, and where the settings are."""
    environment = {**os.environ, **prefect_environment(settings)}
    if settings.path is not None:
        environment["SECONDREAD_CONFIG"] = str(settings.path)
    return environment


def server_program(settings: Settings) -> Program:
    """Return how the embedded server is started: uvicorn in one process, its database in the state folder."""
    home = settings.state_dir.resolve() / "prefect"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = settings.prefect.database_url or f"sqlite+aiosqlite:///{home / 'prefect.db'}"
    host, port = settings.prefect.host, settings.prefect.port
    return Program(
        name="prefect-server",
        command=(
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            "flows.prefect_app:create_app",
            "--host",
            host,
            "--port",
            str(port),
            "--log-level",
            "warning",
            "--timeout-keep-alive",
            "30",
            "--timeout-graceful-shutdown",
            "2",
        ),
        environment={
            **child_environment(settings),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "PREFECT_SERVER_DATABASE_TIMEOUT": "30",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "PREFECT_UI_API_URL": settings.prefect.url if is_loopback(settings.prefect.url) else "/api",
            "PREFECT__SERVER_FINAL": "1",
        },
    )


def is_healthy(api_url: str, timeout_s: float = _HEALTH_TIMEOUT_S) -> bool:
    """Return whether a Prefect API answers at ``api_url``."""
    if not api_url.startswith(("http://", "https://")):
        raise ValueError(f"the API address of Prefect must be http or https, not {api_url!r}")
    try:
        with urlopen(f"{api_url}/health", timeout=timeout_s) as response:  # noqa: S310 - scheme checked above
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


async def wait_until_healthy(api_url: str, timeout_s: float) -> bool:
    """Wait until the API answers; False when it has not within ``timeout_s``."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        if await asyncio.to_thread(is_healthy, api_url):
            return True
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(0.1)


def log_path(settings: Settings, name: str) -> Path:
    """Return where a child's output goes."""
    return settings.state_dir / "logs" / f"{name}.log"
