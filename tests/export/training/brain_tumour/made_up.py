"""Made-up patients, networks and answers for tests of the evaluation."""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np

from export.training.brain_tumour.data import Patient, Truth
from tests.packages.lesions import member

SIDE = 32
LESION = (slice(1, 3), slice(8, 16), slice(8, 16))
"""128 voxels."""


def patient(
    name: str, institution: str = "DU", present: tuple[bool, bool, bool] = (True, True, True)
) -> Patient:
    """Return a patient of four slices whose lesion is 3 on FLAIR, all else 0."""
    volume = np.zeros((4, 3, SIDE, SIDE), dtype=np.float16)
    mask = np.zeros((4, SIDE, SIDE), dtype=bool)
    mask[LESION] = True
    volume[:, 1][mask] = 3
    return Patient(name, institution, volume, mask, present)


def truth(name: str, institution: str = "DU", present: tuple[bool, bool, bool] = (True, True, True)) -> Truth:
    """Return what is known of such a patient."""
    return Truth(name, institution, patient(name).mask, present)


def put_network(out: Path, kind: str, stem: str, content: bytes | None = None) -> str:
    """Write a network with its record as the export does, and return the name of its answers."""
    folder = out / "onnx" / kind
    folder.mkdir(parents=True, exist_ok=True)
    made = content or member(12, 1, 2.0 + zlib.crc32(f"{kind}/{stem}".encode()) % 1000 / 1e4)
    digest = hashlib.sha256(made).hexdigest()
    (folder / f"{stem}.onnx").write_bytes(made)
    facts = {"file": f"{stem}.onnx", "sha256": digest, "bytes": len(made), "opset": 20, "ir_version": 10}
    parity = {"probability": {"max": 1e-3, "mean": 1e-5}}
    (folder / f"{stem}.json").write_text(json.dumps(facts | {"parity": parity}))
    return f"{kind}-{stem}-{digest[:12]}"


def put_answer(out: Path, variant: str, name: str, patient_name: str, answer: np.ndarray) -> None:
    """Write the 8 bit answer of a network for a patient."""
    path = out / "answers" / variant / name / f"{patient_name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, answer.astype(np.uint8))
