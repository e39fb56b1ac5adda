"""Out-of-bag answers: every NIH film by the two members that never saw its patient, as shipped in ONNX."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.training.chest_nodule.data import CachedFilm, held_out, load_films
from export.training.chest_nodule.simulate import Nodule, insert_nodules
from export.training.chest_nodule.training import left_out
from export.training.folder import data_root
from models.chest_nodule.detector import MemberAnswer, Settings, member_answer
from models.chest_nodule.preprocess import Placement, content_bounds, prepare
from models.runtime import Session, open_session

FILM_MM = 380.0
STORED_FLOOR = 0.01
FLOOR = 0.15
"""Raw member score under which the package drops a peak: no FROC point up to 8 FP/film changes."""
OVERLAP = 0.2
RAW = Settings(0.5, STORED_FLOOR, OVERLAP, ((1.0, 0.0),), (1.0, 0.0), flip=True, long_side=640)


@dataclass(frozen=True)
class Answered:
    """One film's raw answers by member, with what is known of it."""

    name: str
    block: int
    labels: tuple[str, ...]
    shape: tuple[int, int]
    placement: Placement
    answers: dict[int, MemberAnswer]
    truth: tuple[tuple[float, float, float, float], ...]
    nodule: Nodule | None
    mm_per_pixel: float


def _decode(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


def _full_mask(mask: NDArray[np.bool_], placement: Placement, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Bring a small mask of the trimmed film to source pixels."""
    full = np.zeros(shape, dtype=bool)
    part = Image.fromarray(mask).resize((placement.columns, placement.rows), Image.Resampling.NEAREST)
    full[
        placement.top : placement.top + placement.rows, placement.left : placement.left + placement.columns
    ] = part
    return full


def simulated_copy(
    film: CachedFilm, pixels: NDArray[np.float32]
) -> tuple[NDArray[np.float32], Nodule] | None:
    """Put one nodule into a film at source resolution, seeded by the patient, never as in training."""
    rng = np.random.default_rng([2026, int(film.patient)])
    top, left, bottom, right = content_bounds(pixels)
    placement = Placement(top, left, bottom - top, right - left, 1.0, 1.0)
    low, high = np.percentile(pixels[top:bottom, left:right][::4, ::4], [3, 97])
    if high - low < 1e-3:
        return None
    lung, thorax = (_full_mask(mask, placement, pixels.shape) for mask in (film.lung, film.thorax))
    canvas = np.ascontiguousarray((pixels - low) / (high - low))
    nodules = insert_nodules(rng, canvas, lung, thorax, pixels_per_mm=(right - left) / FILM_MM, count=1)
    if not nodules:
        return None
    return np.clip(canvas * (high - low) + low, 0.0, 1.0).astype(np.float32), nodules[0]


def _answer(
    film: CachedFilm,
    pixels: NDArray[np.float32],
    sessions: dict[int, Session],
    nodule: Nodule | None,
    truth: tuple[tuple[float, float, float, float], ...] = (),
) -> Answered:
    tensor, placement = prepare(pixels)
    answers = {member: member_answer(session, tensor, RAW) for member, session in sessions.items()}
    shape = (pixels.shape[0], pixels.shape[1])
    spacing = FILM_MM / placement.columns
    known = truth if nodule is None else (nodule.box,)
    return Answered(film.name, film.block, film.labels, shape, placement, answers, known, nodule, spacing)


def unseen_by(block: int, members: list[int]) -> list[int]:
    """Return the members that left this block of patients out."""
    return [member for member in members if block in left_out(member)]


def _nih(out: Path, chosen: dict[int, Session]) -> tuple[list[Answered], list[Answered]]:
    """Answer the NIH films a member left out, as they are and (no Nodule or Mass label) with a nodule."""
    (member,) = chosen
    plain, simulated = [], []
    for film in load_films("nih", out / "cache"):
        if film.block not in left_out(member):
            continue
        pixels = _decode(data_root() / "nih" / film.name.replace(".png", ".webp"))
        plain.append(_answer(film, pixels, chosen, None))
        copy = None if film.weak_positive else simulated_copy(film, pixels)
        if copy is not None:
            simulated.append(_answer(film, copy[0], chosen, copy[1]))
    return plain, simulated


def _lidc(out: Path, chosen: dict[int, Session]) -> list[Answered]:
    """Answer the LIDC projections that training held out."""
    answered = []
    for film in load_films("lidc", out / "cache"):
        if held_out(film):
            pixels = film.pixels.astype(np.float32) / np.float32(255)
            truth = tuple((float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in film.boxes)
            answered.append(_answer(film, pixels, chosen, None, truth))
    return answered


def answer_member(out: Path, member: int, path: Path) -> dict[str, list[Answered]]:
    """Answer with one member every film it never saw; kept beside the run under the file's hash."""
    mark = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    kept = out / f"answers-{member}-{mark}.pickle"
    if kept.exists():
        stored: dict[str, list[Answered]] = pickle.loads(kept.read_bytes())  # noqa: S301 (our own file)
        return stored
    chosen = {member: open_session(path, threads=2)}
    plain, simulated = _nih(out, chosen)
    result = {"plain": plain, "simulated": simulated, "lidc": _lidc(out, chosen)}
    kept.write_bytes(pickle.dumps(result))
    return result


def _shipped(answer: MemberAnswer) -> MemberAnswer:
    """Keep what the shipped floor keeps."""
    keep = answer.scores >= FLOOR
    return MemberAnswer(answer.boxes[keep], answer.scores[keep], answer.film)


def merge(parts: Sequence[dict[str, list[Answered]]]) -> dict[str, list[Answered]]:
    """Join the members' answers film by film, with the package's floor."""
    merged: dict[str, list[Answered]] = {}
    for name in ("plain", "simulated", "lidc"):
        films: dict[str, Answered] = {}
        for part in parts:
            for film in part[name]:
                before = films.get(film.name)
                answers = {m: _shipped(a) for m, a in film.answers.items()}
                answers |= before.answers if before else {}
                films[film.name] = replace(film, answers=answers)
        merged[name] = [films[key] for key in sorted(films)]
    return merged
