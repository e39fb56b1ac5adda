"""Earlier results of the same patient, found by a keyed hash of the identifier and never by a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from flows.journal.records import JobRecord
from flows.journal.results import ResultsJournal
from flows.journal.tables import jobs, patients

__all__ = ["KeptImage", "KnownPatient", "PriorRecord", "PriorsJournal"]

_READINGS_OF_A_STUDY = 10


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image of an earlier study that is still as it was received.

    Parameters
    ----------
    path : pathlib.Path
        The file in the inbox.
    sop_instance_uid : str
        The image.
    sha256 : str
        Of its encoded data set, in hexadecimal.
    """

    path: Path
    sop_instance_uid: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PriorRecord:
    """What an earlier study of a patient came to.

    Parameters
    ----------
    package : str
        ``name@version`` of what read it.
    package_hash : str
        Of its content.
    acquired_at : datetime.datetime
        When the images were made, in the time of the site that made them, without a zone.
    outcome : mapping
        The journal's outcome of that reading.
    job_id : int
        The job that read it.
    images : tuple of KeptImage
        What is shown beside the images of a later study; empty where only the outcome is compared.
    """

    package: str
    package_hash: str
    acquired_at: datetime
    outcome: Mapping[str, Any]
    job_id: int = 0
    images: tuple[KeptImage, ...] = ()

    @property
    def digest(self) -> str:
        """What a later result takes from it, in 64 hexadecimal digits: the images, else the outcome."""
        told: Any = dict(self.outcome)
        if self.images:
            told = sorted((image.sop_instance_uid, image.sha256) for image in self.images)
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KnownPatient:
    """A patient as the journal knows one.

    Parameters
    ----------
    key : str
        Keyed hash of Patient ID and issuer.
    issued : bool
        Whether an issuer is stated.
    """

    key: str
    issued: bool


class PriorsJournal(ResultsJournal):
    """Which studies are of one patient, and what was read of them."""

    def note_patient(self, study_id: int, patient: KnownPatient | None, acquired_at: datetime | None) -> None:
        """Keep whose study it is; without a patient or a time it stays as it was.

        Parameters
        ----------
        study_id : int
            The study.
        patient : KnownPatient or None
            By a keyed hash.
        acquired_at : datetime.datetime or None
            Without a zone: Study Date and Time say none.
        """
        if patient is None or acquired_at is None:
            return
        values = {"patient_key": patient.key, "issued": patient.issued, "acquired_at": acquired_at}
        with self._writing() as connection:
            connection.execute(self._insert_if_absent(patients).values(study_id=study_id, **values))
            connection.execute(update(patients).where(patients.c.study_id == study_id).values(**values))

    def prior_of(self, job: JobRecord, *, issuer_needed: bool = False) -> PriorRecord | None:
        """Return the last reading of an earlier study of the same patient by the same package, if any."""
        found = self.priors_of(job, issuer_needed=issuer_needed, most=1)
        return found[0] if found else None

    def priors_of(
        self, job: JobRecord, *, issuer_needed: bool = False, another_day: bool = False, most: int = 5
    ) -> tuple[PriorRecord, ...]:
        """Return readings of earlier studies of the same patient by the same package, the last one first.

        Only readings that were there before the job was made count, so that a repeat finds the same ones.
        Where no issuer is stated, an identifier means a patient within one route only.

        Parameters
        ----------
        job : JobRecord
            Whose study is compared.
        issuer_needed : bool
            Whether a patient without a stated issuer is nobody's, as where several sites send.
        another_day : bool
            Whether studies of the same day are left out.
        most : int
            How many studies at most; of each its last reading.
        """
        with self._reading() as connection:
            own = connection.execute(
                select(patients).where(patients.c.study_id == job.study_id)
            ).one_or_none()
            if own is None or (issuer_needed and not own.issued):
                return ()
            before = own.acquired_at
            if another_day:
                before = before.replace(hour=0, minute=0, second=0, microsecond=0)
            query = (
                select(
                    jobs.c.id,
                    jobs.c.study_id,
                    jobs.c.package_name,
                    jobs.c.package_version,
                    jobs.c.package_hash,
                    jobs.c.outcome,
                    patients.c.acquired_at,
                )
                .join(patients, patients.c.study_id == jobs.c.study_id)
                .where(
                    patients.c.patient_key == own.patient_key,
                    patients.c.acquired_at < before,
                    jobs.c.study_id != job.study_id,
                    jobs.c.package_name == job.package_name,
                    jobs.c.state == "completed",
                    jobs.c.finished_at < job.content_time,
                )
                .order_by(patients.c.acquired_at.desc(), jobs.c.revision.desc(), jobs.c.id.desc())
                .limit(most * _READINGS_OF_A_STUDY)
            )
            if not own.issued:
                query = query.where(jobs.c.route == job.route)
            rows = connection.execute(query).all()
        last: dict[int, PriorRecord] = {}
        for row in rows:
            package = f"{row.package_name}@{row.package_version}"
            record = PriorRecord(package, row.package_hash, row.acquired_at, row.outcome, row.id)
            last.setdefault(row.study_id, record)
        return tuple(last.values())[:most]
