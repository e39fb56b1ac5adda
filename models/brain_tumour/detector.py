"""The detector behind the package: aligned sequences in, the mean of the members on the source grid out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from highdicom import Volume, VolumeGeometry
from numpy.typing import NDArray

from models.brain_tumour.answer import BrainAnswer
from models.brain_tumour.classes import by_area, classified, largest_slices
from models.brain_tumour.members import MemberRun, mean_shares, run_members
from models.brain_tumour.rules import case_score, reported
from models.brain_tumour.settings import Settings, settings_of
from models.brain_tumour.slices import (
    SIDE,
    Window,
    context_tensors,
    contrast_tensor,
    contrast_tensors,
    window_of,
)
from models.confidence.segments import foreground_mean, max_probability, predictive_entropy
from models.geometry import AlignedStudy, SeriesVolume, to_source
from models.package import MAIN, ClassificationOutput, Package, PackageError, Plan
from models.runtime import Session
from models.sequences import in_words
from models.study_results import Classification
from models.volume_results import SliceSource

__all__ = ["BrainTumourDetector"]

_Floats = NDArray[np.float32]
_WARM_UP_SLICES = 4
_CLASSIFIED_SLICES = 5


@dataclass(frozen=True, slots=True)
class _Ensemble:
    settings: Settings
    sessions: tuple[Session, ...]
    tensor: str
    classifications: tuple[ClassificationOutput, ...]


class BrainTumourDetector:
    """Reads the sequences of one study with the members that the plan names.

    Parameters
    ----------
    package : Package
        A loaded and verified package.
    open_session : callable
        Opens one ONNX file; called once per member that takes part.
    members : int or None
        How many take part, from the first; None for the number that the manifest states. A branch with
        fewer has all of its own.

    Raises
    ------
    PackageError
        The manifest lacks what this detector needs, or the package has fewer members.
    """

    def __init__(
        self, package: Package, open_session: Callable[[Path], Session], members: int | None = None
    ) -> None:
        manifest = package.manifest
        if members is not None and not 1 <= members <= len(manifest.members):
            raise PackageError(
                f"{package.reference}: has {len(manifest.members)} members; {members} cannot take part"
            )
        self._plans = manifest.plans
        names = (MAIN, *(branch.name for branch in manifest.branches))
        settings = {name: settings_of(package, name) for name in names}
        self._ensembles = {
            name: _Ensemble(
                settings[name],
                tuple(open_session(path) for path in _taking_part(package, name, members)),
                manifest.network(name).tensor.name,
                tuple(output for output in manifest.classifications if output.branch == name),
            )
            for name in names
        }

    def read(self, study: AlignedStudy, plan: Plan, folder: Path) -> BrainAnswer:
        """Find tumour in a study.

        Parameters
        ----------
        study : AlignedStudy
            Has every sequence of the plan.
        plan : Plan
            Which networks read which sequences.
        folder : pathlib.Path
            Takes the probabilities of the members; made where it does not exist.

        Raises
        ------
        ValueError
            The study lacks a sequence of the plan or is aligned to another one, or a member gave values
            that are no probabilities.
        """
        lacking = [name for name in plan.sequences if name not in study.sequences]
        if lacking:
            raise ValueError(f"the aligned study lacks {', '.join(lacking)}")
        if study.source.sequence != plan.reference:
            raise ValueError(f"the study is aligned to {study.source.sequence}, the plan to {plan.reference}")
        ensemble = self._ensembles[plan.branch]
        settings = ensemble.settings
        folder.mkdir(parents=True, exist_ok=True)
        run = _run(ensemble, study, plan, folder)
        source = study.source.volume.get_geometry()
        probability = to_source(run.mean, study.grid, source)
        voxel_mm3 = float(np.prod(source.spacing))
        mask = reported(
            probability,
            voxel_mm3,
            settings.operating_point,
            minimum_volume_ml=settings.minimum_volume_ml,
            largest_component=settings.largest_component,
        )
        marked = np.asarray(run.mean >= settings.operating_point)
        found: tuple[Classification, ...] = ()
        if mask.any() and marked.any():
            own = classified(ensemble.classifications, by_area(run.shares, marked))
            found = (*own, *self._suggested(study, plan, marked))
        pairs = run.overlaps.dice()
        return BrainAnswer(
            probability=probability,
            mask=mask,
            member_paths=run.paths,
            plan=plan,
            case_score=case_score(probability, voxel_mm3),
            pairwise_dice=pairs,
            components=_components(run, pairs, settings.operating_point),
            classifications=found,
        )

    def _suggested(
        self, study: AlignedStudy, plan: Plan, marked: NDArray[np.bool_]
    ) -> tuple[Classification, ...]:
        """Ask the branches that classify, each on its sequence where the marked area is largest.

        They see the working grid of the main networks: its pixels may be a few percent smaller than those
        that they are made for, which is less than heads differ.
        """
        found: list[Classification] = []
        for other in self._plans:
            ensemble = self._ensembles[other.branch]
            asked = ensemble.classifications and ensemble.settings.layout == "contrast"
            if plan.branch != MAIN or not asked or other.reference not in plan.sequences:
                continue
            volume = study.sequences[other.reference]
            chosen = largest_slices(marked, _CLASSIFIED_SLICES)
            shares = mean_shares(
                ensemble.sessions,
                contrast_tensor(volume[chosen], window_of(volume)),
                tensor_name=ensemble.tensor,
                flip=ensemble.settings.flip,
                outputs=[output.output for output in ensemble.classifications],
            )
            words = f"Suggested by other networks from {in_words(other.reference)} alone, on {len(chosen)} "
            words += "slices where the marked area is largest."
            found.extend(classified(ensemble.classifications, shares, (words,)))
        return tuple(found)

    def warm_up(self) -> None:
        """Read a made-up study with every network, so that all memory is claimed."""
        plans = {plan.branch: plan for plan in sorted(self._plans, key=lambda plan: len(plan.sequences))}
        for plan in plans.values():
            with TemporaryDirectory() as folder:
                self.read(_made_up(plan), plan, Path(folder))


def _taking_part(package: Package, name: str, members: int | None) -> tuple[Path, ...]:
    network = package.manifest.network(name)
    count = network.ensemble if members is None else members
    return package.paths_of(name)[:count]


def _run(ensemble: _Ensemble, study: AlignedStudy, plan: Plan, folder: Path) -> MemberRun:
    settings = ensemble.settings
    sequences: dict[str, _Floats] = {name: study.sequences[name] for name in plan.sequences}
    window = window_of(sequences[plan.reference])
    depth, rows, columns = (int(size) for size in study.grid.spatial_shape)
    return run_members(
        ensemble.sessions,
        _tensors(settings, sequences, window, float(study.grid.spacing[0])),
        window,
        (depth, rows, columns),
        folder,
        tensor_name=ensemble.tensor,
        operating_point=settings.operating_point,
        flip=settings.flip,
        others=tuple(output.output for output in ensemble.classifications),
    )


def _tensors(
    settings: Settings, sequences: dict[str, _Floats], window: Window, slice_spacing_mm: float
) -> Iterator[tuple[slice, _Floats]]:
    if settings.layout == "contrast":
        (volume,) = sequences.values()
        return contrast_tensors(volume, window, settings.batch)
    return context_tensors(sequences, window, settings.batch, settings.step(slice_spacing_mm))


def _components(run: MemberRun, pairs: tuple[float, ...], operating_point: float) -> dict[str, float]:
    components = {
        "member_support": run.overlaps.marking,
        "foreground_entropy": foreground_mean(predictive_entropy(run.mean), run.mean >= operating_point),
        "mean_max": float(np.mean(max_probability(run.mean), dtype=np.float64)),
    }
    if pairs:
        components["pairwise_dice"] = float(np.mean(pairs))
    return components


def _made_up(plan: Plan) -> AlignedStudy:
    shape = (_WARM_UP_SLICES, SIDE, SIDE)
    ramp = np.broadcast_to(np.linspace(1.0, 2.0, SIDE, dtype=np.float32), shape).copy()
    axial = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]])
    grid = VolumeGeometry(axial, shape, "PATIENT")
    slices = tuple(SliceSource("1.2.840.10008.5.1.4.1.1.4", f"2.25.{index}") for index in range(shape[0]))
    source = SeriesVolume(plan.reference, Volume(ramp, grid.affine, "PATIENT"), slices, "2.25.0")
    return AlignedStudy({name: ramp for name in plan.sequences}, grid, source)
