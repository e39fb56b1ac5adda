"""From shares per slice to what a study is classified as."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models.brain_tumour.members import MemberRun
from models.concepts import Concept
from models.package import ClassificationOutput, Code
from models.study_results import Classification

__all__ = ["classified"]


def classified(
    outputs: Iterable[ClassificationOutput], run: MemberRun, operating_point: float
) -> tuple[Classification, ...]:
    """Return the classifications of a study from those of its slices, weighted by their marked area.

    Parameters
    ----------
    outputs : iterable of ClassificationOutput
        Of the networks that answered.
    run : MemberRun
        What the members gave.
    operating_point : float
        Mean probability from which a voxel is marked.

    Returns
    -------
    tuple of Classification
        Empty where no slice is marked: a classifier of tumours says nothing of a head without one.
    """
    areas = np.count_nonzero(run.mean >= operating_point, axis=(1, 2)).astype(np.float64)
    if not areas.any():
        return ()
    return tuple(_classification(output, areas @ run.shares[output.output]) for output in outputs)


def _classification(output: ClassificationOutput, weighted: NDArray[np.float64]) -> Classification:
    shares = weighted / weighted.sum()
    order = sorted(range(len(shares)), key=lambda index: -shares[index])
    ranked = [(_concept(output.classes[index]), float(shares[index])) for index in order]
    return Classification(
        name=_concept(output.name),
        value=ranked[0][0],
        probability=ranked[0][1],
        alternatives=tuple(ranked[1:]),
        statements=output.statements,
    )


def _concept(code: Code) -> Concept:
    return Concept(code.code, code.scheme, code.meaning)
