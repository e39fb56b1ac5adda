"""The same flow and deployment under Prefect's own process worker."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient

from dicom_io.archive import ArchiveNode
from flows.demo.system import LocalSystem
from flows.settings import DimseNode
from tests.integration.prefect_support import end, spawn
from tests.integration.test_prefect_study import ended, send
from tests.packages.blobs import REFERENCE, build_blob_package
from tests.peers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def test_a_study_runs_under_the_stock_process_worker(tmp_path: Path) -> None:
    build_blob_package(tmp_path / "packages")
    with ArchiveNode(tmp_path / "archive", port=free_port()) as archive:
        system = LocalSystem(
            tmp_path / "system",
            nodes={"archive": DimseNode(ae_title=archive.ae_title, port=archive.port)},
            package=REFERENCE,
            quiet_time_s=0.2,
            settings={
                "runtime": {"package_dirs": [str(tmp_path / "packages")], "threads": 1},
                "prefect": {"work_pool": "stock"},
                "worker": {"enabled": False},
            },
        )
        try:
            system.start(240)
            command = ("-m", "prefect", "worker", "start", "--type", "process", "--pool", "stock")
            worker = spawn(system.settings, *command, log=tmp_path / "worker.log")
            try:
                study_uid = send(system, tmp_path / "study", 1)
                with system.journal() as journal:
                    job = ended(journal, study_uid, timeout=180)
            finally:
                end(worker)
            assert (job.state, job.reason) == ("completed", None)
            assert len(archive.received(study_uid)) == len(job.outcome["objects"])
            async with PrefectClient(system.settings.prefect.url) as client:
                run = await client.read_flow_run(UUID(job.flow_run_id or ""))
                assert (await client.read_work_pool("stock")).type == "process"
            assert run.work_pool_name == "stock"
        finally:
            system.stop()
