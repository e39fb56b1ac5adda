"""Films of mini-MIAS answered by members, with the arithmetic of the shipped detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.training.mammography.data import mammogram_of
from export.training.mammography.figures import FilmMarks, match
from export.training.mammography.table import PIXEL_MM, MiasFilm
from models.exam_tables import ExamRules, ImageRules, RisingPlatt, SeveralViews
from models.mammogram import Mammogram
from models.mammography.answers import MemberAnswer, fused_candidates, member_answer
from models.mammography.preprocess import PreparedView, prepare
from models.mammography.settings import Settings
from models.package_tables import Platt
from models.results import Candidate
from models.runtime import Session, TensorSpec

__all__ = [
    "FLOOR",
    "OUTPUTS",
    "OVERLAP",
    "PLAIN",
    "AnsweredView",
    "TorchSession",
    "answer_prepared",
    "answer_view",
    "fused",
    "marks_of",
    "raw_settings",
]

FLOOR, OVERLAP = 0.02, 0.2
"""Raw score under which a member's peak is dropped, and the IoU above which boxes are the same place."""
LEAST_RADIUS = 5.0 / PIXEL_MM
OUTPUTS = ("centre", "extent", "abnormal", "malignant", "density")
PLAIN = Platt(slope=1.0, offset=0.0)


@dataclass(frozen=True)
class AnsweredView:
    """One film with the raw answers of members, and what carries their boxes to source pixels.

    Parameters
    ----------
    film : MiasFilm
        What the table says of it.
    frame : PreparedView
        Mask, placement and anatomy; its tensor is empty.
    shape : tuple of int
        Rows and columns of the source.
    answers : dict
        By member.
    """

    film: MiasFilm
    frame: PreparedView
    shape: tuple[int, int]
    answers: dict[int, MemberAnswer]


class TorchSession:
    """A torch network in its exported form that answers as an ONNX session does."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval()
        self.inputs: tuple[TensorSpec, ...] = ()
        self.outputs: tuple[TensorSpec, ...] = ()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer the only input."""
        (tensor,) = inputs.values()
        with torch.no_grad():
            values = self.network(torch.from_numpy(np.ascontiguousarray(tensor)))
        return {name: value.numpy() for name, value in zip(OUTPUTS, values, strict=True)}


def raw_settings(height: int) -> Settings:
    """Return settings under which a member's answer is kept as it is."""
    plain = RisingPlatt(slope=1.0, offset=0.0)
    rules = ExamRules(
        image=ImageRules(candidate=1.0, abnormal=1.0),
        single=plain,
        several=SeveralViews(maximum=1.0, mean=0.0, offset=0.0),
        definition="raw answers, nothing is fitted",
    )
    return Settings(0.5, FLOOR, OVERLAP, height, (PLAIN,), (), PLAIN, rules)


def answer_prepared(
    film: MiasFilm, shown: Mammogram, prepared: PreparedView, sessions: Mapping[int, Session], height: int
) -> AnsweredView:
    """Answer a view with these members; what is kept of it holds no pixels."""
    settings = raw_settings(height)
    answers = {m: member_answer(session, prepared.tensor, settings) for m, session in sessions.items()}
    nothing = np.empty((1, 3, 0, 0), dtype=np.float32)
    frame = PreparedView(nothing, prepared.placement, prepared.anatomy, prepared.mask)
    return AnsweredView(film, frame, shown.film.shape, answers)


def answer_view(film: MiasFilm, sessions: Mapping[int, Session], height: int) -> AnsweredView:
    """Answer a film with these members.

    Raises
    ------
    NoBreast
        The film shows no single breast.
    """
    shown = mammogram_of(film)
    return answer_prepared(film, shown, prepare(shown, height), sessions, height)


def fused(view: AnsweredView, maps: dict[int, Platt] | None = None) -> tuple[Candidate, ...]:
    """Fuse all members' boxes as the shipped detector does; without maps raw scores are averaged."""
    chosen = sorted(view.answers)
    pairs = [maps[member] if maps else PLAIN for member in chosen]
    answers = [view.answers[member] for member in chosen]
    return fused_candidates(answers, pairs, view.frame, view.shape, OVERLAP)


def marks_of(film: MiasFilm, candidates: Sequence[Candidate]) -> FilmMarks:
    """Match candidates to a film's lesions with coordinates."""
    placed = [(lesion.kind, lesion.circle) for lesion in film.lesions if lesion.circle is not None]
    centres = np.array([candidate.box.centre for candidate in candidates]).reshape(-1, 2)
    scores = np.array([candidate.score for candidate in candidates])
    hits, others = match(centres, scores, [circle for _, circle in placed], LEAST_RADIUS)
    return FilmMarks(film.patient, not film.abnormal, hits, others, tuple(kind for kind, _ in placed))
