"""From shares of classes to what a study is classified as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.concepts import Concept
from models.package import ClassificationOutput, Code
from models.study_results import Classification

__all__ = ["by_area", "classified", "largest_slices"]


def by_area(
    shares: Mapping[str, NDArray[np.float64]], marked: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Return shares ``(z, classes)`` as their mean over the slices, weighted by the marked area of each.

    Parameters
    ----------
    shares : mapping of str to numpy.ndarray
        By output.
    marked : numpy.ndarray
        Bool ``(z, y, x)``, not empty.
    """
    areas = np.count_nonzero(marked, axis=(1, 2)).astype(np.float64)
    return {name: areas @ values / areas.sum() for name, values in shares.items()}


def largest_slices(marked: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """Return at most ``count`` slices with the largest marked area, in their order; none without any."""
    areas = np.count_nonzero(marked, axis=(1, 2))
    order = np.argsort(-areas, kind="stable")[:count]
    return np.sort(order[areas[order] > 0])


def classified(
    outputs: Iterable[ClassificationOutput],
    shares: Mapping[str, NDArray[np.float64]],
    statements: tuple[str, ...] = (),
) -> tuple[Classification, ...]:
    """Return classifications from shares ``(classes,)`` by output, with what else is to be said of them."""
    return tuple(_classification(output, shares[output.output], statements) for output in outputs)


def _classification(
    output: ClassificationOutput, values: NDArray[np.float64], statements: tuple[str, ...]
) -> Classification:
    shares = values / values.sum()
    order = sorted(range(len(shares)), key=lambda index: -shares[index])
    ranked = [(_concept(output.classes[index]), float(shares[index])) for index in order]
    return Classification(
        name=_concept(output.name),
        value=ranked[0][0],
        probability=ranked[0][1],
        alternatives=tuple(ranked[1:]),
        statements=(*output.statements, *statements),
    )


def _concept(code: Code) -> Concept:
    return Concept(code.code, code.scheme, code.meaning)
