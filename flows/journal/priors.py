"""Earlier results of the same patient, found by a keyed hash of the identifier and never by a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from flows.journal.results import ResultsJournal
from flows.journal.tables import jobs, patients

__all__ = ["PriorRecord", "PriorsJournal"]


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
    """

    package: str
    package_hash: str
    acquired_at: datetime
    outcome: Mapping[str, Any]


class PriorsJournal(ResultsJournal):
    """Which studies are of one patient, and what was read of them."""

    def note_patient(self, study_id: int, patient_key: str | None, acquired_at: datetime | None) -> None:
        """Keep whose study it is, by a keyed hash; without key or time it stays unknown.

        Parameters
        ----------
        study_id : int
            The study.
        patient_key : str or None
            Keyed hash of Patient ID and issuer.
        acquired_at : datetime.datetime or None
            Without a zone: Study Date and Time say none.
        """
        with self._writing() as connection:
            if patient_key is None or acquired_at is None:
                connection.execute(patients.delete().where(patients.c.study_id == study_id))
                return
            values = {"patient_key": patient_key, "acquired_at": acquired_at}
            connection.execute(self._insert_if_absent(patients).values(study_id=study_id, **values))
            connection.execute(update(patients).where(patients.c.study_id == study_id).values(**values))

    def prior_of(self, job_id: int) -> PriorRecord | None:
        """Return the last reading of an earlier study of the same patient by the same package, if any.

        Only readings that were there before the job was made count, so that a repeat finds the same one.
        """
        job = self.job(job_id)
        mine = select(patients).where(patients.c.study_id == job.study_id)
        with self._reading() as connection:
            own = connection.execute(mine).one_or_none()
            if own is None:
                return None
            row = connection.execute(
                select(
                    jobs.c.package_name,
                    jobs.c.package_version,
                    jobs.c.package_hash,
                    jobs.c.outcome,
                    patients.c.acquired_at,
                )
                .join(patients, patients.c.study_id == jobs.c.study_id)
                .where(
                    patients.c.patient_key == own.patient_key,
                    patients.c.acquired_at < own.acquired_at,
                    jobs.c.study_id != job.study_id,
                    jobs.c.package_name == job.package_name,
                    jobs.c.state == "completed",
                    jobs.c.finished_at < job.content_time,
                )
                .order_by(patients.c.acquired_at.desc(), jobs.c.revision.desc(), jobs.c.id.desc())
                .limit(1)
            ).one_or_none()
        if row is None:
            return None
        return PriorRecord(
            f"{row.package_name}@{row.package_version}", row.package_hash, row.acquired_at, row.outcome
        )
