"""Running the members over the slices of a study, each probability kept as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from models.brain_tumour.settings import PROBABILITY
from models.brain_tumour.slices import Window
from models.confidence.segments import OverlapCounts
from models.runtime import Session

__all__ = ["MemberRun", "mean_shares", "run_members"]

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MemberRun:
    """What the members gave on the working grid.

    Parameters
    ----------
    mean : numpy.ndarray
        Float32 ``(z, y, x)``: mean probability, 0 outside the window.
    paths : tuple of pathlib.Path
        One ``.npy`` per member, float16 ``(z, y, x)``.
    overlaps : OverlapCounts
        Of the members' masks.
    shares : mapping of str to numpy.ndarray
        Float64 ``(z, classes)`` for every other output: mean over the members.
    """

    mean: _Floats
    paths: tuple[Path, ...]
    overlaps: OverlapCounts
    shares: Mapping[str, NDArray[np.float64]]


def run_members(
    sessions: Sequence[Session],
    tensors: Iterator[tuple[slice, _Floats]],
    window: Window,
    shape: tuple[int, int, int],
    folder: Path,
    *,
    tensor_name: str,
    operating_point: float,
    flip: bool,
    others: Sequence[str] = (),
) -> MemberRun:
    """Run every member on every piece of a study.

    Parameters
    ----------
    sessions : sequence of Session
        The members.
    tensors : iterator
        Ranges of slices and their tensors ``(n, channels, H, W)``; of each answer the upper left part is
        the window.
    window : Window
        The part of the grid that is read.
    shape : tuple of int
        Of the grid.
    folder : pathlib.Path
        Takes one file per member.
    tensor_name : str
        Name of the networks' input.
    operating_point : float
        Probability from which a member marks a voxel, for the overlaps.
    flip : bool
        Whether answers are averaged with those on the mirrored slices.
    others : sequence of str
        Names of further outputs ``(n, classes)``.

    Raises
    ------
    ValueError
        A member gave values that are no probabilities.
    """
    paths = tuple(folder / f"member-{number}.npy" for number in range(len(sessions)))
    kept = [open_memmap(path, mode="w+", dtype=np.float16, shape=shape) for path in paths]
    mean = np.zeros(shape, dtype=np.float32)
    overlaps = OverlapCounts(len(sessions))
    shares: dict[str, NDArray[np.float64]] = {}
    rows, columns = window.rows.stop - window.rows.start, window.columns.stop - window.columns.start
    for piece, tensor in tensors:
        place = (piece, window.rows, window.columns)
        marked = np.empty((len(sessions), len(tensor), rows, columns), dtype=bool)
        for number, session in enumerate(sessions):
            answer = _answer(session, tensor_name, tensor, flip, others)
            probability = answer[PROBABILITY][:, 0, :rows, :columns]
            _check(probability, number)
            kept[number][place] = probability
            mean[place] += probability / np.float32(len(sessions))
            marked[number] = probability >= operating_point
            for name in others:
                _check(answer[name], number)
                total = shares.setdefault(name, np.zeros((shape[0], answer[name].shape[1])))
                total[piece] += answer[name] / len(sessions)
        overlaps.add(marked)
    for volume in kept:
        volume.flush()
    np.clip(mean, 0, 1, out=mean)
    return MemberRun(mean, paths, overlaps, shares)


def mean_shares(
    sessions: Sequence[Session], tensor: _Floats, *, tensor_name: str, flip: bool, outputs: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return outputs ``(n, classes)`` as their mean over slices and members: ``(classes,)`` by name.

    Raises
    ------
    ValueError
        A member gave values that are no probabilities.
    """
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in outputs}
    for number, session in enumerate(sessions):
        answer = _answer(session, tensor_name, tensor, flip, outputs)
        for name in outputs:
            _check(answer[name], number)
            found[name].append(answer[name].mean(axis=0, dtype=np.float64))
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def _answer(
    session: Session, name: str, tensor: _Floats, flip: bool, others: Sequence[str]
) -> dict[str, _Floats]:
    outputs = session.run({name: tensor})
    if not flip:
        return outputs
    mirrored = session.run({name: np.ascontiguousarray(tensor[..., ::-1])})
    result = {other: (outputs[other] + mirrored[other]) / 2 for other in others}
    result[PROBABILITY] = (outputs[PROBABILITY] + mirrored[PROBABILITY][..., ::-1]) / 2
    return result


def _check(values: _Floats, number: int) -> None:
    # Comparisons with what is not a number are false: a broken member would be a silent one.
    if not (values.min(initial=0.0) >= -1e-3 and values.max(initial=0.0) <= 1 + 1e-3):
        raise ValueError(f"member {number} gave values that are no probabilities")
