"""All that the results of a reading of projection images are made from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dicom_io.reading.spacing import spacing_of
from dicom_io.results.context import ResultContext
from models.results import FilmReading, Finding, ImageFailure

__all__ = ["FilmContext"]

_TOLERANCE = 1e-6
_SIZE_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmContext(ResultContext):
    """One reading of the films of one study, ready to be encoded.

    Parameters
    ----------
    findings : tuple of Finding
        What is reported; empty for "no findings".
    readings : tuple of FilmReading
        One per film that was read.
    failures : tuple of ImageFailure
        One per film that should have been read and was not; ``headers`` has them too.
    """

    findings: tuple[Finding, ...] = ()
    readings: tuple[FilmReading, ...] = ()
    failures: tuple[ImageFailure, ...] = ()

    @property
    def has_findings(self) -> bool:
        """Whether anything is reported."""
        return bool(self.findings)

    def _problems(self) -> Iterator[str]:
        found = list(ResultContext._problems(self))
        yield from found
        if found:
            return
        films = [reading.sop_instance_uid for reading in self.readings]
        films += [failure.sop_instance_uid for failure in self.failures]
        if sorted(films) != sorted(str(header.SOPInstanceUID) for header in self.headers):
            yield "there must be one reading or one failure per header"
        if self.failures and not self.partial:
            yield "a reading with failures is partial"
        yield from self._finding_problems()

    def _finding_problems(self) -> Iterator[str]:
        read = {reading.sop_instance_uid for reading in self.readings}
        shapes = {
            str(h.SOPInstanceUID): (h.Rows, h.Columns) for h in self.headers if str(h.SOPInstanceUID) in read
        }
        if len({finding.number for finding in self.findings}) != len(self.findings):
            yield "finding numbers must differ"
        for finding in self.findings:
            rows, columns = shapes.get(finding.sop_instance_uid, (None, None))
            if not rows or not columns:
                yield f"finding {finding.number} lies on an image that was not read"
                continue
            box = finding.candidate.box
            if (
                min(box.top, box.left) < -_TOLERANCE
                or box.bottom > rows + _TOLERANCE
                or box.right > columns + _TOLERANCE
            ):
                yield f"the box of finding {finding.number} leaves its image"
            yield from self._size_problems(finding)

    def _size_problems(self, finding: Finding) -> Iterator[str]:
        if finding.size_mm is None:
            return
        spacing, _ = spacing_of(self.header_of(finding.sop_instance_uid))
        box = finding.candidate.box
        given = None if spacing is None else (box.height * spacing[0], box.width * spacing[1])
        if given is None or not all(
            math.isclose(size, wanted, rel_tol=_SIZE_TOLERANCE)
            for size, wanted in zip(finding.size_mm, given, strict=True)
        ):
            yield f"the size of finding {finding.number} is not what its box and the pixel spacing give"

    def findings_on(self, sop_instance_uid: str) -> tuple[Finding, ...]:
        """Return the findings of one film by their numbers."""
        found = (finding for finding in self.findings if finding.sop_instance_uid == sop_instance_uid)
        return tuple(sorted(found, key=lambda finding: finding.number))
