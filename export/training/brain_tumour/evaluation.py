"""Out-of-bag answers: every patient by the members that never saw it, as shipped in ONNX.

Answers are kept beside the run as 8 bit probabilities, so that figures can be computed anew in seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.training.brain_tumour.data import Patient
from export.training.brain_tumour.split import PAIRS
from models.preprocessing.brain import SEQUENCES, member_input
from models.runtime import Session, open_session

Probability = NDArray[np.uint8]

VARIANTS: dict[str, tuple[str, ...]] = {
    "acquired": SEQUENCES,
    "FLAIR": ("FLAIR",),
    "FLAIR+T1": ("FLAIR", "T1"),
    "FLAIR+T1C": ("FLAIR", "T1C"),
}
"""Which sequences an answer may use; ``acquired`` is whatever the patient has."""

FLIPPED = "acquired, flips"
BATCH = 8


@dataclass(frozen=True)
class Answers:
    """Where the 8 bit probabilities of one variant lie: ``folder/member-K/patient.npy``."""

    folder: Path
    variant: str

    def of(self, member: int, patient: str) -> Probability:
        """Return one member's probabilities (z, y, x), 255 = 1."""
        stored: Probability = np.load(self.folder / self.variant / f"member-{member}" / f"{patient}.npy")
        return stored

    def mean(self, members: Sequence[int], patient: str) -> NDArray[np.float32]:
        """Return the mean probability of members."""
        total = sum(self.of(member, patient).astype(np.float32) for member in members)
        return np.asarray(total, dtype=np.float32) / np.float32(255 * len(members))


def unseen_by(block: int, members: Sequence[int] = range(len(PAIRS))) -> list[int]:
    """Return the members that left this block of patients out."""
    return [member for member in members if block in PAIRS[member]]


def answer(session: Session, patient: Patient, wanted: Sequence[str], *, flip: bool = False) -> Probability:
    """Answer one patient slice by slice; with ``flip``, the mean with the answer to the mirrored images."""
    sequences, parts = patient.sequences(wanted), []
    for start in range(0, len(patient.mask), BATCH):
        tensor = member_input(sequences, slice(start, start + BATCH))
        found = session.run({"tensor": tensor})["probability"][:, 0]
        if flip:
            mirrored = session.run({"tensor": np.ascontiguousarray(tensor[..., ::-1])})["probability"]
            found = (found + mirrored[:, 0, :, ::-1]) / 2
        parts.append(np.rint(255 * found).astype(np.uint8))
    return np.concatenate(parts)


def usable(patient: Patient, variant: str) -> bool:
    """Whether the patient has every sequence that the variant names."""
    if variant.startswith("acquired"):
        return True
    return all(patient.present[SEQUENCES.index(name)] for name in VARIANTS[variant])


def _keep(path: Path, made: Probability) -> None:
    partial = path.with_suffix(".partial.npy")
    np.save(partial, made)
    partial.replace(path)


def answer_with(
    file: Path,
    name: str,
    patients: Sequence[Patient],
    out: Path,
    *,
    variants: Sequence[str] = (*VARIANTS, FLIPPED),
    threads: int = 1,
) -> None:
    """Let one network answer patients it never saw, keeping what is there already for the same file."""
    mark = out / "answers" / f"{name}.sha256"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() != digest:
        raise ValueError(f"{mark} is of another file of {name}: remove the answers")
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest)
    session = open_session(file, threads=threads)
    for variant in variants:
        folder = out / "answers" / variant / name
        folder.mkdir(parents=True, exist_ok=True)
        for patient in patients:
            path = folder / f"{patient.name}.npy"
            if usable(patient, variant) and not path.exists():
                wanted = VARIANTS.get(variant, SEQUENCES)
                _keep(path, answer(session, patient, wanted, flip=variant == FLIPPED))


def answer_members(
    patients: Sequence[Patient], blocks: Mapping[str, int], out: Path, *, threads: int = 1
) -> Iterator[str]:
    """Let every exported member answer the patients of its two blocks; yields a line a member."""
    for file in sorted((out / "onnx" / "member").glob("member-?.onnx")):
        member = int(file.stem[-1])
        unseen = [patient for patient in patients if blocks[patient.name] in PAIRS[member]]
        answer_with(file, f"member-{member}", unseen, out, threads=threads)
        yield f"member {member}: {len(unseen)} patients it never saw"
