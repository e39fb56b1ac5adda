"""What every reading starts from: the instances that the package's input contract selects, and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.reading import Rejected, UnsuitableImage, read_header, select_instances
from dicom_io.results import fingerprint
from flows.left_out import is_of_another_kind, is_said_mammogram
from flows.reading.persons import of_one_patient
from models.package import InputContract

__all__ = ["Gathered", "NotRead", "Refused", "SourceFile", "gather"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One instance that the package reads."""

    path: Path
    sop_instance_uid: str
    sha256: str


@dataclass(frozen=True, slots=True)
class NotRead:
    """One instance that is left out, and why; the UID is empty where the file no longer tells it.

    Of a series it is the first image, and ``instances`` says for how many it stands.
    ``meant`` is set where the code is one of another kind, but the header says that it is not.
    """

    sop_instance_uid: str
    code: str
    reason: str
    path: Path | None = None
    instances: int = 1
    meant: bool = False

    @property
    def is_unread_image(self) -> bool:
        """Whether it is left out although it is an image of the kind that the package reads."""
        return self.meant or not is_of_another_kind(self.code)


class Refused(Exception):
    """A study that the package will not read; the text says why, without PHI.

    Parameters
    ----------
    not_read : sequence of NotRead
        Every instance with its reason; none where the study is empty.
    """

    def __init__(self, not_read: Sequence[NotRead]) -> None:
        self.not_read = tuple(not_read)
        reasons = dict.fromkeys(item.reason for item in self.not_read)
        super().__init__("; ".join(reasons) or "the study has no instance")


@dataclass(frozen=True, slots=True)
class Gathered:
    """The instances of a study that a package's input contract selects."""

    selected: tuple[SourceFile, ...]
    not_read: tuple[NotRead, ...]

    @property
    def fingerprint(self) -> str:
        """What was read: a digest of the sorted (SOP Instance UID, SHA-256) of the selected instances."""
        return fingerprint((source.sop_instance_uid, source.sha256) for source in self.selected)


def gather(paths: Iterable[Path], contract: InputContract) -> Gathered:
    """Select the instances that the package reads, by their headers.

    Raises
    ------
    Refused
        No instance is left; the text gives every reason.
    """
    headers: list[tuple[Path, Dataset]] = []
    damaged: list[NotRead] = []
    for path in paths:
        try:
            headers.append((path, read_header(path)))
        except UnsuitableImage as error:
            damaged.append(NotRead("", error.code, str(error)))
    selection = select_instances(headers, contract)
    gathered = Gathered(
        selected=tuple(
            sorted(
                (SourceFile(s.path, str(s.header.SOPInstanceUID), s.sha256) for s in selection.selected),
                key=lambda source: source.sop_instance_uid,
            )
        ),
        not_read=(
            *damaged,
            *_left_out(selection.rejected, contract, dict(headers)),
        ),
    )
    if not gathered.selected:
        raise Refused(gathered.not_read)
    if not of_one_patient(_of_the_kind(gathered, dict(headers))):
        # Whose result would it be? A report for either of them may be one too many.
        mixed = (
            "the study holds images of several patients: nothing of it is read, correct it and send it again"
        )
        uids = [source.sop_instance_uid for source in gathered.selected]
        raise Refused([NotRead(uid, "several-patients", mixed) for uid in uids])
    return gathered


def _of_the_kind(gathered: Gathered, headers: Mapping[Path, Dataset]) -> list[Dataset]:
    """Return the headers of what is read, and of what should have been."""
    refused = [one.path for one in gathered.not_read if one.path is not None and one.is_unread_image]
    return [headers[path] for path in (*(source.path for source in gathered.selected), *refused)]


def _left_out(
    rejected: Sequence[Rejected], contract: InputContract, headers: Mapping[Path, Dataset]
) -> Iterator[NotRead]:
    """Return what is left out; of the images of series, the first with each reason stands for the others."""
    alike = Counter((one.code, one.reason) for one in rejected)
    told: set[tuple[str, str]] = set()
    for one in rejected:
        kind = one.code, one.reason
        if contract.volume is None:
            meant = contract.mammography is not None and is_said_mammogram(headers[one.path], one.code)
            yield NotRead(one.sop_instance_uid, one.code, one.reason, one.path, meant=meant)
        elif kind not in told:
            yield NotRead(one.sop_instance_uid, one.code, one.reason, one.path, alike[kind])
        told.add(kind)
