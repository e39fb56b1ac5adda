"""The steps of a reading of volumes, one function each, without Prefect, journal or network.

Series are recognised and ranked, read as volumes, brought onto one grid; what is found there goes back to
the grid of one source series. Steps hand each other paths and small summaries; arrays stay on disk between
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from highdicom import Volume, VolumeGeometry
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_io.reading import UnsuitableImage, read_header
from dicom_io.reading.attributes import uid as uid_of
from dicom_io.reading.sequences import Choice, SeriesDescription, choose_series, describe_series
from dicom_io.reading.volume import SourceVolume, read_volume
from flows.reading.study import Gathered, NotRead, Refused, SourceFile
from models.brain_tumour.answer import BrainAnswer
from models.brain_tumour.reading import reading_of
from models.confidence import assess_segmentation
from models.detector import VolumeDetector
from models.geometry import AlignedStudy, AlignmentFailed, SeriesVolume, align, axial_view
from models.package import PackageManifest, Plan, UnsupportedSubset, VolumeContract
from models.preprocessing.brain import head_mask, without_padding
from models.results import Assessment
from models.sequences import Sequence as MRSequence
from models.sequences import in_words
from models.volume_results import SliceSource, VolumeReading

__all__ = ["KeptReading", "PreparedStudy", "assess", "gate", "infer", "prepare"]

_SMALLEST_RANGE = 1e-6
_LARGEST_FIELD_MM = 600.0
_HEAD_MM = (80.0, 300.0)
_KEPT_VOLUMES = 4


@dataclass(frozen=True, slots=True)
class PreparedStudy:
    """The series of a study on one grid, as files, and what is left out.

    Parameters
    ----------
    plan : Plan
        Which networks of the package read which sequences.
    files : tuple of SourceFile
        Of every series that is read.
    folder : pathlib.Path
        One ``.npy`` per sequence (float32, on ``grid``) and ``source.npy``, the reference series.
    grid : highdicom.VolumeGeometry
        The working grid.
    source : highdicom.VolumeGeometry
        The grid of the reference series, where results go.
    slices : tuple of SliceSource
        The images of the reference series, in the order of ``source``.
    series_instance_uid : str
        The reference series.
    not_read : tuple of NotRead
        What is left out, one entry per series and reason.
    remarks : tuple of str
        What people must know of recognition and alignment.
    series : tuple of (str, str)
        Sequence and Series Instance UID of what is read.
    """

    plan: Plan
    files: tuple[SourceFile, ...]
    folder: Path
    grid: VolumeGeometry
    source: VolumeGeometry
    slices: tuple[SliceSource, ...]
    series_instance_uid: str
    not_read: tuple[NotRead, ...]
    remarks: tuple[str, ...] = ()
    series: tuple[tuple[str, str], ...] = ()

    @property
    def partial(self) -> bool:
        """Whether a series that should have been read could not be."""
        return any(item.is_unread_image for item in self.not_read)

    @property
    def statements(self) -> tuple[str, ...]:
        """What the report says in words about its input."""
        unread = (f"A series was not read: {item.reason}" for item in self.not_read if item.is_unread_image)
        return (*self.plan.statements, *self.remarks, *unread)

    def image(self) -> Volume:
        """Return the reference series on its own grid."""
        return _with_array(
            self.source, np.load(self.folder / "source.npy", mmap_mode="r", allow_pickle=False)
        )

    def sequence(self, name: MRSequence) -> NDArray[np.float32]:
        """Return one sequence on the working grid, ``(z, y, x)``."""
        return np.asarray(np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))

    def load(self) -> AlignedStudy:
        """Read the study back."""
        reference = SeriesVolume(self.plan.reference, self.image(), self.slices, self.series_instance_uid)
        sequences: dict[str, NDArray[np.float32]] = {}
        sequences.update((name, self.sequence(name)) for name in self.plan.sequences)
        return AlignedStudy(sequences, self.grid, reference, {}, (), {})


@dataclass(frozen=True, slots=True)
class KeptReading:
    """A reading whose arrays lie on disk.

    Parameters
    ----------
    labels : pathlib.Path
        On the grid of the reference series.
    probabilities : pathlib.Path or None
        On the same grid, one channel per finding.
    member_paths : tuple of pathlib.Path
        Probability of each member, float16 on the working grid.
    grid : highdicom.VolumeGeometry
        Of ``labels``.
    parts : dict
        Everything else of the reading.
    branch : str
        Which networks made it.
    components : dict
        Raw components of its confidence.
    """

    labels: Path
    probabilities: Path | None
    member_paths: tuple[Path, ...]
    grid: VolumeGeometry
    parts: dict[str, Any]
    branch: str
    components: dict[str, float]

    @classmethod
    def keep(cls, reading: VolumeReading, answer: BrainAnswer, folder: Path) -> KeptReading:
        """Write the arrays of a reading into ``folder``."""
        labels = folder / "labels.npy"
        np.save(labels, reading.labels.array, allow_pickle=False)
        probabilities = None
        if reading.probabilities is not None:
            probabilities = folder / "probabilities.npy"
            np.save(probabilities, reading.probabilities.array, allow_pickle=False)
        names = [field.name for field in fields(reading) if field.name not in ("labels", "probabilities")]
        return cls(
            labels,
            probabilities,
            answer.member_paths,
            reading.labels.get_geometry(),
            {name: getattr(reading, name) for name in names},
            answer.branch,
            dict(answer.components),
        )

    def load(self) -> VolumeReading:
        """Read the reading back."""
        labels = _with_array(self.grid, np.load(self.labels, allow_pickle=False))
        probabilities = None
        if self.probabilities is not None:
            array = np.load(self.probabilities, allow_pickle=False)
            probabilities = _with_array(self.grid, array, segments=array.shape[3])
        return VolumeReading(labels=labels, probabilities=probabilities, **self.parts)


def _with_array(grid: VolumeGeometry, array: NDArray[Any], segments: int = 0) -> Volume:
    return Volume(
        array,
        grid.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=grid.frame_of_reference_uid,
        channels={"SegmentNumber": list(range(1, segments + 1))} if segments else None,
    )


class _Series:
    """The series of a study by UID: their files, headers and, once read, their volumes."""

    def __init__(self, gathered: Gathered, contract: VolumeContract) -> None:
        self._contract = contract
        self._files: dict[str, list[SourceFile]] = {}
        headers: dict[str, list[Dataset]] = {}
        for source in gathered.selected:
            header = read_header(source.path)
            uid = uid_of(header, "SeriesInstanceUID")
            self._files.setdefault(uid, []).append(source)
            headers.setdefault(uid, []).append(header)
        self.descriptions: dict[str, SeriesDescription] = {
            uid: describe_series(headers[uid]) for uid in sorted(headers)
        }
        self._volumes: dict[str, SourceVolume] = {}
        self.failed: dict[str, UnsuitableImage] = {}

    def files(self, uid: str) -> list[SourceFile]:
        return self._files[uid]

    def volume(self, uid: str) -> SourceVolume:
        """Read a series, once.

        Raises
        ------
        UnsuitableImage
            It is no volume; it is noted and no longer described.
        """
        if uid not in self._volumes:
            try:
                found = _without_padding(
                    read_volume([source.path for source in self._files[uid]], modalities=("MR",))
                )
                _check_series(found, self._contract)
            except UnsuitableImage as error:
                self.failed[uid] = error
                self.descriptions.pop(uid, None)
                raise
            # A study may have many series, and a volume many megabytes.
            while len(self._volumes) >= _KEPT_VOLUMES:
                del self._volumes[next(iter(self._volumes))]
            self._volumes[uid] = found
        return self._volumes[uid]

    def not_read(self, uid: str, code: str, reason: str) -> NotRead:
        first = self._files[uid][0]
        return NotRead(first.sop_instance_uid, code, reason, first.path, len(self._files[uid]))


def _without_padding(source: SourceVolume) -> SourceVolume:
    return replace(source, volume=source.volume.with_array(without_padding(np.asarray(source.volume.array))))


def _check_series(source: SourceVolume, contract: VolumeContract) -> None:
    """Refuse a series that no network of the package was made for, so that another one may take its place."""
    values = source.volume.array[:, ::4, ::4]
    low, high = (float(value) for value in np.percentile(values, (1, 99)))
    if high - low <= _SMALLEST_RANGE * max(abs(high), abs(low)):
        raise UnsuitableImage("constant-image", "every pixel of the series has the same value")
    view = axial_view(source.volume.get_geometry())
    _check_grid(view.geometry, contract)
    _check_head(view.apply(np.asarray(source.volume.array)).astype(np.float32), view.geometry)


def prepare(gathered: Gathered, manifest: PackageManifest, folder: Path) -> PreparedStudy:
    """Recognise the series, read those that the package wants, and bring them onto one grid in ``folder``.

    Raises
    ------
    Refused
        No supported set of sequences is there, or it cannot be brought together.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    contract = _contract(manifest)
    series = _Series(gathered, contract)
    choice = _chosen(series, manifest)
    not_read = [
        *gathered.not_read,
        *(series.not_read(uid, error.code, str(error)) for uid, error in series.failed.items()),
        *(
            series.not_read(
                uid,
                "no-head" if choice.codes[uid] == "no-head" else "not-chosen",
                f"{series.descriptions[uid].name} is not used: {reason}",
            )
            for uid, reason in choice.not_used.items()
            if uid not in series.failed
        ),
    ]
    first = gathered.selected[0]
    plan = _plan(manifest, tuple(choice.by_sequence), not_read, first, choice.remarks)
    volumes: dict[str, SeriesVolume] = {}
    for name in plan.sequences:
        volumes[name] = _series_volume(name, series.volume(choice.by_sequence[name]))
    try:
        study = align(volumes, plan.reference, plan.spacing_mm, coarsest_mm=contract.coarsest_pixel_mm)
    except AlignmentFailed as error:
        failed = series.not_read(choice.by_sequence[plan.reference], error.code, str(error))
        raise Refused([failed, *not_read]) from error
    not_read += [
        series.not_read(choice.by_sequence[name], "not-aligned", f"{in_words(name)}: {reason}")
        for name, reason in study.dropped.items()
    ]
    plan = _plan(manifest, tuple(study.sequences), not_read, first, (*choice.remarks, *study.remarks))
    for name in plan.sequences:
        np.save(folder / f"{name}.npy", study.sequences[name], allow_pickle=False)
    np.save(folder / "source.npy", study.source.volume.array, allow_pickle=False)
    return PreparedStudy(
        plan=plan,
        files=tuple(source for name in plan.sequences for source in series.files(choice.by_sequence[name])),
        folder=folder,
        grid=study.grid,
        source=study.source.volume.get_geometry(),
        slices=study.source.slices,
        series_instance_uid=study.source.series_instance_uid,
        not_read=tuple(not_read),
        remarks=(*choice.remarks, *study.remarks),
        series=tuple((name, choice.by_sequence[name]) for name in plan.sequences),
    )


def _contract(manifest: PackageManifest) -> VolumeContract:
    if manifest.input.volume is None:
        raise ValueError(f"package {manifest.package.name} reads films, not volumes")
    return manifest.input.volume


def _chosen(series: _Series, manifest: PackageManifest) -> Choice:
    """Choose one series per sequence; a series that turns out to be no volume is out, and it starts over."""
    while True:
        try:
            choice = choose_series(
                series.descriptions.values(), lambda uid: series.volume(uid).volume, manifest.sequences
            )
            for uid in choice.by_sequence.values():
                series.volume(uid)
        except UnsuitableImage:
            continue
        return choice


def _series_volume(name: MRSequence, source: SourceVolume) -> SeriesVolume:
    return SeriesVolume(name, source.volume, source.slices, source.series_instance_uid)


def _plan(
    manifest: PackageManifest,
    available: Sequence[str],
    not_read: Sequence[NotRead],
    first: SourceFile,
    remarks: Sequence[str],
) -> Plan:
    try:
        return manifest.choose(available)
    except UnsupportedSubset as error:
        # A report needs an image that it speaks of.
        words = "; ".join((str(error), *remarks))
        reason = NotRead(first.sop_instance_uid, "unsupported-sequences", words, first.path)
        raise Refused([reason, *not_read]) from error


def gate(prepared: PreparedStudy, manifest: PackageManifest) -> PreparedStudy:
    """Check spacing and extent of the reference series, and that it shows a head on the working grid.

    Raises
    ------
    Refused
        The networks were not made for such a volume; the reason says in which way.
    """
    try:
        _check_grid(axial_view(prepared.source).geometry, _contract(manifest))
        _check_head(prepared.sequence(prepared.plan.reference), prepared.grid)
    except UnsuitableImage as error:
        first = prepared.files[0]
        failed = NotRead(first.sop_instance_uid, error.code, str(error), first.path)
        raise Refused([failed, *prepared.not_read]) from error
    return prepared


def _check_grid(axial: VolumeGeometry, contract: VolumeContract) -> None:
    between, *pixel = (float(value) for value in axial.spacing)
    low, high = contract.slice_spacing_mm
    count = axial.spatial_shape[0]
    if max(pixel) > contract.coarsest_pixel_mm:
        raise UnsuitableImage(
            "too-coarse",
            f"seen from above the head the voxels are {max(pixel):.1f} mm wide; read are up to "
            f"{contract.coarsest_pixel_mm:.1f} mm: a thick-slice acquisition in another plane is not read",
        )
    field = max(size * length for size, length in zip(axial.spatial_shape[1:], pixel, strict=True))
    if field > _LARGEST_FIELD_MM:
        raise UnsuitableImage(
            "large-field", f"the images are {field:.0f} mm wide; read are up to {_LARGEST_FIELD_MM:.0f} mm"
        )
    if not low <= between <= high:
        raise UnsuitableImage(
            "slice-spacing",
            f"axial slices are {between:.1f} mm apart; read are {low:.1f} to {high:.1f} mm",
        )
    if count < contract.minimum_slices or count * between < contract.minimum_extent_mm:
        raise UnsuitableImage(
            "small-extent",
            f"{count} axial slices cover {count * between:.0f} mm; read are at least "
            f"{contract.minimum_slices} slices and {contract.minimum_extent_mm:.0f} mm",
        )


def _check_head(volume: NDArray[np.floating], grid: VolumeGeometry) -> None:
    """Refuse what cannot be a head by its size in the axial slice where it is largest."""
    mask = head_mask(volume)
    largest = mask[int(np.argmax(mask.sum(axis=(1, 2))))]
    rows, columns = (np.flatnonzero(largest.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise UnsuitableImage("constant-image", "the series has no signal")
    spacing = grid.spacing
    extent = (rows[-1] - rows[0] + 1) * spacing[1], (columns[-1] - columns[0] + 1) * spacing[2]
    low, high = _HEAD_MM
    if not all(low <= value <= high for value in extent):
        raise UnsuitableImage(
            "no-head",
            f"what the series shows measures {extent[0]:.0f} x {extent[1]:.0f} mm; a head is {low:.0f} to "
            f"{high:.0f} mm long and wide",
        )


def infer(
    prepared: PreparedStudy, detector: VolumeDetector, manifest: PackageManifest, folder: Path
) -> KeptReading:
    """Run the members, keep the probability of each in ``folder``, and make a reading of their mean."""
    study = prepared.load()
    answer = detector.read(study, prepared.plan, folder)
    reading = reading_of(answer, study, manifest)
    return KeptReading.keep(reading, answer, folder)


def assess(reading: KeptReading, manifest: PackageManifest) -> Assessment:
    """Judge how far the reading can be trusted."""
    return assess_segmentation(reading.load(), reading.branch, reading.components, manifest)
