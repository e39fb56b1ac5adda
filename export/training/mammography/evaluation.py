"""Out-of-bag answers: every film by the four members that never saw its patient, as shipped in ONNX."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.training.blocks import PAIRS, unseen_by
from export.training.mammography.answers import AnsweredView, answer_prepared
from export.training.mammography.data import mammogram_of, preparation_mark
from export.training.mammography.table import MiasFilm
from models.mammogram import Mammogram
from models.mammography.answers import MemberAnswer
from models.mammography.preprocess import NoBreast, prepare
from models.runtime import Session, TensorSpec, open_session

__all__ = ["Turned", "answer_members", "exported", "out_of_bag"]

Kept = dict[str, AnsweredView]


class Turned:
    """A session that averages its answers over a view and the same view upside down."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the session takes."""
        return self.session.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the session gives."""
        return self.session.outputs

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer twice; maps are turned back before they are averaged."""
        plain = self.session.run(inputs)
        turned = self.session.run({name: np.ascontiguousarray(v[..., ::-1, :]) for name, v in inputs.items()})
        for name in ("centre", "extent"):
            turned[name] = turned[name][..., ::-1, :]
        return {name: (plain[name] + turned[name]) / 2 for name in plain}


def exported(out: Path) -> dict[int, Path]:
    """Return the ONNX file of every exported member of a run."""
    return {int(path.stem[-1]): path for path in sorted((out / "onnx").glob("member-?.onnx"))}


def answer_member(
    member: int,
    path: Path,
    films: Sequence[MiasFilm],
    out: Path,
    *,
    height: int,
    variant: str = "plain",
    threads: int = 2,
    change: Callable[[MiasFilm], Mammogram] = mammogram_of,
) -> Kept:
    """Answer these films with one member; kept beside the run under the file's hash.

    Parameters
    ----------
    variant : str
        Name under which the answers are kept; "turned" averages over the view upside down, "without
        muscle" keeps the pectoral muscle from the members.
    change : callable
        Makes the mammogram of a film, for variants that change it.
    """
    content = (
        path.read_bytes() + f"{height} {preparation_mark()} {' '.join(film.name for film in films)}".encode()
    )
    mark = hashlib.sha256(content).hexdigest()[:12]
    stored = out / "answers" / f"{variant.replace(' ', '-')}-{member}-{mark}.pickle"
    if stored.exists():
        kept: Kept = pickle.loads(stored.read_bytes())  # noqa: S301 (our own file)
        return kept
    stored.parent.mkdir(exist_ok=True)
    session = open_session(path, threads=threads)
    chosen: Session = Turned(session) if variant == "turned" else session
    answered = {}
    for film in films:
        try:
            shown = change(film)
            prepared = prepare(shown, height, without_muscle=variant == "without muscle")
        except NoBreast:
            continue
        answered[film.name] = answer_prepared(film, shown, prepared, {member: chosen}, height)
    partial = stored.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(answered))
    partial.replace(stored)
    return answered


def answer_members(
    films: Sequence[MiasFilm],
    blocks: Mapping[str, int],
    out: Path,
    *,
    height: int,
    variant: str = "plain",
    threads: int = 2,
    change: Callable[[MiasFilm], Mammogram] = mammogram_of,
) -> Iterator[tuple[int, Kept]]:
    """Let every exported member answer those of the films whose patients it never saw."""
    for member, path in exported(out).items():
        unseen = [film for film in films if blocks[film.patient] in PAIRS[member]]
        kept = answer_member(
            member, path, unseen, out, height=height, variant=variant, threads=threads, change=change
        )
        yield member, kept


def out_of_bag(
    answered: Mapping[int, Kept], films: Sequence[MiasFilm], blocks: Mapping[str, int]
) -> list[AnsweredView]:
    """Join members' answers film by film.

    Returns
    -------
    list of AnsweredView
        In the order of ``films``; those in which no breast is found are absent.

    Raises
    ------
    ValueError
        A film was answered by a member that saw its patient, or not by every exported one that did not.
    """
    joined = []
    for film in films:
        expected = {member for member in unseen_by(blocks[film.patient]) if member in answered}
        parts = {member: kept[film.name] for member, kept in answered.items() if film.name in kept}
        if not parts:
            continue
        if set(parts) != expected:
            raise ValueError(
                f"{film.name}: answered by members {sorted(parts)}, unseen by {sorted(expected)}"
            )
        answers: dict[int, MemberAnswer] = {}
        for part in parts.values():
            answers |= part.answers
        joined.append(replace(next(iter(parts.values())), answers=answers))
    return joined
