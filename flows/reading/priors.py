"""The images of an earlier study of the same patient, as long as they lie in the inbox unchanged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dicom_io.reading import data_set_sha256
from dicom_io.receive.records import StoredInstance
from flows.journal import KeptImage, PriorRecord

__all__ = ["with_images"]

_LOG = logging.getLogger(__name__)


def with_images(
    prior: PriorRecord, instances: Sequence[StoredInstance], inbox: Path, named: str
) -> PriorRecord | None:
    """Return an earlier reading with the images that it read; None where one of them is gone or changed.

    A prior that is only half there would show one breast beside an earlier picture and the other without,
    and nobody could say why: it is shown whole or not at all.

    Parameters
    ----------
    prior : PriorRecord
        The earlier reading.
    instances : sequence of StoredInstance
        What it read.
    inbox : pathlib.Path
        Where the files lie.
    named : str
        The later study in the log, without protected health information.
    """
    images = [
        KeptImage(inbox / one.path, one.sop_instance_uid, one.sha256)
        for one in instances
        if _unchanged(inbox / one.path, one.sha256)
    ]
    if not images or len(images) != len(instances):
        lost = len(instances) - len(images)
        _LOG.info(
            "%s: its prior is not shown, %d of %d files are gone or changed", named, lost, len(instances)
        )
        return None
    return replace(prior, images=tuple(images))


def _unchanged(path: Path, sha256: str) -> bool:
    try:
        return data_set_sha256(path) == sha256
    except (OSError, ValueError, EOFError):
        return False
