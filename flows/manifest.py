"""The run manifest: one file beside the results of a job that tells its whole story.

It names inputs, rule, package with the hashes of its weights, reading, decision, objects, deliveries
and times. Instances go by UID and digest, the study by its pseudonym; nothing in it names a person.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dicom_io.receive.records import StoredInstance
from flows.journal import DeliveryRecord, JobRecord, ResultRecord
from flows.routing.rules import Route
from models.package import Package

__all__ = ["FORMAT", "end_of_run", "read_manifest", "start_of_run", "write_manifest"]

FORMAT = "secondread-manifest/1"
_NAME = "manifest.json"


def start_of_run(
    job: JobRecord,
    route: Route,
    package: Package,
    inputs: Sequence[StoredInstance],
    reading: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what is known once the objects are encoded; it does not change over attempts."""
    return {
        "format": FORMAT,
        "software": version("secondread"),
        "study": job.pseudonym,
        "fingerprint": job.fingerprint,
        "revision": job.revision,
        "configuration_hash": job.configuration_hash,
        "content_time": job.content_time.isoformat(),
        "inputs": [
            {
                "sop_instance_uid": one.sop_instance_uid,
                "series_instance_uid": one.series_instance_uid,
                "sha256": one.sha256,
            }
            for one in inputs
        ],
        "route": route.model_dump(mode="json", by_alias=True, exclude_none=True),
        "package": {
            "reference": package.reference,
            "content_hash": package.content_hash,
            "device_uid": package.device_uid,
            "members": {member.file: member.sha256 for member in package.manifest.all_members},
        },
        "reading": dict(reading),
    }


def end_of_run(
    job: JobRecord,
    objects: Sequence[ResultRecord],
    deliveries: Sequence[DeliveryRecord],
    times: Mapping[str, float],
) -> dict[str, Any]:
    """Return what an attempt adds: it replaces what the attempt before it added."""
    return {
        "attempt": job.attempt,
        "flow_run_id": job.flow_run_id,
        "objects": [
            {
                "kind": one.kind,
                "file": one.path.name,
                "sop_class_uid": one.sop_class_uid,
                "sop_instance_uid": one.sop_instance_uid,
                "series_instance_uid": one.series_instance_uid,
                "sha256": one.sha256,
                "bytes": one.size_bytes,
            }
            for one in objects
        ],
        "deliveries": [
            {
                "destination": one.destination,
                "kind": one.kind,
                "state": one.state,
                "attempts": one.attempts,
                "sent_at": one.sent_at and one.sent_at.isoformat(),
                "committed_at": one.committed_at and one.committed_at.isoformat(),
                "dead_reason": one.dead_reason,
            }
            for one in deliveries
        ],
        "timings_s": dict(times),
    }


def write_manifest(folder: Path, values: Mapping[str, Any]) -> None:
    """Write ``manifest.json`` into ``folder``; a reader sees the old one or the new one."""
    draft = folder / f".{_NAME}.part"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _NAME)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of ``folder``, empty where there is none yet."""
    path = folder / _NAME
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found
