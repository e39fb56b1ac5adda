"""The deployment that jobs go to, and its work pool."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from flows.settings import Settings
from flows.worker.resident import ResidentWorker

__all__ = ["ENTRYPOINT", "Registration", "register"]

_LOG = logging.getLogger(__name__)

ENTRYPOINT = "flows.process_study.process_study"
"""Module path of the flow: every worker that has SecondRead installed can import it."""

_PARAMETERS: dict[str, Any] = {
    "title": "Parameters",
    "type": "object",
    "properties": {
        "job_id": {
            "title": "job_id",
            "type": "integer",
            "description": "A job of the journal.",
            "position": 0,
        }
    },
    "required": ["job_id"],
}


@dataclass(frozen=True, slots=True)
class Registration:
    """Where jobs go.

    Parameters
    ----------
    deployment_id : uuid.UUID
        The deployment.
    pool_type : str
        Type of its work pool; the resident worker serves pools of its own type only.
    """

    deployment_id: UUID
    pool_type: str

    @property
    def is_resident(self) -> bool:
        """Whether the resident worker serves the pool."""
        return self.pool_type == ResidentWorker.type


async def register(
    client: PrefectClient, settings: Settings, *, pool: str | None = None, pool_type: str | None = None
) -> Registration:
    """Create the work pool if it is absent, and create or update the deployment.

    Parameters
    ----------
    pool : str, optional
        Another pool than the configured one, of whatever type it has: ``process``, ``docker``, …
    pool_type : str, optional
        Type of a pool that has to be created. By default that of the resident worker, or ``process``
        where `serve` starts no worker.
    """
    name = pool or settings.prefect.work_pool
    ours = ResidentWorker.type if settings.worker.enabled else "process"
    kind = await _pool_type(client, name, pool_type or ours)
    flow_name, _, deployment_name = settings.prefect.deployment.partition("/")
    flow_id = await client.create_flow_from_name(flow_name)
    deployment_id = await client.create_deployment(
        flow_id,
        deployment_name,
        work_pool_name=name,
        entrypoint=ENTRYPOINT,
        parameter_openapi_schema=_PARAMETERS,
        enforce_parameter_schema=True,
        description="Reads one study: gather, prepare, gate, infer, assess, encode, deliver, notify.",
        tags=["secondread"],
        job_variables={"env": _environment(settings)},
    )
    return Registration(deployment_id, kind)


async def _pool_type(client: PrefectClient, name: str, wanted: str) -> str:
    try:
        return (await client.read_work_pool(name)).type
    except ObjectNotFound:
        _LOG.info("work pool %r is created", name)
    template = ResidentWorker.get_default_base_job_template() if wanted == ResidentWorker.type else None
    try:
        values: dict[str, Any] = {"name": name, "type": wanted}
        if template is not None:
            values["base_job_template"] = template
        return (await client.create_work_pool(WorkPoolCreate(**values))).type
    except ObjectAlreadyExists:
        return (await client.read_work_pool(name)).type


def _environment(settings: Settings) -> dict[str, str]:
    """Return what a run under a standard worker needs: the settings' file, and quiet about the outside."""
    environment = {
        "DO_NOT_TRACK": "1",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    }
    if settings.path is not None:
        environment["SECONDREAD_CONFIG"] = str(settings.path)
    return environment
