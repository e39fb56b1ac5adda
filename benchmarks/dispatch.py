"""How long from a complete study to its running flow: the resident worker against Prefect's process worker.

Both take turns on the same Prefect server, database and machine, each with a listener and a journal of its
own, so that load from elsewhere hits both. The stock worker polls as often as the resident one: what is
compared is the way a run is started.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from dicom_io.send import NodeAddress, send_files
from flows.journal import JobRecord, Journal, open_journal
from flows.prefect_server import child_environment
from flows.service import Running, running
from flows.settings import Settings, load_settings

_TARGET_S = {"postgresql": 0.5, "sqlite": 1.0}
_TARGET_RATIO = 10.0
_STOCK_POOL = "stock-process"

Seconds = dict[str, float]
"""By step: routing, dispatch, start, and their total."""


def main() -> None:
    """Measure and print; the exit status says whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--studies", type=int, default=20, help="studies for the resident worker")
    parser.add_argument("--stock-studies", type=int, default=5, help="studies for the stock worker")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--package", default="chest-nodule", help="NAME or NAME@VERSION")
    parser.add_argument("--package-dir", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "machine": {"processors": os.cpu_count(), "system": platform.platform()},
        "load_at_start": os.getloadavg(),
    }
    for database in arguments.database or ["postgresql", "sqlite"]:
        result[database] = measure(database, arguments)
        print(json.dumps({database: result[database]}, indent=1), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    figures = [result[name] for name in _TARGET_S if name in result]
    sys.exit(0 if all(one["met"] for one in figures) else 1)


def measure(database: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure both workers with one database behind Prefect."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="secondread-dispatch-")))
        url = stack.enter_context(postgresql()) if database == "postgresql" else None
        return asyncio.run(_measure(database, url, folder, arguments))


async def _measure(
    database: str, url: str | None, folder: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    port = free_port()
    database_line = f'database_url = "{url}"' if url else ""
    resident = _settings(folder / "resident", arguments, f"port = {port}\n{database_line}")
    stock = _settings(
        folder / "stock",
        arguments,
        f'embedded = false\napi_url = "{resident.prefect.url}"\nwork_pool = "{_STOCK_POOL}"\n'
        'deployment = "process-study/stock"\n[worker]\nenabled = false',
    )
    times: dict[str, list[Seconds]] = {"resident": [], "stock": []}
    async with running(resident) as first, stock_worker(stock), running(stock) as second:
        with open_journal(resident) as journal, open_journal(stock) as stock_journal:
            for name, settings, service, held in (
                ("warm-up", resident, first, journal),
                ("warm-up", stock, second, stock_journal),
            ):
                print(name, await asyncio.to_thread(time_one, settings, service, held, folder), flush=True)
            every = max(arguments.studies // arguments.stock_studies, 1)
            for number in range(arguments.studies):
                times["resident"].append(await asyncio.to_thread(time_one, resident, first, journal, folder))
                if number % every == 0 and len(times["stock"]) < arguments.stock_studies:
                    times["stock"].append(
                        await asyncio.to_thread(time_one, stock, second, stock_journal, folder)
                    )
    return _figures(database, times)


def _figures(database: str, times: dict[str, list[Seconds]]) -> dict[str, Any]:
    totals = {name: [value["total"] for value in values] for name, values in times.items()}
    medians = {name: statistics.median(values) for name, values in totals.items()}
    ratio = medians["stock"] / medians["resident"]
    return {
        **{
            name: {
                "median_s": round(medians[name], 4),
                "worst_s": round(max(totals[name]), 4),
                "median_by_step_s": {
                    step: round(statistics.median(value[step] for value in values), 4) for step in values[0]
                },
                "all_s": [round(value, 4) for value in totals[name]],
            }
            for name, values in times.items()
        },
        "ratio_to_stock_process_worker": round(ratio, 2),
        "target_median_s": _TARGET_S[database],
        "target_ratio": _TARGET_RATIO,
        "met": medians["resident"] <= _TARGET_S[database] and ratio >= _TARGET_RATIO,
    }


def time_one(settings: Settings, service: Running, journal: Journal, folder: Path) -> Seconds:
    """Send a study, wait for the end of its job, and return the seconds from complete to running."""
    path = folder / "film.dcm"
    study_uid = write_film(path)
    node = NodeAddress(settings.listener.ae_title, "127.0.0.1", service.listener_port)
    [sent] = send_files([path], node)
    if sent.error:
        raise RuntimeError(sent.error)
    job = _ended_job(journal, study_uid)
    study = journal.find_study(study_uid)
    if study is None or study.completed_at is None or job.state != "completed":
        raise RuntimeError(f"the job ended as {job.state}: {job.reason}")
    with urlopen(f"{settings.prefect.url}/flow_runs/{job.flow_run_id}", timeout=10) as response:  # noqa: S310
        run = json.load(response)
    made, started = (datetime.fromisoformat(run[name]) for name in ("created", "start_time"))
    steps = {
        "routing": (study.completed_at, job.created_at),
        "dispatch": (job.created_at, made),
        "start": (made, started),
        "total": (study.completed_at, started),
    }
    return {name: (after - before).total_seconds() for name, (before, after) in steps.items()}


def _ended_job(journal: Journal, study_uid: str, timeout_s: float = 120.0) -> JobRecord:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        study = journal.find_study(study_uid)
        jobs = journal.jobs(study_id=study.id) if study is not None else []
        if jobs and jobs[0].finished_at is not None:
            time.sleep(0.5)  # the flow ends after its job
            return jobs[0]
        time.sleep(0.02)
    raise TimeoutError(f"no job ended within {timeout_s:g} s")


def write_film(path: Path, rows: int = 512, columns: int = 512) -> str:
    """Write a film of noise with UIDs of its own and return its Study Instance UID."""
    dataset = Dataset()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientName, dataset.PatientID = "BENCHMARK^DISPATCH", "BENCHMARK"
    dataset.PatientBirthDate = dataset.PatientSex = dataset.AccessionNumber = ""
    dataset.StudyID = dataset.ReferringPhysicianName = ""
    dataset.StudyDate, dataset.StudyTime = "20260101", "120000"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.Rows, dataset.Columns = rows, columns
    dataset.ImagerPixelSpacing = [0.8, 0.8]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    noise = np.random.default_rng().normal(2000, 300, (rows, columns))
    dataset.PixelData = noise.clip(0, 4095).astype("<u2").tobytes()
    dataset.WindowCenter, dataset.WindowWidth = 2000, 3000
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return str(dataset.StudyInstanceUID)


def _settings(folder: Path, arguments: argparse.Namespace, prefect: str) -> Settings:
    folder.mkdir(parents=True)
    folders = [str(one.resolve()) for one in arguments.package_dir]
    (folder / "secondread.toml").write_text(
        f'state_dir = "state"\n[listener]\nport = 0\n[metrics]\nport = 0\n'
        f"[runtime]\npackage_dirs = {json.dumps(folders)}\n"
        f'[[routes]]\nname = "chest"\npackage = "{arguments.package}"\nquiet_time_s = 0\n'
        'when = [{ tag = "Modality", in = ["CR", "DX"] }]\n'
        f"[prefect]\n{prefect}\n"
    )
    return load_settings(folder / "secondread.toml")


@asynccontextmanager
async def stock_worker(settings: Settings) -> AsyncIterator[None]:
    """Run Prefect's process worker on a pool of its own type."""
    command = (sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--pool", _STOCK_POOL)
    environment = child_environment(settings) | {"PREFECT_WORKER_QUERY_SECONDS": "0.2"}
    log = settings.state_dir / "logs" / "stock-worker.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        await _pool_exists(settings)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def _pool_exists(settings: Settings) -> None:
    def found() -> bool:
        try:
            url = f"{settings.prefect.url}/work_pools/{_STOCK_POOL}"
            with urlopen(url, timeout=5) as response:  # noqa: S310
                return bool(response.status == 200)
        except OSError:
            return False

    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(found):
        if time.monotonic() > deadline:
            raise TimeoutError("the stock worker made no work pool within 60 s")
        await asyncio.sleep(0.2)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL cluster on a free port and give the URL of an empty database."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        sys.exit("PostgreSQL is not installed: choose --database sqlite")
    binaries, port = programs[-1], free_port()
    root = Path(tempfile.mkdtemp(prefix="secondread-postgresql-", dir="/var/tmp"))  # noqa: S108
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(root, owner.pw_uid, owner.pw_gid)
        identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    data = root / "data"
    initialise: list[str | Path] = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "secondread"]
    subprocess.run(initialise, check=True, stdout=subprocess.DEVNULL, cwd="/", **identity)
    options: list[str | Path] = ["-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    with (root / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", *options, "-c", "unix_socket_directories="],
            stdout=log, stderr=log, cwd="/", **identity,
        )  # fmt: skip
    try:
        address = ["-h", "127.0.0.1", "-p", str(port), "-U", "secondread"]
        for _ in range(100):
            made = subprocess.run(
                [binaries / "createdb", *address, "prefect"], check=False, capture_output=True
            )
            if made.returncode == 0:
                break
            time.sleep(0.2)
        yield f"postgresql+asyncpg://secondread@127.0.0.1:{port}/prefect"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
