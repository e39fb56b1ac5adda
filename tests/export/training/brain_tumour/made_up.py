"""Made-up patients, networks and answers for tests of the evaluation."""

import csv
import gzip
import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

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


def put_data(root: Path) -> None:
    """Write a data folder: five patients of four slices (P4 without T1), 15 contrast slices."""
    rng = np.random.default_rng(0)
    head = ((np.mgrid[:256, :256] - 128) ** 2).sum(axis=0) < 90**2
    rows = []
    for number in range(5):
        name, there = f"P{number}", int(number != 4)
        folder = root / "lgg" / name
        folder.mkdir(parents=True)
        for z in range(1, 5):
            grey = head * rng.integers(60, 80, (256, 256))
            mask = np.zeros((256, 256), dtype=np.uint8)
            if z in {2, 3}:
                mask[100:130, 90 + 4 * number : 130 + 4 * number] = 255
                Image.fromarray(mask).save(folder / f"{z:03d}_mask.png")
            wide = np.concatenate([grey, np.where(mask > 0, 240, grey), grey], axis=1)
            Image.fromarray(wide.astype(np.uint8)).save(folder / f"{z:03d}.webp", lossless=True)
            rows.append([name, ("DU", "HT", "CS", "FG", "DU")[number], z, there, there])
    head_row = ["patient", "institution", "slice", "has_pre_contrast", "has_post_contrast"]
    _write(root / "lgg" / "slices.csv", [head_row, *rows])
    (root / "cheng_t1c").mkdir()
    border = json.dumps([[200, 200], [300, 200], [300, 300], [200, 300]])
    lines = [["file", "label", "tumorBorder"], *([f"{n}.png", 1, border] for n in range(15))]
    with gzip.open(root / "cheng_t1c" / "borders.csv.gz", "wt") as stream:
        csv.writer(stream).writerows(lines)
    for number in range(15):
        grey = head * rng.integers(60, 80, (256, 256))
        grey[100:150, 100:150] = 240
        Image.fromarray(grey.astype(np.uint8)).save(root / "cheng_t1c" / f"{number:04d}.webp", lossless=True)
    _write(root / "cheng_t1c" / "images.csv", [["number", "class_folder"], *([n, n // 5] for n in range(15))])


def _write(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
