"""Which instances of a study a package reads, by their headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import uid
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.header import check_header
from dicom_io.reading.sequences import SeriesDescription, describe_series
from dicom_io.receive.part10 import data_set_sha256
from models.package import InputContract, VolumeContract
from models.sequences import in_words

__all__ = ["Rejected", "SelectedInstance", "Selection", "select_instances"]


@dataclass(frozen=True, slots=True)
class SelectedInstance:
    """One instance that is read; ``sha256`` is that of its encoded data set.

    ``told`` says of one of a volume what its headers tell of the sequence.
    """

    path: Path
    header: Dataset
    sha256: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One instance that is not read, and why: the code and the words of the UnsuitableImage."""

    path: Path
    sop_instance_uid: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The instances of a study, each either selected or rejected, in the order they were given.

    Repeats of a selected instance are in neither.
    """

    selected: tuple[SelectedInstance, ...]
    rejected: tuple[Rejected, ...]


def select_instances(headers: Sequence[tuple[Path, Dataset]], contract: InputContract) -> Selection:
    """Judge every instance by its header; only files of selected ones are opened, for their digest.

    An instance that occurs twice with the same bytes is read once; of two images that share a UID the
    first is read and the other rejected.
    """
    selected: list[SelectedInstance] = []
    rejected: list[Rejected] = []
    digests: dict[str, str] = {}
    taken: set[str] = set()
    for path, header in headers:
        name = uid(header, "SOPInstanceUID")
        try:
            check_header(header, contract)
            digest = data_set_sha256(path)
            if digests.setdefault(name, digest) != digest:
                raise UnsuitableImage(
                    "duplicate-uid", "another image of the study has the same SOP Instance UID"
                )
        except UnsuitableImage as error:
            rejected.append(Rejected(path, name, error.code, str(error)))
            continue
        if digest not in taken:
            taken.add(digest)
            selected.append(SelectedInstance(path, header, digest))
    if contract.volume is not None:
        selected, set_aside = _by_series(selected, contract.volume)
        rejected += set_aside
    return Selection(tuple(selected), tuple(rejected))


def _by_series(
    instances: Sequence[SelectedInstance], contract: VolumeContract
) -> tuple[list[SelectedInstance], list[Rejected]]:
    """Leave out the series that cannot be one of the sequences that the package reads.

    A series of which the tags say nothing certain stays: its image decides when it is read.
    """
    series: dict[str, list[SelectedInstance]] = {}
    for one in instances:
        series.setdefault(uid(one.header, "SeriesInstanceUID"), []).append(one)
    wanted = {name for subset in contract.subsets for name in subset}
    left_out: dict[str, tuple[str, str]] = {}
    told: dict[str, str] = {}
    for name, members in series.items():
        if not name:
            left_out[name] = "no-series-uid", "the image belongs to no series: Series Instance UID is absent"
            continue
        description = describe_series([one.header for one in members])
        if description.set_aside is not None:
            left_out[name] = description.set_aside.code, description.set_aside.reason
        elif description.sequence is not None and description.sequence not in wanted:
            words = in_words(description.sequence)
            left_out[name] = "sequence-not-read", f"the series is {words}, which the package does not read"
        else:
            told[name] = f"{description.name} {_told(description)}"
    kept = [
        replace(one, told=told[name])
        for one in instances
        if (name := uid(one.header, "SeriesInstanceUID")) not in left_out
    ]
    rejected = [
        Rejected(one.path, uid(one.header, "SOPInstanceUID"), *left_out[name])
        for name in left_out
        for one in series[name]
    ]
    return kept, rejected


def _told(description: SeriesDescription) -> str:
    if description.sequence is None:
        return "is of no sequence by its headers: its image decides"
    return f"is {in_words(description.sequence)} by its headers ({description.certainty})"
