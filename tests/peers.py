"""Real peers for tests: Orthanc, PostgreSQL, dcmtk, the validators, Chromium.

A missing program fails the test under ``CI`` and skips it with the reason elsewhere, so that nothing is
skipped unseen where everything ought to be installed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

__all__ = [
    "ORTHANC_CONFIGURATION",
    "Orthanc",
    "Postgres",
    "find_tool",
    "free_port",
    "missing",
    "peer_environment",
    "require_tool",
    "run_tool",
    "start_orthanc",
    "start_postgres",
    "wait_until",
]

REPOSITORY = Path(__file__).resolve().parents[1]
ORTHANC_CONFIGURATION = REPOSITORY / "infra" / "orthanc" / "orthanc.json"
# Not $PATH: a virtual environment shadows dcmtk (pynetdicom brings a `storescu`) and all of gdcm.
_SYSTEM_FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin")


def missing(reason: str) -> NoReturn:
    """End the test: failed under CI, skipped with the reason elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (an error under CI)", pytrace=False)
    pytest.skip(reason)


def find_tool(name: str) -> Path | None:
    """Return the system's program of that name, or None."""
    folders = [*_SYSTEM_FOLDERS]
    if name in {"initdb", "postgres", "pg_ctl", "createdb", "psql", "pg_isready"}:
        folders += [str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


def require_tool(name: str) -> Path:
    """Return the system's program of that name; without it the test ends as `missing` says."""
    found = find_tool(name)
    if found is None:
        missing(f"the program {name} is not installed")
    return found


def peer_environment(**more: str) -> dict[str, str]:
    """Return the environment of a peer; without TCP_NODELAY dcmtk is 40 to 150 times slower on loopback."""
    return {**os.environ, "TCP_NODELAY": "1", **more}


def run_tool(name: str, *arguments: str | Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a system program to its end and return what it said; the exit status is the caller's to judge."""
    command = [str(require_tool(name)), *(str(a) for a in arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env=peer_environment(),
        timeout=timeout,
        check=False,
    )


def free_port() -> int:
    """Return a TCP port that nobody listens on just now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_until(what: str, ready: Any, timeout: float = 30, interval: float = 0.1) -> Any:
    """Call ``ready`` until it answers something true and return that; fail with ``what`` after the time."""
    end = time.monotonic() + timeout
    while True:
        answer = ready()
        if answer:
            return answer
        if time.monotonic() > end:
            pytest.fail(f"waited {timeout:g} s in vain for {what}", pytrace=True)
        time.sleep(interval)


@dataclass
class Orthanc:
    """A running Orthanc."""

    process: subprocess.Popen[bytes]
    dicom_port: int
    http_port: int
    log: Path
    ae_title: str = "ORTHANC"
    host: str = "127.0.0.1"
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, trust_env=False))

    @property
    def url(self) -> str:
        """Root of the REST interface."""
        return f"http://{self.host}:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Root of QIDO-RS, WADO-RS and STOW-RS."""
        return f"{self.url}/dicom-web"

    def get(self, path: str, **parameters: str) -> Any:
        """GET a JSON resource of the REST or DICOMweb interface."""
        answer = self._client.get(self.url + path, params=parameters, headers={"Accept": "application/json"})
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **request: Any) -> Any:
        """POST and return the JSON answer."""
        answer = self._client.post(self.url + path, **request)
        answer.raise_for_status()
        return answer.json()

    def upload(self, path: Path) -> Any:
        """Store one file over REST."""
        return self.post("/instances", content=path.read_bytes())

    def instances(self, study_instance_uid: str) -> list[dict[str, Any]]:
        """Return QIDO-RS's answer for the instances of a study; empty where it is unknown."""
        found = self._client.get(
            f"{self.dicomweb_url}/instances",
            params={"StudyInstanceUID": study_instance_uid, "includefield": "all"},
            headers={"Accept": "application/dicom+json"},
        )
        if found.status_code == httpx.codes.NO_CONTENT:
            return []
        found.raise_for_status()
        answer: list[dict[str, Any]] = found.json()
        return answer

    def download(self, sop_instance_uid: str, path: Path) -> Path:
        """Write the stored file of an instance to ``path``."""
        (identifier,) = self.post("/tools/lookup", content=sop_instance_uid.encode())
        answer = self._client.get(f"{self.url}/instances/{identifier['ID']}/file")
        answer.raise_for_status()
        path.write_bytes(answer.content)
        return path

    def stop(self) -> None:
        """End it and wait."""
        self._client.close()
        _stop(self.process)


def _stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def start_orthanc(
    folder: Path,
    *,
    secondread_port: int = 11112,
    stable_age_s: int = 1,
    route_results: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Orthanc]:
    """Run an Orthanc with the shipped configuration: DICOMweb, and auto-routing of stable studies.

    Parameters
    ----------
    folder : pathlib.Path
        Where it keeps its database and log.
    secondread_port : int
        Port of the node that stable studies are sent to.
    stable_age_s : int
        Seconds of rest before a study is stable.
    route_results : bool
        Send SecondRead's own results out again too, as a PACS without a loop guard would.
    """
    program = require_tool("Orthanc")
    storage = folder / "orthanc"
    storage.mkdir(parents=True, exist_ok=True)
    log = folder / "orthanc.log"
    dicom_port, http_port = free_port(), free_port()
    settings = {
        "ORTHANC_STORAGE": str(storage),
        "ORTHANC_DICOM_PORT": str(dicom_port),
        "ORTHANC_HTTP_PORT": str(http_port),
        "ORTHANC_STABLE_AGE": str(stable_age_s),
        "ORTHANC_TARGET_PORT": str(secondread_port),
        "ORTHANC_ROUTE_RESULTS": "true" if route_results else "false",
        **(environment or {}),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, ORTHANC_CONFIGURATION],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=peer_environment(**settings),
        )
    try:

        def started() -> bool:
            text = log.read_text(errors="replace")
            if process.poll() is not None:
                pytest.fail(f"Orthanc ended with {process.returncode}: {text[-2000:]}", pytrace=False)
            return "has started" in text

        wait_until("Orthanc to start", started, timeout=60)
        peer = Orthanc(process, dicom_port, http_port, log)
        yield peer
        peer.stop()
    finally:
        _stop(process)


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL cluster that trusts its loopback clients."""

    port: int
    user: str
    folder: Path

    def url(self, database: str, driver: str = "psycopg") -> str:
        """Return a SQLAlchemy URL, e.g. with the driver ``psycopg`` or ``asyncpg``."""
        return f"postgresql+{driver}://{self.user}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> None:
        """Make an empty database."""
        done = run_tool("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, name)
        if done.returncode:
            pytest.fail(f"createdb {name}: {done.stderr}", pytrace=False)


def _postgres_user() -> dict[str, Any]:
    """Return how the server's processes run: PostgreSQL refuses root, which lends them a user."""
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        missing("root cannot run PostgreSQL and there is no user postgres")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


@contextmanager
def start_postgres(folder: Path) -> Iterator[Postgres]:
    """Run a PostgreSQL cluster in ``folder``, on a free loopback port."""
    identity = _postgres_user()
    initdb, server = require_tool("initdb"), require_tool("postgres")
    cluster, log = folder / "cluster", folder / "postgres.log"
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        # pytest's folders are closed to other users, so the cluster lies beside them.
        cluster = Path("/var/tmp") / f"secondread-postgres-{os.getpid()}-{free_port()}"  # noqa: S108
        cluster.mkdir()
        shutil.chown(cluster, "postgres", "postgres")
    made = subprocess.run(
        [initdb, "-D", cluster, "-A", "trust", "-U", "secondread", "-E", "UTF8"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        **identity,
    )
    if made.returncode:
        pytest.fail(f"initdb: {made.stderr}", pytrace=False)
    port = free_port()
    options = [
        "-D", str(cluster), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
        "-c", "unix_socket_directories=", "-c", "max_connections=200",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [server, *options], stdout=output, stderr=subprocess.STDOUT, cwd="/", **identity
        )
    ready = require_tool("pg_isready")
    try:

        def started() -> bool:
            if process.poll() is not None:
                pytest.fail(f"PostgreSQL ended: {log.read_text()[-2000:]}", pytrace=False)
            asked = subprocess.run(
                [ready, "-h", "127.0.0.1", "-p", str(port)], capture_output=True, check=False
            )
            return asked.returncode == 0

        wait_until("PostgreSQL to start", started, timeout=60)
        yield Postgres(port, "secondread", cluster)
    finally:
        _stop(process, signal.SIGINT)  # "fast": open connections are cut
        shutil.rmtree(cluster, ignore_errors=True)
