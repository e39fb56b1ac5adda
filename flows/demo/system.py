"""Starts ``secondread serve`` with settings of its own and free ports, waits for it, and ends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from dicom_io.send import NodeAddress, SendError, echo
from flows.journal import Journal, open_journal
from flows.settings import Node, Settings, load_settings

__all__ = ["LocalSystem", "SystemFailed", "free_port"]

_POLL_S = 0.1
_STOP_S = 30.0
_LOG_LINES = 15


class SystemFailed(Exception):
    """The service did not start or ended by itself; the text names its log."""


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _own_environment_aside() -> Iterator[None]:
    """Take the caller's settings out of the environment: the system's own file alone decides."""
    aside = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SECONDREAD_")}
    try:
        yield
    finally:
        os.environ.update(aside)


def _toml(values: Mapping[str, Any]) -> str:
    """Return settings as TOML; JSON's scalars, lists and strings are TOML's as well."""
    scalars = {k: v for k, v in values.items() if not isinstance(v, Mapping)}
    lines = [f"{key} = {_inline(value)}" for key, value in scalars.items() if value is not None]
    for name, section in values.items():
        if isinstance(section, Mapping):
            lines += ["", f"[{name}]", *(f"{key} = {_inline(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_inline(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


class LocalSystem:
    """One ``secondread serve`` on loopback, from :meth:`start` to :meth:`stop`; also a context manager.

    Parameters
    ----------
    folder : pathlib.Path
        Settings, state and log.
    nodes : mapping of str to node
        Where results go: all of them are destinations of the one route.
    package : str
        ``NAME`` or ``NAME@VERSION`` that reads the films.
    quiet_time_s : float
        A study is complete after so long without news.
    route : mapping, optional
        More settings of the one route, e.g. other instances to read.
    settings : mapping, optional
        More settings by section, e.g. ``{"worker": {"spares": 0}}``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: Mapping[str, Node],
        package: str = "chest-nodule",
        quiet_time_s: float = 1.0,
        route: Mapping[str, Any] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = self.folder / "secondread.toml"
        self.log = self.folder / "serve.log"
        values: dict[str, Any] = {
            "state_dir": "state",
            "nodes": {name: node.model_dump(mode="json", exclude_none=True) for name, node in nodes.items()},
            "routes": [
                {
                    "name": "chest",
                    "package": package,
                    "when": [{"tag": "Modality", "in": ["CR", "DX"]}],
                    "destinations": list(nodes),
                    "quiet_time_s": quiet_time_s,
                    **(route or {}),
                }
            ],
            "listener": {"port": free_port()},
            "prefect": {"port": free_port()},
            "metrics": {"port": free_port()},
        }
        for section, more in (settings or {}).items():
            values[section] = {**values.get(section, {}), **more}
        self.path.write_text(_toml(values), encoding="utf-8")
        with _own_environment_aside():
            self.settings: Settings = load_settings(self.path)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> NodeAddress:
        """Where studies are sent to."""
        listener = self.settings.listener
        return NodeAddress(listener.ae_title, listener.host, listener.port, 10.0)

    @property
    def process_id(self) -> int:
        """The main process of the service."""
        if self._process is None:
            raise RuntimeError("the service is not started")
        return self._process.pid

    def launch(self) -> None:
        """Start the service and return at once."""
        with _own_environment_aside(), self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", "serve"],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "SECONDREAD_CONFIG": str(self.path)},
                # Ctrl-C reaches this process alone, which then ends the service in order.
                start_new_session=True,
            )

    def start(self, timeout_s: float = 90.0) -> Self:
        """Start the service and wait until listener, Prefect and worker are ready.

        Raises
        ------
        SystemFailed
            It ended, or was not ready in time.
        """
        self.launch()
        self.wait_until_ready(timeout_s)
        return self

    def wait_until_ready(self, timeout_s: float) -> None:
        """Wait until the listener answers a C-ECHO and Prefect's API its health check."""
        end = time.monotonic() + timeout_s
        for ready in (self._prefect_answers, self._listens):
            while not ready():
                self.check()
                if time.monotonic() > end:
                    raise SystemFailed(
                        f"the service was not ready after {timeout_s:g} s. {self.last_words()}"
                    )
                time.sleep(_POLL_S)

    def check(self) -> None:
        """Raise SystemFailed where the service has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            status = self._process.returncode
            raise SystemFailed(f"the service ended with status {status}. {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of the service's log, with the log's name."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        return f"Its log is {self.log}" + (":\n  " + "\n  ".join(lines[-_LOG_LINES:]) if lines else ".")

    def journal(self) -> Journal:
        """Open the journal that the service writes; the caller closes it."""
        return open_journal(self.settings)

    def stop(self) -> None:
        """End the service in order and wait; kill it with its children where it does not obey."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _listens(self) -> bool:
        try:
            return echo(self.address, "READY").success
        except SendError:
            return False

    def _prefect_answers(self) -> bool:
        try:
            with urlopen(f"{self.settings.prefect.url}/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False
