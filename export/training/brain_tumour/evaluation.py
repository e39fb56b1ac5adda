"""Out-of-bag answers: every patient by the members that never saw it, as shipped in ONNX.

Answers are kept beside the run as 8 bit probabilities, under the hash of the network's file, so that figures
can be computed anew in seconds and a network that is replaced is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.training.brain_tumour.data import Patient, Truth
from export.training.brain_tumour.split import PAIRS
from models.preprocessing.brain import SEQUENCES, member_input
from models.runtime import Session, open_session

Probability = NDArray[np.uint8]

ACQUIRED = "acquired"
VARIANTS: dict[str, tuple[str, ...]] = {
    ACQUIRED: SEQUENCES,
    "FLAIR": ("FLAIR",),
    "FLAIR+T1": ("FLAIR", "T1"),
    "FLAIR+T1C": ("FLAIR", "T1C"),
}
"""Which sequences an answer may use; ``acquired`` is whatever the patient has."""

MIRRORED = "acquired, mirrored"
"""Answers to the mirrored images, mirrored back; asked for every third patient."""

BATCH = 8


@dataclass(frozen=True)
class Answers:
    """Where the 8 bit probabilities of one variant lie: ``folder/variant/network/patient.npy``."""

    folder: Path
    variant: str

    def path(self, name: str, patient: Patient | Truth) -> Path:
        """Return the file; that of what was acquired where the variant leaves nothing out."""
        variant = ACQUIRED if same_as_acquired(patient, self.variant) else self.variant
        return self.folder / variant / name / f"{patient.name}.npy"

    def of(self, name: str, patient: Patient | Truth) -> Probability:
        """Return one network's probabilities (z, y, x), 255 = 1."""
        stored: Probability = np.load(self.path(name, patient))
        return stored


def unseen_by(block: int, members: Sequence[int] = range(len(PAIRS))) -> list[int]:
    """Return the members that left this block of patients out."""
    return [member for member in members if block in PAIRS[member]]


def answer(
    session: Session, patient: Patient, wanted: Sequence[str], *, mirrored: bool = False
) -> Probability:
    """Answer one patient slice by slice, or its mirror image with the answer mirrored back."""
    sequences, parts = patient.sequences(wanted), []
    for start in range(0, len(patient.mask), BATCH):
        tensor = member_input(sequences, slice(start, start + BATCH))
        if mirrored:
            tensor = np.ascontiguousarray(tensor[..., ::-1])
        found = session.run({"tensor": tensor})["probability"][:, 0]
        parts.append(np.rint(255 * (found[..., ::-1] if mirrored else found)).astype(np.uint8))
    return np.concatenate(parts)


def acquired(patient: Patient | Truth) -> set[str]:
    """Return the names of the sequences that a patient has."""
    return {name for name, there in zip(SEQUENCES, patient.present, strict=True) if there}


def usable(patient: Patient | Truth, variant: str) -> bool:
    """Whether the patient has every sequence that the variant names."""
    return variant == ACQUIRED or acquired(patient).issuperset(VARIANTS[variant])


def same_as_acquired(patient: Patient | Truth, variant: str) -> bool:
    """Whether the variant leaves nothing out that the patient has: the answer is the same."""
    return acquired(patient).issubset(VARIANTS[variant])


def _keep(path: Path, made: Probability) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, made)
    partial.replace(path)


def exported(out: Path, kind: str, pattern: str) -> dict[str, tuple[Path, str]]:
    """Return finished networks of a run by name: file, and the name under which its answers are kept.

    That name holds the start of the file's hash, so that answers never pass for those of another file.
    """
    found = {}
    for record in sorted((out / "onnx" / kind).glob(f"{pattern}.json")):
        digest = json.loads(record.read_text())["sha256"]
        found[record.stem] = (record.with_suffix(".onnx"), f"{kind}-{record.stem}-{digest[:12]}")
    return found


def answer_with(
    file: Path,
    name: str,
    patients: Sequence[Patient],
    out: Path,
    *,
    variants: Sequence[str] = tuple(VARIANTS),
    mirrored: Collection[str] = (),
    threads: int = 1,
) -> None:
    """Let one network answer patients it never saw, keeping what is there already by its name.

    Parameters
    ----------
    name : str
        Under which answers are kept, see ``exported``.
    variants : sequence of str
        Which answers are asked for; one that leaves nothing out is not asked again.
    mirrored : collection of str
        Names of patients whose mirror images are answered too.
    """
    session = open_session(file, threads=threads)
    for variant in variants:
        for patient in patients:
            path = Answers(out / "answers", variant).path(name, patient)
            if usable(patient, variant) and not path.exists():
                _keep(path, answer(session, patient, VARIANTS[variant]))
    for patient in patients:
        path = out / "answers" / MIRRORED / name / f"{patient.name}.npy"
        if patient.name in mirrored and not path.exists():
            _keep(path, answer(session, patient, SEQUENCES, mirrored=True))


def flip_patients(patients: Sequence[Patient]) -> list[str]:
    """Return the names of every third patient: those whose mirror images are answered."""
    return sorted(patient.name for patient in patients)[::3]


def answer_members(
    patients: Sequence[Patient],
    blocks: Mapping[str, int],
    out: Path,
    *,
    variants: Sequence[str] = tuple(VARIANTS),
    mirrored: Collection[str] = (),
    threads: int = 1,
) -> Iterator[str]:
    """Let every exported member answer the patients of its two blocks; yields a line a member."""
    for stem, (file, name) in exported(out, "member", "member-?").items():
        pair = PAIRS[int(stem[-1])]
        unseen = [patient for patient in patients if blocks[patient.name] in pair]
        answer_with(file, name, unseen, out, variants=variants, mirrored=mirrored, threads=threads)
        yield f"{stem}: {len(unseen)} patients it never saw"
