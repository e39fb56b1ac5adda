"""The resident worker as people start it, against a real Prefect server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from tests.integration.prefect_support import (
    PrefectServer,
    end,
    eventually,
    final_run,
    make_journal,
    prefect_server,
    running_run,
    spawn,
    write_settings,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

_POOL = "tests"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as running:
        yield running


@contextmanager
def worker(server: PrefectServer, folder: Path, pool: str, more: str = "") -> Iterator[psutil.Process]:
    settings = write_settings(
        folder,
        f'state_dir = "state"\nroutes = []\n[prefect]\nembedded = false\napi_url = "{server.url}"\n'
        f'work_pool = "{pool}"\n[worker]\n{more}',
    )
    make_journal(settings)
    process = spawn(
        settings, "-m", "prefect", "worker", "start", "--type", "secondread-resident", "--pool", pool,
        log=folder / "worker.log",
    )  # fmt: skip
    try:
        yield psutil.Process(process.pid)
    finally:
        end(process)


async def deployment(client: PrefectClient, pool: str, entrypoint: str = "simple") -> UUID:
    async def pool_is_there() -> bool:
        return pool in [one.name for one in await client.read_work_pools()]

    await eventually("the worker to make its pool", pool_is_there)
    flow_id = await client.create_flow_from_name("simple")
    return await client.create_deployment(
        flow_id, f"on-{pool}", work_pool_name=pool, entrypoint=f"tests.flows.simple_flows.{entrypoint}"
    )


async def start(
    client: PrefectClient, deployment_id: UUID, what: str = "pass", seconds: float = 0
) -> FlowRun:
    return await client.create_flow_run_from_deployment(
        deployment_id, parameters={"what": what, "seconds": seconds}
    )


async def test_runs_share_a_warm_process(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "warm", "processes = 1\nspares = 0"):
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "warm")
            runs = []
            for _ in range(3):
                made = await start(client, deployment_id)
                runs.append(await final_run(client, made.id))
                # The server shows the end of a run a moment before its process is free again.
                await asyncio.sleep(1)
    assert [run.state_name for run in runs] == ["Completed"] * 3
    assert len({run.infrastructure_pid for run in runs}) == 1
    # The first may have waited for the process to become warm.
    assert all((run.start_time - run.created).total_seconds() < 2 for run in runs[1:])


async def test_a_dying_process_takes_its_run_alone(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "dying", "processes = 2\nspares = 0"):
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "dying")
            long = await start(client, deployment_id, seconds=4)
            await running_run(client, long.id)
            dead = await final_run(client, (await start(client, deployment_id, "die")).id)
            assert dead.state_name == "Crashed"
            assert "status -9" in (dead.state.message or "")
            after = await final_run(client, (await start(client, deployment_id)).id)
            assert after.state_name == "Completed"
            assert (await final_run(client, long.id)).state_name == "Completed"


async def test_cancelling_ends_the_process(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "cancel"):
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "cancel")
            run = await running_run(client, (await start(client, deployment_id, seconds=60)).id)
            pid = int((run.infrastructure_pid or "").split(":")[1])
            asked = time.monotonic()
            await client.set_flow_run_state(run.id, Cancelling())
            ended = await final_run(client, run.id)
            assert time.monotonic() - asked < 5
            assert ended.state_name == "Cancelled"
            assert not psutil.pid_exists(pid)
            after = await final_run(client, (await start(client, deployment_id)).id)
            assert after.state_name == "Completed"


async def test_a_run_that_takes_too_long_is_ended(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "slow", "run_timeout_s = 1"):
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "slow")
            run = await final_run(client, (await start(client, deployment_id, seconds=60)).id)
    assert run.state_name == "Crashed"
    assert "longer than 1 s" in (run.state.message or "")


async def test_processes_are_replaced_after_their_runs(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "old", "maximum_runs = 2"):
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "old")
            pids = []
            for _ in range(5):
                run = await final_run(client, (await start(client, deployment_id)).id)
                pids.append(run.infrastructure_pid)
    assert max(pids.count(pid) for pid in pids) <= 2


async def test_an_idle_process_that_dies_is_replaced(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "idle", "spares = 0") as process:
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "idle")
            first = await final_run(client, (await start(client, deployment_id)).id)
            os.kill(int((first.infrastructure_pid or "").split(":")[1]), signal.SIGKILL)
            await asyncio.sleep(0.5)
            second = await final_run(client, (await start(client, deployment_id)).id)
            assert second.state_name == "Completed"
            assert second.infrastructure_pid != first.infrastructure_pid
            assert process.is_running()


async def test_the_worker_waits_for_a_server_that_is_away(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "away") as process:
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "away")
            await final_run(client, (await start(client, deployment_id)).id)
            server.kill()
            await asyncio.sleep(3)
            server.start()
            run = await final_run(client, (await start(client, deployment_id)).id, timeout=60)
            assert run.state_name == "Completed"
            assert process.is_running()


async def test_processes_end_with_a_worker_that_is_killed(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "killed") as process:
        async with PrefectClient(server.url) as client:
            deployment_id = await deployment(client, "killed")
            await running_run(client, (await start(client, deployment_id, seconds=60)).id)
            children = process.children()
            assert len(children) == 2
            process.kill()
            _, alive = psutil.wait_procs(children, timeout=5)
            assert not alive


async def test_a_file_as_entrypoint_is_refused_with_the_reason(server: PrefectServer, tmp_path: Path) -> None:
    with worker(server, tmp_path, "file"):
        async with PrefectClient(server.url) as client:
            await deployment(client, "file")
            flow_id = await client.create_flow_from_name("simple")
            deployment_id = await client.create_deployment(
                flow_id, "file", work_pool_name="file", entrypoint="simple_flows.py:simple"
            )
            run = await final_run(client, (await start(client, deployment_id)).id)
    assert run.state_name == "Crashed"
    assert "module path" in (run.state.message or "")
